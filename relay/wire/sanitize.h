/* Untrusted text (names, messages, log lines that a peer chose) for people to read. Characters that could
 * control a terminal or reorder the surrounding text are replaced, bytes that are not UTF-8 become U+FFFD,
 * everything else is copied unchanged. Pure.
 */
#ifndef WIRE_SANITIZE_H
#define WIRE_SANITIZE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* The replacement for a control character (sanitize_is_control). */
enum sanitize_mode {
    SANITIZE_BLANK,        /* a blank: for sentences */
    SANITIZE_ESCAPE,       /* \n, \t, \x1b, \u{202e}: for a cell or a message on one line */
    SANITIZE_ESCAPE_LINES, /* the same, but \n and \t stay: for text on lines of its own */
};

/* One character as it may be shown. */
struct sanitized {
    char bytes[12]; /* the longest escape is \u{e0020} */
    size_t len;     /* of bytes; at most 4 but for an escape */
    size_t used;    /* of the input */
};

/* The first character at `p`, of which `left` bytes, 1 or more, may be read. */
struct sanitized sanitize_next(const char *p, size_t left, enum sanitize_mode mode);
/* ERR_TOO_LARGE, -ENOMEM: part of it may have been appended. */
MUSTCHECK int sanitize_append(struct buf *b, const char *text, size_t len, enum sanitize_mode mode);
/* Into a buffer of `size` bytes, 1 or more; ends after the last character that fits; NUL-terminated. */
void sanitize_copy(char *out, size_t size, const char *text, size_t len, enum sanitize_mode mode);

/* Not empty, and without a control character: it may be printed as it is. */
bool sanitize_is_plain(const char *text, size_t len);
/* C0, DEL, C1; the marks, embeddings, overrides and isolates of the bidirectional algorithm; line and
 * paragraph separators; the byte order mark; tags. */
bool sanitize_is_control(uint32_t c);
/* The character at `p`, of which `left` bytes, 1 or more, may be read; U+FFFD and one byte used where no
 * valid UTF-8 begins (RFC 3629). */
uint32_t sanitize_decode(const char *p, size_t left, size_t *ret_used);

#endif

/* Words of others (names, messages, log lines) for people to read: what may be shown of them as it is. What
 * it keeps away could drive a terminal or turn the order of the text around it. Pure; nothing here can fail.
 */
#ifndef WIRE_CLEAN_H
#define WIRE_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The character at `p`, of which `left` bytes, 1 or more, may be read; U+FFFD and one byte used where no
 * valid UTF-8 begins (RFC 3629). */
uint32_t clean_decode(const char *p, size_t left, size_t *ret_used);
/* C0, DEL, C1; the marks, embeddings, overrides and isolates of the bidirectional algorithm; line and
 * paragraph separators; the byte order mark; tags. */
bool clean_is_control(uint32_t c);

/* One character as it may be shown: `len` bytes, out of `used` that were read. */
struct clean_character {
    char bytes[4];
    size_t len;
    size_t used;
};

/* Blanks and controls are a blank, what is no UTF-8 is U+FFFD, all else is itself. */
struct clean_character clean_next(const char *p, size_t left);

#endif

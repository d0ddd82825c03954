/* Text from outside, made harmless for a terminal and for a table. Pure.
 *
 * A server's words may hold anything: escape sequences that move the cursor or change the title, line breaks
 * that forge a line, characters that turn the direction of writing. They are shown, not obeyed: as \n, \t,
 * \x1b or \u{202e}. Invalid UTF-8 becomes U+FFFD.
 */
#ifndef CTL_SAFE_H
#define CTL_SAFE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum safe_lines {
    SAFE_ONE_LINE,   /* for a cell or a message: line breaks and tabs are shown */
    SAFE_KEEP_LINES, /* for text that stands alone: \n and \t stay */
};

/* ERR_TOO_LARGE, -ENOMEM: part of it may have been appended. */
MUSTCHECK int safe_append(struct buf *b, const char *text, size_t len, enum safe_lines lines);
/* Into a fixed place, cut where it does not fit; always NUL-terminated. */
void safe_copy(char *out, size_t size, const char *text, size_t len);

/* Not empty, and without a control character (wire/clean.h): it may be printed as it is. */
bool safe_is_clean(const char *text, size_t len);
/* A name of a list for scripts, and a newline. One that would have to be changed to be harmless is none that
 * a script could use, and NULL is none: both are left out. As safe_append. */
MUSTCHECK int safe_append_name(struct buf *b, const char *name, size_t len);

#endif

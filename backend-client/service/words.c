/* Words of others for people to read.
 *
 * Purpose: errors quote names, messages and log lines that others chose, and end up in terminals and web
 * pages. Each character is looked at, and only whole, harmless ones pass. Failure modes: none; what does not
 * fit is cut.
 */
#include "words.h"

#include <string.h>

#include "wire/clean.h"
#include "wire/text.h"

#define ELLIPSIS     "..."
#define ELLIPSIS_LEN (sizeof(ELLIPSIS) - 1)

/* Ends the text, which has `len` clean bytes or more, with "..." at `size` or before. */
static void cut(char *into, size_t size, size_t len)
{
    size_t at = size - 1 - ELLIPSIS_LEN;
    into[len] = '\0';
    while (at > 0 && text_is_continuation(into[at]))
        at--;
    memcpy(into + at, ELLIPSIS, ELLIPSIS_LEN + 1);
}

void words_clean(char *into, size_t size, const char *bytes, size_t len)
{
    size_t used = 0;
    while (len > 0) {
        struct clean_character c = clean_next(bytes, len);
        bytes += c.used;
        len -= c.used;
        if (c.bytes[0] == ' ' && (used == 0 || into[used - 1] == ' '))
            continue;
        if (used + c.len >
            size - 1) { /* no character has more than four bytes, so at least size - 4 are there */
            cut(into, size, used);
            return;
        }
        memcpy(into + used, c.bytes, c.len);
        used += c.len;
    }
    if (used > 0 && into[used - 1] == ' ')
        used--;
    into[used] = '\0';
}

void words_clean_end(char *into, size_t size, const char *bytes, size_t len)
{
    while (len > 0 && (unsigned char)bytes[len - 1] <= ' ')
        len--;
    if (len <= size - 1) {
        words_clean(into, size, bytes, len);
        return;
    }
    size_t skip = len - (size - 1 - ELLIPSIS_LEN);
    while (skip < len && text_is_continuation(bytes[skip]))
        skip++;
    memcpy(into, ELLIPSIS, ELLIPSIS_LEN);
    words_clean(into + ELLIPSIS_LEN, size - ELLIPSIS_LEN, bytes + skip, len - skip);
}

/* Words of others for people to read.
 *
 * Purpose: errors quote names, messages and log lines that others chose, and end up in terminals and web
 * pages. Each character is looked at, and only whole, harmless ones pass. Failure modes: none; what does not
 * fit is cut.
 */
#include "words.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "wire/text.h"

#define ELLIPSIS     "..."
#define ELLIPSIS_LEN (sizeof ELLIPSIS - 1)
#define REPLACEMENT  "\xef\xbf\xbd" /* U+FFFD */

/* One clean character: `len` bytes, out of `used` that were read. */
struct character {
    char bytes[4];
    size_t len;
    size_t used;
};

static uint32_t code_point(const char *p, size_t len)
{
    uint32_t c = (unsigned char)p[0] & (0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)p[i] & 0x3f);
    return c;
}

/* Beyond ASCII: C1, the separators, the bidirectional algorithm's controls, and the byte order mark. */
static bool is_control(uint32_t c)
{
    return (c >= 0x80 && c <= 0x9f) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

static struct character next_character(const char *p, size_t left)
{
    struct character c = {.bytes = {' '}, .len = 1, .used = 1};
    unsigned char first = (unsigned char)p[0];
    char padded[4] = {0}; /* text_sequence reads four; a NUL is no continuation */
    if (first < 0x80) {
        if (first > 0x20 && first != 0x7f)
            c.bytes[0] = p[0];
        return c;
    }
    memcpy(padded, p, left < sizeof padded ? left : sizeof padded);
    size_t len = text_sequence(padded);
    if (len == 0) {
        memcpy(c.bytes, REPLACEMENT, sizeof REPLACEMENT - 1);
        c.len = sizeof REPLACEMENT - 1;
        return c;
    }
    c.used = len;
    if (!is_control(code_point(padded, len))) {
        memcpy(c.bytes, padded, len);
        c.len = len;
    }
    return c;
}

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
        struct character c = next_character(bytes, len);
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

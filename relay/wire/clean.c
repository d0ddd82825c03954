#include "wire/clean.h"

#include <string.h>

#include "wire/text.h"

#define REPLACEMENT    "\xef\xbf\xbd" /* U+FFFD */
#define REPLACEMENT_CP UINT32_C(0xfffd)

uint32_t clean_decode(const char *p, size_t left, size_t *ret_used)
{
    char four[4] = {0}; /* text_sequence reads four; a NUL is no continuation */
    memcpy(four, p, left < sizeof(four) ? left : sizeof(four));
    unsigned char first = (unsigned char)four[0];
    *ret_used = 1;
    if (first < 0x80)
        return first;
    size_t len = text_sequence(four);
    if (len == 0)
        return REPLACEMENT_CP;
    *ret_used = len;
    uint32_t c = first & (0x7fU >> len);
    for (size_t i = 1; i < len; i++)
        c = c << 6 | ((unsigned char)four[i] & 0x3f);
    return c;
}

bool clean_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) ||                                       /* C0, DEL, C1 */
           c == 0x061c || c == 0x200e || c == 0x200f || (c >= 0x202a && c <= 0x202e) || /* direction */
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029 ||                /* and lines */
           c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f); /* byte order mark, tags */
}

struct clean_character clean_next(const char *p, size_t left)
{
    struct clean_character clean = {.bytes = {' '}, .len = 1};
    uint32_t c = clean_decode(p, left, &clean.used);
    if (c == REPLACEMENT_CP) {
        clean.len = sizeof(REPLACEMENT) - 1;
        memcpy(clean.bytes, REPLACEMENT, clean.len);
    } else if (!clean_is_control(c)) {
        clean.len = clean.used;
        memcpy(clean.bytes, p, clean.len);
    }
    return clean;
}

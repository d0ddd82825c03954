/* Valid UTF-8, incrementally: runs of ASCII are skipped in words, other characters are checked byte by byte
 * against the bounds that their first byte sets (wire/text.h). Nothing can fail.
 */
#include "wire/utf8.h"

#include <string.h>

#include "wire/text.h"

static const char *ascii_end(const char *p, const char *end)
{
    const uint64_t top_bits = UINT64_C(0x8080808080808080);
    while (end - p >= 32) {
        uint64_t w[4];
        memcpy(w, p, sizeof(w));
        if (((w[0] | w[1] | w[2] | w[3]) & top_bits) != 0)
            break;
        p += sizeof(w);
    }
    while (p < end && (unsigned char)*p < 0x80)
        p++;
    return p;
}

static bool begin_character(struct utf8_check *u, char first)
{
    struct text_lead lead = text_lead(first);
    u->follow = lead.follow;
    u->low = lead.low;
    u->high = lead.high;
    return lead.follow != 0;
}

static bool continue_character(struct utf8_check *u, char next)
{
    unsigned char c = (unsigned char)next;
    bool fits = c >= u->low && c <= u->high;
    u->follow--;
    u->low = 0x80;
    u->high = 0xbf;
    return fits;
}

bool utf8_check_feed(struct utf8_check *u, const char *bytes, size_t len)
{
    const char *end = bytes + len;
    for (const char *p = bytes; p < end; p++) {
        if (u->follow == 0) {
            p = ascii_end(p, end);
            if (p == end)
                break;
        }
        if (!(u->follow == 0 ? begin_character(u, *p) : continue_character(u, *p)))
            return false;
    }
    return true;
}

bool utf8_is_valid(const char *bytes, size_t len)
{
    struct utf8_check u = {0};
    return utf8_check_feed(&u, bytes, len) && utf8_check_ended(&u);
}

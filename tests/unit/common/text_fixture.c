/* The strict reader of texts that are shown to people. */
#include "tests/unit/common/text_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_character(uint32_t c, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    assert_true(c >= least[len]); /* no overlong form */
    assert_false(c < 0x20 || (c >= 0x7f && c <= 0x9f));
    assert_false(c >= 0xd800 && c <= 0xdfff);
    assert_true(c <= 0x10ffff);
    assert_false(c == 0x61c || c == 0x200e || c == 0x200f || c == 0xfeff);
    assert_false((c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069));
}

/* How many bytes the sequence that begins so has, and the bits of its first byte. */
static size_t lead(unsigned char first, uint32_t *ret_bits)
{
    if (first < 0x80) {
        *ret_bits = first;
        return 1;
    }
    for (size_t len = 2; len <= 4; len++) {
        unsigned mark = (0xf00U >> len) & 0xff;
        unsigned mask = (0xf80U >> len) & 0xff;
        if ((first & mask) == mark) {
            *ret_bits = first & ~mask & 0xff;
            return len;
        }
    }
    fail_msg("byte %02x begins no character", first);
    return 0;
}

void assert_clean_text(const char *text, size_t size)
{
    size_t len = strnlen(text, size);
    assert_true(len < size);
    for (size_t i = 0; i < len;) {
        uint32_t c = 0;
        size_t count = lead((unsigned char)text[i], &c);
        assert_true(i + count <= len);
        for (size_t k = 1; k < count; k++) {
            unsigned char next = (unsigned char)text[i + k];
            assert_int_equal(next & 0xc0, 0x80);
            c = c << 6 | (next & 0x3f);
        }
        assert_character(c, count);
        i += count;
    }
}

void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" contains \"%s\"", text, part);
}

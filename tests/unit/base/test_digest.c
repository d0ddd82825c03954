/* base/sha1, base/base64: the vectors of FIPS 180 and RFC 4648. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/sha1.h"

static void expect_digest(const void *bytes, size_t len, const char *hex)
{
    uint8_t digest[SHA1_BYTES];
    char text[2 * SHA1_BYTES + 1];
    sha1(bytes, len, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        (void)snprintf(text + 2 * i, 3, "%02x", digest[i]);
    assert_string_equal(text, hex);
}

static void hashes(void **state)
{
    (void)state;
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    char *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    expect_digest("", 0, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    expect_digest("abc", 3, "a9993e364706816aba3e25717850c26c9cd0d89d");
    expect_digest(two_blocks, sizeof(two_blocks) - 1, "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    expect_digest(million, 1000000, "34aa973cd4c4daa4f61eeb2bdbad27316534016f");
    expect_digest(million, 55, "c1c8bbdc22796e28c0e15163d20899b65621d65a");
    expect_digest(million, 56, "c2db330f6083854c99d4b5bfb6e8f29f201be699");
    expect_digest(million, 64, "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    free(million);
}

static void encodes(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"},
                                           {"\xff\xfe", "//4="}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char out[16];
        size_t len = strlen(pairs[i][0]);
        base64_encode(pairs[i][0], len, out);
        assert_string_equal(out, pairs[i][1]);
        assert_int_equal(strlen(out), BASE64_LEN(len));
    }
    assert_true(base64_is_digit('+') && base64_is_digit('z') && base64_is_digit('0'));
    assert_false(base64_is_digit('=') || base64_is_digit('-') || base64_is_digit('\0'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes),
        cmocka_unit_test(encodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

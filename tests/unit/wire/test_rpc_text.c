/* wire/rpc_text: strings decoded and compared, relay ids, members of objects, elements of batches. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/rpc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- strings ---- */

static const struct {
    const char *quoted;
    const char *decoded;
    size_t len;
} strings[] = {
    {"\"\"", "", 0},
    {"\"a\"", "a", 1},
    {"\"tools\\/call\"", "tools/call", 10},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t", 8},
    {"\"\\u0041\\u00e9\\u6F22\"", "A\xc3\xa9\xe6\xbc\xa2", 6},
    {"\"\\uD83D\\uDE00!\"", "\xf0\x9f\x98\x80!", 5},
    {"\"\\ud800\\udc00\\udbff\\udfff\"", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8},
    {"\"a\\u0000b\"", "a\0b", 3},
    {"\"\xf0\x9f\x98\x80\"", "\xf0\x9f\x98\x80", 4},
    /* lone surrogates: each as itself */
    {"\"\\ud800\"", "\xed\xa0\x80", 3},
    {"\"\\udc00\\ud800\"", "\xed\xb0\x80\xed\xa0\x80", 6},
    {"\"\\ud800\\ud801\\udc00\"", "\xed\xa0\x80\xf0\x90\x90\x80", 7},
    {"\"\\ud800x\\udc00\"", "\xed\xa0\x80x\xed\xb0\x80", 7},
    {"\"\\ud800\\n\"", "\xed\xa0\x80\n", 4},
    {"\"\\ud800\\u0041\"",
     "\xed\xa0\x80"
     "A",
     4},
};

static void decodes_strings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        size_t len = strlen(strings[i].quoted);
        char out[32];
        assert_int_equal(rpc_decode_string(strings[i].quoted, len, out, sizeof(out)), strings[i].len);
        assert_memory_equal(out, strings[i].decoded, strings[i].len);
        /* exactly enough room, and one byte less */
        memset(out, '#', sizeof(out));
        assert_int_equal(rpc_decode_string(strings[i].quoted, len, out, strings[i].len), strings[i].len);
        assert_int_equal(out[strings[i].len], '#');
        if (strings[i].len > 0)
            assert_int_equal(rpc_decode_string(strings[i].quoted, len, out, strings[i].len - 1), SIZE_MAX);
        if (!memchr(strings[i].decoded, '\0', strings[i].len))
            assert_true(rpc_string_is(strings[i].quoted, len, strings[i].decoded));
    }
}

static void knows_what_is_no_string(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",       "\"",      "a",         "12",          "null",      "\"a",     "a\"",
        "\"\\\"", "\"\\q\"", "\"\\u12\"", "\"\\u12g4\"", "{\"a\":1}", "\"\\u\"", "\"a\\u123\""};
    for (size_t i = 0; i < COUNT(texts); i++) {
        char out[32];
        size_t len = strlen(texts[i]);
        assert_int_equal(rpc_decode_string(texts[i], len, out, sizeof(out)), SIZE_MAX);
        assert_false(rpc_string_is(texts[i], len, ""));
        assert_false(rpc_string_is(texts[i], len, "a"));
    }
}

static void compares_decoded(void **state)
{
    (void)state;
    static const char plain[] = "\"notifications/cancelled\"";
    static const char escaped[] = "\"notifications\\/cancelle\\u0064\"";
    assert_true(rpc_string_is(plain, sizeof(plain) - 1, "notifications/cancelled"));
    assert_true(rpc_string_is(escaped, sizeof(escaped) - 1, "notifications/cancelled"));
    assert_false(rpc_string_is(escaped, sizeof(escaped) - 1, "notifications/cancelle"));
    assert_false(rpc_string_is(escaped, sizeof(escaped) - 1, "notifications/cancelled "));
    assert_false(rpc_string_is(escaped, sizeof(escaped) - 1, "notifications/canceller"));
    assert_false(rpc_string_is("\"a\\u0000\"", 9, "a"));
    assert_true(rpc_string_begins(escaped, sizeof(escaped) - 1, "notifications/cancelled"));
    assert_true(rpc_string_begins(escaped, sizeof(escaped) - 1, "notifications/"));
    assert_true(rpc_string_begins(escaped, sizeof(escaped) - 1, "n"));
    assert_true(rpc_string_begins(escaped, sizeof(escaped) - 1, ""));
    assert_false(rpc_string_begins(escaped, sizeof(escaped) - 1, "notifications\\/"));
    assert_false(rpc_string_begins("\"a\"", 3, "ab"));
    assert_false(rpc_string_begins("\"\"", 2, "a"));
}

/* ---- ids ---- */

static void reads_relay_ids(void **state)
{
    (void)state;
    static const struct {
        const char *lexeme;
        uint64_t id;
    } good[] = {{"0", 0}, {"7", 7}, {"1234567890", 1234567890}, {"9007199254740991", 9007199254740991}};
    static const char *const bad[] = {"",
                                      "-1",
                                      "-0",
                                      "+1",
                                      "01",
                                      "00",
                                      "1.0",
                                      "1e2",
                                      "\"1\"",
                                      "null",
                                      " 1",
                                      "1 ",
                                      "0x1",
                                      "9007199254740992",
                                      "99999999999999999999",
                                      "18446744073709551617"};
    for (size_t i = 0; i < COUNT(good); i++) {
        uint64_t id = 99;
        assert_true(rpc_parse_id(good[i].lexeme, strlen(good[i].lexeme), &id));
        assert_int_equal(id, good[i].id);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        uint64_t id = 99;
        assert_false(rpc_parse_id(bad[i], strlen(bad[i]), &id));
        assert_int_equal(id, 99);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_strings),
        cmocka_unit_test(knows_what_is_no_string),
        cmocka_unit_test(compares_decoded),
        cmocka_unit_test(reads_relay_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

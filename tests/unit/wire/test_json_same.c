/* JSON texts compared as values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/common/fault_alloc.h"
#include "wire/json_same.h"

static bool same(const char *a, const char *b)
{
    bool forth = json_same(a, strlen(a), b, strlen(b));
    assert_int_equal(forth, json_same(b, strlen(b), a, strlen(a)));
    return forth;
}

static void spelling_does_not_count(void **state)
{
    (void)state;
    assert_true(same("{\"a\":1,\"b\":[true,null]}", "{ \"b\" : [ true , null ],\n\"a\":1.0 }"));
    assert_true(same("{\"\\u0061\":\"\\u00e9\\/\"}", "{\"a\":\"\xc3\xa9/\"}"));
    assert_true(same("{\"x\":{\"b\":2,\"a\":{\"d\":1e2,\"c\":[]}}}",
                     "{\"x\":{\"a\":{\"c\":[ ],\"d\":100},\"b\":2}}"));
    assert_true(same("{\"a\":1,\"a\":2}", "{\"a\":2}"));
    assert_true(same("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\""));
    assert_true(same("", ""));
}

static void values_do(void **state)
{
    (void)state;
    static const char *const differ[][2] = {
        {"{\"a\":1}", "{\"a\":2}"},
        {"{\"a\":1}", "{\"b\":1}"},
        {"{\"a\":1}", "{\"a\":1,\"b\":1}"},
        {"{\"a\":null}", "{}"},
        {"[1,2]", "[2,1]"},
        {"[1]", "[1,1]"},
        {"\"1\"", "1"},
        {"true", "false"},
        {"{}", "[]"},
        {"\"a\\u0000\"", "\"a\""},
        {"9007199254740993", "9007199254740992"},
        {"", "{}"},
        {"{\"a\":1,\"a\":2}", "{\"a\":1}"},
        {"{\"a\":1", "{\"a\":1 "},
    };
    for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++)
        if (same(differ[i][0], differ[i][1]))
            fail_msg("%s = %s", differ[i][0], differ[i][1]);
}

/* Each value is compared once, however often its key occurs on the way to it. */
static void repeated_keys_cost_nothing(void **state)
{
    (void)state;
    enum { LEVELS = 100 };
    static const char member[] = "{\"a\":0,\"a\":";
    const size_t member_len = sizeof(member) - 1;
    char a[1 + LEVELS * sizeof(member) + LEVELS + 3] = " ";
    for (size_t i = 0; i < LEVELS; i++)
        memcpy(a + 1 + i * member_len, member, member_len);
    a[1 + LEVELS * member_len] = '0';
    memset(a + LEVELS * member_len + 2, '}', LEVELS);
    a[LEVELS * (member_len + 1) + 2] = '\0';
    assert_true(same(a, a + 1));
}

static void without_memory_only_the_same_bytes_are(void **state)
{
    (void)state;
    static const char a[] = "{\"a\":1}";
    static const char b[] = "{ \"a\":1}";
    fault_alloc_install();
    for (size_t n = 1;; n++) {
        fault_alloc_fail_at(n);
        bool equal = json_same(a, strlen(a), b, strlen(b));
        bool fired = fault_alloc_fired();
        assert_int_equal(equal, !fired);
        assert_int_equal(fault_alloc_live(), 0);
        assert_true(json_same(a, strlen(a), a, strlen(a)));
        if (!fired)
            break;
    }
    fault_alloc_fail_at(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spelling_does_not_count),
        cmocka_unit_test(values_do),
        cmocka_unit_test(repeated_keys_cost_nothing),
        cmocka_unit_test(without_memory_only_the_same_bytes_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

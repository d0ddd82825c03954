/* Numbers compared as values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/number.h"
#include "wire/rpc.h"

static bool equal(const char *a, const char *b)
{
    bool forth = number_equal(a, strlen(a), b, strlen(b));
    assert_int_equal(forth, number_equal(b, strlen(b), a, strlen(a)));
    return forth;
}

static void spellings_of_one_number_are_equal(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"1", "1.0"},
        {"1", "1e0"},
        {"1", "10E-1"},
        {"0", "-0.00e5"},
        {"100", "1e2"},
        {"1.50", "15e-1"},
        {"0.001", "1E-3"},
        {"-7", "-7.000"},
        {"9007199254740993", "9007199254740993.0"},
        {"1e1000000000000000000000", "1e1000000000000000000000"},
        {"123456789012345678901234567890", "1.2345678901234567890123456789e29"},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
        if (!equal(same[i][0], same[i][1]))
            fail_msg("%s != %s", same[i][0], same[i][1]);
}

static void others_are_not(void **state)
{
    (void)state;
    static const char *const differ[][2] = {
        {"1", "-1"},    {"1", "10"},     {"1", "1.1"},    {"9007199254740993", "9007199254740992"},
        {"1e5", "1e6"}, {"0.1", "0.01"}, {"1", "1e-400"}, {"1", "01"},
        {"1", "1."},    {"1", ".1e1"},   {"1", "+1"},     {"1", "1e"},
        {"1", ""},      {"1", "-"},      {"1", "1 "},
    };
    for (size_t i = 0; i < sizeof(differ) / sizeof(differ[0]); i++)
        if (equal(differ[i][0], differ[i][1]))
            fail_msg("%s == %s", differ[i][0], differ[i][1]);
}

/* An id of ours as a child may spell it. */
static void reads_whole_numbers_and_ids(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t id; /* -1: none */
    } ids[] = {
        {"17", 17},
        {"17.0", 17},
        {"1.7e1", 17},
        {"170E-1", 17},
        {"\"17\"", 17},
        {"\"17.0\"", 17},
        {"\"\\u0031\\u0037\"", 17},
        {"-0", 0},
        {"9007199254740991", 9007199254740991},
        {"9.007199254740991e15", 9007199254740991},
        {"9007199254740992", -1},
        {"1e16", -1},
        {"1e400", -1},
        {"1e99999999999999999999", -1},
        {"1.5", -1},
        {"-1", -1},
        {"\"\"", -1},
        {"\" 1\"", -1},
        {"\"1a\"", -1},
        {"\"-1\"", -1},
        {"\"0000000000000000000000000000000000000000000000001\"", -1},
        {"null", -1},
        {"true", -1},
        {"", -1},
    };
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        uint64_t id = 0;
        bool found = rpc_parse_spelled_id(ids[i].text, strlen(ids[i].text), &id);
        if (found != (ids[i].id >= 0) || (found && id != (uint64_t)ids[i].id))
            fail_msg("%s: %d %llu", ids[i].text, found, (unsigned long long)id);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings_of_one_number_are_equal),
        cmocka_unit_test(others_are_not),
        cmocka_unit_test(reads_whole_numbers_and_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

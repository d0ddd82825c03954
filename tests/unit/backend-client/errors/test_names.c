/* Names of the public interface's numbers: each of the table, and whatever else comes in. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent_relay.h"

static void every_code_has_its_name(void **state)
{
    (void)state;
    size_t count = 0;
#define X(name, number, text)                                                                                \
    assert_string_equal(ar_code_name(number), #name);                                                        \
    assert_string_equal(ar_code_text(number), text);                                                         \
    count++;
    AR_CODES(X)
#undef X
    assert_int_equal(count, 16);
    assert_string_equal(ar_code_name(AR_E_TIMEOUT), "AR_E_TIMEOUT");
}

static void other_numbers_are_unknown(void **state)
{
    (void)state;
    static const int others[] = {1, -16, 15, INT_MAX, INT_MIN, -31001, -20001};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_string_equal(ar_code_name(others[i]), "AR_E_UNKNOWN");
        assert_string_equal(ar_code_text(others[i]), "unknown error");
    }
}

static void words_of_the_states(void **state)
{
    (void)state;
    assert_string_equal(ar_state_name(AR_CONNECTING), "connecting");
    assert_string_equal(ar_state_name(AR_LIVE), "live");
    assert_string_equal(ar_state_name(AR_DEGRADED), "degraded");
    assert_string_equal(ar_state_name(AR_CLOSED), "closed");
    assert_string_equal(ar_source_name(AR_SOURCE_LIVE), "live");
    assert_string_equal(ar_source_name(AR_SOURCE_STALE), "stale");
    assert_string_equal(ar_source_name(AR_SOURCE_MOCK), "mock");
    assert_string_equal(ar_reach_name(AR_REACH_UNKNOWN), "unknown");
    assert_string_equal(ar_reach_name(AR_REACH_UP), "up");
    assert_string_equal(ar_reach_name(AR_REACH_DOWN), "down");
}

/* A number from a newer version, read from a structure, say. Not above the enumeration's bits, which would be
 * undefined. */
static void no_word_is_ever_missing(void **state)
{
    (void)state;
    int other = 3;
    assert_string_equal(ar_source_name((enum ar_source)other), "unknown");
    assert_string_equal(ar_reach_name((enum ar_reach)other), "unknown");
}

static void the_version_is_one(void **state)
{
    (void)state;
    unsigned dots = 0;
    const char *version = ar_version();
    assert_int_equal(strspn(version, "0123456789."), strlen(version));
    for (const char *c = version; *c; c++)
        dots += *c == '.';
    assert_int_equal(dots, 2);
    assert_true(version == ar_version()); /* static */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_name), cmocka_unit_test(other_numbers_are_unknown),
        cmocka_unit_test(words_of_the_states),     cmocka_unit_test(no_word_is_ever_missing),
        cmocka_unit_test(the_version_is_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* wire/utf8: what is valid, in any cuts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/utf8.h"

static const struct {
    const char *text;
    bool valid;
} cases[] = {
    {"", true},
    {"hello", true},
    {"a text of ASCII that is longer than thirty-two bytes, and \xe4\xb8\xad", true},
    {"\xc2\x80 \xdf\xbf", true},
    {"\xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf", true},
    {"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", true},
    {"\x80", false},
    {"\xbf", false},
    {"\xc0\x80", false},
    {"\xc1\xbf", false},
    {"\xe0\x9f\xbf", false},
    {"\xed\xa0\x80", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xf4\x90\x80\x80", false},
    {"\xf5\x80\x80\x80", false},
    {"\xfe", false},
    {"\xff", false},
    {"\xc3(", false},
    {"\xe4\xb8(", false},
    {"\xf0\x9f\x98(", false},
    {"\xc3", false},
    {"\xe4\xb8", false},
    {"\xf0\x9f\x98", false},
};

static bool valid_in_two(const char *text, size_t len, size_t cut)
{
    struct utf8_check u = {0};
    return utf8_check_feed(&u, text, cut) && utf8_check_feed(&u, text + cut, len - cut) &&
           utf8_check_ended(&u);
}

static void judges_in_any_cuts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len = strlen(cases[i].text);
        if (utf8_is_valid(cases[i].text, len) != cases[i].valid)
            fail_msg("%zu", i);
        for (size_t cut = 0; cut <= len; cut++)
            assert_int_equal(valid_in_two(cases[i].text, len, cut), cases[i].valid);
    }
}

static void decides_at_the_first_bad_byte(void **state)
{
    (void)state;
    struct utf8_check u = {0};
    assert_true(utf8_check_feed(&u, "a\xed", 2));
    assert_false(utf8_check_feed(&u, "\xa0", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_in_any_cuts),
        cmocka_unit_test(decides_at_the_first_bad_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Every code of the interface has a name, words, and where somebody can do something, a suggestion. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/errors/reply_error.h"

static void each_code_has_a_name(void **state)
{
    (void)state;
#define X(name, number, text) {number, #name, text},
    static const struct {
        int code;
        const char *name;
        const char *text;
    } table[] = {AR_CODES(X)};
#undef X
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct ar_reply r = {.code = table[i].code};
        reply_error_fill(&r);
        bool ok = r.code == AR_OK;
        assert_string_equal(r.error_name, ok ? "" : table[i].name + strlen("AR_E_"));
        assert_string_equal(r.message, ok ? "" : table[i].text);
        assert_string_equal(r.error_text, r.message);
        assert_string_equal(r.error_data, "");
        assert_non_null(r.suggestion);
    }
}

static void what_has_been_said_stays(void **state)
{
    (void)state;
    struct ar_reply r = {.code = AR_E_TIMEOUT,
                         .message = "m",
                         .error_data = "{}",
                         .error_name = "N",
                         .error_text = "t",
                         .suggestion = "s"};
    reply_error_fill(&r);
    assert_string_equal(r.message, "m");
    assert_string_equal(r.error_data, "{}");
    assert_string_equal(r.error_name, "N");
    assert_string_equal(r.error_text, "t");
    assert_string_equal(r.suggestion, "s");
}

static void suggestions_know_whether_it_may_have_run(void **state)
{
    (void)state;
    struct ar_reply unsent = {.code = AR_E_CONNECTION_LOST};
    struct ar_reply sent = {.code = AR_E_CONNECTION_LOST, .may_have_run = true};
    reply_error_fill(&unsent);
    reply_error_fill(&sent);
    assert_non_null(strstr(unsent.suggestion, "send it again"));
    assert_non_null(strstr(sent.suggestion, "check whether it was done"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_code_has_a_name),
        cmocka_unit_test(what_has_been_said_stays),
        cmocka_unit_test(suggestions_know_whether_it_may_have_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

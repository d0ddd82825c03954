/* A mock view for tests. Purpose and use: client_mock_kit.h. */
#include "tests/unit/backend-client/agents/mock_view_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/common/strict_json.h"
#include "wire/rpc.h"

struct mock_view *view;
struct mock_answer answer;

int mock_view_fixture_set_up(void **state)
{
    (void)state;
    char problem[200] = "?";
    assert_int_equal(mock_view_new(NULL, 1, START, &view, problem, sizeof(problem)), 0);
    assert_string_equal(problem, "");
    return 0;
}

int mock_view_fixture_tear_down(void **state)
{
    (void)state;
    mock_view_free(view);
    view = NULL;
    return 0;
}

int call_at(uint64_t now_ms, const char *method, const char *params)
{
    memset(&answer, 0, sizeof(answer));
    return mock_view_call(view, method, params, params ? strlen(params) : 0, now_ms, &answer);
}

char *result_at(uint64_t now_ms, const char *method, const char *params)
{
    assert_int_equal(call_at(now_ms, method, params), 0);
    assert_non_null(answer.result);
    assert_true(is_strict_json(answer.result, answer.result_len));
    char *result = strndup(answer.result, answer.result_len);
    assert_non_null(result);
    return result;
}

void check_result(const char *method, const char *params, const char *expected)
{
    char *result = result_at(START, method, params);
    assert_string_equal(result, expected);
    free(result);
}

struct agent_set *agents_at(uint64_t now_ms)
{
    struct agent_set *set = NULL;
    assert_int_equal(mock_view_agents(view, now_ms, &set), 0);
    return set;
}

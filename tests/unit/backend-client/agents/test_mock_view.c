/* backend-client/src/agents/mock_view.c: the mock as agents and as answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "tests/unit/backend-client/agents/agents_fixture.h"
#include "tests/unit/backend-client/agents/mock_view_fixture.h"

static void check_error(const char *method, const char *params, int code, const char *message)
{
    assert_int_equal(call_at(START, method, params), 0);
    assert_null(answer.result);
    assert_int_equal(answer.error_code, code);
    assert_int_equal(answer.message_len, strlen(message));
    assert_memory_equal(answer.message, message, answer.message_len);
}

/* ---- agents ---- */

static void the_agents_as_they_start(void **state)
{
    (void)state;
    static const char *const ids[] = {"coordinator-001", "researcher-001", "coder-001", "analyst-001",
                                      "tester-001"};
    struct agent_set *set = agents_at(START);
    assert_int_equal(agent_set_count(set), 5);
    assert_true(agent_set_any_mock(set));
    for (size_t i = 0; i < 5; i++) {
        const struct ar_agent *a = agent_set_get(set, i);
        assert_string_equal(a->id, ids[i]);
        assert_true(a->mock);
        assert_int_equal(a->capability_count, 3);
        assert_true(a->health >= 0 && a->cpu >= 0 && a->memory >= 0 && a->workload >= 0);
        assert_int_equal(a->created_at_ms, START);
    }
    const struct ar_agent *tester = agent_set_find(set, "tester-001");
    assert_string_equal(tester->status, "idle");
    assert_int_equal(tester->tasks_completed, 25);
    assert_int_equal(tester->tasks_failed, 3);
    assert_true(tester->success_rate == 0.893);
    agent_set_release(set);
}

static void it_moves_and_repeats_itself(void **state)
{
    (void)state;
    struct agent_set *first = agents_at(START), *again = agents_at(START), *later = agents_at(SECOND(300));
    assert_true(agent_set_equal(first, again));
    assert_false(agent_set_equal(first, later));
    agent_set_release(again);
    again = agents_at(START); /* looking ahead has changed nothing */
    assert_true(agent_set_equal(first, again));
    agent_set_release(first);
    agent_set_release(again);
    agent_set_release(later);
}

static void agents_of_its_own(void **state)
{
    (void)state;
    char problem[200];
    struct mock_view *own;
    char cast[] = "{\"agents\":[{\"id\":\"x\",\"name\":\"X\",\"type\":\"coder\"}]}";
    struct agent_set *set = NULL;
    assert_int_equal(mock_view_new(cast, 1, START, &own, problem, sizeof(problem)), 0);
    memset(cast, '#', sizeof(cast)); /* the caller's again */
    assert_int_equal(mock_view_agents(own, START, &set), 0);
    assert_int_equal(agent_set_count(set), 1);
    assert_string_equal(agent_set_get(set, 0)->name, "X");
    agent_set_release(set);
    mock_view_free(own);
    mock_view_free(NULL);
}

/* The world is made anew for each look until the first call needs one for good: no caller can notice. */
static void the_first_call_changes_nothing(void **state)
{
    (void)state;
    struct agent_set *before = agents_at(SECOND(300));
    check_result("ping", NULL, "{}");
    struct agent_set *after = agents_at(SECOND(300));
    assert_true(agent_set_equal(before, after));
    agent_set_release(before);
    agent_set_release(after);
}

static void agents_that_are_invalid(void **state)
{
    (void)state;
    char problem[200];
    struct mock_view *own = NULL;
    assert_int_equal(mock_view_new("{", 1, START, &own, problem, sizeof(problem)), ERR_SYNTAX);
    assert_string_equal(problem, "line 1: not well-formed");
    assert_int_equal(mock_view_new("{\"agents\":[]}", 1, START, &own, problem, sizeof(problem)), ERR_TYPE);
    assert_string_equal(problem, "line 1: expected {\"agents\":[...]} with at least one agent");
    assert_int_equal(mock_view_new("", 1, START, &own, NULL, 0), ERR_SYNTAX);
    assert_null(own);
}

/* ---- answers ---- */

static void an_answer_is_its_result_alone(void **state)
{
    (void)state;
    check_result("ping", NULL, "{}");
    check_result("ping", "{}", "{}");
}

static void results_of_tools(void **state)
{
    (void)state;
    check_result("tools/call", "{\"name\":\"echo\",\"arguments\":{\"message\":\"\\u00e4\\n{\"}}",
                 "{\"content\":[{\"type\":\"text\",\"text\":\"\\u00e4\\n{\"}]}");
    check_result("tools/call", "{\n\"name\": \"echo\",\r\n\"arguments\":{\"message\":\"m\"}}\n",
                 "{\"content\":[{\"type\":\"text\",\"text\":\"m\"}]}"); /* line breaks in the caller's JSON */
    check_result("tools/call", "{\"name\":\"agent_spawn\",\"arguments\":{}}",
                 "{\"content\":[{\"type\":\"text\",\"text\":\"type is required\"}],\"isError\":true}");
    char *list = result_at(START, "tools/list", NULL);
    assert_non_null(strstr(list, "\"task_orchestrate\""));
    free(list);
}

static void errors_are_answers_too(void **state)
{
    (void)state;
    check_error("tools/call", "{\"name\":\"nothing\"}", -32602, "\"Unknown tool: nothing\"");
    check_error("tools/call", NULL, -32602, "\"name is required, a string\"");
    check_error("tools/call", "{\"name\":\"a\\u0000b\"}", -32602, "\"name is required, a string\"");
    check_error("logging/setLevel", "{\"level\":\"loud\"}", -32602,
                "\"level must be one of the eight syslog levels\"");
    check_error("resources/read", "{\"uri\":\"mock://no \\\"thing\\\"\"}", -32002, "\"Resource not found\"");
}

static void what_the_mock_does_not_offer(void **state)
{
    (void)state;
    static const char *const methods[] = {
        "agent_list", "relay/status", "relay/ping", "", "PING", "prompts/list", "notifications/initialized"};
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        assert_int_equal(call_at(START, methods[i], "{}"), ERR_NOT_FOUND);
}

/* The engine checks what callers give; even so nothing here may break, or slip a second request in. */
static void params_that_are_none(void **state)
{
    (void)state;
    static const char *const params[] = {"",    "7", "{", "{},\"id\":2", "{}}\n{\"jsonrpc\":\"2.0\",\"id\":1",
                                         "\xff"};
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++) {
        assert_int_equal(call_at(START, "ping", params[i]), 0);
        assert_null(answer.result);
        assert_true(answer.error_code == -32600 || answer.error_code == -32700);
    }
    check_result("ping", NULL, "{}");
}

static void what_is_too_large(void **state)
{
    (void)state;
    const size_t len = (size_t)16 << 20;
    char *params = malloc(len + 1);
    assert_non_null(params);
    memset(params, ' ', len);
    params[len] = '\0';
    assert_int_equal(call_at(START, "ping", params), ERR_TOO_LARGE);
    memcpy(params, "{}", 2);
    params[len - 1000] = '\0';
    check_result("ping", params, "{}");
    free(params);
}

/* Notifications come before some answers: they are not the answer. */
static void logs_and_progress_are_passed_over(void **state)
{
    (void)state;
    check_result("logging/setLevel", "{\"level\":\"debug\"}", "{}");
    char *spawned =
        result_at(START, "tools/call", "{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"x\"}}");
    assert_non_null(strstr(spawned, "agentId"));
    free(spawned);
    check_result(
        "tools/call",
        "{\"name\":\"slow\",\"arguments\":{\"steps\":1000,\"stepMs\":60000,\"message\":\"end\"},\"_meta\":{\"progressToken\":1}}",
        "{\"content\":[{\"type\":\"text\",\"text\":\"end\"}]}");
}

static uint64_t elapsed_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Sixteen hours of steps, and more: none is waited for. The bound is for a machine that is busy elsewhere. */
static void what_takes_its_time_is_answered_at_once(void **state)
{
    (void)state;
    static const char *const slow[] = {
        "{\"name\":\"slow\",\"arguments\":{\"steps\":1000,\"stepMs\":60000,\"message\":\"end\"}}",
        "{\"name\":\"slow\",\"arguments\":{\"steps\":1000,\"stepMs\":0,\"message\":\"end\"}}",
        "{\"name\":\"slow\",\"arguments\":{\"steps\":1,\"stepMs\":60000,\"message\":\"end\"},\"_meta\":{\"progressToken\":\"t\"}}",
        "{\"name\":\"slow\",\"arguments\":{\"steps\":65,\"stepMs\":1,\"message\":\"end\"},\"_meta\":{\"progressToken\":\"t\"}}",
    };
    uint64_t from_ms = elapsed_ms();
    for (unsigned round = 0; round < 20; round++) {
        for (size_t i = 0; i < sizeof(slow) / sizeof(slow[0]); i++)
            check_result("tools/call", slow[i], "{\"content\":[{\"type\":\"text\",\"text\":\"end\"}]}");
    }
    assert_true(elapsed_ms() - from_ms < 20000);
}

/* ---- one world ---- */

static void spawned_agents_are_in_the_list(void **state)
{
    (void)state;
    free(result_at(
        SECOND(1), "tools/call",
        "{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"reviewer\",\"name\":\"R\",\"capabilities\":[\"review\"]}}"));
    struct agent_set *set = agents_at(SECOND(2));
    assert_int_equal(agent_set_count(set), 6);
    const struct ar_agent *a = agent_set_get(set, 5);
    assert_string_equal(a->type, "reviewer");
    assert_string_equal(a->name, "R");
    assert_string_equal(a->capabilities[0], "review");
    assert_int_equal(a->created_at_ms, SECOND(1));
    assert_true(a->mock);
    agent_set_release(set);
}

static void a_task_shows_in_the_agents(void **state)
{
    (void)state;
    free(result_at(START, "tools/call",
                   "{\"name\":\"task_orchestrate\",\"arguments\":{\"task\":\"Count the sheep\"}}"));
    struct agent_set *set = agents_at(SECOND(3)); /* pending for two seconds at most, in progress for four */
    size_t busy = 0;
    for (size_t i = 0; i < agent_set_count(set); i++)
        busy += strcmp(agent_set_get(set, i)->activity, "Count the sheep") == 0;
    assert_int_equal(busy, 1);
    agent_set_release(set);
}

/* What agents/list does not hold is taken from the view's agent, so that the rest can be compared whole. */
static void the_view_and_the_list_say_the_same(void **state)
{
    (void)state;
    free(result_at(SECOND(1), "tools/call", "{\"name\":\"swarm_init\",\"arguments\":{}}"));
    free(result_at(SECOND(1), "tools/call", "{\"name\":\"agent_spawn\",\"arguments\":{\"type\":\"x\"}}"));
    for (uint64_t i = 0; i < 200; i++) {
        char *list = result_at(SECOND(7 * i), "agents/list", "{}");
        struct agent_set *listed = agents_fixture_read(list), *seen = agents_at(SECOND(7 * i));
        assert_int_equal(agent_set_count(listed), 6);
        assert_int_equal(agent_set_count(seen), 6);
        for (size_t a = 0; a < 6; a++)
            agents_fixture_check(agent_set_get(listed, a), agent_set_get(seen, a));
        agent_set_release(listed);
        agent_set_release(seen);
        free(list);
    }
}

#define TEST(name)                                                                                           \
    cmocka_unit_test_setup_teardown(name, mock_view_fixture_set_up, mock_view_fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_agents_as_they_start),
        TEST(it_moves_and_repeats_itself),
        TEST(the_first_call_changes_nothing),
        cmocka_unit_test(agents_of_its_own),
        cmocka_unit_test(agents_that_are_invalid),
        TEST(an_answer_is_its_result_alone),
        TEST(results_of_tools),
        TEST(errors_are_answers_too),
        TEST(what_the_mock_does_not_offer),
        TEST(params_that_are_none),
        TEST(what_is_too_large),
        TEST(logs_and_progress_are_passed_over),
        TEST(what_takes_its_time_is_answered_at_once),
        TEST(spawned_agents_are_in_the_list),
        TEST(a_task_shows_in_the_agents),
        TEST(the_view_and_the_list_say_the_same),
    };
    return cmocka_run_group_tests_name("client_mock_view", tests, NULL, NULL);
}

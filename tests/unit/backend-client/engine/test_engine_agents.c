/* How the engine asks for agents: by method, by tool, or not at all; and changes that the server pushes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

static void expect_shown(enum ar_state state, enum ar_source source)
{
    assert_int_equal(fixture.last.state, state);
    assert_int_equal(fixture.last.source, source);
}

/* ---- how agents are asked for ---- */

static void without_the_method_the_tool_is_asked(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.list = REPLY_UNKNOWN;
    fixture.script.tool = REPLY_NONE;
    engine_fixture_connect(&fixture);
    const struct received_line *line = engine_fixture_find_line(&fixture, "tools/call");
    assert_non_null(line);
    assert_non_null(strstr(line->text, "\"name\":\"agent_list\""));
    assert_non_null(strstr(line->text, "\"filter\":\"all\""));
    assert_int_equal(fixture.last.state, AR_CONNECTING);
    engine_fixture_answer_line(&fixture, "tools/call", REPLY_GOOD);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(fixture.last.count, 3);
    fixture.script.tool = REPLY_GOOD;
    engine_fixture_advance(&fixture, 20000);
    assert_int_equal(fixture.methods_received[METHOD_LIST], 1);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 11);
    engine_fixture_close(&fixture);
}

/* What servers on the official Python SDK say of a method that they do not know. */
static void a_method_that_is_called_invalid_is_unknown(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.list = REPLY_INVALID;
    engine_fixture_connect(&fixture);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(fixture.last.count, 3);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 1);
    engine_fixture_close(&fixture);
}

static void with_neither_it_is_live_and_says_that_there_is_no_list(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.list = fixture.script.tool = REPLY_UNKNOWN;
    engine_fixture_connect(&fixture);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(fixture.last.count, 0);
    assert_true(engine_fixture_health(&fixture).agents_unsupported);
    uint64_t asked = fixture.methods_received[METHOD_LIST] + fixture.methods_received[METHOD_TOOL];
    uint64_t now_ms = fixture.now_ms;
    engine_fixture_until(&fixture, now_ms + 29999);
    assert_int_equal(fixture.methods_received[METHOD_LIST] + fixture.methods_received[METHOD_TOOL], asked);
    fixture.script.list = REPLY_GOOD;
    engine_fixture_until(&fixture, now_ms + 30000);
    assert_true(fixture.methods_received[METHOD_LIST] + fixture.methods_received[METHOD_TOOL] > asked);
    assert_int_equal(fixture.last.count, 3);
    assert_false(engine_fixture_health(&fixture).agents_unsupported);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    engine_fixture_close(&fixture);
}

static void a_tool_refused_in_each_of_its_ways_is_no_tool(void **state)
{
    static const char *const refusals[] = {
        "\"error\":{\"code\":-32602,\"message\":\"Unknown tool: agent_list\"}",
        "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}",
        "\"error\":{\"code\":-32602,\"message\":\"Invalid params\"}",
        "\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"Unknown tool: x\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        engine_fixture_open(&fixture, NULL);
        engine_fixture_start(&fixture);
        fixture.script.list = REPLY_UNKNOWN;
        fixture.script.tool = REPLY_NONE;
        engine_fixture_connect(&fixture);
        const struct received_line *line = engine_fixture_find_line(&fixture, "tools/call");
        assert_non_null(line);
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,%s}", line->id, refusals[i]);
        expect_shown(AR_LIVE, AR_SOURCE_LIVE);
        assert_true(engine_fixture_health(&fixture).agents_unsupported);
        engine_fixture_close(&fixture);
    }
}

static void a_tool_that_fails_is_server_down(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.list = REPLY_UNKNOWN;
    fixture.script.tool = REPLY_NONE;
    engine_fixture_connect(&fixture);
    engine_fixture_sendf(
        &fixture,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"the database is locked\"}]}}",
        engine_fixture_find_line(&fixture, "tools/call")->id);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_non_null(strstr(engine_fixture_health(&fixture).last_error, "the database is locked"));
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

/* The relay is busy: that is no reason to call its server down, until it lasts. */
static void a_poll_refused_for_being_busy_keeps_it_live_for_a_while(void **state)
{
    static const char *const names[] = {"OVERLOADED", "RATE_LIMITED", "DRAINING"};
    static const int codes[] = {-31003, -31004, -31009};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        engine_fixture_open_live(&fixture, NULL);
        uint64_t taken_at_ms = fixture.now_ms;
        fixture.script.list = REPLY_NONE;
        while (fixture.now_ms < taken_at_ms + 10000) {
            engine_fixture_until(&fixture, fixture.now_ms + 1);
            if (fixture.now_ms < taken_at_ms + 10000)
                assert_int_equal(fixture.last.state, AR_LIVE);
            const struct received_line *line = engine_fixture_find_line(&fixture, "agents/list");
            if (line) {
                engine_fixture_sendf(
                    &fixture,
                    "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"busy\","
                    "\"data\":{\"relay\":true,\"code\":\"%s\",\"retryable\":true,\"sent\":false}}}",
                    line->id, codes[i], names[i]);
                engine_fixture_forget_lines(&fixture);
            }
        }
        assert_in_range(fixture.methods_received[METHOD_LIST], 5, 40);
        fixture.script.list = REPLY_UNAVAILABLE;
        engine_fixture_advance(&fixture, 5000);
        expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
        engine_fixture_back_to_live(&fixture);
        engine_fixture_close(&fixture);
    }
}

/* A refused call shows it sooner than the next poll. */
static void a_call_refused_as_unavailable_is_polled_for_at_once(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_advance(&fixture, 500);
    fixture.script.list = fixture.script.call = REPLY_UNAVAILABLE;
    (void)engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_advance(&fixture, 100);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    engine_fixture_close(&fixture);
}

static void tools_list_changed_makes_it_look_again(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.list = fixture.script.tool = REPLY_UNKNOWN;
    engine_fixture_connect(&fixture);
    engine_fixture_advance(&fixture, 1000);
    fixture.script.tool = REPLY_GOOD;
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    engine_fixture_advance(&fixture, 200);
    assert_int_equal(fixture.last.count, 3);
    assert_false(engine_fixture_health(&fixture).agents_unsupported);
    assert_string_equal(fixture.notification, "notifications/tools/list_changed");
    engine_fixture_close(&fixture);
}

/* A server without a list may be replaced by one that has it while the link was away, and the reverse. */
static void each_new_link_may_lead_to_another_server(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.list = fixture.script.tool = REPLY_UNKNOWN;
    engine_fixture_connect(&fixture);
    assert_int_equal(fixture.last.count, 0);
    engine_fixture_lose(&fixture);
    fixture.script.list = REPLY_GOOD;
    engine_fixture_back_to_live(&fixture);
    engine_fixture_advance(&fixture, 30000);
    assert_int_equal(fixture.last.count, 3);
    engine_fixture_close(&fixture);
}

static void each_new_link_is_asked_by_method_first(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.list = REPLY_UNKNOWN;
    engine_fixture_connect(&fixture);
    engine_fixture_advance(&fixture, 10000);
    assert_int_equal(fixture.methods_received[METHOD_LIST], 1);
    engine_fixture_lose(&fixture);
    engine_fixture_back_to_live(&fixture);
    assert_int_equal(fixture.methods_received[METHOD_LIST], 2);
    engine_fixture_close(&fixture);
}

/* ---- pushed changes ---- */

static void a_pushed_change_is_polled_for_at_once(void **state)
{
    static const char *const methods[] = {
        "agents/list_changed",
        "notifications/agents/list_changed",
        "agent.spawned",
        "agent.terminated",
        "agent.status",
        "notifications/resources/list_changed",
        "notifications/tools/list_changed",
        "notifications/resources/updated",
    };
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        engine_fixture_advance(&fixture, 500);
        uint64_t polls = fixture.methods_received[METHOD_LIST];
        fixture.script.agents = i % 2 ? engine_fixture_agents : engine_fixture_other_agents;
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{}}", methods[i]);
        if (engine_due_ms(&fixture.engine) <= fixture.now_ms)
            engine_fixture_tick(&fixture);
        engine_fixture_pump(&fixture);
        assert_int_equal(fixture.methods_received[METHOD_LIST], polls + 1);
        assert_true(fixture.last.changed);
        assert_int_equal(fixture.last.at_ms, fixture.now_ms);
        assert_int_equal(fixture.notifications, i + 1);
        assert_string_equal(fixture.notification, methods[i]);
    }
    engine_fixture_close(&fixture);
}

static void a_push_during_a_poll_makes_one_more_after_it(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    engine_fixture_advance(&fixture, 2000);
    assert_int_equal(engine_fixture_count_lines(&fixture, "agents/list"), 1);
    uint64_t polls = fixture.methods_received[METHOD_LIST];
    for (int i = 0; i < 10; i++)
        engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\"}");
    engine_fixture_advance(&fixture, 50);
    assert_int_equal(fixture.methods_received[METHOD_LIST], polls);
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);
    engine_fixture_advance(&fixture, 100);
    assert_int_equal(fixture.methods_received[METHOD_LIST], polls + 1);
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);
    engine_fixture_advance(&fixture, 1000);
    assert_int_equal(fixture.methods_received[METHOD_LIST], polls + 1);
    engine_fixture_close(&fixture);
}

static void pushed_polls_are_at_least_100_ms_apart(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    uint64_t polls = fixture.methods_received[METHOD_LIST];
    for (int i = 0; i < 1000; i++) {
        engine_fixture_send(&fixture,
                            "{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\",\"params\":{\"id\":\"a\"}}");
        engine_fixture_advance(&fixture, 1);
    }
    assert_in_range(fixture.methods_received[METHOD_LIST] - polls, 9, 12);
    engine_fixture_close(&fixture);
}

static void an_unknown_notification_is_handed_on_and_no_more(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    uint64_t polls = fixture.methods_received[METHOD_LIST];
    engine_fixture_send(
        &fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/m\\u0065ssage\",\"params\":{\"a\":1}}");
    engine_fixture_advance(&fixture, 1000);
    assert_int_equal(fixture.notifications, 1);
    assert_string_equal(fixture.notification, "notifications/message");
    assert_int_equal(fixture.methods_received[METHOD_LIST], polls);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_method_the_tool_is_asked),
        cmocka_unit_test(a_method_that_is_called_invalid_is_unknown),
        cmocka_unit_test(with_neither_it_is_live_and_says_that_there_is_no_list),
        cmocka_unit_test(a_tool_refused_in_each_of_its_ways_is_no_tool),
        cmocka_unit_test(a_tool_that_fails_is_server_down),
        cmocka_unit_test(a_poll_refused_for_being_busy_keeps_it_live_for_a_while),
        cmocka_unit_test(a_call_refused_as_unavailable_is_polled_for_at_once),
        cmocka_unit_test(tools_list_changed_makes_it_look_again),
        cmocka_unit_test(each_new_link_is_asked_by_method_first),
        cmocka_unit_test(each_new_link_may_lead_to_another_server),
        cmocka_unit_test(a_pushed_change_is_polled_for_at_once),
        cmocka_unit_test(a_push_during_a_poll_makes_one_more_after_it),
        cmocka_unit_test(pushed_polls_are_at_least_100_ms_apart),
        cmocka_unit_test(an_unknown_notification_is_handed_on_and_no_more),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_agents", tests, NULL, NULL);
}

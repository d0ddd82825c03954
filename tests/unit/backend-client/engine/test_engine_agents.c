/* How the engine asks for agents: by method, by tool, or not at all; and changes that the server pushes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

static void expect_shown(enum ar_state state, enum ar_source source)
{
    assert_int_equal(kit.last.state, state);
    assert_int_equal(kit.last.source, source);
}

/* ---- how agents are asked for ---- */

static void without_the_method_the_tool_is_asked(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.list = KIT_UNKNOWN;
    kit.script.tool = KIT_SILENT;
    kit_up(&kit);
    const struct kit_line *line = kit_find(&kit, "tools/call");
    assert_non_null(line);
    assert_non_null(strstr(line->text, "\"name\":\"agent_list\""));
    assert_non_null(strstr(line->text, "\"filter\":\"all\""));
    assert_int_equal(kit.last.state, AR_CONNECTING);
    kit_answer_held(&kit, "tools/call", KIT_GOOD);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(kit.last.count, 3);
    kit.script.tool = KIT_GOOD;
    kit_advance(&kit, 20000);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], 1);
    assert_int_equal(kit.methods_heard[KIT_M_TOOL], 11);
    kit_close(&kit);
}

/* What servers on the official Python SDK say of a method that they do not know. */
static void a_method_that_is_called_invalid_is_unknown(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.list = KIT_INVALID;
    kit_up(&kit);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(kit.last.count, 3);
    assert_int_equal(kit.methods_heard[KIT_M_TOOL], 1);
    kit_close(&kit);
}

static void with_neither_it_is_live_and_says_that_there_is_no_list(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.list = kit.script.tool = KIT_UNKNOWN;
    kit_up(&kit);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(kit.last.count, 0);
    assert_true(kit_health(&kit).agents_unsupported);
    uint64_t asked = kit.methods_heard[KIT_M_LIST] + kit.methods_heard[KIT_M_TOOL];
    uint64_t now_ms = kit.now_ms;
    kit_until(&kit, now_ms + 29999);
    assert_int_equal(kit.methods_heard[KIT_M_LIST] + kit.methods_heard[KIT_M_TOOL], asked);
    kit.script.list = KIT_GOOD;
    kit_until(&kit, now_ms + 30000);
    assert_true(kit.methods_heard[KIT_M_LIST] + kit.methods_heard[KIT_M_TOOL] > asked);
    assert_int_equal(kit.last.count, 3);
    assert_false(kit_health(&kit).agents_unsupported);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    kit_close(&kit);
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
        kit_open(&kit, NULL);
        kit_start(&kit);
        kit.script.list = KIT_UNKNOWN;
        kit.script.tool = KIT_SILENT;
        kit_up(&kit);
        const struct kit_line *line = kit_find(&kit, "tools/call");
        assert_non_null(line);
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,%s}", line->id, refusals[i]);
        expect_shown(AR_LIVE, AR_SOURCE_LIVE);
        assert_true(kit_health(&kit).agents_unsupported);
        kit_close(&kit);
    }
}

static void a_tool_that_fails_is_server_down(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.list = KIT_UNKNOWN;
    kit.script.tool = KIT_SILENT;
    kit_up(&kit);
    kit_sayf(
        &kit,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"the database is locked\"}]}}",
        kit_find(&kit, "tools/call")->id);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    assert_non_null(strstr(kit_health(&kit).last_error, "the database is locked"));
    kit_back_to_live(&kit);
    kit_close(&kit);
}

/* The relay is busy: that is no reason to call its server down, until it lasts. */
static void a_poll_refused_for_being_busy_keeps_it_live_for_a_while(void **state)
{
    static const char *const names[] = {"OVERLOADED", "RATE_LIMITED", "DRAINING"};
    static const int codes[] = {-31003, -31004, -31009};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        kit_go_live(&kit, NULL);
        uint64_t taken_at_ms = kit.now_ms;
        kit.script.list = KIT_SILENT;
        while (kit.now_ms < taken_at_ms + 10000) {
            kit_until(&kit, kit.now_ms + 1);
            if (kit.now_ms < taken_at_ms + 10000)
                assert_int_equal(kit.last.state, AR_LIVE);
            const struct kit_line *line = kit_find(&kit, "agents/list");
            if (line) {
                kit_sayf(&kit,
                         "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"busy\","
                         "\"data\":{\"relay\":true,\"code\":\"%s\",\"retryable\":true,\"sent\":false}}}",
                         line->id, codes[i], names[i]);
                kit_forget_lines(&kit);
            }
        }
        assert_in_range(kit.methods_heard[KIT_M_LIST], 5, 40);
        kit.script.list = KIT_DOWN;
        kit_advance(&kit, 5000);
        expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
        kit_back_to_live(&kit);
        kit_close(&kit);
    }
}

/* A call tells sooner than the next poll. */
static void a_call_refused_as_unavailable_is_polled_for_at_once(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit_advance(&kit, 500);
    kit.script.list = kit.script.call = KIT_DOWN;
    (void)kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_advance(&kit, 100);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    kit_close(&kit);
}

static void tools_list_changed_makes_it_look_again(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.list = kit.script.tool = KIT_UNKNOWN;
    kit_up(&kit);
    kit_advance(&kit, 1000);
    kit.script.tool = KIT_GOOD;
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    kit_advance(&kit, 200);
    assert_int_equal(kit.last.count, 3);
    assert_false(kit_health(&kit).agents_unsupported);
    assert_string_equal(kit.note, "notifications/tools/list_changed");
    kit_close(&kit);
}

/* A server without a list may be replaced by one that has it while the link was away, and the reverse. */
static void each_new_link_may_lead_to_another_server(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.list = kit.script.tool = KIT_UNKNOWN;
    kit_up(&kit);
    assert_int_equal(kit.last.count, 0);
    kit_lose(&kit);
    kit.script.list = KIT_GOOD;
    kit_back_to_live(&kit);
    kit_advance(&kit, 30000);
    assert_int_equal(kit.last.count, 3);
    kit_close(&kit);
}

static void each_new_link_is_asked_by_method_first(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.list = KIT_UNKNOWN;
    kit_up(&kit);
    kit_advance(&kit, 10000);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], 1);
    kit_lose(&kit);
    kit_back_to_live(&kit);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], 2);
    kit_close(&kit);
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
    kit_go_live(&kit, NULL);
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        kit_advance(&kit, 500);
        uint64_t polls = kit.methods_heard[KIT_M_LIST];
        kit.script.agents = i % 2 ? kit_agents : kit_other_agents;
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"%s\",\"params\":{}}", methods[i]);
        if (engine_due_ms(&kit.engine) <= kit.now_ms)
            kit_tick(&kit);
        kit_pump(&kit);
        assert_int_equal(kit.methods_heard[KIT_M_LIST], polls + 1);
        assert_true(kit.last.changed);
        assert_int_equal(kit.last.at_ms, kit.now_ms);
        assert_int_equal(kit.notes, i + 1);
        assert_string_equal(kit.note, methods[i]);
    }
    kit_close(&kit);
}

static void a_push_during_a_poll_makes_one_more_after_it(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit_advance(&kit, 2000);
    assert_int_equal(kit_count(&kit, "agents/list"), 1);
    uint64_t polls = kit.methods_heard[KIT_M_LIST];
    for (int i = 0; i < 10; i++)
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\"}");
    kit_advance(&kit, 50);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], polls);
    kit_answer_held(&kit, "agents/list", KIT_GOOD);
    kit_advance(&kit, 100);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], polls + 1);
    kit_answer_held(&kit, "agents/list", KIT_GOOD);
    kit_advance(&kit, 1000);
    assert_int_equal(kit.methods_heard[KIT_M_LIST], polls + 1);
    kit_close(&kit);
}

static void pushed_polls_are_at_least_100_ms_apart(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    uint64_t polls = kit.methods_heard[KIT_M_LIST];
    for (int i = 0; i < 1000; i++) {
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\",\"params\":{\"id\":\"a\"}}");
        kit_advance(&kit, 1);
    }
    assert_in_range(kit.methods_heard[KIT_M_LIST] - polls, 9, 12);
    kit_close(&kit);
}

static void an_unknown_notification_is_handed_on_and_no_more(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    uint64_t polls = kit.methods_heard[KIT_M_LIST];
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/m\\u0065ssage\",\"params\":{\"a\":1}}");
    kit_advance(&kit, 1000);
    assert_int_equal(kit.notes, 1);
    assert_string_equal(kit.note, "notifications/message");
    assert_int_equal(kit.methods_heard[KIT_M_LIST], polls);
    kit_close(&kit);
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
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_agents", tests, NULL, NULL);
}

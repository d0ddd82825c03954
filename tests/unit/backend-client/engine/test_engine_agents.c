/* How the engine asks for agents: by the tool that tools/list names, by method, or not at all; and changes that the
 * server pushes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

static void open_for(const struct peer_script *script)
{
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script = *script;
    fixture.script.agents = engine_fixture_agents;
    engine_fixture_connect(&fixture);
}

static void a_tool_that_is_listed_is_called(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.has_tool = true, .tool = REPLY_NONE});
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
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 1);
    assert_int_equal(fixture.methods_received[METHOD_LIST], 0);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 11);
    engine_fixture_close(&fixture);
}

/* Without the tool, the method of the agent control system is tried. The server may answer tools/list with an error
 * of its own, whatever its code and words. */
static void without_the_tool_the_method_is_asked(void **state)
{
    static const enum peer_reply replies[] = {REPLY_GOOD, REPLY_UNKNOWN, REPLY_INVALID, REPLY_ERROR,
                                              REPLY_UNUSABLE};
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        open_for(&(struct peer_script){.tools = replies[i]});
        expect_shown(AR_LIVE, AR_SOURCE_LIVE);
        assert_int_equal(fixture.last.count, 3);
        engine_fixture_advance(&fixture, 20000);
        assert_int_equal(fixture.methods_received[METHOD_TOOLS], 1);
        assert_int_equal(fixture.methods_received[METHOD_LIST], 11);
        assert_int_equal(fixture.methods_received[METHOD_TOOL], 0);
        engine_fixture_close(&fixture);
    }
}

/* However it refuses a method that it does not know, or if it does not even answer: its tool, which nobody has
 * listed, is not called, and it is live. */
static void with_neither_it_is_live_and_says_that_there_is_no_list(void **state)
{
    static const enum peer_reply replies[] = {REPLY_UNKNOWN, REPLY_INVALID, REPLY_ERROR, REPLY_UNUSABLE,
                                              REPLY_NONE};
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        open_for(&(struct peer_script){.list = replies[i]});
        if (replies[i] == REPLY_NONE)
            engine_fixture_advance(&fixture, 10000);
        expect_shown(AR_LIVE, AR_SOURCE_LIVE);
        assert_int_equal(fixture.last.count, 0);
        struct ar_health h = engine_fixture_health(&fixture);
        assert_true(h.agents_unsupported);
        assert_string_equal(h.last_error, "");
        uint64_t asked = fixture.methods_received[METHOD_TOOLS];
        uint64_t now_ms = fixture.now_ms;
        engine_fixture_until(&fixture, now_ms + 29999);
        assert_int_equal(fixture.methods_received[METHOD_TOOLS], asked);
        fixture.script.list = REPLY_GOOD;
        engine_fixture_until(&fixture, now_ms + 30000);
        assert_int_equal(fixture.methods_received[METHOD_TOOLS], asked + 1);
        assert_int_equal(fixture.last.count, 3);
        assert_false(engine_fixture_health(&fixture).agents_unsupported);
        expect_shown(AR_LIVE, AR_SOURCE_LIVE);
        engine_fixture_close(&fixture);
    }
}

/* The same of a server that has listed its agents before is a failure. */
static void a_method_that_fails_after_a_list_is_server_down(void **state)
{
    static const enum peer_reply replies[] = {REPLY_ERROR, REPLY_UNUSABLE, REPLY_NONE};
    (void)state;
    for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
        engine_fixture_open_live(&fixture, NULL);
        fixture.script.list = replies[i];
        engine_fixture_advance(&fixture, 12000);
        expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
        engine_fixture_close(&fixture);
    }
}

static void a_method_that_goes_away_makes_it_look_again(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_UNKNOWN;
    fixture.script.has_tool = true;
    engine_fixture_advance(&fixture, 2000);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 1);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    fixture.script.has_tool = false;
    fixture.script.tool = REPLY_UNKNOWN;
    engine_fixture_advance(&fixture, 10000);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_true(engine_fixture_health(&fixture).agents_unsupported);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 2); /* the second was refused: then it looked */
    engine_fixture_close(&fixture);
}

/* ---- pages of tools ---- */

static void answer_page(const char *result)
{
    const struct received_line *line = engine_fixture_find_line(&fixture, "tools/list");
    assert_non_null(line);
    char id[32];
    (void)snprintf(id, sizeof(id), "%s", line->id);
    engine_fixture_forget_lines(&fixture);
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", id, result);
    engine_fixture_pump(&fixture);
}

static void the_tool_is_looked_for_on_all_pages(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.tools = REPLY_NONE});
    fixture.tool_offered = true; /* by hand, below */
    answer_page("{\"tools\":[{\"name\":\"a\"}],\"nextCursor\":\"p \\\"2\\\"\"}");
    assert_non_null(strstr(engine_fixture_find_line(&fixture, "tools/list")->text,
                           "\"params\":{\"cursor\":\"p \\\"2\\\"\"}"));
    answer_page("{\"tools\":[],\"nextCursor\":\"3\"}");
    answer_page("{\"tools\":[{\"name\":\"agent_list\"}],\"nextCursor\":\"4\"}");
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 3);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 1);
    assert_int_equal(fixture.last.count, 3);
    engine_fixture_close(&fixture);
}

static void the_last_page_is_one_without_a_cursor(void **state)
{
    static const char *const ends[] = {"{\"tools\":[]}", "{\"tools\":[],\"nextCursor\":null}",
                                       "{\"tools\":[],\"nextCursor\":\"\"}", "{}", "[1]"};
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        open_for(&(struct peer_script){.tools = REPLY_NONE});
        answer_page(ends[i]);
        assert_int_equal(fixture.methods_received[METHOD_TOOLS], 1);
        assert_int_equal(fixture.methods_received[METHOD_LIST], 1);
        engine_fixture_close(&fixture);
    }
}

static void pages_without_end_are_left(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.tools = REPLY_NONE, .list = REPLY_UNKNOWN});
    while (engine_fixture_find_line(&fixture, "tools/list"))
        answer_page("{\"tools\":[],\"nextCursor\":\"again\"}");
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 256);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_true(engine_fixture_health(&fixture).agents_unsupported);
    engine_fixture_close(&fixture);
}

/* Only what the tool's schema takes is sent: servers that check their arguments refuse others. */
static void the_filter_is_sent_to_a_tool_that_takes_it(void **state)
{
    static const struct {
        const char *schema;
        bool filters;
    } cases[] = {
        {"{\"properties\":{\"filter\":{\"type\":\"string\"}}}", true},
        {"{\"properties\":{\"filter\":{\"enum\":[\"active\",\"all\"]}}}", true},
        {"{\"properties\":{\"filter\":{\"enum\":[\"active\",\"idle\"]}}}", false},
        {"{\"properties\":{\"status\":{\"type\":\"string\"}}}", false},
        {"{\"type\":\"object\",\"properties\":null}", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char page[256];
        open_for(&(struct peer_script){.tools = REPLY_NONE, .tool = REPLY_NONE});
        fixture.tool_offered = true;
        (void)snprintf(page, sizeof(page), "{\"tools\":[{\"name\":\"agent_list\",\"inputSchema\":%s}]}",
                       cases[i].schema);
        answer_page(page);
        const struct received_line *line = engine_fixture_find_line(&fixture, "tools/call");
        const char *wanted = cases[i].filters ? "\"arguments\":{\"filter\":\"all\"}" : "\"arguments\":{}";
        assert_non_null(strstr(line->text, wanted));
        engine_fixture_close(&fixture);
    }
}

/* ---- what the tool answers ---- */

static void answer_tool(const char *members)
{
    const struct received_line *line = engine_fixture_find_line(&fixture, "tools/call");
    assert_non_null(line);
    char id[32];
    (void)snprintf(id, sizeof(id), "%s", line->id);
    engine_fixture_forget_lines(&fixture);
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,%s}", id, members);
}

/* Whatever the words: a tool that is listed and fails has failed. tools/list is read again before the next call. */
static void a_tool_that_fails_is_server_down(void **state)
{
    static const char *const failures[] = {
        "\"error\":{\"code\":-32602,\"message\":\"Unknown tool: agent_list\"}",
        "\"error\":{\"code\":-32603,\"message\":\"no such tool\"}",
        "\"error\":{\"code\":-32601,\"message\":\"Method not found\"}",
        "\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"Unknown tool: x\"}]}",
        "\"result\":{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"the database is locked\"}]}",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
        open_for(&(struct peer_script){.has_tool = true, .tool = REPLY_NONE});
        answer_tool(failures[i]);
        assert_int_equal(fixture.last.state, AR_DEGRADED);
        assert_int_equal(fixture.methods_received[METHOD_TOOLS], 1);
        fixture.script.has_tool = false; /* it was taken away without a word */
        fixture.script.list = REPLY_UNKNOWN;
        engine_fixture_advance(&fixture, 5000);
        assert_int_equal(fixture.methods_received[METHOD_TOOLS], 2);
        assert_int_equal(fixture.methods_received[METHOD_TOOL], 1);
        expect_shown(AR_LIVE, AR_SOURCE_LIVE);
        engine_fixture_close(&fixture);
    }
}

/* A sentence for people is an honest answer, if no list. */
static void a_tool_that_answers_in_prose_is_live_with_none_and_says_why(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.has_tool = true, .tool = REPLY_NONE});
    answer_tool("\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"No agents are running.\"}]}");
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(fixture.last.count, 0);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_true(h.agents_unsupported);
    assert_string_equal(h.last_error_name, "BAD_ANSWER");
    assert_non_null(strstr(h.last_error, "No agents are running."));
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

static void change_tools(void)
{
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    engine_fixture_advance(&fixture, 200);
    assert_string_equal(fixture.notification, "notifications/tools/list_changed");
}

static void tools_list_changed_makes_it_look_again(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.list = REPLY_UNKNOWN});
    engine_fixture_advance(&fixture, 1000);
    fixture.script.has_tool = true;
    change_tools();
    assert_int_equal(fixture.last.count, 3);
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 2);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 1);
    assert_false(engine_fixture_health(&fixture).agents_unsupported);
    fixture.script.has_tool = false;
    change_tools();
    assert_int_equal(fixture.last.count, 0);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 1);
    assert_true(engine_fixture_health(&fixture).agents_unsupported);
    engine_fixture_close(&fixture);
}

static void tools_that_change_during_a_poll_are_looked_at_after_it(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.has_tool = true, .list = REPLY_UNKNOWN});
    fixture.script.tool = REPLY_NONE;
    engine_fixture_advance(&fixture, 2000);
    fixture.script.has_tool = false;
    change_tools();
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 1);
    engine_fixture_answer_line(&fixture, "tools/call", REPLY_GOOD);
    engine_fixture_advance(&fixture, 200);
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 2);
    assert_int_equal(fixture.methods_received[METHOD_TOOL], 2);
    assert_true(engine_fixture_health(&fixture).agents_unsupported);
    engine_fixture_close(&fixture);
}

/* A server without a list may be replaced by one that has it while the link was away, and the reverse. */
static void each_new_link_may_lead_to_another_server(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.list = REPLY_UNKNOWN});
    assert_int_equal(fixture.last.count, 0);
    engine_fixture_lose(&fixture);
    fixture.script.list = REPLY_GOOD;
    engine_fixture_back_to_live(&fixture);
    engine_fixture_advance(&fixture, 30000);
    assert_int_equal(fixture.last.count, 3);
    engine_fixture_close(&fixture);
}

static void each_new_link_is_asked_for_its_tools(void **state)
{
    (void)state;
    open_for(&(struct peer_script){.has_tool = true});
    engine_fixture_advance(&fixture, 10000);
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 1);
    engine_fixture_lose(&fixture);
    engine_fixture_back_to_live(&fixture);
    assert_int_equal(fixture.methods_received[METHOD_TOOLS], 2);
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
        cmocka_unit_test(a_tool_that_is_listed_is_called),
        cmocka_unit_test(without_the_tool_the_method_is_asked),
        cmocka_unit_test(with_neither_it_is_live_and_says_that_there_is_no_list),
        cmocka_unit_test(a_method_that_fails_after_a_list_is_server_down),
        cmocka_unit_test(a_method_that_goes_away_makes_it_look_again),
        cmocka_unit_test(the_tool_is_looked_for_on_all_pages),
        cmocka_unit_test(the_last_page_is_one_without_a_cursor),
        cmocka_unit_test(pages_without_end_are_left),
        cmocka_unit_test(the_filter_is_sent_to_a_tool_that_takes_it),
        cmocka_unit_test(a_tool_that_fails_is_server_down),
        cmocka_unit_test(a_tool_that_answers_in_prose_is_live_with_none_and_says_why),
        cmocka_unit_test(a_poll_refused_for_being_busy_keeps_it_live_for_a_while),
        cmocka_unit_test(a_call_refused_as_unavailable_is_polled_for_at_once),
        cmocka_unit_test(tools_list_changed_makes_it_look_again),
        cmocka_unit_test(tools_that_change_during_a_poll_are_looked_at_after_it),
        cmocka_unit_test(each_new_link_may_lead_to_another_server),
        cmocka_unit_test(each_new_link_is_asked_for_its_tools),
        cmocka_unit_test(a_pushed_change_is_polled_for_at_once),
        cmocka_unit_test(a_push_during_a_poll_makes_one_more_after_it),
        cmocka_unit_test(pushed_polls_are_at_least_100_ms_apart),
        cmocka_unit_test(an_unknown_notification_is_handed_on_and_no_more),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_agents", tests, NULL, NULL);
}

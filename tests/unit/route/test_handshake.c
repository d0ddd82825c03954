/* The shared handshake: once per child, answered from the cache to everybody, told again after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

static struct kit kit;
static struct kit_link link_a;
static struct kit_link link_b;

static int setup(void **state)
{
    (void)state;
    struct server_limits limits = kit_limits(SHARING_SHARED);
    kit_open(&kit, &limits);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    kit_close(&kit);
    kit_link_done(&link_a);
    kit_link_done(&link_b);
    return 0;
}

static void ask(struct route_session *s, const char *id, const char *version)
{
    kit_sayf(
        &kit, s,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\"}}",
        id, version);
}

static void once_for_everybody(void **state)
{
    (void)state;
    struct route_session *a = kit_session(&kit, &link_a);
    struct route_session *b = kit_session(&kit, &link_b);
    assert_int_equal(kit.log.starts, 0);
    ask(a, "0", "2025-11-25");
    ask(b, "0", "2024-11-05");
    assert_int_equal(kit.log.starts, 1);
    /* A request behind it, of a client that has not said a word before. */
    kit_say(&kit, b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    upstream_starting(kit_upstream(&kit));
    upstream_attach(kit_upstream(&kit), &kit.child.link, kit.now_ms);
    kit_expect(
        &kit.child,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"agent-relay\",\"version\":\"9.9\"}}}");
    /* What SDK servers say around it. */
    kit_reply(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    kit_reply(&kit, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"?\"},\"id\":null}");
    kit_reply(&kit, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"roots/list\"}");
    kit_expect_with(&kit.child, "\"id\":0,\"error\":{\"code\":-32601", NULL);
    kit_expect_nothing(&kit.child);
    assert_int_equal(kit.log.ready, 0);
    kit_reply(
        &kit,
        "{\"result\":{ \"capabilities\":{\"tasks\":{ \"list\":{} , "
        "\"cancel\":{}},\"logging\":{}},\"big\":9007199254740993,\"protocolVersion\" : \"2025-06-18\" },\"id\":1,\"jsonrpc\":\"2.0\"}");
    assert_int_equal(kit.log.ready, 1);
    kit_expect(&kit.child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    kit_expect_with(&kit.child, "tools/list", NULL);
    kit_expect_nothing(&kit.child);
    /* Newer than the child's: the child's own; older and known: as asked. tasks.list is hidden, all else as
     * it came. */
    kit_expect(
        &link_a,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{ \"capabilities\":{\"tasks\":{ "
        "\"cancel\":{}},\"logging\":{}},\"big\":9007199254740993,\"protocolVersion\" : \"2025-06-18\" }}");
    kit_expect(
        &link_b,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{ \"capabilities\":{\"tasks\":{ "
        "\"cancel\":{}},\"logging\":{}},\"big\":9007199254740993,\"protocolVersion\" : \"2024-11-05\" }}");
    /* Case 13: a second one, also while there is no child. */
    ask(a, "\"x\"", "1999-01-01");
    kit_expect_with(&link_a, "\"id\":\"x\"", "\"protocolVersion\" : \"2025-06-18\"", NULL);
    kit_down(&kit, 30000);
    kit_expect_with(&link_b, "-31001", NULL);
    ask(a, "1", "2025-03-26");
    kit_expect_with(&link_a, "\"id\":1,\"result\"", "\"protocolVersion\" : \"2025-03-26\"", NULL);
    kit_expect_nothing(&kit.child);
    route_session_close(a, kit.now_ms);
    route_session_close(b, kit.now_ms);
}

/* Many clients may come while the child starts, more than requests may wait; one of them cannot pile them up.
 */
static void a_crowd_waits_for_the_handshake(void **state)
{
    (void)state;
    static struct kit_link crowd[32];
    struct route_session *s[32];
    struct server_limits limits = kit_limits(SHARING_SHARED);
    limits.max_waiting = 4;
    route_server_set_limits(kit.server, &limits);
    for (int i = 0; i < 32; i++) {
        s[i] = kit_session(&kit, &crowd[i]);
        ask(s[i], "0", "2025-11-25");
        kit_expect_nothing(&crowd[i]);
    }
    for (int i = 1; i <= 8; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "%d", i);
        ask(s[0], id, "2025-11-25");
    }
    kit_expect_with(&crowd[0], "\"id\":8,\"error\":{\"code\":-31003", NULL);
    for (int i = 0; i < 5; i++)
        kit_say(&kit, s[i], "{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"m\"}");
    kit_expect_with(&crowd[4], "\"id\":\"r\",\"error\":{\"code\":-31003", NULL);
    kit_ready(&kit, NULL);
    for (int i = 0; i < 32; i++) {
        kit_expect_with(&crowd[i], "\"id\":0,\"result\"", NULL);
        route_session_close(s[i], kit.now_ms);
        kit_link_done(&crowd[i]);
    }
}

static void answered_here(void **state)
{
    (void)state;
    struct route_session *a = kit_session(&kit, &link_a);
    /* Case 22: before anything else, without a child. */
    kit_say(&kit, a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server\\/discover\"}");
    kit_expect_with(&link_a, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    kit_say(&kit, a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    kit_expect(&link_a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    assert_int_equal(kit.log.starts, 0);
    kit_ready(&kit, NULL);
    kit_reply(&kit, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}");
    kit_expect(&kit.child, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}");
    kit_reply(&kit, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"sampling/createMessage\",\"params\":{}}");
    kit_expect_with(&kit.child, "\"id\":0,\"error\":{\"code\":-32601", NULL);
    assert_int_equal(kit_stats(&kit).refused, 1);
    kit_expect_nothing(&link_a);
    route_session_close(a, kit.now_ms);
}

static void failures_are_reported_once(void **state)
{
    (void)state;
    static const struct {
        const char *answer;
        const char *reason;
    } cases[] = {
        {"{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":-32602,\"message\":\"bad \\u0041\"}}",
         "it refused initialize: bad A"},
        {"{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":7}", "it refused initialize"},
        {"{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":[]}", "its answer to initialize is not an object"},
        {"{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}", "its answer to initialize has no protocolVersion"},
        {"{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"protocolVersion\":\"%032d\"}}",
         "its protocolVersion is too long"},
        {"{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":\"\xff\"}",
         "its answer to initialize is no JSON-RPC message: not valid UTF-8"},
    };
    struct route_session *a = kit_session(&kit, &link_a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask(a, "0", "2025-11-25");
        upstream_starting(kit_upstream(&kit));
        upstream_attach(kit_upstream(&kit), &kit.child.link, kit.now_ms);
        int id = (int)kit_id(kit_next(&kit.child));
        char line[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(line, sizeof(line), cases[i].answer, id, 0);
#pragma GCC diagnostic pop
        kit_reply(&kit, line);
        assert_int_equal(kit.log.failed, i + 1);
        assert_string_equal(kit.log.reason, cases[i].reason);
        kit_reply(&kit, line);
        assert_int_equal(kit.log.failed, i + 1);
        kit_expect_nothing(&link_a);
        kit_down(&kit, 250);
        kit_expect_with(&link_a, "\"id\":0,\"error\":{\"code\":-31001", "\"sent\":false", NULL);
    }
    kit_expect_nothing(&kit.child);
    route_session_close(a, kit.now_ms);
}

#define RESULT(version, more)                                                                                \
    "{\"protocolVersion\":\"" version                                                                        \
    "\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":false},"             \
    "\"logging\":{}" more "},\"serverInfo\":{}}"

static void a_restart_is_told(void **state)
{
    (void)state;
    kit_ready(&kit, RESULT("2025-11-25", ""));
    struct route_session *a = kit_client(&kit, &link_a);
    struct route_session *b = kit_session(&kit, &link_b);
    kit_say(
        &kit, a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"x:\\u0061\"}}");
    kit_replyf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}",
               (unsigned long long)kit_id(kit_next(&kit.child)));
    kit_expect_with(&link_a, "\"id\":1,\"result\"", NULL);
    kit_down(&kit, 250);
    kit_say(&kit, a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    upstream_starting(kit_upstream(&kit));
    kit_ready(&kit, RESULT("2025-11-25", ""));
    /* initialize, initialized (seen by kit_ready), subscribe, list_changed, then what waited. */
    kit_expect_with(&kit.child, "resources/subscribe", "\"uri\":\"x:a\"", NULL);
    kit_expect_with(&kit.child, "\"method\":\"m\"", NULL);
    kit_expect(&link_a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    kit_expect_nothing(&link_a);
    kit_expect_nothing(&link_b);
    assert_false(link_a.closed);

    /* Other capabilities: those who know the old ones start afresh; others may stay. */
    kit_down(&kit, 250);
    kit_expect_with(&link_a, "-31001", NULL);
    kit_say(&kit, a, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"m\"}");
    kit_say(&kit, b, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"n\"}");
    upstream_starting(kit_upstream(&kit));
    kit_ready(&kit, RESULT("2025-11-25", ",\"x\":1"));
    kit_expect_with(&link_a, "\"id\":3,\"error\":{\"code\":-31001", "\"sent\":false", NULL);
    assert_true(link_a.closed);
    assert_false(link_b.closed);
    kit_expect_with(&kit.child, "resources/subscribe", NULL);
    kit_expect_with(&kit.child, "\"method\":\"n\"", NULL);
    kit_expect_nothing(&kit.child);
    ask(b, "9", "2025-11-25");
    kit_expect_with(&link_b, "\"x\":1", NULL);
    route_session_close(a, kit.now_ms);
    kit_expect_with(&kit.child, "resources/unsubscribe", NULL);
    route_session_close(b, kit.now_ms);
}

static void an_idle_child_is_started_again(void **state)
{
    (void)state;
    kit_ready(&kit, NULL);
    struct route_session *a = kit_client(&kit, &link_a);
    upstream_idle(kit_upstream(&kit));
    assert_int_equal(kit.log.starts, 0);
    kit_say(&kit, a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    assert_int_equal(kit.log.starts, 1);
    kit_ready(&kit, NULL);
    kit_expect_with(&kit.child, "\"method\":\"m\"", NULL);
    /* A request that meets a closing link waits, and has the next child started. */
    kit.child.closed = true;
    kit_say(&kit, a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"n\"}");
    kit_expect_nothing(&link_a);
    upstream_idle(kit_upstream(&kit));
    kit_expect_with(&link_a, "\"id\":1,\"error\":{\"code\":-31001", NULL);
    assert_int_equal(kit.log.starts, 2);
    kit_ready(&kit, NULL);
    kit_expect_with(&kit.child, "\"method\":\"n\"", NULL);
    route_session_close(a, kit.now_ms);
}

static void start_at_once(struct kit *k, struct upstream *upstream)
{
    const struct outage why = {.state = "down", .detail = "remote servers are not built in yet"};
    upstream_down(upstream, &why, k->now_ms);
}

static void a_start_may_fail_at_once(void **state)
{
    (void)state;
    struct route_session *a = kit_session(&kit, &link_a);
    kit.on_start = start_at_once;
    for (int i = 0; i < 2; i++) {
        ask(a, "0", "2025-11-25");
        kit_expect_with(&link_a, "\"id\":0,\"error\":{\"code\":-31001",
                        "Server unavailable: remote servers are not built in yet", "\"detail\":\"remote",
                        NULL);
    }
    assert_int_equal(kit.log.starts, 2);
    route_session_close(a, kit.now_ms);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(once_for_everybody),         T(answered_here),     T(a_crowd_waits_for_the_handshake),
        T(failures_are_reported_once), T(a_restart_is_told), T(an_idle_child_is_started_again),
        T(a_start_may_fail_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

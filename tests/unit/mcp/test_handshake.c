/* The shared handshake: once per child, answered from the cache to everybody, told again after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

static struct route_fixture route;
static struct fake_link link_a;
static struct fake_link link_b;

static int setup(void **state)
{
    (void)state;
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    route_fixture_open(&route, &limits);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    route_fixture_close(&route);
    fake_link_done(&link_a);
    fake_link_done(&link_b);
    return 0;
}

static void ask(struct route_session *s, const char *id, const char *version)
{
    route_client_sendf(
        &route, s,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"%s\"}}",
        id, version);
}

static void once_for_everybody(void **state)
{
    (void)state;
    struct route_session *a = route_connect(&route, &link_a);
    struct route_session *b = route_connect(&route, &link_b);
    assert_int_equal(route.log.starts, 0);
    ask(a, "0", "2025-11-25");
    ask(b, "0", "2024-11-05");
    assert_int_equal(route.log.starts, 1);
    /* A request behind it, of a client that has not said a word before. */
    route_client_send(&route, b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}");
    upstream_starting(route_upstream(&route));
    upstream_attach(route_upstream(&route), &route.child.link, route.now_ms);
    route_expect(
        &route.child,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{\"protocolVersion\":"
        "\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"agent-relay\",\"version\":\"9.9\"}}}");
    /* What SDK servers say around it. */
    route_child_send(&route, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    route_child_send(&route,
                     "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32600,\"message\":\"?\"},\"id\":null}");
    route_child_send(&route, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"roots/list\"}");
    route_expect_with(&route.child, "\"id\":0,\"error\":{\"code\":-32601", NULL);
    route_expect_nothing(&route.child);
    assert_int_equal(route.log.ready, 0);
    route_child_send(
        &route,
        "{\"result\":{ \"capabilities\":{\"tasks\":{ \"list\":{} , "
        "\"cancel\":{}},\"logging\":{}},\"big\":9007199254740993,\"protocolVersion\" : \"2025-06-18\" },\"id\":1,\"jsonrpc\":\"2.0\"}");
    assert_int_equal(route.log.ready, 1);
    route_expect(&route.child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    route_expect_with(&route.child, "tools/list", NULL);
    route_expect_nothing(&route.child);
    /* Newer than the child's: the child's own; older and known: as asked. tasks.list is hidden, all else as
     * it came. */
    route_expect(
        &link_a,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{ \"capabilities\":{\"tasks\":{ "
        "\"cancel\":{}}},\"big\":9007199254740993,\"protocolVersion\" : \"2025-06-18\" }}");
    route_expect(
        &link_b,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{ \"capabilities\":{\"tasks\":{ "
        "\"cancel\":{}}},\"big\":9007199254740993,\"protocolVersion\" : \"2024-11-05\" }}");
    /* Case 13: a second one, also while there is no child. */
    ask(a, "\"x\"", "1999-01-01");
    route_expect_with(&link_a, "\"id\":\"x\"", "\"protocolVersion\" : \"2025-06-18\"", NULL);
    route_child_down(&route, 30000);
    route_expect_with(&link_b, "-31001", NULL);
    ask(a, "1", "2025-03-26");
    route_expect_with(&link_a, "\"id\":1,\"result\"", "\"protocolVersion\" : \"2025-03-26\"", NULL);
    route_expect_nothing(&route.child);
    route_session_close(a, route.now_ms);
    route_session_close(b, route.now_ms);
}

/* Many clients may come while the child starts, more than requests may wait; one of them cannot pile them up.
 */
static void a_crowd_waits_for_the_handshake(void **state)
{
    (void)state;
    static struct fake_link crowd[32];
    struct route_session *s[32];
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    limits.max_waiting = 4;
    route_server_set_limits(route.server, &limits, route.now_ms);
    for (int i = 0; i < 32; i++) {
        s[i] = route_connect(&route, &crowd[i]);
        ask(s[i], "0", "2025-11-25");
        route_expect_nothing(&crowd[i]);
    }
    for (int i = 1; i <= 8; i++) {
        char id[16];
        (void)snprintf(id, sizeof(id), "%d", i);
        ask(s[0], id, "2025-11-25");
    }
    route_expect_with(&crowd[0], "\"id\":8,\"error\":{\"code\":-31003", NULL);
    for (int i = 0; i < 5; i++)
        route_client_send(&route, s[i], "{\"jsonrpc\":\"2.0\",\"id\":\"r\",\"method\":\"m\"}");
    route_expect_with(&crowd[4], "\"id\":\"r\",\"error\":{\"code\":-31003", NULL);
    route_child_ready(&route, NULL);
    for (int i = 0; i < 32; i++) {
        route_expect_with(&crowd[i], "\"id\":0,\"result\"", NULL);
        route_session_close(s[i], route.now_ms);
        fake_link_done(&crowd[i]);
    }
}

static void answered_here(void **state)
{
    (void)state;
    struct route_session *a = route_connect(&route, &link_a);
    /* Case 22: before anything else, without a child. */
    route_client_send(&route, a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server\\/discover\"}");
    route_expect_with(&link_a, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    route_client_send(&route, a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    route_expect(&link_a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    assert_int_equal(route.log.starts, 0);
    route_child_ready(&route, NULL);
    route_child_send(&route, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"ping\"}");
    route_expect(&route.child, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"result\":{}}");
    route_child_send(&route,
                     "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"sampling/createMessage\",\"params\":{}}");
    route_expect_with(&route.child, "\"id\":0,\"error\":{\"code\":-32601", NULL);
    assert_int_equal(route_stats(&route).refused, 1);
    route_expect_nothing(&link_a);
    route_session_close(a, route.now_ms);
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
    struct route_session *a = route_connect(&route, &link_a);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ask(a, "0", "2025-11-25");
        upstream_starting(route_upstream(&route));
        upstream_attach(route_upstream(&route), &route.child.link, route.now_ms);
        int id = (int)route_line_id(fake_link_next(&route.child));
        char line[256];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(line, sizeof(line), cases[i].answer, id, 0);
#pragma GCC diagnostic pop
        route_child_send(&route, line);
        assert_int_equal(route.log.failed, i + 1);
        assert_string_equal(route.log.reason, cases[i].reason);
        route_child_send(&route, line);
        assert_int_equal(route.log.failed, i + 1);
        route_expect_nothing(&link_a);
        route_child_down(&route, 250);
        route_expect_with(&link_a, "\"id\":0,\"error\":{\"code\":-31001", "\"sent\":false", NULL);
    }
    route_expect_nothing(&route.child);
    route_session_close(a, route.now_ms);
}

#define RESULT(version, more)                                                                                \
    "{\"protocolVersion\":\"" version                                                                        \
    "\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"prompts\":{\"listChanged\":false},"             \
    "\"logging\":{}" more "},\"serverInfo\":{}}"

static void a_restart_is_told(void **state)
{
    (void)state;
    route_child_ready(&route, RESULT("2025-11-25", ""));
    struct route_session *a = route_connect_initialized(&route, &link_a);
    struct route_session *b = route_connect(&route, &link_b);
    route_client_send(
        &route, a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"x:\\u0061\"}}");
    route_child_sendf(&route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}",
                      (unsigned long long)route_line_id(fake_link_next(&route.child)));
    route_expect_with(&link_a, "\"id\":1,\"result\"", NULL);
    route_child_down(&route, 250);
    route_client_send(&route, a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    upstream_starting(route_upstream(&route));
    route_child_ready(&route, RESULT("2025-11-25", ""));
    /* initialize, initialized (seen by route_child_ready), subscribe, list_changed, then what waited. */
    route_expect_with(&route.child, "resources/subscribe", "\"uri\":\"x:a\"", NULL);
    route_expect_with(&route.child, "\"method\":\"m\"", NULL);
    route_expect(&link_a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}");
    route_expect_nothing(&link_a);
    route_expect_nothing(&link_b);
    assert_false(link_a.closed);

    /* Other capabilities: those who know the old ones start afresh; others may stay. */
    route_child_down(&route, 250);
    route_expect_with(&link_a, "-31001", NULL);
    route_client_send(&route, a, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"m\"}");
    route_client_send(&route, b, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"n\"}");
    upstream_starting(route_upstream(&route));
    route_child_ready(&route, RESULT("2025-11-25", ",\"x\":1"));
    route_expect_with(&link_a, "\"id\":3,\"error\":{\"code\":-31001", "\"sent\":false", NULL);
    assert_true(link_a.closed);
    assert_false(link_b.closed);
    route_expect_with(&route.child, "resources/subscribe", NULL);
    route_expect_with(&route.child, "\"method\":\"n\"", NULL);
    route_expect_nothing(&route.child);
    ask(b, "9", "2025-11-25");
    route_expect_with(&link_b, "\"x\":1", NULL);
    route_session_close(a, route.now_ms);
    route_expect_with(&route.child, "resources/unsubscribe", NULL);
    route_session_close(b, route.now_ms);
}

static void an_idle_child_is_started_again(void **state)
{
    (void)state;
    route_child_ready(&route, NULL);
    struct route_session *a = route_connect_initialized(&route, &link_a);
    upstream_idle(route_upstream(&route));
    assert_int_equal(route.log.starts, 0);
    route_client_send(&route, a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    assert_int_equal(route.log.starts, 1);
    route_child_ready(&route, NULL);
    route_expect_with(&route.child, "\"method\":\"m\"", NULL);
    /* A request that meets a closing link waits, and has the next child started. */
    route.child.closed = true;
    route_client_send(&route, a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"n\"}");
    route_expect_nothing(&link_a);
    upstream_idle(route_upstream(&route));
    route_expect_with(&link_a, "\"id\":1,\"error\":{\"code\":-31001", NULL);
    assert_int_equal(route.log.starts, 2);
    route_child_ready(&route, NULL);
    route_expect_with(&route.child, "\"method\":\"n\"", NULL);
    route_session_close(a, route.now_ms);
}

static void start_at_once(struct route_fixture *k, struct upstream *upstream)
{
    const struct outage why = {.state = "down", .detail = "remote servers are not built in yet"};
    upstream_down(upstream, &why, k->now_ms);
}

static void a_start_may_fail_at_once(void **state)
{
    (void)state;
    struct route_session *a = route_connect(&route, &link_a);
    route.on_start = start_at_once;
    for (int i = 0; i < 2; i++) {
        ask(a, "0", "2025-11-25");
        route_expect_with(&link_a, "\"id\":0,\"error\":{\"code\":-31001",
                          "Server unavailable: remote servers are not built in yet", "\"detail\":\"remote",
                          NULL);
    }
    assert_int_equal(route.log.starts, 2);
    route_session_close(a, route.now_ms);
}

/* The same abilities in another spelling: nobody is closed. */
static void another_spelling_is_no_other_server(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{\"listChanged\":true},\"x\":{\"n\":1,\"s\":\"\xc3\xa9\"}}}",
        "{\"capabilities\":{ \"x\":{\"s\":\"\\u00e9\",\"n\":1.0},\"tools\":{\"listChanged\":true}},\"protocolVersion\":\"2025-11-25\"}",
        "{\"capabilities\":{\"t\\u006fols\":{\"listChanged\":true },\"x\":{\"n\":10e-1,\"s\":\"\\u00E9\"}},\"protocolVersion\":\"2025\\u002d11-25\"}",
        "{\"capabilities\":{\"x\":{\"n\":2,\"s\":\"\\u00e9\"},\"tools\":{\"listChanged\":true}},\"protocolVersion\":\"2025-11-25\"}",
    };
    route_child_ready(&route, spellings[0]);
    struct route_session *a = route_connect_initialized(&route, &link_a);
    for (size_t i = 1; i < 4; i++) {
        route_child_down(&route, 100);
        route_child_ready(&route, spellings[i]);
        assert_int_equal(link_a.closed, i == 3);
        if (i < 3)
            route_expect_with(&link_a, "tools/list_changed", NULL);
    }
    route_session_close(a, route.now_ms);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(once_for_everybody),
        T(answered_here),
        T(a_crowd_waits_for_the_handshake),
        T(failures_are_reported_once),
        T(a_restart_is_told),
        T(an_idle_child_is_started_again),
        T(a_start_may_fail_at_once),
        T(another_spelling_is_no_other_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

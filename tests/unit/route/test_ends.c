/* How calls end otherwise than by their answer: the child goes, time runs out, links fail, the relay drains;
 * and what operators see of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mcp/mcp.h"
#include "tests/unit/route/route_fixture.h"
#include "wire/rpc_error.h"

static struct route_pair f;

static int setup(void **state)
{
    (void)state;
    return route_pair_open(&f);
}

static int teardown(void **state)
{
    (void)state;
    return route_pair_close(&f);
}

static uint64_t next_id(void)
{
    return route_line_id(route_expect_with(&f.route.child, NULL));
}

/* However many clients come, ask and go within five seconds, what is remembered of them is bounded. */
static void abandoned_calls_are_bounded(void **state)
{
    (void)state;
    f.route.child.forget = true;
    for (int round = 0; round < 17; round++) {
        struct fake_link link;
        struct route_session *s = route_connect(&f.route, &link);
        for (int i = 0; i < 256; i++)
            route_client_sendf(&f.route, s, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
        assert_int_equal(route_stats(&f.route).in_flight, 256);
        route_session_close(s, f.route.now_ms);
        fake_link_done(&link);
        assert_int_equal(route_stats(&f.route).in_flight, 0);
    }
    assert_int_equal(route_stats(&f.route).abandoned, 4096);
    route_tick(&f.route, 5000);
    assert_int_equal(route_stats(&f.route).abandoned, 0);
}

/* Case 11. */
static void the_childs_end_answers_everything(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        route_client_sendf(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
        route_client_sendf(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
    }
    const struct outage why = {.state = "crash-loop",
                               .exited = true,
                               .term_signal = 9,
                               .stderr_tail = "boom \"x\"\n",
                               .stderr_len = 9,
                               .retry_at_ms = f.route.now_ms + 30000};
    upstream_down(route_upstream(&f.route), &why, f.route.now_ms);
    for (int i = 0; i < 25; i++) {
        route_expect_with(&f.a_link, "\"error\":{\"code\":-31001", "\"code\":\"SERVER_UNAVAILABLE\"",
                          "\"retryable\":false", "\"sent\":true", "\"server\":\"mem\"",
                          "\"state\":\"crash-loop\"", "\"signal\":9", "\"stderrTail\":\"boom \\\"x\\\"\\n\"",
                          "\"retryAfterMs\":30000", NULL);
        route_expect_with(&f.b_link, "\"error\":{\"code\":-31001", NULL);
    }
    assert_int_equal(router_pending(f.route.router), 0);
    /* Further requests: at once, and not sent. */
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    route_expect_with(&f.a_link, "\"code\":-31001", "\"retryable\":true", "\"sent\":false", NULL);
    assert_int_equal(f.route.log.starts, 0);
    /* And service again without anything done by the clients. */
    upstream_starting(route_upstream(&f.route));
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    route_expect_nothing(&f.a_link);
    while (fake_link_next(&f.route.child))
        ;
    route_child_ready(&f.route, NULL);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}",
                      (unsigned long long)next_id());
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":1}");
}

static void a_near_restart_is_waited_for(void **state)
{
    (void)state;
    route_child_down(&f.route, 1000);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    route_expect_nothing(&f.a_link);
    /* It fails: then it is told. */
    upstream_starting(route_upstream(&f.route));
    route_child_down(&f.route, 1000);
    route_expect_with(&f.a_link, "\"id\":0", "-31001", "\"exitStatus\":3", "\"sent\":false", NULL);
    route_child_down(&f.route, 1001);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    route_expect_with(&f.a_link, "-31001", "\"retryAfterMs\":1001", NULL);
    /* None planned: each request asks for a start. */
    route_child_down(&f.route, 0);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    assert_int_equal(f.route.log.starts, 1);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    assert_int_equal(f.route.log.starts, 1);
    assert_int_equal(router_pending(f.route.router), 2);
}

/* Invalid lines. */
static void noise_is_dropped_and_spoilt_answers_are_told(void **state)
{
    (void)state;
    static const char *const invalid_lines[] = {
        "listening on stdio",
        "}",
        "{",
        "{\"a\":1}",
        "[1]",
        "42",
        "{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":",
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"\"}}"};
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}");
    uint64_t id = next_id();
    for (size_t i = 0; i < sizeof(invalid_lines) / sizeof(invalid_lines[0]); i++)
        route_child_send(&f.route, invalid_lines[i]);
    assert_int_equal(route_stats(&f.route).invalid_lines, sizeof(invalid_lines) / sizeof(invalid_lines[0]));
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":\"\xff\"}",
                      (unsigned long long)id);
    route_expect_with(&f.a_link, "\"id\":\"q\"", "\"code\":-31011", "BAD_REPLY",
                      "\"reason\":", "\"sent\":true", NULL);
    assert_int_equal(route_stats(&f.route).bad_replies, 1);

    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}");
    id = next_id();
    char text[32];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
    struct frame frame = {.bytes = text, .len = 9000000, .oversize = true};
    frame.env.id = (struct span){0, (size_t)n};
    upstream_frame(route_upstream(&f.route), &frame, f.route.now_ms);
    route_expect_with(&f.a_link, "\"id\":\"q\"", "\"code\":-31007", "\"from\":\"server\"",
                      "\"bytes\":9000000", NULL);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}");
    id = next_id();
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu.5,\"result\":1}", (unsigned long long)id);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":\"x%llu\",\"result\":1}",
                      (unsigned long long)id);
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":5,\"message\":\"no\"}}",
                      (unsigned long long)id);
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"error\":{\"code\":5,\"message\":\"no\"}}");
}

static void time_outs(void **state)
{
    (void)state;
    static const char progress[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":%d}}";
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    int id = (int)next_id();
    route_tick(&f.route, 59999);
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, progress, id);
    (void)fake_link_next(&f.a_link);
    route_tick(&f.route, 59999);
    route_expect_nothing(&f.a_link);
    route_tick(&f.route, 1);
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31002", "\"afterMs\":119999", "\"sent\":true",
                      "\"retryable\":false", NULL);
    route_expect_with(&f.route.child, "notifications/cancelled", NULL);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}", id);
    route_expect_nothing(&f.a_link);

    /* The hard cap holds, progress or not. */
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    id = (int)next_id();
    for (int i = 0; i < 11; i++) {
        route_tick(&f.route, 50000);
        route_child_sendf(&f.route, progress, id);
        route_expect_with(&f.a_link, "progress", NULL);
    }
    route_tick(&f.route, 50000);
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31002", "\"afterMs\":600000", NULL);

    /* Waiting counts, and was not sent. */
    route_child_down(&f.route, 0);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    route_tick(&f.route, 60000);
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31002", "\"sent\":false",
                      "\"retryable\":true", NULL);
    assert_int_equal(route_stats(&f.route).waiting, 0);
}

static void a_link_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    /* The child's link has no memory: the client is told, and nothing is in flight. */
    f.route.child.fail_with = -12;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31003", "\"sent\":false",
                      "\"retryable\":true", NULL);
    assert_int_equal(router_pending(f.route.router), 0);
    f.route.child.fail_with = 0;
    /* It is closing: the request waits for what comes. */
    f.route.child.closed = true;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    assert_int_equal(route_stats(&f.route).waiting, 1);
    route_child_down(&f.route, 0);
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31001", NULL);
    /* The client's link has no memory: it is closed. */
    route_child_ready(&f.route, NULL);
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    uint64_t id = next_id();
    f.b_link.fail_with = -12;
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    assert_true(f.b_link.closed);
    assert_int_equal(router_pending(f.route.router), 0);
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    route_expect_nothing(&f.route.child);
}

static void batches_belong_to_one_revision(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}]");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}");
    route_expect_with(&f.a_link, "\"protocolVersion\":\"2025-03-26\"", NULL);
    route_client_send(
        &f.route, f.a,
        "[ {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}, 5, [], "
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"},{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dup\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]");
    uint64_t id = next_id();
    route_expect(&f.route.child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}");
    route_expect_nothing(&f.route.child);
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", ",\"id\":1}}}", NULL);
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    route_client_send(&f.route, f.a, "[]");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "empty", NULL);
    static char many[4096];
    memset(many, 0, sizeof(many));
    many[0] = '[';
    for (int i = 0; i < 1001; i++)
        memcpy(many + 1 + 2 * i, "1,", 2);
    many[1 + 2 * 1001 - 1] = ']';
    route_client_send(&f.route, f.a, many);
    route_expect_with(&f.a_link, "1000", NULL);
    route_expect_nothing(&f.a_link);
}

static void on_control(void *data, struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    (void)now_ms;
    int *mode = data;
    if (*mode == 1)
        route_reply_result(s, frame, "{\"t\":1}", 7);
    else if (*mode == 2)
        route_reply_error(s, frame, RPC_E_FORBIDDEN, "no \"way\"", "\"needed\":\"admin\"");
}

static void control_methods(void **state)
{
    (void)state;
    int mode = 0;
    struct router_options options = {.protocol = &mcp_protocol,
                                     .relay_name = "r",
                                     .relay_version = "1",
                                     .max_id_bytes = 100,
                                     .on_control = on_control,
                                     .data = &mode};
    struct router *r = NULL;
    struct route_server *server = NULL;
    static const struct server_ops none = {0};
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    struct fake_link link;
    struct route_session *s = NULL;
    assert_int_equal(router_new(&options, &r), 0);
    assert_int_equal(route_server_add(r, "x", &limits, &none, NULL, &server), 0);
    assert_int_equal(route_server_add(r, "x", &limits, &none, NULL, &server), ERR_FULL);
    fake_link_init(&link);
    assert_int_equal(route_session_open(r, "y", &link.link, NULL, NULL, 0, &s), ERR_NOT_FOUND);
    assert_int_equal(route_session_open(r, "x", &link.link, NULL, &mode, 0, &s), 0);
    assert_ptr_equal(route_session_user(s), &mode);
    for (mode = 0; mode < 3; mode++) {
        route_client_send(&f.route, s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"relay\\/ping\"}");
        route_client_send(&f.route, s, "{\"jsonrpc\":\"2.0\",\"method\":\"relay/ack\"}");
    }
    route_expect_with(&link, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    route_expect(&link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"t\":1}}");
    route_expect(
        &link,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-31006,\"message\":\"no "
        "\\\"way\\\"\",\"data\":{\"relay\":true,\"code\":\"FORBIDDEN\",\"retryable\":false,\"sent\":false,\"needed\":\"admin\"}}}");
    route_expect_nothing(&link);
    route_session_close(s, 0);
    route_server_remove(server, "done", 0);
    router_free(r);
    fake_link_done(&link);
}

static void draining_refuses_what_is_new(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    uint64_t id = next_id();
    router_drain(f.route.router);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    route_expect_with(&f.a_link, "\"id\":2,\"error\":{\"code\":-31009",
                      "\"retryAfterMs\":", "\"retryable\":true", NULL);
    assert_int_equal(router_pending(f.route.router), 1);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    assert_int_equal(router_pending(f.route.router), 0);
}

struct seen {
    char text[1024];
};

static void see_call(void *data, const struct call_view *view)
{
    struct seen *seen = data;
    size_t at = strlen(seen->text);
    (void)snprintf(seen->text + at, sizeof(seen->text) - at, "%s %.*s %.*s age=%d left=%d %s\n", view->state,
                   (int)view->client_id_len, view->client_id, (int)view->method_len, view->method,
                   (int)view->age_ms, (int)view->deadline_in_ms, view->session ? "owned" : "-");
}

static void views_show_every_call(void **state)
{
    (void)state;
    struct seen seen = {""};
    struct route_session_stats stats;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"first\"}");
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"second\"}");
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    upstream_drain(route_upstream(&f.route), f.route.now_ms);
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"third\"}");
    f.route.now_ms += 1000;
    router_each_call(f.route.router, f.route.now_ms, see_call, &seen);
    assert_string_equal(seen.text, "in-flight 2 \"second\" age=1000 left=59000 owned\n"
                                   "abandoned 1 \"first\" age=1000 left=4000 owned\n"
                                   "waiting 3 \"third\" age=1000 left=59000 owned\n");
    route_session_get_stats(f.a, &stats);
    assert_string_equal(stats.server, "mem");
    assert_string_equal(stats.protocol, "2025-11-25");
    assert_string_equal(stats.client_name, "t");
    assert_true(stats.initialized);
    assert_int_equal(stats.in_flight, 1);
    assert_int_equal(route_stats(&f.route).in_flight, 1);
    assert_int_equal(route_stats(&f.route).waiting, 1);
    upstream_undrain(route_upstream(&f.route), f.route.now_ms);
    assert_int_equal(route_stats(&f.route).waiting, 0);
    assert_int_equal(route_stats(&f.route).in_flight, 2);
}

static void a_removed_server_answers_and_closes(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    upstream_drain(route_upstream(&f.route), f.route.now_ms);
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    route_server_remove(f.route.server, "it is gone", f.route.now_ms);
    f.route.server = NULL;
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31001", "it is gone", "\"sent\":true", NULL);
    route_expect_with(&f.b_link, "\"id\":1,\"error\":{\"code\":-31001", "it is gone", "\"sent\":false", NULL);
    assert_true(f.a_link.closed && f.b_link.closed);
    assert_string_equal(f.a_link.reason, "it is gone");
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    assert_int_equal(router_pending(f.route.router), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(abandoned_calls_are_bounded),
        T(the_childs_end_answers_everything),
        T(a_near_restart_is_waited_for),
        T(noise_is_dropped_and_spoilt_answers_are_told),
        T(time_outs),
        T(a_link_that_fails_leaves_nothing_behind),
        T(batches_belong_to_one_revision),
        T(control_methods),
        T(draining_refuses_what_is_new),
        T(views_show_every_call),
        T(a_removed_server_answers_and_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

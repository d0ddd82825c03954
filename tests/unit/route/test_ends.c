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

static struct kit_pair f;

static int setup(void **state)
{
    (void)state;
    return kit_pair_open(&f);
}

static int teardown(void **state)
{
    (void)state;
    return kit_pair_close(&f);
}

static uint64_t next_id(void)
{
    return kit_id(kit_expect_with(&f.kit.child, NULL));
}

/* However many clients come, ask and go within five seconds, what is remembered of them is bounded. */
static void abandoned_calls_are_bounded(void **state)
{
    (void)state;
    f.kit.child.forget = true;
    for (int round = 0; round < 17; round++) {
        struct kit_link link;
        struct route_session *s = kit_session(&f.kit, &link);
        for (int i = 0; i < 256; i++)
            kit_sayf(&f.kit, s, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
        assert_int_equal(kit_stats(&f.kit).in_flight, 256);
        route_session_close(s, f.kit.now_ms);
        kit_link_done(&link);
        assert_int_equal(kit_stats(&f.kit).in_flight, 0);
    }
    assert_int_equal(kit_stats(&f.kit).abandoned, 4096);
    kit_tick(&f.kit, 5000);
    assert_int_equal(kit_stats(&f.kit).abandoned, 0);
}

/* Case 11. */
static void the_childs_end_answers_everything(void **state)
{
    (void)state;
    for (int i = 0; i < 25; i++) {
        kit_sayf(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
        kit_sayf(&f.kit, f.b, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
    }
    const struct outage why = {.state = "crash-loop",
                               .exited = true,
                               .term_signal = 9,
                               .stderr_tail = "boom \"x\"\n",
                               .stderr_len = 9,
                               .retry_at_ms = f.kit.now_ms + 30000};
    upstream_down(kit_upstream(&f.kit), &why, f.kit.now_ms);
    for (int i = 0; i < 25; i++) {
        kit_expect_with(&f.a_link, "\"error\":{\"code\":-31001", "\"code\":\"SERVER_UNAVAILABLE\"",
                        "\"retryable\":false", "\"sent\":true", "\"server\":\"mem\"",
                        "\"state\":\"crash-loop\"", "\"signal\":9", "\"stderrTail\":\"boom \\\"x\\\"\\n\"",
                        "\"retryAfterMs\":30000", NULL);
        kit_expect_with(&f.b_link, "\"error\":{\"code\":-31001", NULL);
    }
    assert_int_equal(router_pending(f.kit.router), 0);
    /* Further requests: at once, and not sent. */
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    kit_expect_with(&f.a_link, "\"code\":-31001", "\"retryable\":true", "\"sent\":false", NULL);
    assert_int_equal(f.kit.log.starts, 0);
    /* And service again without anything done by the clients. */
    upstream_starting(kit_upstream(&f.kit));
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    kit_expect_nothing(&f.a_link);
    while (kit_next(&f.kit.child))
        ;
    kit_ready(&f.kit, NULL);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)next_id());
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":1}");
}

static void a_near_restart_is_waited_for(void **state)
{
    (void)state;
    kit_down(&f.kit, 1000);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    kit_expect_nothing(&f.a_link);
    /* It fails: then it is told. */
    upstream_starting(kit_upstream(&f.kit));
    kit_down(&f.kit, 1000);
    kit_expect_with(&f.a_link, "\"id\":0", "-31001", "\"exitStatus\":3", "\"sent\":false", NULL);
    kit_down(&f.kit, 1001);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    kit_expect_with(&f.a_link, "-31001", "\"retryAfterMs\":1001", NULL);
    /* None planned: each request asks for a start. */
    kit_down(&f.kit, 0);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"m\"}");
    assert_int_equal(f.kit.log.starts, 1);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    assert_int_equal(f.kit.log.starts, 1);
    assert_int_equal(router_pending(f.kit.router), 2);
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
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}");
    uint64_t id = next_id();
    for (size_t i = 0; i < sizeof(invalid_lines) / sizeof(invalid_lines[0]); i++)
        kit_reply(&f.kit, invalid_lines[i]);
    assert_int_equal(kit_stats(&f.kit).invalid_lines, sizeof(invalid_lines) / sizeof(invalid_lines[0]));
    kit_expect_nothing(&f.a_link);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":\"\xff\"}", (unsigned long long)id);
    kit_expect_with(&f.a_link, "\"id\":\"q\"", "\"code\":-31011", "BAD_REPLY", "\"reason\":", "\"sent\":true",
                    NULL);
    assert_int_equal(kit_stats(&f.kit).bad_replies, 1);

    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}");
    id = next_id();
    char text[32];
    int n = snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
    struct frame frame = {.bytes = text, .len = 9000000, .oversize = true};
    frame.env.id = (struct span){0, (size_t)n};
    upstream_frame(kit_upstream(&f.kit), &frame, f.kit.now_ms);
    kit_expect_with(&f.a_link, "\"id\":\"q\"", "\"code\":-31007", "\"from\":\"server\"", "\"bytes\":9000000",
                    NULL);
    /* Ids that are no exact integers are nobody's. */
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"method\":\"m\"}");
    id = next_id();
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":\"%llu\",\"result\":1}", (unsigned long long)id);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu.0,\"result\":1}", (unsigned long long)id);
    kit_expect_nothing(&f.a_link);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":5,\"message\":\"no\"}}",
               (unsigned long long)id);
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":\"q\",\"error\":{\"code\":5,\"message\":\"no\"}}");
}

static void time_outs(void **state)
{
    (void)state;
    static const char progress[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":%d}}";
    kit_say(&f.kit, f.a,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    int id = (int)next_id();
    kit_tick(&f.kit, 59999);
    kit_expect_nothing(&f.a_link);
    kit_replyf(&f.kit, progress, id);
    (void)kit_next(&f.a_link);
    kit_tick(&f.kit, 59999);
    kit_expect_nothing(&f.a_link);
    kit_tick(&f.kit, 1);
    kit_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31002", "\"afterMs\":119999", "\"sent\":true",
                    "\"retryable\":false", NULL);
    kit_expect_with(&f.kit.child, "notifications/cancelled", NULL);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}", id);
    kit_expect_nothing(&f.a_link);

    /* The hard cap holds, progress or not. */
    kit_say(&f.kit, f.a,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    id = (int)next_id();
    for (int i = 0; i < 11; i++) {
        kit_tick(&f.kit, 50000);
        kit_replyf(&f.kit, progress, id);
        kit_expect_with(&f.a_link, "progress", NULL);
    }
    kit_tick(&f.kit, 50000);
    kit_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31002", "\"afterMs\":600000", NULL);

    /* Waiting counts, and was not sent. */
    kit_down(&f.kit, 0);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    kit_tick(&f.kit, 60000);
    kit_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31002", "\"sent\":false", "\"retryable\":true",
                    NULL);
    assert_int_equal(kit_stats(&f.kit).waiting, 0);
}

static void a_link_that_fails_leaves_nothing_behind(void **state)
{
    (void)state;
    /* The child's link has no memory: the client is told, and nothing is in flight. */
    f.kit.child.fail_with = -12;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    kit_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31003", "\"sent\":false", "\"retryable\":true",
                    NULL);
    assert_int_equal(router_pending(f.kit.router), 0);
    f.kit.child.fail_with = 0;
    /* It is closing: the request waits for what comes. */
    f.kit.child.closed = true;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    assert_int_equal(kit_stats(&f.kit).waiting, 1);
    kit_down(&f.kit, 0);
    kit_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31001", NULL);
    /* The client's link has no memory: it is closed. */
    kit_ready(&f.kit, NULL);
    kit_say(&f.kit, f.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    uint64_t id = next_id();
    f.b_link.fail_with = -12;
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    assert_true(f.b_link.closed);
    assert_int_equal(router_pending(f.kit.router), 0);
    kit_say(&f.kit, f.b, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    kit_expect_nothing(&f.kit.child);
}

static void batches_belong_to_one_revision(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a, "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}]");
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    kit_say(
        &f.kit, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}");
    kit_expect_with(&f.a_link, "\"protocolVersion\":\"2025-03-26\"", NULL);
    kit_say(
        &f.kit, f.a,
        "[ {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}, 5, [], "
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"},{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dup\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]");
    uint64_t id = next_id();
    kit_expect(&f.kit.child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}");
    kit_expect_nothing(&f.kit.child);
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", ",\"id\":1}}}", NULL);
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{}}");
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    kit_say(&f.kit, f.a, "[]");
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "empty", NULL);
    static char many[4096];
    memset(many, 0, sizeof(many));
    many[0] = '[';
    for (int i = 0; i < 1001; i++)
        memcpy(many + 1 + 2 * i, "1,", 2);
    many[1 + 2 * 1001 - 1] = ']';
    kit_say(&f.kit, f.a, many);
    kit_expect_with(&f.a_link, "1000", NULL);
    kit_expect_nothing(&f.a_link);
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
    static const struct server_ops none = {NULL, NULL, NULL, NULL};
    struct server_limits limits = kit_limits(SHARING_SHARED);
    struct kit_link link;
    struct route_session *s = NULL;
    assert_int_equal(router_new(&options, &r), 0);
    assert_int_equal(route_server_add(r, "x", &limits, &none, NULL, &server), 0);
    assert_int_equal(route_server_add(r, "x", &limits, &none, NULL, &server), ERR_FULL);
    kit_link_init(&link);
    assert_int_equal(route_session_open(r, "y", &link.link, NULL, 0, &s), ERR_NOT_FOUND);
    assert_int_equal(route_session_open(r, "x", &link.link, &mode, 0, &s), 0);
    assert_ptr_equal(route_session_user(s), &mode);
    for (mode = 0; mode < 3; mode++) {
        kit_say(&f.kit, s, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"relay\\/ping\"}");
        kit_say(&f.kit, s, "{\"jsonrpc\":\"2.0\",\"method\":\"relay/ack\"}");
    }
    kit_expect_with(&link, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    kit_expect(&link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"t\":1}}");
    kit_expect(
        &link,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-31006,\"message\":\"no "
        "\\\"way\\\"\",\"data\":{\"relay\":true,\"code\":\"FORBIDDEN\",\"retryable\":false,\"sent\":false,\"needed\":\"admin\"}}}");
    kit_expect_nothing(&link);
    route_session_close(s, 0);
    route_server_remove(server, "done", 0);
    router_free(r);
    kit_link_done(&link);
}

static void draining_refuses_what_is_new(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    uint64_t id = next_id();
    router_drain(f.kit.router);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    kit_expect_with(&f.a_link, "\"id\":2,\"error\":{\"code\":-31009",
                    "\"retryAfterMs\":", "\"retryable\":true", NULL);
    assert_int_equal(router_pending(f.kit.router), 1);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    assert_int_equal(router_pending(f.kit.router), 0);
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
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"first\"}");
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"second\"}");
    kit_say(&f.kit, f.a,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    upstream_drain(kit_upstream(&f.kit));
    kit_say(&f.kit, f.b, "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"third\"}");
    f.kit.now_ms += 1000;
    router_each_call(f.kit.router, f.kit.now_ms, see_call, &seen);
    assert_string_equal(seen.text, "in-flight 2 \"second\" age=1000 left=59000 owned\n"
                                   "abandoned 1 \"first\" age=1000 left=4000 owned\n"
                                   "waiting 3 \"third\" age=1000 left=59000 owned\n");
    route_session_get_stats(f.a, &stats);
    assert_string_equal(stats.server, "mem");
    assert_string_equal(stats.protocol, "2025-11-25");
    assert_string_equal(stats.client_name, "t");
    assert_true(stats.initialized);
    assert_int_equal(stats.in_flight, 1);
    assert_int_equal(upstream_pending(kit_upstream(&f.kit)), 1);
    assert_int_equal(kit_stats(&f.kit).waiting, 1);
    upstream_undrain(kit_upstream(&f.kit), f.kit.now_ms);
    assert_int_equal(kit_stats(&f.kit).waiting, 0);
    assert_int_equal(kit_stats(&f.kit).in_flight, 2);
}

static void a_removed_server_answers_and_closes(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    upstream_drain(kit_upstream(&f.kit));
    kit_say(&f.kit, f.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    route_server_remove(f.kit.server, "it is gone", f.kit.now_ms);
    f.kit.server = NULL;
    kit_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-31001", "it is gone", "\"sent\":true", NULL);
    kit_expect_with(&f.b_link, "\"id\":1,\"error\":{\"code\":-31001", "it is gone", "\"sent\":false", NULL);
    assert_true(f.a_link.closed && f.b_link.closed);
    assert_string_equal(f.a_link.reason, "it is gone");
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    assert_int_equal(router_pending(f.kit.router), 0);
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

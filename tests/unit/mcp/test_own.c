/* A child per session: everything passes, both ways, and ids and tokens are still kept apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

static struct route_fixture route;
static struct fake_link links[2];
static struct fake_link children[2];
static struct route_session *sessions[2];
static struct upstream *upstreams[2];
static size_t attached;

static void attach(struct route_fixture *k, struct upstream *upstream)
{
    (void)k;
    upstreams[attached] = upstream;
    upstream_starting(upstream);
    upstream_attach(upstream, &children[attached].link, route.now_ms);
    attached++;
}

static int setup(void **state)
{
    (void)state;
    struct server_limits limits = route_fixture_limits(SHARING_PER_SESSION);
    route_fixture_open(&route, &limits);
    route.on_start = attach;
    attached = 0;
    for (int i = 0; i < 2; i++) {
        fake_link_init(&children[i]);
        sessions[i] = route_connect(&route, &links[i]);
    }
    assert_null(route_server_upstream(route.server));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        if (sessions[i])
            route_session_close(sessions[i], route.now_ms);
        fake_link_done(&links[i]);
        fake_link_done(&children[i]);
    }
    assert_int_equal(route.log.released, 2);
    route_fixture_close(&route);
    return 0;
}

static void initialize(int i)
{
    route_client_send(
        &route, sessions[i],
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"roots\":{}}}}");
    route_expect_with(&children[i], "\"id\":1,", "\"capabilities\":{\"roots\":{}}", NULL);
    route_child_send_on(
        &route, upstreams[i],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tasks\":{\"list\":{}}}}}");
    route_expect(
        &links[i],
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"protocolVersion\":\"2025-06-18\",\"capabilities\":{\"tasks\":{\"list\":{}}}}}");
    route_client_send(&route, sessions[i], "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    route_expect(&children[i], "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
}

static void everything_passes(void **state)
{
    (void)state;
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"server/discover\"}");
    route_expect_with(&links[0], "\"id\":9,\"error\":{\"code\":-32601", NULL);
    assert_int_equal(route.log.starts, 0);
    initialize(0);
    assert_int_equal(route.log.ready, 1);
    initialize(1);
    assert_int_equal(route.log.starts, 2);
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}");
    route_expect(&children[0], "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}");
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tasks/list\"}");
    route_expect(&children[0], "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tasks/list\"}");
    route_client_send(&route, sessions[0],
                      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
    route_expect(&children[0], "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
    route_child_send_on(&route, upstreams[0],
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/whatever\",\"params\":{}}");
    route_expect(&links[0], "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/whatever\",\"params\":{}}");
    route_child_send_on(
        &route, upstreams[0],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"debug\"}}");
    route_expect_with(&links[0], "notifications/message", NULL);
    route_expect_nothing(&links[1]);
    struct route_session_stats stats;
    route_session_get_stats(sessions[0], &stats);
    assert_string_equal(stats.protocol, "2025-06-18");
}

/* Case 23. */
static void questions_are_answered_by_whom_they_were_put_to(void **state)
{
    (void)state;
    initialize(0);
    initialize(1);
    for (int i = 0; i < 2; i++)
        route_child_send_on(
            &route, upstreams[i],
            "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"sampling/createMessage\",\"params\":{\"_meta\":{\"progressToken\":0}}}");
    route_child_send_on(&route, upstreams[0], "{\"jsonrpc\":\"2.0\",\"id\":\"0\",\"method\":\"roots/list\"}");
    route_expect(
        &links[0],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    route_expect(&links[0], "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"roots/list\"}");
    route_expect(
        &links[1],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"sampling/createMessage\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    route_client_send(
        &route, sessions[0],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1,\"progress\":2}}");
    route_expect(
        &children[0],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":0,\"progress\":2}}");
    route_client_send(
        &route, sessions[0],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":2,\"progress\":2}}");
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"roots\":[]}}");
    route_expect(&children[0], "{\"jsonrpc\":\"2.0\",\"id\":\"0\",\"result\":{\"roots\":[]}}");
    route_client_send(&route, sessions[1],
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-1,\"message\":\"no\"}}");
    route_expect(&children[1], "{\"jsonrpc\":\"2.0\",\"id\":0,\"error\":{\"code\":-1,\"message\":\"no\"}}");
    /* Answers to nothing. */
    route_client_send(&route, sessions[1], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{}}");
    route_expect_nothing(&children[0]);
    route_expect_nothing(&children[1]);
    /* Withdrawn by the child. */
    route_child_send_on(
        &route, upstreams[0],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":0}}");
    route_expect(&links[0],
                 "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    route_expect_nothing(&children[0]);
    route_expect_nothing(&links[0]);
}

static void clocks_stand_still_while_a_question_is_open(void **state)
{
    (void)state;
    initialize(0);
    route_client_send(&route, sessions[0],
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}}");
    route_expect_with(&children[0], "\"id\":2,", NULL);
    route_tick(&route, 30000);
    route_child_send_on(&route, upstreams[0],
                        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"elicitation/create\",\"params\":{}}");
    route_expect_with(&links[0], "\"id\":1,", "elicitation/create", NULL);
    for (int i = 0; i < 20; i++)
        route_tick(&route, 10000);
    route_expect_nothing(&links[0]);
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    route_expect_with(&children[0], "\"id\":5,\"result\"", NULL);
    route_tick(&route, 29999);
    route_expect_nothing(&links[0]);
    route_tick(&route, 1);
    route_expect_with(&links[0], "\"id\":1,\"error\":{\"code\":-31002", "\"afterMs\":260000", NULL);
}

static void unanswered_questions_are_answered_for_the_child(void **state)
{
    (void)state;
    initialize(0);
    route_child_send_on(&route, upstreams[0],
                        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"elicitation/create\",\"params\":{}}");
    route_expect_with(&links[0], "\"id\":1,", NULL);
    route_tick(&route, 599999);
    route_expect_nothing(&children[0]);
    route_tick(&route, 1);
    route_expect_with(&children[0], "\"id\":5,\"error\":{\"code\":-31002", NULL);
    route_expect_with(&links[0], "notifications/cancelled", "\"requestId\":1", NULL);
    /* An answer that cannot be read, or is too large. */
    route_child_send_on(&route, upstreams[0], "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"roots/list\"}");
    route_child_send_on(&route, upstreams[0], "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}");
    route_child_send_on(&route, upstreams[0], "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"roots/list\"}");
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"\xc0\"}");
    route_expect_with(&children[0], "\"id\":6,\"error\":{\"code\":-32700", NULL);
    struct frame frame = {.bytes = "3", .len = 9000000, .oversize = true};
    frame.env.id = (struct span){0, 1};
    route_session_frame(sessions[0], &frame, route.now_ms);
    route_expect_with(&children[0], "\"id\":7,\"error\":{\"code\":-31007", NULL);
    /* The client goes: the child gets its error before the end, and the call a cancel. */
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    route_expect_with(&children[0], "\"method\":\"m\"", NULL);
    route_session_close(sessions[0], route.now_ms);
    sessions[0] = NULL;
    route_expect_with(&children[0], "notifications/cancelled", NULL);
    route_expect_with(&children[0], "\"id\":8,\"error\"", NULL);
    assert_int_equal(route.log.released, 1);
}

static void a_child_that_dies_takes_its_connection_along(void **state)
{
    (void)state;
    static const struct outage why = {
        .state = "down", .exited = true, .exit_status = 1, .detail = "it exited"};
    initialize(0);
    initialize(1);
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    route_child_send_on(&route, upstreams[0], "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"roots/list\"}");
    route_expect_with(&links[0], "roots/list", NULL);
    upstream_down(upstreams[0], &why, route.now_ms);
    route_expect_with(&links[0], "\"id\":1,\"error\":{\"code\":-31001", "\"exitStatus\":1", NULL);
    route_expect_with(&links[0], "notifications/cancelled", NULL);
    assert_true(links[0].closed);
    assert_false(links[1].closed);
    assert_int_equal(router_pending(route.router), 0);
}

static void refuse_start(struct route_fixture *k, struct upstream *upstream)
{
    static const struct outage why = {.state = "down", .detail = "no such program"};
    upstream_down(upstream, &why, k->now_ms);
}

static void a_start_that_fails_is_told_first(void **state)
{
    (void)state;
    route.on_start = refuse_start;
    route_client_send(&route, sessions[0],
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}");
    route_expect_with(&links[0], "\"id\":1,\"error\":{\"code\":-31001", "no such program", NULL);
    assert_true(links[0].closed);
}

static void what_waits_keeps_its_order(void **state)
{
    (void)state;
    route.on_start = NULL;
    route_client_send(&route, sessions[0],
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{}}");
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}");
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    assert_int_equal(router_pending(route.router), 2);
    attach(&route, route.log.last);
    route_expect_with(&children[0], "\"id\":1,", "initialize", NULL);
    route_expect_with(&children[0], "initialized", NULL);
    route_expect_with(&children[0], "\"id\":2,", NULL);
    /* Initialize is never cancelled. */
    route_client_send(
        &route, sessions[0],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    route_tick(&route, 60000);
    route_expect_with(&children[0], "\"requestId\":2", NULL);
    route_expect_nothing(&children[0]);
}

static void batched_answers_are_split(void **state)
{
    (void)state;
    route_client_send(
        &route, sessions[0],
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}");
    route_child_send_on(&route, upstreams[0], "[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
    route_expect_nothing(&links[0]);
    route_child_send_on(&route, upstreams[0],
                        "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":\"2025-03-26\"}}");
    (void)fake_link_next(&links[0]);
    route_client_send(
        &route, sessions[0],
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"b\"}]");
    route_child_send_on(
        &route, upstreams[0],
        "[{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":3},[],7,{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":2}]");
    route_expect(&links[0], "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":3}");
    route_expect(&links[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":2}");
    route_expect_nothing(&links[0]);
}

/* The answer to a request of the child may stand behind what the client has pipelined: it must not wait for itself. */
static void who_was_asked_is_read_on(void **state)
{
    (void)state;
    struct server_limits limits = route_fixture_limits(SHARING_PER_SESSION);
    limits.max_in_flight = 1;
    limits.max_waiting = 400;
    route_server_set_limits(route.server, &limits, route.now_ms);
    initialize(0);
    int i = 1;
    for (; i < 300 && !links[0].paused; i++)
        route_client_sendf(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
    assert_true(links[0].paused);
    route_child_send_on(&route, upstreams[0], "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"roots/list\"}");
    assert_false(links[0].paused);
    route_expect_with(&links[0], "roots/list", NULL);
    for (; i < 300; i++)
        route_client_sendf(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
    route_expect_with(&links[0], "\"code\":-31003", NULL);
    assert_false(links[0].paused);
    route_client_send(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}");
    assert_true(links[0].paused);
}

static void tokens_are_limited_as_ids_are(void **state)
{
    (void)state;
    static char token[16384 + 2];
    memset(token, '1', sizeof(token) - 1);
    initialize(0);
    route_client_sendf(
        &route, sessions[0],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":%s}}}",
        token);
    route_expect_with(&links[0], "\"id\":1,\"error\":{\"code\":-32600", "16384", NULL);
    token[16384] = '\0';
    route_client_sendf(
        &route, sessions[0],
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":%s}}}",
        token);
    route_expect_with(&children[0], "\"progressToken\":2", NULL);
    route_expect_nothing(&links[0]);
}

/* One client alone has nobody to leave room for. */
static void one_session_may_use_every_slot(void **state)
{
    (void)state;
    initialize(0);
    for (int i = 1; i <= 513; i++)
        route_client_sendf(&route, sessions[0], "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}", i);
    struct upstream_stats stats;
    upstream_get_stats(upstreams[0], &stats);
    assert_int_equal(stats.in_flight, 512);
    assert_int_equal(stats.waiting, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(everything_passes),
        T(questions_are_answered_by_whom_they_were_put_to),
        T(clocks_stand_still_while_a_question_is_open),
        T(unanswered_questions_are_answered_for_the_child),
        T(a_child_that_dies_takes_its_connection_along),
        T(a_start_that_fails_is_told_first),
        T(what_waits_keeps_its_order),
        T(batched_answers_are_split),
        T(who_was_asked_is_read_on),
        T(tokens_are_limited_as_ids_are),
        T(one_session_may_use_every_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

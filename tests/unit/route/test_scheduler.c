/* Fairness and limits: who may take a slot, who is next, who has to wait or pause, who is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

#define CLIENTS 8

static struct route_fixture route;
static struct fake_link links[CLIENTS];
static struct route_session *sessions[CLIENTS];
static struct server_limits limits;

static void open_with(unsigned max_in_flight, unsigned max_waiting)
{
    limits = route_fixture_limits(SHARING_SHARED);
    limits.max_in_flight = max_in_flight;
    limits.max_waiting = max_waiting;
    route_fixture_open(&route, &limits);
    route_child_ready(&route, NULL);
    for (int i = 0; i < CLIENTS; i++)
        sessions[i] = route_connect_initialized(&route, &links[i]);
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        route_session_close(sessions[i], route.now_ms);
        fake_link_done(&links[i]);
    }
    assert_int_equal(router_pending(route.router), 0);
    route_fixture_close(&route);
    return 0;
}

static void call(int client, int id)
{
    route_client_sendf(&route, sessions[client],
                       "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\",\"params\":{\"who\":%d}}", id,
                       client);
}

static void call_of(int client, int id, size_t bytes)
{
    char *fill = malloc(bytes + 1);
    assert_non_null(fill);
    memset(fill, 'x', bytes);
    fill[bytes] = '\0';
    route_client_sendf(
        &route, sessions[client],
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\",\"params\":{\"who\":%d,\"x\":\"%s\"}}", id, client,
        fill);
    free(fill);
}

/* Answers one, and gives the clients that were served in consequence, as digits. */
static void answer(uint64_t id)
{
    route_child_sendf(&route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
}

static int who(const char *line)
{
    assert_non_null(line);
    return (int)strtol(strstr(line, "\"who\":") + 6, NULL, 10);
}

/* Case 28. */
static void one_hog_leaves_room(void **state)
{
    (void)state;
    open_with(16, 4096);
    for (int i = 0; i < 100; i++)
        call(0, i);
    assert_int_equal(route_stats(&route).in_flight, 8);
    call(1, 0);
    assert_int_equal(route_stats(&route).in_flight, 9);
    /* Cancelled calls free their slots, and still count against the share for a while. */
    for (int i = 0; i < 8; i++)
        route_client_sendf(
            &route, sessions[0],
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%d}}", i);
    /* One stood ahead; 15 slots were free, then 8 abandoned + k < 15 - k: k = 4. */
    assert_int_equal(route_stats(&route).abandoned, 8);
    assert_int_equal(route_stats(&route).in_flight, 1 + 4);
    route_tick(&route, 5000);
    assert_int_equal(route_stats(&route).abandoned, 0);
    assert_int_equal(route_stats(&route).in_flight, 1 + 8);
}

static void waiting_sessions_take_turns(void **state)
{
    (void)state;
    open_with(1, 4096);
    call(0, 0);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    for (int i = 1; i <= 4; i++) {
        for (int c = 0; c < 4; c++)
            call(c, i);
    }
    route_expect_nothing(&route.child);
    int served[CLIENTS] = {0};
    for (int i = 0; i < 16; i++) {
        answer(id);
        const char *line = fake_link_next(&route.child);
        id = route_line_id(line);
        served[who(line)]++;
        /* Nobody is more than one burst ahead. */
        for (int c = 0; c < 4; c++)
            assert_true(served[c] >= i / 4 && served[c] <= i / 4 + 1);
    }
    answer(id);
}

static void large_requests_pay_with_turns(void **state)
{
    (void)state;
    open_with(1, 4096);
    call(7, 0);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    for (int i = 0; i < 3; i++)
        call_of(0, i, 250 * 1024);
    for (int i = 0; i < 30; i++)
        call(1, i);
    /* A request of four quanta comes after three small ones of the other's, each time. */
    int small = 0;
    int large = 0;
    for (int i = 0; i < 33; i++) {
        answer(id);
        const char *line = fake_link_next(&route.child);
        id = route_line_id(line);
        if (who(line) == 0)
            large++;
        else
            small++;
        if (large == 1 && who(line) == 0)
            assert_in_range(small, 3, 4);
        if (large == 2 && who(line) == 0)
            assert_in_range(small, 6, 8);
    }
    assert_int_equal(large, 3);
    assert_int_equal(small, 30);
    answer(id);
}

static void a_large_request_alone_goes_at_once(void **state)
{
    (void)state;
    open_with(4, 4096);
    upstream_drain(route_upstream(&route), route.now_ms);
    call_of(0, 1, 900 * 1024);
    assert_int_equal(route_stats(&route).waiting, 1);
    upstream_undrain(route_upstream(&route), route.now_ms);
    assert_int_equal(route_stats(&route).in_flight, 1);
}

static void slow_readers_get_no_turn(void **state)
{
    (void)state;
    open_with(4, 4096);
    links[0].link.queued_bytes = FAKE_LINK_HIGH_BYTES + 1;
    call(0, 1);
    call(1, 1);
    assert_int_equal(who(fake_link_next(&route.child)), 1);
    route_expect_nothing(&route.child);
    links[0].link.queued_bytes = 0;
    call(0, 2);
    route_expect_nothing(&route.child);
    route_session_writable(sessions[0], route.now_ms);
    assert_int_equal(who(fake_link_next(&route.child)), 0);
    assert_int_equal(who(fake_link_next(&route.child)), 0);
}

static void a_full_child_link_holds_requests_back(void **state)
{
    (void)state;
    open_with(64, 4096);
    route.child.link.queued_bytes = FAKE_LINK_HIGH_BYTES;
    call(0, 1);
    call(0, 2);
    route_expect_nothing(&route.child);
    route.child.link.queued_bytes = FAKE_LINK_HIGH_BYTES - 1;
    upstream_writable(route_upstream(&route), route.now_ms);
    route_expect_with(&route.child, "\"who\":0", NULL);
    route_expect_with(&route.child, "\"who\":0", NULL);
    route.child.link.queued_bytes = FAKE_LINK_HIGH_BYTES;
    call(0, 3);
    /* What the outbox keeps is not lost, and goes ahead of what waits. */
    route_client_send(
        &route, sessions[0],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    route_child_send(&route, "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"roots/list\"}");
    route_expect_nothing(&route.child);
    route.child.link.queued_bytes = 0;
    upstream_writable(route_upstream(&route), route.now_ms);
    route_expect_with(&route.child, "cancelled", NULL);
    route_expect_with(&route.child, "\"id\":\"c\",\"error\"", NULL);
    route_expect_with(&route.child, "\"who\":0", NULL);
    route_expect_nothing(&route.child);
}

/* One that asks and never reads is given up, before it takes all memory. */
static void a_child_that_reads_nothing_is_given_up(void **state)
{
    (void)state;
    open_with(64, 4096);
    route.child.link.queued_bytes = FAKE_LINK_HIGH_BYTES;
    for (int i = 0; i < 100000 && !route.child.closed; i++)
        route_child_send(&route, "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"roots/list\"}");
    assert_true(route.child.closed);
    assert_string_equal(route.child.reason, "it asks and does not read the answers");
}

/* Long cancels are replaced by short ones. */
static void long_cancels_are_cut(void **state)
{
    (void)state;
    static char line[8192];
    open_with(64, 4096);
    call(0, 1);
    (void)fake_link_next(&route.child);
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1,\"reason\":\"%05000d\"}}",
        0);
    route_client_send(&route, sessions[0], line);
    assert_true(strlen(route_expect_with(&route.child, "cancelled", NULL)) < 200);
}

static void a_full_queue_is_said(void **state)
{
    (void)state;
    open_with(1, 3);
    for (int i = 0; i < 4; i++)
        call(i, 1);
    route_expect_nothing(&links[3]);
    call(4, 1);
    route_expect_with(&links[4], "\"id\":1,\"error\":{\"code\":-31003", "\"queued\":3", "\"limit\":3",
                      "\"retryAfterMs\":", "\"sent\":false", "\"retryable\":true", NULL);
    /* A place is free again. */
    route_client_send(
        &route, sessions[1],
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    call(4, 1);
    route_expect_nothing(&links[4]);
}

/* All that waits in the router together. */
static void what_waits_is_bounded_in_bytes(void **state)
{
    (void)state;
    open_with(1, 4096);
    router_set_max_held(route.router, 3 << 20);
    call(0, 0);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    call_of(1, 1, 900 << 10);
    call_of(2, 1, 900 << 10);
    call_of(3, 1, 900 << 10);
    route_expect_nothing(&links[3]);
    assert_in_range(router_held_bytes(route.router), 3 << 20, (3 << 20) + 4096);
    call_of(4, 1, 900 << 10);
    route_expect_with(&links[4], "\"id\":1,\"error\":{\"code\":-31003", "\"limitBytes\":3145728",
                      "\"retryAfterMs\":", NULL);
    answer(id);
    call_of(4, 1, 900 << 10);
    route_expect_nothing(&links[4]);
}

static void reading_pauses_and_goes_on(void **state)
{
    (void)state;
    open_with(1, 4096);
    limits.session_waiting_bytes = 10000;
    route_server_set_limits(route.server, &limits, route.now_ms);
    call(7, 0);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    int i = 0;
    while (!links[0].paused)
        call_of(0, ++i, 1000);
    struct route_session_stats stats;
    route_session_get_stats(sessions[0], &stats);
    assert_true(stats.paused);
    assert_in_range(stats.waiting_bytes, 10001, 11100);
    assert_false(links[1].paused);
    while (links[0].paused) {
        answer(id);
        id = route_line_id(fake_link_next(&route.child));
        route_session_get_stats(sessions[0], &stats);
        assert_true(links[0].paused == (stats.waiting_bytes > 5000));
    }
    assert_int_equal(links[0].pauses, 1);
    /* Many small ones pause too, before they take every place. */
    limits.session_waiting_bytes = (size_t)1 << 20;
    limits.max_waiting = 400;
    route_server_set_limits(route.server, &limits, route.now_ms);
    for (i = 0; !links[1].paused; i++)
        call(1, i);
    assert_int_equal(i, 101);
    answer(id);
}

/* The choice among very many loads stays what the rule says. */
static void many_loads(void **state)
{
    (void)state;
    open_with(1000, 4096);
    for (int i = 0; i < 600; i++)
        call(0, i);
    assert_int_equal(route_stats(&route).in_flight, 500);
    for (int i = 0; i < 600; i++)
        call(1, i);
    assert_int_equal(route_stats(&route).in_flight, 750);
    for (int i = 0; i < 600; i++)
        call(2, i);
    assert_int_equal(route_stats(&route).in_flight, 875);
    /* The hog's answers serve the others first. */
    for (uint64_t id = 2; id < 2 + 60; id++)
        answer(id);
    struct route_session_stats stats[3];
    for (int c = 0; c < 3; c++)
        route_session_get_stats(sessions[c], &stats[c]);
    assert_int_equal(stats[0].in_flight, 440);
    assert_int_equal(stats[1].in_flight, 250);
    assert_true(stats[2].in_flight > 125);
    assert_true(stats[2].in_flight <= 1000 - route_stats(&route).in_flight + 1);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(one_hog_leaves_room),
        T(waiting_sessions_take_turns),
        T(large_requests_pay_with_turns),
        T(a_large_request_alone_goes_at_once),
        T(slow_readers_get_no_turn),
        T(a_full_child_link_holds_requests_back),
        T(a_child_that_reads_nothing_is_given_up),
        T(long_cancels_are_cut),
        T(a_full_queue_is_said),
        T(what_waits_is_bounded_in_bytes),
        T(reading_pauses_and_goes_on),
        T(many_loads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Fairness among peers: hosts and users first, their sessions second; requests, waiting places, bytes, and
 * notifications. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "route/state.h"
#include "tests/unit/route/route_fixture.h"

#define CROWD  300 /* sessions of one host */
#define OTHERS 3   /* of the hosts 1, 2 and 3 */
#define HOST   9   /* the crowd's */

static struct route_fixture route;
static struct fake_link crowd_links[CROWD];
static struct fake_link other_links[OTHERS];
static struct route_session *crowd[CROWD];
static struct route_session *others[OTHERS];

static void open_with(unsigned max_in_flight, unsigned max_waiting)
{
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    limits.max_in_flight = max_in_flight;
    limits.max_waiting = max_waiting;
    route_fixture_open(&route, &limits);
    route_child_ready(&route, NULL);
    for (int i = 0; i < CROWD; i++)
        crowd[i] = route_connect_from(&route, &crowd_links[i], HOST);
    for (int i = 0; i < OTHERS; i++)
        others[i] = route_connect_from(&route, &other_links[i], (uint8_t)(i + 1));
}

static void close_crowd(void)
{
    for (int i = 0; i < CROWD; i++) {
        if (crowd[i])
            route_session_close(crowd[i], route.now_ms);
        crowd[i] = NULL;
    }
}

static int teardown(void **state)
{
    (void)state;
    close_crowd();
    for (int i = 0; i < OTHERS; i++) {
        if (others[i])
            route_session_close(others[i], route.now_ms);
        others[i] = NULL;
        fake_link_done(&other_links[i]);
    }
    for (int i = 0; i < CROWD; i++)
        fake_link_done(&crowd_links[i]);
    route_fixture_close(&route);
    return 0;
}

static void call(struct route_session *s, int who, int id)
{
    route_client_sendf(&route, s, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\",\"params\":{\"who\":%d}}",
                       id, who);
}

static void padded(struct route_session *s, const char *head, int who, size_t bytes)
{
    char *fill = malloc(bytes + 1);
    assert_non_null(fill);
    memset(fill, 'x', bytes);
    fill[bytes] = '\0';
    route_client_sendf(&route, s,
                       "{\"jsonrpc\":\"2.0\",%s\"method\":\"m\",\"params\":{\"who\":%d,\"x\":\"%s\"}}", head,
                       who, fill);
    free(fill);
}

static void notify(struct route_session *s, int who)
{
    route_client_sendf(&route, s, "{\"jsonrpc\":\"2.0\",\"method\":\"x/custom\",\"params\":{\"who\":%d}}",
                       who);
}

static void answer(uint64_t id)
{
    route_child_sendf(&route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
}

static int who(const char *line)
{
    assert_non_null(line);
    return (int)strtol(strstr(line, "\"who\":") + 6, NULL, 10);
}

static size_t crowd_calls(int calls)
{
    for (int id = 0; id < calls; id++) {
        for (int i = 0; i < CROWD; i++)
            call(crowd[i], 100, id);
    }
    return route_stats(&route).in_flight;
}

static void skip_lines(void)
{
    while (fake_link_next(&route.child))
        continue;
}

/* The next line to the child that is no cancel. */
static const char *next_request(void)
{
    const char *line;
    do {
        line = fake_link_next(&route.child);
        assert_non_null(line);
    } while (strstr(line, "notifications/cancelled"));
    return line;
}

/* Behind a NAT all are one peer: they get the slots that nobody else asks for, but for an eighth. */
static void a_host_alone_leaves_an_eighth(void **state)
{
    (void)state;
    open_with(512, 4096);
    assert_int_equal(crowd_calls(3), 448);
    skip_lines();
    for (int i = 0; i < OTHERS; i++) {
        call(others[i], i, 0);
        assert_int_equal(who(fake_link_next(&route.child)), i);
    }
}

static void the_last_slot_is_for_others(void **state)
{
    (void)state;
    open_with(2, 4096);
    assert_int_equal(crowd_calls(1), 1);
    skip_lines();
    call(others[0], 0, 0);
    assert_int_equal(who(fake_link_next(&route.child)), 0);
}

/* Half of the server for nobody would be a high price. With others there, the slot is theirs; when they have gone, it is
 * the host's again. */
static void a_host_alone_takes_the_last_of_few_slots(void **state)
{
    (void)state;
    open_with(2, 4096);
    assert_int_equal(crowd_calls(1), 1);
    for (int i = 0; i < OTHERS; i++) {
        route_session_close(others[i], route.now_ms);
        others[i] = NULL;
        assert_int_equal(route_stats(&route).in_flight, i + 1 < OTHERS ? 1 : 2);
    }
    skip_lines();
    others[0] = route_connect_from(&route, &other_links[0], 1);
    call(others[0], 0, 1);
    route_session_close(crowd[0], route.now_ms);
    crowd[0] = NULL;
    assert_int_equal(who(next_request()), 0);
}

/* The last call that somebody who has gone abandoned is forgotten: then the host that waits is alone. */
static void a_host_is_alone_when_the_last_abandoned_call_is_forgotten(void **state)
{
    (void)state;
    open_with(2, 4096);
    for (int i = 1; i < OTHERS; i++) {
        route_session_close(others[i], route.now_ms);
        others[i] = NULL;
    }
    call(others[0], 0, 1);
    route_session_close(others[0], route.now_ms);
    others[0] = NULL;
    assert_int_equal(crowd_calls(1), 1);
    route_tick(&route, CALL_ABANDONED_MS - 1);
    assert_int_equal(route_stats(&route).in_flight, 1);
    route_tick(&route, 1);
    assert_int_equal(route_stats(&route).in_flight, 2);
}

static void more_slots_are_used_at_once(void **state)
{
    (void)state;
    open_with(1, 4096);
    (void)crowd_calls(1);
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    limits.max_in_flight = 16;
    route_server_set_limits(route.server, &limits, route.now_ms);
    assert_int_equal(route_stats(&route).in_flight, 14);
}

/* The sessions of one peer share its part as all sessions once did. */
static void a_hog_leaves_room_for_its_neighbour(void **state)
{
    (void)state;
    open_with(512, 4096);
    for (int id = 0; id < 1000; id++)
        call(crowd[0], 100, id);
    assert_int_equal(route_stats(&route).in_flight, 256);
    skip_lines();
    call(crowd[1], 101, 0);
    assert_int_equal(who(fake_link_next(&route.child)), 101);
}

/* However many sessions it has, a host gets a burst, and the next host is next. */
static void hosts_are_served_in_rotation(void **state)
{
    (void)state;
    open_with(1, 4096);
    call(others[2], 2, 0);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    (void)crowd_calls(3);
    for (int i = 1; i <= 20; i++) {
        call(others[0], 0, i);
        call(others[1], 1, i);
    }
    int served[3] = {0};
    for (int i = 0; i < 60; i++) {
        answer(id);
        const char *line = fake_link_next(&route.child);
        id = route_line_id(line);
        served[who(line) == 100 ? 2 : who(line)]++;
        for (int k = 0; k < 3; k++)
            assert_true(served[k] >= i / 3 && served[k] <= i / 3 + 1);
    }
    answer(id);
}

/* The quantum is the peer's: ten sessions with large requests are not ten times as heavy. */
static void bytes_count_for_the_host(void **state)
{
    (void)state;
    open_with(1, 4096);
    call(others[2], 2, 0);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    for (int i = 0; i < 10; i++)
        padded(crowd[i], "\"id\":1,", 100, 250 * 1024);
    for (int i = 0; i < 40; i++)
        call(others[0], 0, i);
    int small = 0;
    int large = 0;
    for (int i = 0; i < 48; i++) {
        answer(id);
        const char *line = fake_link_next(&route.child);
        id = route_line_id(line);
        if (who(line) == 0)
            small++;
        else
            assert_true(small >= 3 * ++large || small == 40);
    }
    answer(id);
}

static void a_host_does_not_take_all_waiting_places(void **state)
{
    (void)state;
    open_with(1, 80);
    (void)crowd_calls(1);
    assert_int_equal(route_stats(&route).waiting, 70);
    route_expect_with(&crowd_links[CROWD - 1], "\"code\":-31003", "this client's host or user",
                      "\"limit\":80", "\"queuedByPeer\":70", "\"retryAfterMs\":", NULL);
    call(others[0], 0, 1);
    call(others[0], 0, 2);
    route_expect_nothing(&other_links[0]);
    assert_int_equal(route_stats(&route).waiting, 72);
}

static void a_host_does_not_hold_all_memory(void **state)
{
    (void)state;
    open_with(1, 4096);
    router_set_max_held(route.router, (size_t)8 << 20);
    call(others[2], 2, 0);
    for (int i = 0; i < 20; i++)
        padded(crowd[i], "\"id\":1,", 100, (size_t)500 << 10);
    assert_in_range(router_held_bytes(route.router), (size_t)6 << 20,
                    ((size_t)7 << 20) + ((size_t)512 << 10));
    padded(others[0], "\"id\":1,", 0, (size_t)500 << 10);
    route_expect_nothing(&other_links[0]);
}

/* Who leaves with calls in flight has not got rid of them: the child works on. */
static void abandoned_calls_of_the_gone_count(void **state)
{
    (void)state;
    open_with(8, 4096);
    for (int round = 0; round < 20; round++) {
        struct fake_link link;
        struct route_session *s = route_connect_from(&route, &link, HOST);
        for (int id = 0; id < 8; id++)
            call(s, 100, id);
        route_session_close(s, route.now_ms);
        fake_link_done(&link);
    }
    assert_in_range(route_stats(&route).abandoned, 40, 50);
    skip_lines();
    call(others[0], 0, 1);
    assert_int_equal(who(fake_link_next(&route.child)), 0);
    close_crowd();
    struct upstream *upstream = route_upstream(&route);
    assert_int_equal(upstream->peers.count, OTHERS + 1);
    route_tick(&route, 5000);
    assert_int_equal(route_stats(&route).abandoned, 0);
    assert_int_equal(upstream->peers.count, OTHERS);
}

static void sessions_of_one_host_share_a_peer(void **state)
{
    (void)state;
    open_with(8, 4096);
    assert_int_equal(route_upstream(&route)->peers.count, OTHERS + 1);
    assert_ptr_equal(crowd[0]->peer, crowd[CROWD - 1]->peer);
    assert_int_equal(crowd[0]->peer->sessions, CROWD);
    close_crowd();
    assert_int_equal(route_upstream(&route)->peers.count, OTHERS);
}

/* ---- notifications ---- */

static void notifications_stay_in_order_with_requests(void **state)
{
    (void)state;
    open_with(1, 4096);
    call(others[0], 0, 1);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    notify(others[0], 1);
    assert_int_equal(who(fake_link_next(&route.child)), 1); /* nothing of its own waits */
    call(others[0], 2, 2);
    notify(others[0], 3);
    call(others[0], 4, 3);
    route_expect_nothing(&route.child);
    for (int next = 2; next <= 4; next++) {
        if (next != 3)
            answer(id);
        const char *line = fake_link_next(&route.child);
        assert_int_equal(who(line), next);
        if (next != 3)
            id = route_line_id(line);
    }
    answer(id);
}

/* The child has some hundred of them unread at most, and requests do not wait for that. */
static void a_flood_of_notifications_waits_for_the_child(void **state)
{
    (void)state;
    open_with(512, 4096);
    route.child.is_read_slowly = true;
    route.child.read_bytes = route.child.sent_bytes;
    uint64_t before = route.child.sent_bytes;
    for (int i = 0; i < 1000; i++)
        notify(crowd[i % CROWD], 100);
    assert_in_range(route.child.sent_bytes - before, SCHEDULER_WINDOW_BYTES, SCHEDULER_WINDOW_BYTES + 100);
    skip_lines();
    call(others[0], 0, 1);
    assert_int_equal(who(fake_link_next(&route.child)), 0);
    /* Not before all of the window is read. */
    assert_true(router_next_deadline(route.router) <= route.now_ms + SCHEDULER_RETRY_MIN_MS);
    route.child.read_bytes = before + SCHEDULER_WINDOW_BYTES - 1;
    route_tick(&route, SCHEDULER_RETRY_MIN_MS);
    route_expect_nothing(&route.child);
    /* Another host's is among the next ones. */
    notify(others[1], 1);
    route.child.read_bytes = route.child.sent_bytes;
    route_tick(&route, SCHEDULER_RETRY_MAX_MS);
    int before_it = 0;
    while (who(fake_link_next(&route.child)) != 1)
        before_it++;
    assert_true(before_it <= SCHEDULER_BURST);
    /* All come in the end. */
    skip_lines();
    for (int i = 0; i < 10; i++) {
        route.child.read_bytes = route.child.sent_bytes;
        route_tick(&route, SCHEDULER_RETRY_MAX_MS);
    }
    assert_int_equal(route_stats(&route).waiting, 0);
    assert_int_equal(route_stats(&route).dropped_notifications, 0);
}

static void large_notifications_pay_by_bytes(void **state)
{
    (void)state;
    open_with(512, 4096);
    route.child.is_read_slowly = true;
    uint64_t before = route.child.sent_bytes;
    for (int i = 0; i < 10; i++)
        padded(crowd[i], "", 100, 60000);
    assert_in_range(route.child.sent_bytes - before, 60000, 61000);
    padded(others[0], "\"id\":1,", 0, 60000);
    assert_int_equal(route_stats(&route).in_flight, 1);
}

/* Before the child is ready they wait; without one that is to come they are lost, and counted. */
static void notifications_wait_for_a_restart(void **state)
{
    (void)state;
    open_with(8, 4096);
    route_child_down(&route, 100);
    upstream_starting(route_upstream(&route));
    notify(others[0], 1);
    route_expect_nothing(&route.child);
    assert_int_equal(route_stats(&route).waiting, 1);
    route_child_ready(&route, NULL);
    assert_int_equal(route_stats(&route).waiting, 0);
    assert_int_equal(route_stats(&route).dropped_notifications, 0);
    route_child_down(&route, 0);
    notify(others[0], 2);
    assert_int_equal(route_stats(&route).dropped_notifications, 1);
    assert_int_equal(route_stats(&route).waiting, 0);
}

/* What runs at a child that drains may wait for them: they pass the requests, which go to the next child. */
static void a_child_that_drains_gets_notifications(void **state)
{
    (void)state;
    open_with(1, 4096);
    call(others[0], 0, 1);
    uint64_t id = route_line_id(fake_link_next(&route.child));
    call(others[0], 0, 2);
    notify(others[0], 10); /* behind the request, so far */
    route_expect_nothing(&route.child);
    upstream_drain(route_upstream(&route), route.now_ms);
    assert_int_equal(who(fake_link_next(&route.child)), 10);
    notify(others[0], 11);
    notify(others[1], 12);
    assert_int_equal(who(fake_link_next(&route.child)), 11);
    assert_int_equal(who(fake_link_next(&route.child)), 12);
    answer(id);
    route_expect_nothing(&route.child);
    upstream_undrain(route_upstream(&route), route.now_ms);
    route_expect_with(&route.child, "\"who\":0", NULL);
}

/* In the order in which they came, though the window closes between them. */
static void notifications_of_a_drain_keep_their_order(void **state)
{
    (void)state;
    open_with(1, 4096);
    route.child.is_read_slowly = true;
    call(others[0], 0, 1);
    call(others[0], 0, 2);
    notify(others[0], 10);
    call(others[0], 0, 3);
    padded(others[1], "", 9, SCHEDULER_WINDOW_BYTES);
    upstream_drain(route_upstream(&route), route.now_ms);
    notify(others[0], 11);
    notify(others[0], 12);
    skip_lines();
    for (int i = 0; i < 4; i++) {
        route.child.read_bytes = route.child.sent_bytes;
        route_tick(&route, SCHEDULER_RETRY_MAX_MS);
    }
    for (int next = 10; next <= 12; next++)
        assert_int_equal(who(fake_link_next(&route.child)), next);
    route_expect_nothing(&route.child);
}

/* Neither a client that reads slowly nor all waiting places taken keep a notification from a child that has room. */
static void notifications_need_no_place(void **state)
{
    (void)state;
    open_with(1, 8);
    (void)crowd_calls(1);
    skip_lines();
    assert_int_equal(route_stats(&route).waiting, 7);
    notify(crowd[CROWD - 1], 100);
    assert_int_equal(who(fake_link_next(&route.child)), 100);
    assert_int_equal(route_stats(&route).dropped_notifications, 0);
}

static void a_slow_reader_may_notify_a_child_that_drains(void **state)
{
    (void)state;
    open_with(4, 4096);
    call(others[0], 0, 1);
    other_links[0].link.queued_bytes = FAKE_LINK_HIGH_BYTES + 1;
    call(others[0], 0, 2);
    skip_lines();
    notify(others[0], 10);
    route_expect_nothing(&route.child);
    upstream_drain(route_upstream(&route), route.now_ms);
    assert_int_equal(who(fake_link_next(&route.child)), 10);
    other_links[0].link.queued_bytes = 0;
    route_session_writable(others[0], route.now_ms);
    route_expect_nothing(&route.child);
    upstream_undrain(route_upstream(&route), route.now_ms);
    assert_int_equal(who(fake_link_next(&route.child)), 0);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_host_alone_leaves_an_eighth),
        T(the_last_slot_is_for_others),
        T(a_host_alone_takes_the_last_of_few_slots),
        T(a_host_is_alone_when_the_last_abandoned_call_is_forgotten),
        T(more_slots_are_used_at_once),
        T(a_hog_leaves_room_for_its_neighbour),
        T(hosts_are_served_in_rotation),
        T(bytes_count_for_the_host),
        T(a_host_does_not_take_all_waiting_places),
        T(a_host_does_not_hold_all_memory),
        T(abandoned_calls_of_the_gone_count),
        T(sessions_of_one_host_share_a_peer),
        T(notifications_stay_in_order_with_requests),
        T(a_flood_of_notifications_waits_for_the_child),
        T(large_notifications_pay_by_bytes),
        T(notifications_wait_for_a_restart),
        T(a_child_that_drains_gets_notifications),
        T(notifications_of_a_drain_keep_their_order),
        T(notifications_need_no_place),
        T(a_slow_reader_may_notify_a_child_that_drains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

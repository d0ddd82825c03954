/* How many answers may be due to a client, and who may hold a child back for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "route/credit.h"
#include "route/hold.h"
#include "route/state.h"
#include "tests/unit/route/route_fixture.h"
#include "wire/rpc_error.h"

#define CLIENTS 3
#define MIB     ((size_t)1 << 20)

static struct route_fixture route;
static struct fake_link links[CLIENTS];
static struct route_session *sessions[CLIENTS];
static int next_id;

static int set_up(void **state)
{
    (void)state;
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    next_id = 1;
    route_fixture_open(&route, &limits);
    route_child_ready(&route, NULL);
    for (int i = 0; i < CLIENTS; i++) {
        memset(&links[i], 0, sizeof(links[i]));
        sessions[i] = route_connect_initialized(&route, &links[i]);
        links[i].link.max_bytes = 9 * MIB; /* and the high mark takes one of them */
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        route_session_close(sessions[i], route.now_ms);
        fake_link_done(&links[i]);
    }
    route_fixture_close(&route);
    return 0;
}

static void call(int client)
{
    route_client_sendf(&route, sessions[client], "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"m\"}",
                       next_id++);
}

/* Answers the oldest call of the client that is in flight. */
static void answer(int client, size_t bytes)
{
    uint64_t oldest = 0;
    LIST_EACH(node, next, &sessions[client]->calls)
    {
        struct call *c = CONTAINER_OF(node, struct call, session_node);
        if (c->state == CALL_IN_FLIGHT && (oldest == 0 || c->relay_id < oldest))
            oldest = c->relay_id;
    }
    assert_int_not_equal(oldest, 0);
    char *pad = malloc(bytes + 1);
    assert_non_null(pad);
    memset(pad, 'x', bytes);
    pad[bytes] = '\0';
    route_child_sendf(&route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":\"%s\"}",
                      (unsigned long long)oldest, pad);
    upstream_writable(route_upstream(&route), route.now_ms);
    free(pad);
}

static void pipeline(int client, int count)
{
    for (int i = 0; i < count; i++)
        call(client);
}

/* ---- credit ---- */

/* What a session expects that had no answer yet, of an upstream that has given one like it. */
#define GUESS (2 * MIB)

/* Calls may wait for each other: a few dozen of them are no reason to wait. */
static void small_unknown_answers_take_all_slots(void **state)
{
    (void)state;
    pipeline(0, 100);
    assert_int_equal(sessions[0]->in_flight, 100);
}

/* Its own calls do not move: the others' have to wake it. */
static void others_answers_wake_who_waits_for_them(void **state)
{
    (void)state;
    call(2);
    answer(2, GUESS - 100);
    router_set_max_expected(route.router, 3 * GUESS);
    pipeline(0, 2);
    pipeline(1, 2);
    assert_int_equal(sessions[1]->in_flight, 1);
    answer(0, 100);
    answer(0, 100);
    assert_int_equal(sessions[1]->in_flight, 2);
}

static void before_the_first_answer_a_guess_bounds_what_is_in_flight(void **state)
{
    (void)state;
    assert_true(route_upstream(&route)->largest_answer_bytes < CREDIT_UNKNOWN_BYTES);
    call(1);
    answer(1, GUESS);
    pipeline(0, 10);
    assert_int_equal(sessions[0]->in_flight, 8 * MIB / GUESS - 1);
    assert_int_equal(sessions[0]->waiting, 7);
    pipeline(1, 1);
    assert_int_equal(sessions[1]->in_flight, 1);
}

static void large_answers_leave_room_for_few(void **state)
{
    (void)state;
    call(0);
    answer(0, 3 * MIB);
    pipeline(0, 10);
    assert_int_equal(sessions[0]->in_flight, 2);
    answer(0, 3 * MIB);
    assert_int_equal(sessions[0]->in_flight, 2);
    assert_int_equal(sessions[0]->waiting, 7);
}

static void small_answers_make_room_again(void **state)
{
    (void)state;
    call(0);
    answer(0, 3 * MIB);
    for (int i = 0; i < 60; i++) {
        call(0);
        answer(0, 100);
    }
    pipeline(0, 100);
    assert_int_equal(sessions[0]->in_flight, 100);
}

/* However large: else it would wait for ever. */
static void one_may_always_be_in_flight(void **state)
{
    (void)state;
    call(0);
    answer(0, 10 * MIB);
    pipeline(0, 3);
    assert_int_equal(sessions[0]->in_flight, 1);
    answer(0, 10 * MIB);
    answer(0, 10 * MIB);
    answer(0, 10 * MIB);
    assert_int_equal(sessions[0]->waiting, 0);
}

static void a_new_session_begins_with_what_the_server_last_said(void **state)
{
    (void)state;
    call(0);
    answer(0, 4 * MIB - 100);
    pipeline(1, 5);
    assert_int_equal(sessions[1]->in_flight, 2);
    answer(1, 100); /* 4 MiB fade to 3.5 */
    assert_int_equal(sessions[1]->in_flight, 2);
}

static void a_call_that_is_cancelled_gives_its_credit_back(void **state)
{
    (void)state;
    call(0);
    answer(0, 4 * MIB - 100);
    pipeline(0, 3);
    assert_int_equal(sessions[0]->waiting, 1);
    route_session_cancel(sessions[0], "2", 1, route.now_ms);
    assert_int_equal(sessions[0]->waiting, 0);
    assert_int_equal(sessions[0]->in_flight, 2);
}

static void all_clients_answers_are_bounded_together(void **state)
{
    (void)state;
    call(2);
    answer(2, GUESS - 100);
    router_set_max_expected(route.router, 3 * GUESS);
    pipeline(0, 4);
    assert_int_equal(sessions[0]->in_flight, 3);
    pipeline(1, 2);
    assert_int_equal(sessions[1]->in_flight, 1); /* the first is always free */
    answer(0, 100);
    answer(0, 100);
    assert_int_equal(sessions[0]->waiting, 0);
}

static void small_answers_do_not_depend_on_others(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        call(1);
        answer(1, 100);
    }
    call(0);
    answer(0, MIB);
    router_set_max_expected(route.router, MIB);
    pipeline(0, 2);
    pipeline(1, 50);
    assert_int_equal(sessions[0]->in_flight, 1);
    assert_int_equal(sessions[1]->in_flight, 50);
}

static void the_sums_are_even_in_the_end(void **state)
{
    (void)state;
    pipeline(0, 3);
    pipeline(1, 3);
    answer(0, MIB);
    route_session_cancel(sessions[1], "4", 1, route.now_ms);
    const struct outage gone = {.state = "down"};
    upstream_down(route_upstream(&route), &gone, route.now_ms);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(sessions[i]->expected_bytes, 0);
    assert_int_equal(route.router->expected_bytes, 0);
}

/* ---- holding the child back ---- */

static void fill(int client, size_t bytes)
{
    links[client].link.full_bytes = 8 * MIB;
    links[client].link.queued_bytes = 0;
    call(client);
    links[client].link.queued_bytes = bytes;
    answer(client, 10);
}

static void tick(uint64_t ms)
{
    route.now_ms += ms;
    router_tick(route.router, route.now_ms);
}

static void drain_to(int client, size_t bytes)
{
    links[client].link.queued_bytes = bytes;
    route_session_sent(sessions[client]);
}

static void a_full_queue_holds_the_child_until_it_is_shorter(void **state)
{
    (void)state;
    fill(0, 8 * MIB - 1);
    assert_false(route.child.paused);
    links[0].link.queued_bytes = 0;
    fill(0, 8 * MIB);
    assert_true(route.child.paused);
    drain_to(0, 7 * MIB + 1);
    assert_true(route.child.paused);
    drain_to(0, 7 * MIB);
    assert_false(route.child.paused);
    assert_false(links[0].link.holds_back);
    tick(HOLD_CHECK_MS);
    assert_false(links[0].closed);
}

static void the_last_one_lets_go(void **state)
{
    (void)state;
    fill(0, 8 * MIB);
    fill(1, 8 * MIB);
    drain_to(0, MIB);
    assert_true(route.child.paused);
    route_session_close(sessions[1], route.now_ms);
    assert_false(route.child.paused);
    fake_link_done(&links[1]);
    sessions[1] = route_connect_initialized(&route, &links[1]);
}

static void who_reads_too_slowly_is_told_and_goes(void **state)
{
    (void)state;
    fill(0, 8 * MIB);
    tick(0);
    tick(HOLD_CHECK_MS - 1);
    assert_false(links[0].closed);
    drain_to(0, 8 * MIB - HOLD_MIN_BYTES);
    tick(1);
    assert_false(links[0].closed);
    drain_to(0, 8 * MIB - 2 * HOLD_MIN_BYTES + 1);
    tick(HOLD_CHECK_MS);
    assert_true(links[0].closed);
    assert_int_equal(links[0].close_code, RPC_E_OVERLOADED);
    assert_non_null(strstr(links[0].reason, "read too slowly"));
    assert_false(route.child.paused);
}

/* One who always takes just enough is let go of as well. */
static void nobody_holds_a_child_for_ever(void **state)
{
    (void)state;
    fill(0, 8 * MIB);
    tick(0);
    uint64_t held_ms = 0;
    while (!links[0].closed) {
        drain_to(0, links[0].link.queued_bytes - HOLD_MIN_BYTES);
        if (!links[0].link.holds_back)
            fill(0, 8 * MIB);
        tick(HOLD_CHECK_MS);
        held_ms += HOLD_CHECK_MS;
        assert_true(held_ms <= 2 * HOLD_MAX_MS);
    }
    assert_true(held_ms >= HOLD_MAX_MS);
}

static void a_new_child_is_not_held(void **state)
{
    (void)state;
    fill(0, 8 * MIB);
    const struct outage gone = {.state = "down"};
    upstream_down(route_upstream(&route), &gone, route.now_ms);
    assert_false(links[0].link.holds_back);
    tick(2 * HOLD_CHECK_MS);
    assert_false(links[0].closed);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(small_unknown_answers_take_all_slots),
        T(others_answers_wake_who_waits_for_them),
        T(before_the_first_answer_a_guess_bounds_what_is_in_flight),
        T(large_answers_leave_room_for_few),
        T(small_answers_make_room_again),
        T(one_may_always_be_in_flight),
        T(a_new_session_begins_with_what_the_server_last_said),
        T(a_call_that_is_cancelled_gives_its_credit_back),
        T(all_clients_answers_are_bounded_together),
        T(small_answers_do_not_depend_on_others),
        T(the_sums_are_even_in_the_end),
        T(a_full_queue_holds_the_child_until_it_is_shorter),
        T(the_last_one_lets_go),
        T(who_reads_too_slowly_is_told_and_goes),
        T(nobody_holds_a_child_for_ever),
        T(a_new_child_is_not_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

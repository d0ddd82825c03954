/* The supervisor's states over the fake driver, each deadline to the millisecond. Real children:
 * test_supervisor.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "tests/unit/server/fake_driver.h"
#include "wire/rpc_error.h"

FAKE_CLOCK

static char one[] = "one";
static const char line[] = "{\"x\":1}";

/* An entry, applied, with a session on it. */
static struct upstream *add_server(void)
{
    fixture_add(one, NULL);
    fixture_apply();
    fake_upstream_of(one)->stats.sessions = 1;
    return fake_upstream_of(one);
}

static struct upstream *add_ready_server(void)
{
    struct upstream *upstream = add_server();
    fake_want(upstream);
    report_frame(newest(), line);
    assert_string_equal(fixture_state(one), "ready");
    return upstream;
}

/* ---- start and ready ---- */

static void test_start_and_ready(void **state)
{
    (void)state;
    struct upstream *upstream = add_server();
    assert_string_equal(fixture_state(one), "down");
    assert_int_equal(fake_driver.count, 0);
    fake_want(upstream);
    assert_string_equal(fixture_state(one), "starting");
    assert_string_equal(newest()->name, one);
    assert_int_equal(newest()->sent, 1); /* the router's handshake */
    fake_want(upstream);                 /* one is enough */
    assert_int_equal(fake_driver.count, 1);
    report_frame(newest(), line);
    assert_string_equal(fixture_state(one), "ready");
    assert_string_equal(upstream->log, "starting attach ready");
    assert_int_equal(upstream->writable, 1);
    advance_ms(5000);
    struct server_info info = fixture_info(one);
    assert_int_equal(info.uptime_ms, 5000);
    assert_int_equal(info.generation, 1);
    assert_int_equal(info.pid, 1);
}

static void test_start_fails(void **state)
{
    (void)state;
    struct upstream *upstream = add_server();
    fake_driver.fail_starts = true;
    fake_want(upstream);
    assert_string_equal(upstream->log, "starting down:backing-off");
    assert_string_equal(upstream->detail, "cannot start it: no room");
    assert_false(upstream->outage.exited);
    fake_driver.fail_starts = false;
    advance_ms(20);
    assert_string_equal(upstream->log, "starting down:backing-off starting attach");
}

static void test_start_timeout(void **state)
{
    (void)state;
    fake_driver.tail = "waiting for a licence";
    fixture_config()->stop_grace_ms = 700;
    fixture_add(one, NULL)->start_timeout_ms = 3000;
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    advance_ms(2999);
    assert_string_equal(fixture_state(one), "starting");
    advance_ms(1);
    assert_string_equal(upstream->log, "starting attach down:stopping");
    assert_string_equal(upstream->detail, "it was started and did not answer within 3000 ms");
    assert_string_equal(upstream->tail, "waiting for a licence");
    assert_true(newest()->stopped);
    assert_int_equal(newest()->grace_ms, 700);
    report_frame(newest(), line); /* too late: the router has no link any more */
    assert_int_equal(upstream->frames, 0);
    report_exit(newest(), 0, SIGTERM);
    assert_string_equal(upstream->log, "starting attach down:stopping down:backing-off");
    assert_int_equal(upstream->outage.term_signal, SIGTERM);
}

static void test_refused_handshake(void **state)
{
    (void)state;
    fake_router.refuse = "initialize was refused: no";
    struct upstream *upstream = add_server();
    fake_want(upstream);
    report_frame(newest(), line);
    assert_string_equal(upstream->log, "starting attach down:stopping");
    assert_string_equal(upstream->detail, "initialize was refused: no");
    assert_true(newest()->stopped);
}

/* ---- requested stops ---- */

static void test_idle_stop(void **state)
{
    (void)state;
    fixture_add(one, NULL)->idle_timeout_ms = 1000;
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    report_frame(newest(), line);
    upstream->stats.in_flight = 1;
    advance_ms(2000);
    assert_false(newest()->stopped); /* a request is in flight */
    upstream->stats.in_flight = 0;
    upstream->stats.last_used_ms = clock_ms();
    advance_ms(999);
    assert_false(newest()->stopped);
    advance_ms(1);
    assert_true(newest()->stopped);
    assert_string_equal(upstream->log, "starting attach ready idle");
    assert_string_equal(fixture_state(one), "stopping");
    report_exit(newest(), 0, 0);
    assert_string_equal(fixture_state(one), "down");
    assert_false(fixture_info(one).exited); /* a requested stop */
    assert_int_equal(fake_driver.count, 1);
}

static void test_wanted_while_stopping(void **state)
{
    (void)state;
    fixture_add(one, NULL)->idle_timeout_ms = 1000;
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    report_frame(newest(), line);
    advance_ms(1001);
    assert_true(newest()->stopped);
    fake_want(upstream);
    assert_string_equal(upstream->log, "starting attach ready idle starting");
    report_exit(newest(), 0, 0);
    assert_string_equal(upstream->log, "starting attach ready idle starting starting attach");
    assert_int_equal(fake_driver.count, 2);
    assert_int_equal(fixture_info(one).restarts, 0);
}

static void test_restart_drains(void **state)
{
    (void)state;
    struct upstream *upstream = add_ready_server();
    upstream->stats.in_flight = 1;
    fixture_config()->drain_ms = 400;
    fixture_add(one, "changed");
    fixture_apply();
    assert_true(upstream->draining);
    advance_ms(399);
    assert_false(newest()->stopped);
    advance_ms(20); /* the drain is checked this often */
    assert_true(newest()->stopped);
    report_exit(newest(), 0, 0);
    assert_string_equal(upstream->log, "starting attach ready drain down:stopping starting attach");
    assert_false(upstream->draining);
    assert_int_equal(fixture_info(one).restarts, 0);
}

static void test_exit_while_draining_is_the_stop(void **state)
{
    (void)state;
    struct upstream *upstream = add_ready_server();
    upstream->stats.in_flight = 1;
    fixture_add(one, "changed");
    fixture_apply();
    report_exit(newest(), 1, 0);
    assert_string_equal(upstream->log, "starting attach ready drain down:stopping starting attach");
    assert_false(fixture_info(one).exited);
}

static void test_released_session(void **state)
{
    (void)state;
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    struct upstream *upstream = fake_session_upstream(one);
    fake_want(upstream);
    report_frame(newest(), line);
    fake_release(upstream);
    assert_true(newest()->stopped);
    assert_false(upstream->freed);
    report_exit(newest(), 0, 0);
    assert_true(upstream->freed);
    assert_int_equal(fixture_info(one).children, 0);
}

static void test_shutdown_in_every_state(void **state)
{
    (void)state;
    static char down[] = "down", starting[] = "starting", ready[] = "ready", draining[] = "draining",
                backing_off[] = "backing-off";
    char *const names[] = {down, starting, ready, draining, backing_off};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        fixture_add(names[i], NULL);
    fixture_apply();
    fake_want(fake_upstream_of(starting));
    fake_want(fake_upstream_of(ready));
    report_frame(newest(), line);
    fake_want(fake_upstream_of(draining));
    report_frame(newest(), line);
    fake_upstream_of(draining)->stats.in_flight = 1;
    fake_want(fake_upstream_of(backing_off));
    report_exit(newest(), 1, 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        fixture_add(names[i], names[i] == draining ? "changed" : NULL);
    fixture_apply();
    server_set_stop(fx.set, fixture_on_stopped, &fx.stopped);
    for (size_t i = 0; i < 3; i++)
        assert_true(fake_driver.instances[i].stopped);
    assert_string_equal(fixture_state(backing_off), "down");
    server_set_kill(fx.set);
    for (size_t i = 0; i < 3; i++) {
        settle();
        assert_false(fx.stopped); /* not before the last one */
        assert_true(fake_driver.instances[i].killed);
        report_exit(&fake_driver.instances[i], 0, SIGKILL);
    }
    assert_true(fx.stopped);
    fake_want(fake_upstream_of(down));
    assert_string_equal(fake_upstream_of(down)->detail, "the relay is stopping");
}

/* ---- unexpected exits ---- */

/* The random part shortens a wait by a quarter at the most. */
static void assert_wait(const struct upstream *upstream, uint64_t wait_ms)
{
    uint64_t planned_ms = upstream->outage.retry_at_ms - clock_ms();
    assert_true(planned_ms <= wait_ms && planned_ms >= wait_ms - wait_ms / 4);
}

static void test_unexpected_exit(void **state)
{
    (void)state;
    struct upstream *upstream = add_ready_server();
    report_exit(newest(), 7, 0);
    assert_string_equal(upstream->log, "starting attach ready down:backing-off");
    assert_true(upstream->outage.exited);
    assert_int_equal(upstream->outage.exit_status, 7);
    assert_wait(upstream, 20);
    advance_ms(upstream->outage.retry_at_ms - clock_ms() - 1);
    assert_int_equal(fake_driver.count, 1);
    fake_want(upstream); /* no sooner for that */
    assert_int_equal(fake_driver.count, 1);
    advance_ms(1);
    assert_int_equal(fake_driver.count, 2);
    assert_string_equal(fixture_state(one), "starting");
    assert_int_equal(fixture_info(one).restarts, 1);
}

static void test_down_when_not_needed(void **state)
{
    (void)state;
    struct upstream *upstream = add_ready_server();
    upstream->stats.sessions = 0;
    report_exit(newest(), 7, 0);
    advance_ms(20);
    assert_string_equal(upstream->log, "starting attach ready down:backing-off idle");
    assert_string_equal(fixture_state(one), "down");
    assert_int_equal(fake_driver.count, 1);
}

static void test_lost_instance(void **state)
{
    (void)state;
    struct upstream *upstream = add_ready_server();
    report_lost(newest(), "closed its stdout");
    assert_string_equal(upstream->log, "starting attach ready down:stopping");
    assert_string_equal(upstream->detail, "closed its stdout");
    assert_true(newest()->stopped);
    assert_true(upstream->outage.retry_at_ms > clock_ms()); /* it will be started again */
    report_exit(newest(), 0, SIGTERM);
    assert_string_equal(upstream->log, "starting attach ready down:stopping down:backing-off");
    assert_string_equal(upstream->detail, "closed its stdout");
}

/* What says why stands before the end of standard error. */
static void test_failures_name_their_cause(void **state)
{
    (void)state;
    fake_driver.tail = "Error: Cannot find module 'x'\n    at y\n\nNode.js v20.1.0\n";
    fixture_add(one, NULL)->start_timeout_ms = 3000;
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    report_exit(newest(), 1, 0);
    assert_string_equal(upstream->detail, "it exited with status 1: Error: Cannot find module 'x'");
    fake_want(upstream);
    upstream->stats.waiting = 1;
    advance_ms(1000);
    advance_ms(3000);
    assert_string_equal(upstream->detail,
                        "it was started and did not answer within 3000 ms: Error: Cannot find module 'x'");
}

/* What a ready instance writes is its clients' business. */
static void test_a_ready_instance_is_not_quoted(void **state)
{
    (void)state;
    struct upstream *upstream = add_ready_server();
    fake_driver.tail = "Error: secret";
    report_exit(newest(), 0, SIGKILL);
    assert_string_equal(upstream->detail, "it was ended by signal 9 (Killed)");
}

/* A session that comes while the others' failures hold back all starts is told what they were. */
static void test_a_session_in_back_off_knows_why(void **state)
{
    (void)state;
    fake_driver.tail = "KeyError: 'token'";
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    struct upstream *upstream = NULL;
    for (size_t i = 0; i < 20 && (!upstream || !strstr(upstream->log, "crash-loop")); i++) {
        size_t before = fake_driver.count;
        upstream = fake_session_upstream(one);
        fake_want(upstream);
        advance_ms(1000);
        if (fake_driver.count > before)
            report_exit(newest(), 1, 0);
    }
    assert_non_null(strstr(upstream->log, "down:crash-loop"));
    assert_string_equal(upstream->detail, "it exited with status 1: KeyError: 'token'");
    assert_true(upstream->outage.exited);
    assert_int_equal(upstream->outage.exit_status, 1);
    assert_string_equal(upstream->tail, ""); /* another session's */
}

static void test_backoff_doubles_and_is_reset(void **state)
{
    (void)state;
    fixture_config()->breaker_exits = 0;
    struct upstream *upstream = add_server();
    fake_want(upstream);
    static const uint64_t waits_ms[] = {20, 40, 80, 160, 200, 200};
    for (size_t i = 0; i < sizeof(waits_ms) / sizeof(waits_ms[0]); i++) {
        report_exit(newest(), 1, 0);
        assert_wait(upstream, waits_ms[i]);
        advance_ms(waits_ms[i]);
        assert_string_equal(fixture_state(one), "starting");
    }
    report_frame(newest(), line);
    advance_ms(60000); /* backoff_reset_ms */
    report_exit(newest(), 1, 0);
    assert_wait(upstream, 20);
}

static void test_crash_loop_and_probe(void **state)
{
    (void)state;
    struct upstream *upstream = add_server();
    fake_want(upstream);
    for (int i = 0; i < 4; i++) {
        report_exit(newest(), 1, 0);
        assert_string_equal(fixture_state(one), "backing-off");
        advance_ms(200);
    }
    report_exit(newest(), 1, 0); /* the fifth within the window */
    assert_string_equal(fixture_state(one), "crash-loop");
    assert_int_equal(upstream->outage.retry_at_ms, clock_ms() + 60000);
    size_t started = fake_driver.count;
    fake_want(upstream);
    advance_ms(59999);
    assert_int_equal(fake_driver.count, started);
    advance_ms(1);
    assert_int_equal(fake_driver.count, started + 1); /* the probe */
    report_exit(newest(), 1, 0);
    assert_string_equal(fixture_state(one), "crash-loop");
    advance_ms(60000);
    assert_int_equal(fake_driver.count, started + 2);
    report_frame(newest(), line);
    assert_string_equal(fixture_state(one), "ready");
}

/* A session's instance that served concerns its session alone, one that never did counts for the server. */
static void test_session_backoff(void **state)
{
    (void)state;
    fixture_config()->breaker_exits = 2;
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    for (int i = 0; i < 4; i++) {
        fake_want(fake_session_upstream(one));
        report_frame(newest(), line);
        report_exit(newest(), 1, 0);
    }
    assert_string_equal(fixture_state(one), "down");
    for (int i = 0; i < 2; i++) {
        fake_want(fake_session_upstream(one));
        report_exit(newest(), 1, 0);
        advance_ms(20);
    }
    assert_string_equal(fixture_state(one), "crash-loop");
    struct upstream *refused = fake_session_upstream(one);
    fake_want(refused);
    assert_string_equal(refused->log, "down:crash-loop");
}

static struct upstream *session_of(unsigned char host)
{
    struct upstream *upstream = fake_session_upstream(one);
    upstream->peer = (struct peer_key){.kind = PEER_ADDRESS, .bytes = {[15] = host}};
    return upstream;
}

/* What a client's own bytes have killed closes the server to its peer, and to nobody else. */
static void test_a_start_that_read_its_client_counts_against_the_peer(void **state)
{
    (void)state;
    fixture_config()->breaker_exits = 2;
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    for (int i = 0; i < 2; i++) {
        fake_want(session_of(1));
        newest()->has_read = true;
        report_exit(newest(), 1, 0);
        advance_ms(20);
    }
    assert_string_equal(fixture_state(one), "down");
    struct upstream *same = session_of(1);
    fake_want(same);
    assert_string_equal(same->log, "down:crash-loop");
    assert_true(same->outage.exited);
    assert_int_equal(same->outage.exit_status, 1);
    struct upstream *other = session_of(2);
    fake_want(other);
    assert_string_equal(other->log, "starting attach");
}

/* It says nothing about the server. */
static void test_no_room_is_no_failure(void **state)
{
    (void)state;
    fixture_config()->breaker_exits = 2;
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    fake_driver.fail_starts = true;
    fake_driver.no_room = true;
    for (int i = 0; i < 3; i++) {
        struct upstream *upstream = session_of(1);
        fake_want(upstream);
        assert_string_equal(upstream->log, "starting down:down");
        assert_int_equal(upstream->outage.code, RPC_E_OVERLOADED);
        assert_int_equal(upstream->outage.retry_after_ms, 1000);
        advance_ms(1);
    }
    fake_driver.fail_starts = false;
    struct upstream *upstream = session_of(1);
    fake_want(upstream);
    assert_string_equal(upstream->log, "starting attach");
}

static void test_no_room_for_a_shared_one(void **state)
{
    (void)state;
    struct upstream *upstream = add_server();
    fake_driver.fail_starts = true;
    fake_driver.no_room = true;
    fake_want(upstream);
    assert_string_equal(upstream->log, "starting down:backing-off");
    assert_int_equal(upstream->outage.code, RPC_E_OVERLOADED);
    fake_driver.fail_starts = false;
    advance_ms(1000);
    assert_string_equal(upstream->log, "starting down:backing-off starting attach");
}

static void test_children_have_a_limit(void **state)
{
    (void)state;
    struct server_config *entry = fixture_add(one, NULL);
    entry->sharing = CONFIG_PER_SESSION;
    entry->max_children = 2;
    fixture_apply();
    struct upstream *first = session_of(1);
    fake_want(first);
    struct upstream *second = session_of(1); /* the last place is for others */
    fake_want(second);
    assert_string_equal(second->log, "down:down");
    assert_int_equal(second->outage.code, RPC_E_OVERLOADED);
    struct upstream *other = session_of(2);
    fake_want(other);
    assert_string_equal(other->log, "starting attach");
    struct upstream *third = session_of(3);
    fake_want(third);
    assert_string_equal(third->log, "down:down");
    report_exit(newest(), 1, 0);
    advance_ms(1000);
    fake_want(third);
    assert_string_equal(third->log, "down:down starting attach");
}

/* A crowd does not stop the loop for as long as all of its processes take to start. */
static void test_starts_are_spread_over_iterations(void **state)
{
    (void)state;
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    struct upstream *crowd[10];
    for (int i = 0; i < 10; i++) {
        crowd[i] = session_of((unsigned char)i);
        fake_want(crowd[i]);
    }
    assert_int_equal(fake_driver.count, 4);
    assert_string_equal(crowd[9]->log, "starting");
    fake_release(crowd[8]);
    for (int i = 0; i < 5; i++)
        settle();
    assert_int_equal(fake_driver.count, 9);
    assert_string_equal(crowd[9]->log, "starting starting attach");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_DRIVER_TEST(test_start_and_ready),
        FAKE_DRIVER_TEST(test_start_fails),
        FAKE_DRIVER_TEST(test_start_timeout),
        FAKE_DRIVER_TEST(test_refused_handshake),
        FAKE_DRIVER_TEST(test_idle_stop),
        FAKE_DRIVER_TEST(test_wanted_while_stopping),
        FAKE_DRIVER_TEST(test_restart_drains),
        FAKE_DRIVER_TEST(test_exit_while_draining_is_the_stop),
        FAKE_DRIVER_TEST(test_released_session),
        FAKE_DRIVER_TEST(test_shutdown_in_every_state),
        FAKE_DRIVER_TEST(test_unexpected_exit),
        FAKE_DRIVER_TEST(test_down_when_not_needed),
        FAKE_DRIVER_TEST(test_lost_instance),
        FAKE_DRIVER_TEST(test_failures_name_their_cause),
        FAKE_DRIVER_TEST(test_a_ready_instance_is_not_quoted),
        FAKE_DRIVER_TEST(test_a_session_in_back_off_knows_why),
        FAKE_DRIVER_TEST(test_backoff_doubles_and_is_reset),
        FAKE_DRIVER_TEST(test_crash_loop_and_probe),
        FAKE_DRIVER_TEST(test_session_backoff),
        FAKE_DRIVER_TEST(test_a_start_that_read_its_client_counts_against_the_peer),
        FAKE_DRIVER_TEST(test_no_room_is_no_failure),
        FAKE_DRIVER_TEST(test_no_room_for_a_shared_one),
        FAKE_DRIVER_TEST(test_children_have_a_limit),
        FAKE_DRIVER_TEST(test_starts_are_spread_over_iterations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Links that are slow, and not dead: megabytes on their way out, or in, with a ping and a poll behind them.
 * And the other way round: what is dead or silent behind such a link is found out all the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

#define LARGE_BYTES ((size_t)6 << 20)
#define SLOW_BYTES  ((size_t)100 << 10) /* in a second */

static struct engine_fixture fixture;

/* A call with large params, submitted; the caller frees the text after it is done. */
static uint64_t ask_large(char **ret_params)
{
    char *params = malloc(LARGE_BYTES);
    assert_non_null(params);
    memset(params, ' ', LARGE_BYTES);
    params[0] = '{';
    params[LARGE_BYTES - 1] = '}';
    *ret_params = params;
    return engine_fixture_submit(&fixture, &(struct call_spec){.params = params,
                                                               .params_len = LARGE_BYTES,
                                                               .policy = AR_WAIT,
                                                               .deadline_ms = AR_NEVER});
}

/* ---- out ---- */

static void a_large_call_arrives_over_a_slow_link(void **state)
{
    (void)state;
    char *params;
    engine_fixture_open_live(&fixture, NULL);
    fixture.not_reading = true; /* but for what is taken here */
    uint64_t id = ask_large(&params);
    for (unsigned second = 0; second < 70; second++) {
        (void)engine_fixture_read(&fixture, SLOW_BYTES);
        engine_fixture_advance(&fixture, 1000);
        assert_true(fixture.linked);
        assert_int_equal(fixture.last.state, AR_LIVE);
    }
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    assert_int_equal(fixture.link, 1);
    free(params);
    engine_fixture_close(&fixture);
}

/* The kernel took all of it at once, and sends it slowly. */
static void what_the_kernel_still_holds_has_not_arrived(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = fixture.script.ping = fixture.script.call = REPLY_NONE;
    uint64_t id =
        engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    fixture.unacked = (size_t)4 << 20;
    fixture.engine.sent_total += fixture.unacked; /* as if there had been so much before */
    fixture.engine.queued_total += fixture.unacked;
    while (fixture.unacked > 0) {
        fixture.unacked = fixture.unacked > SLOW_BYTES ? fixture.unacked - SLOW_BYTES : 0;
        engine_fixture_advance(&fixture, 1000);
        assert_true(fixture.linked);
        assert_int_equal(fixture.last.state, AR_LIVE);
    }
    engine_fixture_answer(&fixture, id);
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    engine_fixture_close(&fixture);
}

static void a_link_on_which_nothing_moves_is_dead(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = fixture.script.ping = REPLY_NONE;
    uint64_t received_at_ms = fixture.now_ms;
    fixture.unacked = 1000000; /* cut: nothing is acknowledged any more */
    engine_fixture_until(&fixture, received_at_ms + 20000);
    assert_false(fixture.linked);
    /* What went as far as the kernel, the poll after 2 s and the ping after 5 s, has not moved. */
    assert_int_equal(fixture.dropped_at_ms, received_at_ms + 10000);
    assert_string_equal(engine_fixture_health(&fixture).last_error_name, "RELAY_SILENT");
    fixture.unacked = 0;
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

/* The same without polls, after calls whose arrival was never checked. */
static void what_had_arrived_before_is_no_movement(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.agents_poll_ms = AR_NEVER;
    engine_fixture_open_live(&fixture, &o);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
        engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
        engine_fixture_advance(&fixture, 100);
    }
    fixture.script.ping = REPLY_NONE;
    uint64_t received_at_ms = fixture.now_ms - 100;
    engine_fixture_until(&fixture, received_at_ms + 4999);
    engine_fixture_until(&fixture, received_at_ms + 5000);
    fixture.unacked = 64; /* the ping, and no more */
    assert_int_equal(fixture.engine.requests.ping.end - fixture.engine.acked_total, fixture.unacked);
    engine_fixture_until(&fixture, received_at_ms + 20000);
    assert_int_equal(fixture.dropped_at_ms, received_at_ms + 10000);
    engine_fixture_close(&fixture);
}

/* A peer on a Unix socket that talks and reads nothing: for the kernel, what it has not read has not arrived.
 */
static void a_peer_that_sends_and_does_not_read_is_found_out(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    fixture.unacked = 1000000;
    for (unsigned second = 0; second < 15; second++) {
        engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
        engine_fixture_advance(&fixture, 1000);
    }
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    fixture.unacked = 0;
    engine_fixture_close(&fixture);
}

/* Looking is for what is not answered: a healthy client has no wake-ups for it. */
static void a_healthy_link_is_not_looked_at(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    unsigned before = fixture.ticks;
    engine_fixture_advance(&fixture, 100000);
    assert_in_range(fixture.ticks - before, 49, 51); /* one for each poll */
    engine_fixture_close(&fixture);
}

/* Its time-out begins when the poll has arrived, and then it counts. */
static void a_server_that_is_silent_behind_it_is_found_out(void **state)
{
    (void)state;
    char *params;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    fixture.not_reading = true;
    uint64_t id = ask_large(&params);
    for (unsigned second = 0; second < 70; second++) {
        (void)engine_fixture_read(&fixture, SLOW_BYTES);
        engine_fixture_advance(&fixture, 1000);
    }
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    fixture.not_reading = false;
    engine_fixture_pump(&fixture);
    engine_fixture_advance(&fixture, 12000);
    assert_true(fixture.linked);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_string_equal(engine_fixture_health(&fixture).last_error_name, "SERVER_SILENT");
    free(params);
    engine_fixture_close(&fixture);
}

/* ---- in ---- */

/* The poll's answer stands behind a line that takes twice the poll's time. */
static void a_poll_behind_a_long_line_has_time(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = fixture.script.ping = REPLY_NONE;
    engine_fixture_advance(&fixture, 1500);
    engine_fixture_send_part(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"long\",\"params\":{\"x\":\"");
    for (unsigned second = 0; second < 25; second++) {
        engine_fixture_advance(&fixture, 1000);
        engine_fixture_send_part(&fixture, "xxxxxxxx");
        assert_int_equal(fixture.last.state, AR_LIVE);
    }
    assert_int_equal(engine_fixture_count_lines(&fixture, "agents/list"), 1);
    engine_fixture_send(&fixture, "\"}}");
    engine_fixture_advance(&fixture, 20); /* it comes next, but not in the same instant */
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);
    fixture.script.list = fixture.script.ping = REPLY_GOOD;
    engine_fixture_advance(&fixture, 60000);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(fixture.link, 1);
    engine_fixture_close(&fixture);
}

static void a_poll_that_is_not_answered_after_it_counts(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    engine_fixture_advance(&fixture, 2500);
    engine_fixture_send_part(&fixture, "{\"jsonrpc\":\"2.0\",");
    for (unsigned second = 0; second < 25; second++) {
        engine_fixture_advance(&fixture, 1000);
        engine_fixture_send_part(&fixture, "        ");
    }
    engine_fixture_send(&fixture, "\"method\":\"m\"}");
    uint64_t ended_at_ms = fixture.now_ms;
    engine_fixture_until(&fixture, ended_at_ms + 9999);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_until(&fixture, ended_at_ms + 10000);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    engine_fixture_close(&fixture);
}

/* ---- questions to a server that refuses ---- */

/* They have a back-off of their own: the relay, when it then restarts, is not waited for half a minute. */
static void refused_polls_leave_the_reconnect_as_it_was(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        engine_fixture_open_live(&fixture, NULL);
        engine_fixture_advance(&fixture, 61000);
        fixture.script.list = REPLY_UNAVAILABLE;
        engine_fixture_advance(&fixture, 60000);
        assert_int_equal(fixture.last.state, AR_DEGRADED);
        engine_fixture_lose(&fixture);
        assert_in_range(engine_fixture_health(&fixture).next_attempt_in_ms, 0, 1000);
        engine_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_call_arrives_over_a_slow_link),
        cmocka_unit_test(what_the_kernel_still_holds_has_not_arrived),
        cmocka_unit_test(a_link_on_which_nothing_moves_is_dead),
        cmocka_unit_test(what_had_arrived_before_is_no_movement),
        cmocka_unit_test(a_peer_that_sends_and_does_not_read_is_found_out),
        cmocka_unit_test(a_healthy_link_is_not_looked_at),
        cmocka_unit_test(a_server_that_is_silent_behind_it_is_found_out),
        cmocka_unit_test(a_poll_behind_a_long_line_has_time),
        cmocka_unit_test(a_poll_that_is_not_answered_after_it_counts),
        cmocka_unit_test(refused_polls_leave_the_reconnect_as_it_was),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_slow", tests, NULL, NULL);
}

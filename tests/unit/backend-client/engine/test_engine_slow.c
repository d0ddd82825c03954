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

static struct kit kit;

/* A call with large params, submitted; the caller frees the text after it is done. */
static uint64_t ask_large(char **ret_params)
{
    char *params = malloc(LARGE_BYTES);
    assert_non_null(params);
    memset(params, ' ', LARGE_BYTES);
    params[0] = '{';
    params[LARGE_BYTES - 1] = '}';
    *ret_params = params;
    return kit_ask(
        &kit, &(struct kit_ask){
                  .params = params, .params_len = LARGE_BYTES, .policy = AR_WAIT, .deadline_ms = AR_NEVER});
}

/* ---- out ---- */

static void a_large_call_arrives_over_a_slow_link(void **state)
{
    (void)state;
    char *params;
    kit_go_live(&kit, NULL);
    kit.deaf = true; /* but for what is taken here */
    uint64_t id = ask_large(&params);
    for (unsigned second = 0; second < 70; second++) {
        (void)kit_take(&kit, SLOW_BYTES);
        kit_advance(&kit, 1000);
        assert_true(kit.linked);
        assert_int_equal(kit.last.state, AR_LIVE);
    }
    kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    assert_int_equal(kit.link, 1);
    free(params);
    kit_close(&kit);
}

/* The kernel took all of it at once, and sends it slowly. */
static void what_the_kernel_still_holds_has_not_arrived(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = kit.script.ping = kit.script.call = KIT_SILENT;
    uint64_t id = kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    kit.unacked = (size_t)4 << 20;
    kit.engine.sent_total += kit.unacked; /* as if there had been so much before */
    kit.engine.queued_total += kit.unacked;
    while (kit.unacked > 0) {
        kit.unacked = kit.unacked > SLOW_BYTES ? kit.unacked - SLOW_BYTES : 0;
        kit_advance(&kit, 1000);
        assert_true(kit.linked);
        assert_int_equal(kit.last.state, AR_LIVE);
    }
    kit_answer(&kit, id);
    kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    kit_close(&kit);
}

static void a_link_on_which_nothing_moves_is_dead(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = kit.script.ping = KIT_SILENT;
    uint64_t heard_at_ms = kit.now_ms;
    kit.unacked = 1000000; /* cut: nothing is acknowledged any more */
    kit_until(&kit, heard_at_ms + 20000);
    assert_false(kit.linked);
    /* What went as far as the kernel, the poll after 2 s and the ping after 5 s, has not moved. */
    assert_int_equal(kit.dropped_at_ms, heard_at_ms + 10000);
    assert_string_equal(kit_health(&kit).last_error_name, "RELAY_SILENT");
    kit.unacked = 0;
    kit_back_to_live(&kit);
    kit_close(&kit);
}

/* The same without polls, after calls whose arrival nobody had looked at. */
static void what_had_arrived_before_is_no_movement(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.agents_poll_ms = AR_NEVER;
    kit_go_live(&kit, &o);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
        kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
        kit_advance(&kit, 100);
    }
    kit.script.ping = KIT_SILENT;
    uint64_t heard_at_ms = kit.now_ms - 100;
    kit_until(&kit, heard_at_ms + 4999);
    kit_until(&kit, heard_at_ms + 5000);
    kit.unacked = 64; /* the ping, and no more */
    assert_int_equal(kit.engine.requests.ping.end - kit.engine.acked_total, kit.unacked);
    kit_until(&kit, heard_at_ms + 20000);
    assert_int_equal(kit.dropped_at_ms, heard_at_ms + 10000);
    kit_close(&kit);
}

/* A peer on a Unix socket that talks and reads nothing: for the kernel, what it has not read has not arrived.
 */
static void a_peer_that_talks_and_does_not_read_is_found_out(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit.unacked = 1000000;
    for (unsigned second = 0; second < 15; second++) {
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
        kit_advance(&kit, 1000);
    }
    assert_int_equal(kit.last.state, AR_DEGRADED);
    kit.unacked = 0;
    kit_close(&kit);
}

/* Looking is for what is not answered: a healthy client has no wake-ups for it. */
static void a_healthy_link_is_not_looked_at(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    unsigned before = kit.ticks;
    kit_advance(&kit, 100000);
    assert_in_range(kit.ticks - before, 49, 51); /* one for each poll */
    kit_close(&kit);
}

/* Its time-out begins when the poll has arrived, and then it counts. */
static void a_server_that_is_silent_behind_it_is_found_out(void **state)
{
    (void)state;
    char *params;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit.deaf = true;
    uint64_t id = ask_large(&params);
    for (unsigned second = 0; second < 70; second++) {
        (void)kit_take(&kit, SLOW_BYTES);
        kit_advance(&kit, 1000);
    }
    kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    kit.deaf = false;
    kit_pump(&kit);
    kit_advance(&kit, 12000);
    assert_true(kit.linked);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    assert_string_equal(kit_health(&kit).last_error_name, "SERVER_SILENT");
    free(params);
    kit_close(&kit);
}

/* ---- in ---- */

/* The poll's answer stands behind a line that takes twice the poll's time. */
static void a_poll_behind_a_long_line_has_time(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = kit.script.ping = KIT_SILENT;
    kit_advance(&kit, 1500);
    kit_say_part(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"long\",\"params\":{\"x\":\"");
    for (unsigned second = 0; second < 25; second++) {
        kit_advance(&kit, 1000);
        kit_say_part(&kit, "xxxxxxxx");
        assert_int_equal(kit.last.state, AR_LIVE);
    }
    assert_int_equal(kit_count(&kit, "agents/list"), 1);
    kit_say(&kit, "\"}}");
    kit_advance(&kit, 20); /* it comes next, but not in the same instant */
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_answer_held(&kit, "agents/list", KIT_GOOD);
    kit.script.list = kit.script.ping = KIT_GOOD;
    kit_advance(&kit, 60000);
    assert_int_equal(kit.last.state, AR_LIVE);
    assert_int_equal(kit.link, 1);
    kit_close(&kit);
}

static void a_poll_that_is_not_answered_after_it_counts(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit_advance(&kit, 2500);
    kit_say_part(&kit, "{\"jsonrpc\":\"2.0\",");
    for (unsigned second = 0; second < 25; second++) {
        kit_advance(&kit, 1000);
        kit_say_part(&kit, "        ");
    }
    kit_say(&kit, "\"method\":\"m\"}");
    uint64_t ended_at_ms = kit.now_ms;
    kit_until(&kit, ended_at_ms + 9999);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_until(&kit, ended_at_ms + 10000);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    kit_close(&kit);
}

/* ---- questions to a server that refuses ---- */

/* They have a back-off of their own: the relay, when it then restarts, is not waited for half a minute. */
static void refused_polls_leave_the_reconnect_as_it_was(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        kit_go_live(&kit, NULL);
        kit_advance(&kit, 61000);
        kit.script.list = KIT_DOWN;
        kit_advance(&kit, 60000);
        assert_int_equal(kit.last.state, AR_DEGRADED);
        kit_lose(&kit);
        assert_in_range(kit_health(&kit).next_attempt_in_ms, 0, 1000);
        kit_close(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_large_call_arrives_over_a_slow_link),
        cmocka_unit_test(what_the_kernel_still_holds_has_not_arrived),
        cmocka_unit_test(a_link_on_which_nothing_moves_is_dead),
        cmocka_unit_test(what_had_arrived_before_is_no_movement),
        cmocka_unit_test(a_peer_that_talks_and_does_not_read_is_found_out),
        cmocka_unit_test(a_healthy_link_is_not_looked_at),
        cmocka_unit_test(a_server_that_is_silent_behind_it_is_found_out),
        cmocka_unit_test(a_poll_behind_a_long_line_has_time),
        cmocka_unit_test(a_poll_that_is_not_answered_after_it_counts),
        cmocka_unit_test(refused_polls_leave_the_reconnect_as_it_was),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_slow", tests, NULL, NULL);
}

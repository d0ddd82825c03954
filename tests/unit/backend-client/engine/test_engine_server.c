/* The relay lives and its server does not: what is shown, how often it is asked, and live again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

static void expect_shown(enum ar_state state, enum ar_source source)
{
    assert_int_equal(fixture.last.state, state);
    assert_int_equal(fixture.last.source, source);
}

/* ---- the relay lives, its server does not ---- */

static void server_down(enum peer_reply reply)
{
    engine_fixture_open_live(&fixture, NULL);
    uint64_t taken_at_ms = fixture.now_ms;
    fixture.script.list = reply;
    engine_fixture_advance(&fixture, 2000);
    struct ar_health h = engine_fixture_health(&fixture);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(h.relay, AR_REACH_UP);
    assert_int_equal(h.server, AR_REACH_DOWN);
    assert_int_equal(h.losses, 1);
    assert_true(h.next_attempt_in_ms >= 0);
    assert_true(h.next_attempt_in_ms <= 2000);
    engine_fixture_until(&fixture, taken_at_ms + 29999);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    engine_fixture_until(&fixture, taken_at_ms + 30000);
    expect_shown(AR_DEGRADED, AR_SOURCE_MOCK);
    uint64_t polls = fixture.methods_received[METHOD_LIST];
    engine_fixture_advance(&fixture, 60000);
    assert_in_range(fixture.methods_received[METHOD_LIST] - polls, 30, 600); /* at most 2 s apart */
    assert_true(fixture.linked);
    assert_int_equal(fixture.link, 1);
    assert_int_equal(engine_fixture_health(&fixture).losses, 1);
    fixture.script.list = REPLY_GOOD;
    engine_fixture_advance(&fixture, 2000);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(engine_fixture_health(&fixture).server, AR_REACH_UP);
    assert_int_equal(fixture.methods_received[METHOD_INIT], 1);
    engine_fixture_close(&fixture);
}

static void a_poll_refused_by_the_relay_is_server_down(void **state)
{
    (void)state;
    server_down(REPLY_UNAVAILABLE);
}

static void a_list_that_cannot_be_used_is_server_down(void **state)
{
    (void)state;
    server_down(REPLY_UNUSABLE);
}

static void the_reason_for_server_down_is_named(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_UNAVAILABLE;
    engine_fixture_advance(&fixture, 2000);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_string_equal(h.last_error_name, "SERVER_UNAVAILABLE");
    assert_int_equal(h.last_error_at_ms, ENGINE_FIXTURE_START_UNIX_MS + 2000);
    fixture.script.list = REPLY_GOOD;
    engine_fixture_advance(&fixture, 2000);
    h = engine_fixture_health(&fixture);
    assert_int_equal(h.state, AR_LIVE);
    assert_string_equal(h.last_error_name, ""); /* it is over */
    assert_string_equal(h.last_error, "");
    assert_int_equal(h.last_error_at_ms, 0);
    engine_fixture_close(&fixture);
}

static void a_slow_poll_is_waited_for(uint32_t poll_ms, uint64_t max_gap_ms)
{
    struct ar_options o = engine_fixture_options();
    o.agents_poll_ms = poll_ms;
    engine_fixture_open_live(&fixture, &o);
    fixture.script.list = REPLY_UNAVAILABLE;
    engine_fixture_advance(&fixture, poll_ms);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    engine_fixture_advance(&fixture, 300000);
    for (int i = 0; i < 100; i++) {
        int64_t in_ms = engine_fixture_health(&fixture).next_attempt_in_ms;
        assert_true(in_ms >= 0 && (uint64_t)in_ms <= max_gap_ms);
        engine_fixture_advance(&fixture, 777);
    }
    fixture.script.list = REPLY_GOOD;
    engine_fixture_advance(&fixture, max_gap_ms);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

/* "At most agents_poll_ms or 5 s, the shorter, so that it is live again soon." */
static void while_the_server_is_down_polls_are_at_most_5_s_apart(void **state)
{
    (void)state;
    a_slow_poll_is_waited_for(60000, 5000);
    a_slow_poll_is_waited_for(700, 700);
}

static void a_poll_unanswered_is_server_down_at_its_time(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    engine_fixture_advance(&fixture, 2000);
    assert_int_equal(engine_fixture_count_lines(&fixture, "agents/list"), 1);
    uint64_t asked_at_ms = fixture.now_ms;
    engine_fixture_until(&fixture, asked_at_ms + 9999);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    engine_fixture_until(&fixture, asked_at_ms + 10000);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_true(fixture.linked); /* relay/ping was answered: the relay lives */
    assert_int_equal(engine_fixture_health(&fixture).relay, AR_REACH_UP);
    assert_int_equal(engine_fixture_health(&fixture).server, AR_REACH_DOWN);
    fixture.script.list = REPLY_GOOD;
    engine_fixture_advance(&fixture, 10000 + 2000);
    expect_shown(AR_LIVE, AR_SOURCE_LIVE);
    assert_int_equal(fixture.link, 1);
    engine_fixture_close(&fixture);
}

static void the_late_answer_of_a_poll_given_up_changes_nothing(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    engine_fixture_advance(&fixture, 12000);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_true(engine_fixture_count_lines(&fixture, "agents/list") >= 1);
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

static void server_down_then_link_lost_then_both_back(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_UNAVAILABLE;
    engine_fixture_advance(&fixture, 2000);
    engine_fixture_lose(&fixture);
    expect_shown(AR_DEGRADED, AR_SOURCE_STALE);
    assert_int_equal(engine_fixture_health(&fixture).relay, AR_REACH_DOWN);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_poll_refused_by_the_relay_is_server_down),
        cmocka_unit_test(a_list_that_cannot_be_used_is_server_down),
        cmocka_unit_test(the_reason_for_server_down_is_named),
        cmocka_unit_test(while_the_server_is_down_polls_are_at_most_5_s_apart),
        cmocka_unit_test(a_poll_unanswered_is_server_down_at_its_time),
        cmocka_unit_test(the_late_answer_of_a_poll_given_up_changes_nothing),
        cmocka_unit_test(server_down_then_link_lost_then_both_back),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_server", tests, NULL, NULL);
}

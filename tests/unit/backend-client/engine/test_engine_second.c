/* A relay that accepts and says nothing: its link is kept while its host is there, and a second attempt runs beside
 * it. Whichever is answered first is the link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

static const struct peer_script silent = {.init = REPLY_NONE,
                                          .tools = REPLY_NONE,
                                          .list = REPLY_NONE,
                                          .tool = REPLY_NONE,
                                          .ping = REPLY_NONE,
                                          .call = REPLY_NONE,
                                          .agents = engine_fixture_agents};
static const struct peer_script good = {.agents = engine_fixture_agents};

/* Connected to a relay that stands still, for so long. */
static void stand_still(uint64_t ms)
{
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script = silent;
    engine_fixture_connect(&fixture);
    engine_fixture_advance(&fixture, ms);
}

static void a_relay_that_stands_still_is_waited_for(void **state)
{
    (void)state;
    stand_still(9999);
    assert_int_equal(fixture.last.state, AR_CONNECTING);
    assert_int_equal(fixture.seconds, 0);
    engine_fixture_advance(&fixture, 1);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_string_equal(engine_fixture_health(&fixture).last_error_name, "RELAY_SILENT");
    assert_true(engine_fixture_health(&fixture).next_attempt_in_ms >= 0);
    engine_fixture_advance(&fixture, 3600000);
    assert_true(fixture.linked);
    assert_int_equal(fixture.link, 1);
    assert_in_range(fixture.seconds, 350, 361);                 /* each has dead_after_ms */
    assert_int_equal(fixture.methods_received[METHOD_PING], 1); /* no bytes collect meanwhile */
    fixture.script = good;
    engine_fixture_answer_line(&fixture, "initialize", REPLY_GOOD);
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(fixture.link, 1);
    assert_false(fixture.second);
    engine_fixture_answer_line(&fixture, "relay/ping", REPLY_GOOD);
    engine_fixture_advance(&fixture, 60000);
    assert_int_equal(fixture.link, 1);
    engine_fixture_close(&fixture);
}

/* One that answers the ping first has its full time for initialize. */
static void what_was_asked_has_its_time_anew(void **state)
{
    (void)state;
    stand_still(120000);
    engine_fixture_answer_line(&fixture, "relay/ping", REPLY_GOOD);
    assert_false(fixture.second);
    fixture.script.ping = REPLY_GOOD;
    engine_fixture_advance(&fixture, 29000);
    assert_true(fixture.linked);
    engine_fixture_advance(&fixture, 1000);
    assert_false(fixture.linked); /* the relay lives, and initialize was never answered */
    engine_fixture_close(&fixture);
}

static void a_host_that_acknowledges_nothing_is_dead(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script = silent;
    fixture.unacked = 1000000;
    engine_fixture_connect(&fixture);
    engine_fixture_advance(&fixture, 10001);
    assert_false(fixture.linked);
    assert_int_equal(fixture.seconds, 0);
    fixture.unacked = 0;
    engine_fixture_close(&fixture);
}

/* A relay that has said something and falls silent is dead: what it holds of that link may be lost. */
static void one_that_has_spoken_is_dead(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script = silent;
    engine_fixture_connect(&fixture);
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
    engine_fixture_advance(&fixture, 10001);
    assert_false(fixture.linked);
    engine_fixture_close(&fixture);
}

static void the_second_attempt_takes_over(void **state)
{
    (void)state;
    stand_still(13000);
    assert_true(fixture.second);
    uint64_t relay_call = engine_fixture_submit(
        &fixture,
        &(struct call_spec){.method = "relay/status", .policy = AR_FAIL_FAST, .deadline_ms = AR_NEVER});
    uint64_t waits =
        engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    engine_fixture_pump(&fixture);
    fixture.script = good;
    engine_fixture_second_answers(&fixture);
    assert_int_equal(fixture.link, 2);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(engine_fixture_health(&fixture).bad_frames, 0);
    assert_int_equal(engine_fixture_health(&fixture).links, 2);
    engine_fixture_expect(&fixture, relay_call, AR_E_CONNECTION_LOST, true);
    engine_fixture_pump(&fixture);
    engine_fixture_expect_ok(&fixture, waits, AR_SOURCE_LIVE);
    engine_fixture_close(&fixture);
}

static void a_second_attempt_that_fails_is_followed_by_another(void **state)
{
    (void)state;
    stand_still(13000);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t before = fixture.seconds;
        engine_second_failed(&fixture.engine, fixture.now_ms);
        engine_fixture_advance(&fixture, 2001);
        assert_int_equal(fixture.seconds, before + 1);
    }
    engine_fixture_close(&fixture);
}

static void a_first_link_that_breaks_ends_the_second(void **state)
{
    (void)state;
    stand_still(13000);
    engine_fixture_lose(&fixture);
    assert_false(fixture.second);
    assert_false(engine_second_answered(&fixture.engine, "x", fixture.now_ms)); /* it was on its way */
    engine_second_failed(&fixture.engine, fixture.now_ms);
    uint64_t seconds = fixture.seconds;
    engine_fixture_advance(&fixture, 2001);
    assert_true(fixture.connecting);
    assert_int_equal(fixture.seconds, seconds);
    engine_fixture_close(&fixture);
}

static void closing_ends_both(void **state)
{
    (void)state;
    stand_still(13000);
    engine_fixture_close_engine(&fixture);
    assert_false(fixture.second);
    assert_false(fixture.linked);
    engine_fixture_close(&fixture);
}

/* What a failed attempt lasted is not waited for once more. */
static void the_back_off_counts_from_the_attempts_beginning(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    for (unsigned i = 0; i < 20; i++) {
        assert_true(fixture.connecting);
        engine_fixture_advance(&fixture, 5000);
        engine_fixture_refuse(&fixture);
        assert_int_equal(engine_fixture_health(&fixture).next_attempt_in_ms, 0);
        engine_fixture_advance(&fixture, 1);
    }
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_that_stands_still_is_waited_for),
        cmocka_unit_test(what_was_asked_has_its_time_anew),
        cmocka_unit_test(a_host_that_acknowledges_nothing_is_dead),
        cmocka_unit_test(one_that_has_spoken_is_dead),
        cmocka_unit_test(the_second_attempt_takes_over),
        cmocka_unit_test(a_second_attempt_that_fails_is_followed_by_another),
        cmocka_unit_test(a_first_link_that_breaks_ends_the_second),
        cmocka_unit_test(closing_ends_both),
        cmocka_unit_test(the_back_off_counts_from_the_attempts_beginning),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_second", tests, NULL, NULL);
}

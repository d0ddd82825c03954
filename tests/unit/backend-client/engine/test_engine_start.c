/* The engine from its start to live: in whatever order relay and backend are started, however long the relay
 * is away, and whatever initialize is answered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

static void the_first_snapshot_is_mock_and_the_state_connecting(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_int_equal(h.state, AR_CONNECTING);
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_true(h.agents_are_mock);
    assert_true(h.agents > 0);
    assert_int_equal(fixture.publications, 1);
    assert_true(fixture.last.changed);
    assert_int_equal(h.relay, AR_REACH_UNKNOWN);
    assert_int_equal(h.server, AR_REACH_UNKNOWN);
    assert_int_equal(h.health_probe, AR_REACH_UNKNOWN);
    assert_int_equal(h.attempts, 1);
    assert_int_equal(h.links, 0);
    assert_true(h.round_trip_ms < 0);
    assert_string_equal(h.address, "relay:9500");
    assert_int_equal(h.next_attempt_in_ms, -1);
    engine_fixture_close(&fixture);
}

static void connected_initialized_and_polled_it_is_live(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = fixture.script.list = REPLY_NONE;
    engine_fixture_connect(&fixture);
    assert_int_equal(fixture.line_count, 1);
    assert_non_null(strstr(fixture.lines[0].text, "\"protocolVersion\":\"2025-11-25\""));
    assert_non_null(strstr(fixture.lines[0].text, "\"name\":\"fixture\""));
    assert_int_equal(fixture.last.state, AR_CONNECTING);
    engine_fixture_advance(&fixture, 50);
    engine_fixture_answer_line(&fixture, "initialize", REPLY_GOOD);
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.line_count, 2);
    assert_string_equal(fixture.lines[0].method, "notifications/initialized");
    assert_string_equal(fixture.lines[1].method, "agents/list");
    assert_int_equal(fixture.last.source, AR_SOURCE_MOCK);
    engine_fixture_advance(&fixture, 7);
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);

    struct ar_health h = engine_fixture_health(&fixture);
    assert_int_equal(h.state, AR_LIVE);
    assert_int_equal(h.source, AR_SOURCE_LIVE);
    assert_int_equal(h.agents, 3);
    assert_false(h.agents_are_mock);
    assert_false(h.agents_unsupported);
    assert_int_equal(h.relay, AR_REACH_UP);
    assert_int_equal(h.server, AR_REACH_UP);
    assert_string_equal(h.peer, "192.0.2.1:9500");
    assert_string_equal(h.last_error_name, "");
    assert_int_equal(h.last_error_at_ms, 0);
    assert_int_equal(h.links, 1);
    assert_int_equal(h.losses, 0);
    assert_int_equal(h.attempts, 0);
    assert_int_equal(h.state_for_ms, 0);
    assert_int_equal(h.state_since_ms, ENGINE_FIXTURE_START_UNIX_MS + 57);
    assert_int_equal(h.snapshot_age_ms, 0);
    assert_true(h.round_trip_ms >= 7 && h.round_trip_ms < 8);
    const struct ar_agent *one = ar_snapshot_find(fixture.snapshot, "peer-1");
    assert_non_null(one);
    assert_string_equal(one->name, "One");
    assert_int_equal(fixture.states, 1);
    engine_fixture_advance(&fixture, 500);
    assert_int_equal(engine_fixture_health(&fixture).state_for_ms, 500);
    assert_int_equal(engine_fixture_health(&fixture).snapshot_age_ms, 500);
    engine_fixture_close(&fixture);
}

static void a_refused_attempt_is_degraded_and_says_why(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    engine_fixture_refuse(&fixture);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_int_equal(h.relay, AR_REACH_DOWN);
    assert_string_equal(h.last_error_name, "ECONNREFUSED");
    assert_string_equal(h.suggestion, "look at the test");
    assert_string_equal(h.peer, "192.0.2.1:9500");
    assert_int_equal(h.last_error_at_ms, ENGINE_FIXTURE_START_UNIX_MS);
    assert_int_equal(h.losses, 0);
    assert_in_range(h.next_attempt_in_ms, 0, 1000);
    assert_int_equal(engine_due_ms(&fixture.engine) <= fixture.now_ms + 1000, 1);
    engine_fixture_close(&fixture);
}

/* A client must not stop reconnecting after a long outage. */
static void an_hour_without_a_relay_and_then_recovery(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    uint64_t end_ms = fixture.now_ms + 3600000;
    uint64_t bound_ms = 250;
    uint64_t longest_ms = 0;
    uint64_t attempts = 0;
    double sum_ms = 0;
    while (fixture.now_ms < end_ms) {
        uint64_t failed_at_ms = fixture.now_ms;
        assert_true(fixture.connecting);
        engine_fixture_refuse(&fixture);
        attempts++;
        assert_int_equal(engine_fixture_health(&fixture).attempts, attempts);
        while (!fixture.connecting)
            engine_fixture_until(&fixture, engine_due_ms(&fixture.engine) > fixture.now_ms
                                               ? engine_due_ms(&fixture.engine)
                                               : fixture.now_ms);
        uint64_t waited_ms = fixture.now_ms - failed_at_ms;
        assert_true(waited_ms <= bound_ms);
        if (waited_ms > longest_ms)
            longest_ms = waited_ms;
        sum_ms += (double)waited_ms;
        bound_ms = bound_ms * 2 > 2000 ? 2000 : bound_ms * 2;
    }
    /* 1,800 would be no jitter at all; the mean wait is half the cap. */
    assert_in_range(attempts, 3300, 3900);
    assert_in_range(longest_ms, 1950, 2000);
    assert_in_range((uint64_t)(sum_ms / (double)attempts), 900, 1100);
    assert_int_equal(fixture.last.source, AR_SOURCE_MOCK);
    engine_fixture_connect(&fixture);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(engine_fixture_health(&fixture).attempts, 0);
    engine_fixture_close(&fixture);
}

static void the_back_off_starts_over_after_a_stable_minute_and_not_before(void **state)
{
    (void)state;
    for (int stable = 0; stable < 2; stable++) {
        uint64_t longest_ms = 0;
        engine_fixture_open(&fixture, NULL);
        engine_fixture_start(&fixture);
        for (int i = 0; i < 12; i++) {
            engine_fixture_refuse(&fixture);
            engine_fixture_until(&fixture, fixture.now_ms +
                                               (uint64_t)engine_fixture_health(&fixture).next_attempt_in_ms);
        }
        engine_fixture_connect(&fixture);
        /* Live for a ms less than the stable minute, or just for it; then eight short lives. */
        for (int i = 0; i < 8; i++) {
            engine_fixture_advance(&fixture, i > 0 ? 1000 : stable ? 60000 : 59999);
            engine_fixture_lose(&fixture);
            uint64_t wait_ms = (uint64_t)engine_fixture_health(&fixture).next_attempt_in_ms;
            if (i == 0 && stable)
                assert_true(wait_ms <= 250);
            longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
            engine_fixture_until(&fixture, fixture.now_ms + wait_ms);
            engine_fixture_connect(&fixture);
            if (stable && i == 2)
                break; /* 250, 500 and 1,000 ms were the bounds so far */
        }
        if (stable)
            assert_true(longest_ms <= 1000);
        else
            assert_true(longest_ms > 1000);
        engine_fixture_close(&fixture);
    }
}

/* Opens and dies at once, for ever: the waits grow as if it had never opened. */
static void a_link_that_dies_at_once_does_not_reset_the_back_off(void **state)
{
    (void)state;
    uint64_t total_ms = 0;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_NONE;
    for (int i = 0; i < 40; i++) {
        engine_fixture_connect(&fixture);
        engine_fixture_lose(&fixture);
        uint64_t wait_ms = (uint64_t)engine_fixture_health(&fixture).next_attempt_in_ms;
        total_ms += i >= 10 ? wait_ms : 0;
        engine_fixture_until(&fixture, fixture.now_ms + wait_ms);
    }
    assert_in_range(total_ms / 30, 700, 1300);
    assert_int_equal(engine_fixture_health(&fixture).links, 40);
    engine_fixture_close(&fixture);
}

static void initialize_is_replayed_on_each_new_link(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(fixture.methods_received[METHOD_INIT], i);
        assert_int_equal(fixture.methods_received[METHOD_INITIALIZED], i);
        engine_fixture_lose(&fixture);
        engine_fixture_back_to_live(&fixture);
    }
    assert_int_equal(engine_fixture_health(&fixture).losses, 5);
    assert_int_equal(engine_fixture_health(&fixture).links, 6);
    engine_fixture_close(&fixture);
}

static void an_empty_result_of_initialize_will_do(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_NONE;
    engine_fixture_connect(&fixture);
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", fixture.lines[0].id);
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

static void a_result_of_initialize_that_is_no_object_will_not_do(void **state)
{
    static const char *const results[] = {"7", "[]", "\"x\"", "null", "true"};
    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        engine_fixture_open(&fixture, NULL);
        engine_fixture_start(&fixture);
        fixture.script.init = REPLY_NONE;
        engine_fixture_connect(&fixture);
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", fixture.lines[0].id,
                             results[i]);
        assert_int_equal(fixture.last.state, AR_DEGRADED);
        assert_false(fixture.linked);
        engine_fixture_back_to_live(&fixture);
        engine_fixture_close(&fixture);
    }
}

static void initialize_unanswered_is_server_down_at_its_time(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_NONE;
    engine_fixture_connect(&fixture);
    uint64_t at_ms = fixture.now_ms + 30000;
    engine_fixture_until(&fixture, at_ms - 1);
    assert_int_equal(fixture.last.state, AR_CONNECTING);
    assert_true(fixture.linked);
    engine_fixture_until(&fixture, at_ms);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_string_not_equal(h.last_error_name, "");
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

static void initialize_refused_for_good_drops_the_link_and_tries_again(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_ERROR;
    engine_fixture_connect(&fixture);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_false(fixture.linked);
    assert_int_equal(fixture.drops, 1);
    assert_in_range(h.next_attempt_in_ms, 0, 1000);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

/* The relay is there and its server is not: the link stays, and initialize is asked again on it. */
static void initialize_refused_for_now_is_asked_again_on_the_same_link(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_UNAVAILABLE;
    engine_fixture_connect(&fixture);
    struct ar_health h = engine_fixture_health(&fixture);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_int_equal(h.relay, AR_REACH_UP);
    assert_int_equal(h.server, AR_REACH_DOWN);
    assert_string_equal(h.last_error_name, "SERVER_UNAVAILABLE");
    assert_in_range(h.next_attempt_in_ms, 0, 250);
    engine_fixture_advance(&fixture, 120000);
    assert_true(fixture.linked);
    assert_int_equal(fixture.link, 1);
    assert_int_equal(fixture.drops, 0);
    assert_in_range(fixture.methods_received[METHOD_INIT], 60, 180); /* a second apart, in the mean */
    assert_int_equal(engine_fixture_health(&fixture).relay, AR_REACH_UP);
    fixture.script.init = REPLY_GOOD;
    engine_fixture_advance(&fixture, 2001);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(fixture.link, 1);
    engine_fixture_close(&fixture);
}

static void initialize_is_not_asked_before_retry_after_ms(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_UNAVAILABLE;
    fixture.script.retry_after_ms = 20000;
    engine_fixture_connect(&fixture);
    uint64_t at_ms = fixture.now_ms + 20000;
    engine_fixture_until(&fixture, at_ms - 1);
    assert_int_equal(fixture.methods_received[METHOD_INIT], 1);
    fixture.script.init = REPLY_GOOD;
    engine_fixture_until(&fixture, at_ms);
    assert_int_equal(fixture.methods_received[METHOD_INIT], 2);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

static void lost_while_opening_it_is_degraded_with_the_mock(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_NONE;
    engine_fixture_connect(&fixture);
    engine_fixture_lose(&fixture);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_int_equal(fixture.last.source, AR_SOURCE_MOCK);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

static void a_thousand_reconnects_ask_as_often_as_one(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    for (int i = 0; i < 1000; i++) {
        engine_fixture_lose(&fixture);
        engine_fixture_back_to_live(&fixture);
    }
    uint64_t polls = fixture.methods_received[METHOD_LIST];
    unsigned ticks = fixture.ticks;
    engine_fixture_advance(&fixture, 60000);
    assert_int_equal(fixture.methods_received[METHOD_LIST] - polls, 30);
    assert_in_range(fixture.ticks - ticks, 30, 100);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_snapshot_is_mock_and_the_state_connecting),
        cmocka_unit_test(connected_initialized_and_polled_it_is_live),
        cmocka_unit_test(a_refused_attempt_is_degraded_and_says_why),
        cmocka_unit_test(an_hour_without_a_relay_and_then_recovery),
        cmocka_unit_test(the_back_off_starts_over_after_a_stable_minute_and_not_before),
        cmocka_unit_test(a_link_that_dies_at_once_does_not_reset_the_back_off),
        cmocka_unit_test(initialize_is_replayed_on_each_new_link),
        cmocka_unit_test(an_empty_result_of_initialize_will_do),
        cmocka_unit_test(a_result_of_initialize_that_is_no_object_will_not_do),
        cmocka_unit_test(initialize_unanswered_is_server_down_at_its_time),
        cmocka_unit_test(initialize_refused_for_good_drops_the_link_and_tries_again),
        cmocka_unit_test(initialize_refused_for_now_is_asked_again_on_the_same_link),
        cmocka_unit_test(initialize_is_not_asked_before_retry_after_ms),
        cmocka_unit_test(lost_while_opening_it_is_degraded_with_the_mock),
        cmocka_unit_test(a_thousand_reconnects_ask_as_often_as_one),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_start", tests, NULL, NULL);
}

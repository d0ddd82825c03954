/* The engine from its start to live: in whatever order relay and backend are started, however long the relay
 * is away, and whatever initialize is answered with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

static void the_first_snapshot_is_mock_and_the_state_connecting(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    struct ar_health h = kit_health(&kit);
    assert_int_equal(h.state, AR_CONNECTING);
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_true(h.agents_are_mock);
    assert_true(h.agents > 0);
    assert_int_equal(kit.publications, 1);
    assert_true(kit.last.changed);
    assert_int_equal(h.relay, AR_REACH_UNKNOWN);
    assert_int_equal(h.server, AR_REACH_UNKNOWN);
    assert_int_equal(h.health_probe, AR_REACH_UNKNOWN);
    assert_int_equal(h.attempts, 1);
    assert_int_equal(h.links, 0);
    assert_true(h.round_trip_ms < 0);
    assert_string_equal(h.address, "relay:9500");
    assert_int_equal(h.next_attempt_in_ms, -1);
    kit_close(&kit);
}

static void connected_initialized_and_polled_it_is_live(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = kit.script.list = KIT_SILENT;
    kit_up(&kit);
    assert_int_equal(kit.line_count, 1);
    assert_non_null(strstr(kit.lines[0].text, "\"protocolVersion\":\"2025-11-25\""));
    assert_non_null(strstr(kit.lines[0].text, "\"name\":\"kit\""));
    assert_int_equal(kit.last.state, AR_CONNECTING);
    kit_advance(&kit, 50);
    kit_answer_held(&kit, "initialize", KIT_GOOD);
    kit_pump(&kit);
    assert_int_equal(kit.line_count, 2);
    assert_string_equal(kit.lines[0].method, "notifications/initialized");
    assert_string_equal(kit.lines[1].method, "agents/list");
    assert_int_equal(kit.last.source, AR_SOURCE_MOCK);
    kit_advance(&kit, 7);
    kit_answer_held(&kit, "agents/list", KIT_GOOD);

    struct ar_health h = kit_health(&kit);
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
    assert_int_equal(h.state_since_ms, KIT_UNIX_MS + 57);
    assert_int_equal(h.snapshot_age_ms, 0);
    assert_true(h.round_trip_ms >= 7 && h.round_trip_ms < 8);
    const struct ar_agent *one = ar_snapshot_find(kit.snapshot, "peer-1");
    assert_non_null(one);
    assert_string_equal(one->name, "One");
    assert_int_equal(kit.states, 1);
    kit_advance(&kit, 500);
    assert_int_equal(kit_health(&kit).state_for_ms, 500);
    assert_int_equal(kit_health(&kit).snapshot_age_ms, 500);
    kit_close(&kit);
}

static void a_refused_attempt_is_degraded_and_says_why(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit_refuse(&kit);
    struct ar_health h = kit_health(&kit);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_int_equal(h.relay, AR_REACH_DOWN);
    assert_string_equal(h.last_error_name, "ECONNREFUSED");
    assert_string_equal(h.suggestion, "look at the test");
    assert_string_equal(h.peer, "192.0.2.1:9500");
    assert_int_equal(h.last_error_at_ms, KIT_UNIX_MS);
    assert_int_equal(h.losses, 0);
    assert_in_range(h.next_attempt_in_ms, 0, 1000);
    assert_int_equal(engine_due_ms(&kit.engine) <= kit.now_ms + 1000, 1);
    kit_close(&kit);
}

/* FAILURES 16 (a client that stops reconnecting after a long outage) and case 20. */
static void failures_20_an_hour_without_a_relay_and_then_recovery(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    uint64_t end_ms = kit.now_ms + 3600000;
    uint64_t bound_ms = 1000;
    uint64_t longest_ms = 0;
    uint64_t attempts = 0;
    double sum_ms = 0;
    while (kit.now_ms < end_ms) {
        uint64_t failed_at_ms = kit.now_ms;
        assert_true(kit.connecting);
        kit_refuse(&kit);
        attempts++;
        assert_int_equal(kit_health(&kit).attempts, attempts);
        while (!kit.connecting)
            kit_until(&kit,
                      engine_due_ms(&kit.engine) > kit.now_ms ? engine_due_ms(&kit.engine) : kit.now_ms);
        uint64_t waited_ms = kit.now_ms - failed_at_ms;
        assert_true(waited_ms <= bound_ms);
        if (waited_ms > longest_ms)
            longest_ms = waited_ms;
        sum_ms += (double)waited_ms;
        bound_ms = bound_ms * 2 > 30000 ? 30000 : bound_ms * 2;
    }
    /* 120 would be no jitter at all; the mean wait is half the cap. */
    assert_in_range(attempts, 180, 330);
    assert_in_range(longest_ms, 25000, 30000);
    assert_in_range((uint64_t)(sum_ms / (double)attempts), 11000, 19000);
    assert_int_equal(kit.last.source, AR_SOURCE_MOCK);
    kit_up(&kit);
    assert_int_equal(kit.last.state, AR_LIVE);
    assert_int_equal(kit_health(&kit).attempts, 0);
    kit_close(&kit);
}

static void the_back_off_starts_over_after_a_stable_minute_and_not_before(void **state)
{
    (void)state;
    for (int stable = 0; stable < 2; stable++) {
        uint64_t longest_ms = 0;
        kit_open(&kit, NULL);
        kit_start(&kit);
        for (int i = 0; i < 12; i++) {
            kit_refuse(&kit);
            kit_until(&kit, kit.now_ms + (uint64_t)kit_health(&kit).next_attempt_in_ms);
        }
        kit_up(&kit);
        /* Live for a ms less than the stable minute, or just for it; then eight short lives. */
        for (int i = 0; i < 8; i++) {
            kit_advance(&kit, i > 0 ? 1000 : stable ? 60000 : 59999);
            kit_lose(&kit);
            uint64_t wait_ms = (uint64_t)kit_health(&kit).next_attempt_in_ms;
            if (i == 0 && stable)
                assert_true(wait_ms <= 1000);
            longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
            kit_until(&kit, kit.now_ms + wait_ms);
            kit_up(&kit);
            if (stable && i == 2)
                break; /* 1, 2 and 4 s were the bounds so far */
        }
        if (stable)
            assert_true(longest_ms <= 4000);
        else
            assert_true(longest_ms > 8000);
        kit_close(&kit);
    }
}

/* Opens and dies at once, for ever: the waits grow as if it had never opened. */
static void a_link_that_dies_at_once_does_not_reset_the_back_off(void **state)
{
    (void)state;
    uint64_t total_ms = 0;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_SILENT;
    for (int i = 0; i < 40; i++) {
        kit_up(&kit);
        kit_lose(&kit);
        uint64_t wait_ms = (uint64_t)kit_health(&kit).next_attempt_in_ms;
        total_ms += i >= 10 ? wait_ms : 0;
        kit_until(&kit, kit.now_ms + wait_ms);
    }
    assert_in_range(total_ms / 30, 10000, 20000);
    assert_int_equal(kit_health(&kit).links, 40);
    kit_close(&kit);
}

static void initialize_is_replayed_on_each_new_link(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    for (unsigned i = 1; i <= 5; i++) {
        assert_int_equal(kit.methods_heard[KIT_M_INIT], i);
        assert_int_equal(kit.methods_heard[KIT_M_INITIALIZED], i);
        kit_lose(&kit);
        kit_back_to_live(&kit);
    }
    assert_int_equal(kit_health(&kit).losses, 5);
    assert_int_equal(kit_health(&kit).links, 6);
    kit_close(&kit);
}

static void an_empty_result_of_initialize_will_do(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_SILENT;
    kit_up(&kit);
    kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}", kit.lines[0].id);
    kit_pump(&kit);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
}

static void a_result_of_initialize_that_is_no_object_will_not_do(void **state)
{
    static const char *const results[] = {"7", "[]", "\"x\"", "null", "true"};
    (void)state;
    for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        kit_open(&kit, NULL);
        kit_start(&kit);
        kit.script.init = KIT_SILENT;
        kit_up(&kit);
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", kit.lines[0].id, results[i]);
        assert_int_equal(kit.last.state, AR_DEGRADED);
        assert_false(kit.linked);
        kit_back_to_live(&kit);
        kit_close(&kit);
    }
}

static void initialize_unanswered_is_server_down_at_its_time(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_SILENT;
    kit_up(&kit);
    uint64_t at_ms = kit.now_ms + 30000;
    kit_until(&kit, at_ms - 1);
    assert_int_equal(kit.last.state, AR_CONNECTING);
    assert_true(kit.linked);
    kit_until(&kit, at_ms);
    struct ar_health h = kit_health(&kit);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_string_not_equal(h.last_error_name, "");
    kit_back_to_live(&kit);
    kit_close(&kit);
}

static void initialize_refused_for_good_drops_the_link_and_tries_again(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_ERROR;
    kit_up(&kit);
    struct ar_health h = kit_health(&kit);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_false(kit.linked);
    assert_int_equal(kit.drops, 1);
    assert_in_range(h.next_attempt_in_ms, 0, 1000);
    kit_back_to_live(&kit);
    kit_close(&kit);
}

/* The relay is there and its server is not: the link stays, and initialize is asked again on it. */
static void initialize_refused_for_now_is_asked_again_on_the_same_link(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_DOWN;
    kit_up(&kit);
    struct ar_health h = kit_health(&kit);
    assert_int_equal(h.state, AR_DEGRADED);
    assert_int_equal(h.relay, AR_REACH_UP);
    assert_int_equal(h.server, AR_REACH_DOWN);
    assert_string_equal(h.last_error_name, "SERVER_UNAVAILABLE");
    assert_in_range(h.next_attempt_in_ms, 0, 1000);
    kit_advance(&kit, 120000);
    assert_true(kit.linked);
    assert_int_equal(kit.link, 1);
    assert_int_equal(kit.drops, 0);
    assert_in_range(kit.methods_heard[KIT_M_INIT], 5, 40);
    assert_int_equal(kit_health(&kit).relay, AR_REACH_UP);
    kit.script.init = KIT_GOOD;
    kit_advance(&kit, 30001);
    assert_int_equal(kit.last.state, AR_LIVE);
    assert_int_equal(kit.link, 1);
    kit_close(&kit);
}

static void initialize_is_not_asked_before_retry_after_ms(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_DOWN;
    kit.script.retry_after_ms = 20000;
    kit_up(&kit);
    uint64_t at_ms = kit.now_ms + 20000;
    kit_until(&kit, at_ms - 1);
    assert_int_equal(kit.methods_heard[KIT_M_INIT], 1);
    kit.script.init = KIT_GOOD;
    kit_until(&kit, at_ms);
    assert_int_equal(kit.methods_heard[KIT_M_INIT], 2);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
}

static void lost_while_opening_it_is_degraded_with_the_mock(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_SILENT;
    kit_up(&kit);
    kit_lose(&kit);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    assert_int_equal(kit.last.source, AR_SOURCE_MOCK);
    kit_back_to_live(&kit);
    kit_close(&kit);
}

/* FAILURES case 16, for the part that is the engine's. */
static void failures_16_a_thousand_reconnects_ask_as_often_as_one(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    for (int i = 0; i < 1000; i++) {
        kit_lose(&kit);
        kit_back_to_live(&kit);
    }
    uint64_t polls = kit.methods_heard[KIT_M_LIST];
    unsigned ticks = kit.ticks;
    kit_advance(&kit, 60000);
    assert_int_equal(kit.methods_heard[KIT_M_LIST] - polls, 30);
    assert_in_range(kit.ticks - ticks, 30, 100);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_snapshot_is_mock_and_the_state_connecting),
        cmocka_unit_test(connected_initialized_and_polled_it_is_live),
        cmocka_unit_test(a_refused_attempt_is_degraded_and_says_why),
        cmocka_unit_test(failures_20_an_hour_without_a_relay_and_then_recovery),
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
        cmocka_unit_test(failures_16_a_thousand_reconnects_ask_as_often_as_one),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_start", tests, NULL, NULL);
}

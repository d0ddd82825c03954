/* The engine without memory: each allocation of the conversation failing once, then all from some point on.
 * Every call still has its one completion, nothing is left behind, and with memory it is live again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"
#include "tests/unit/backend-client/engine/engine_script.h"
#include "tests/unit/common/fault_alloc.h"

static struct engine_fixture fixture;

/* Gives false when the failure was never met. */
static bool starve(size_t n, size_t chunk)
{
    struct ar_options o = engine_script_options();
    fault_alloc_install();
    fault_alloc_fail_at(n);
    if (engine_fixture_try_open(&fixture, &o) == 0) {
        fixture.out_of_memory = true;
        engine_fixture_start(&fixture);
        engine_fixture_close(&fixture);
    }
    fault_alloc_fail_at(0);
    assert_int_equal(fault_alloc_live(), 0);

    fault_alloc_fail_at(n);
    int rc = engine_fixture_try_open(&fixture, &o);
    if (rc == 0) {
        fixture.out_of_memory = true;
        fixture.chunk = chunk;
        engine_script_run(&fixture);
        engine_script_settle(&fixture);
    }
    bool fired = fault_alloc_fired();
    fault_alloc_fail_at(0);
    if (rc == 0) {
        engine_fixture_back_to_live(&fixture);
        engine_fixture_advance(&fixture, 5000);
        fixture.out_of_memory = false;
        engine_fixture_advance(&fixture, 5000);
        assert_int_equal(fixture.last.state, AR_LIVE);
        assert_int_equal(fixture.last.source, AR_SOURCE_LIVE);
        assert_int_equal(fixture.last.count, 3);
        engine_fixture_close(&fixture);
    }
    assert_int_equal(fault_alloc_live(), 0);
    return fired;
}

static void each_allocation_fails_once(void **state)
{
    (void)state;
    /* The second time lines come in pieces, and have to be gathered. */
    for (size_t chunk = 0; chunk <= 11; chunk += 11) {
        size_t n = 1;
        while (starve(n, chunk))
            n++;
        printf("%zu allocations\n", n - 1);
        assert_true(n > 50);
    }
}

/* Nothing from the nth allocation on, for a minute; then memory again. */
static void none_from_the_nth_on_and_then_memory_again(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct ar_options o = engine_script_options();
        fault_alloc_install();
        engine_fixture_open(&fixture, &o);
        fixture.out_of_memory = true;
        fault_alloc_fail_from(n);
        fixture.script.call = REPLY_NONE;
        engine_fixture_start(&fixture);
        for (int i = 0; i < 12; i++) {
            if (fixture.connecting)
                engine_fixture_connect(&fixture);
            (void)engine_fixture_submit(
                &fixture, &(struct call_spec){.policy = (enum ar_policy)(i % 3), .idempotent = i % 2});
            engine_fixture_advance(&fixture, 5000);
        }
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        engine_script_settle(&fixture);
        engine_fixture_back_to_live(&fixture);
        engine_fixture_advance(&fixture, 5000);
        fixture.out_of_memory = false;
        engine_fixture_advance(&fixture, 5000);
        assert_int_equal(fixture.last.state, AR_LIVE);
        assert_int_equal(fixture.last.count, 3);
        engine_fixture_close(&fixture);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            break;
        assert_true(n < 100000);
    }
}

/* Each of these without memory, all else with it. */
static void what_one_event_costs_without_memory(void **state)
{
    (void)state;
    for (int what = 0; what < 6; what++) {
        fault_alloc_install();
        engine_fixture_open_live(&fixture, NULL);
        fixture.out_of_memory = true;
        fixture.script.call = REPLY_NONE;
        uint64_t id = engine_fixture_submit(&fixture, &(struct call_spec){.progress = true});
        engine_fixture_pump(&fixture);
        buf_done(&fixture.engine.text); /* as before the first reply */
        fault_alloc_fail_from(1);
        switch (what) {
        case 0:
            engine_fixture_answer(&fixture, id);
            engine_fixture_expect(&fixture, id, AR_E_NO_MEMORY, true);
            break;
        case 1:
            engine_fixture_answer_error(&fixture, id, -32000);
            engine_fixture_expect(&fixture, id, AR_E_NO_MEMORY, true);
            break;
        case 2:
            engine_fixture_send(
                &fixture,
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1}}");
            assert_int_equal(fixture.calls[id].progress, 0);
            break;
        case 3:
            engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}");
            assert_int_equal(fixture.notifications, 0);
            break;
        case 4:
            engine_fixture_send_part(&fixture, "{\"jsonrpc\":"); /* cannot be followed */
            assert_false(fixture.linked);
            engine_fixture_expect(&fixture, id, AR_E_CONNECTION_LOST, true);
            break;
        default:
            buf_done(&fixture.engine.out);
            engine_fixture_advance(&fixture, 2000); /* a poll that cannot be written */
            assert_false(fixture.linked);
            break;
        }
        assert_int_equal(fixture.linked, what < 4);
        fault_alloc_fail_at(0);
        engine_script_settle(&fixture);
        engine_fixture_back_to_live(&fixture);
        engine_fixture_close(&fixture);
        assert_int_equal(fault_alloc_live(), 0);
    }
}

/* A line that memory ran out for leaves nothing of itself between the others: the fixture reads each line. */
static void no_part_of_a_line_goes_out(void **state)
{
    (void)state;
    size_t met = 0;
    for (int i = 1; i < 60; i++) {
        fault_alloc_install();
        engine_fixture_open_live(&fixture, NULL);
        fixture.out_of_memory = true;
        fixture.script.call = REPLY_NONE;
        fixture.not_reading = true;
        for (int n = 0; n < i; n++)
            (void)engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        fault_alloc_fail_from(1);
        engine_fixture_cancel(&fixture, (uint64_t)i);
        engine_fixture_send(
            &fixture, "{\"jsonrpc\":\"2.0\",\"id\":\"a long name for a question\",\"method\":\"ping\"}");
        engine_notify(&fixture.engine, "notifications/x", "{\"some\":\"text\"}", 15);
        met += fault_alloc_fired();
        fault_alloc_fail_at(0);
        fixture.not_reading = false;
        engine_fixture_advance(&fixture, 3000); /* with a poll behind it all */
        engine_fixture_back_to_live(&fixture);
        engine_fixture_close(&fixture);
        assert_int_equal(fault_alloc_live(), 0);
    }
    assert_true(met > 0);
}

/* Without memory for a snapshot an empty mock one is shown, and the right one soon after. */
static void a_snapshot_that_memory_was_short_for_comes_soon(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.mock_refresh_ms = AR_NEVER;
    o.backoff_base_ms = 30000;
    fault_alloc_install();
    engine_fixture_open(&fixture, &o);
    engine_fixture_start(&fixture);
    size_t agents = fixture.last.count;
    assert_true(agents > 0);
    fixture.out_of_memory = true;
    fault_alloc_fail_from(1);
    engine_fixture_refuse(&fixture);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_int_equal(fixture.last.count, 0);
    engine_fixture_advance(&fixture, 100);
    fault_alloc_fail_at(0);
    engine_fixture_advance(&fixture, 100);
    assert_int_equal(fixture.last.count, agents);
    assert_int_equal(fixture.last.source, AR_SOURCE_MOCK);
    engine_fixture_close(&fixture);
    assert_int_equal(fault_alloc_live(), 0);
}

/* Out of memory while offline. */
static void a_day_offline_with_calls_costs_no_memory(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.queue_max_calls = 10;
    fault_alloc_install();
    engine_fixture_open(&fixture, &o);
    engine_fixture_start(&fixture);
    size_t live = 0;
    for (int minute = 0; minute < 24 * 60; minute++) {
        for (int i = 0; i < 20; i++)
            (void)engine_fixture_submit(
                &fixture, &(struct call_spec){.method = "agents/list", .policy = (enum ar_policy)(i % 3)});
        engine_fixture_advance(&fixture, 60000);
        if (fixture.connecting)
            engine_fixture_refuse(&fixture);
        if (minute == 60)
            live = fault_alloc_live();
    }
    assert_true(fault_alloc_live() <= live + 20);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
    assert_int_equal(fault_alloc_live(), 0);
}

static void a_thousand_reconnects_leave_memory_flat(void **state)
{
    (void)state;
    fault_alloc_install();
    engine_fixture_open_live(&fixture, NULL);
    size_t live = 0;
    for (int i = 0; i < 1000; i++) {
        (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
        engine_fixture_lose(&fixture);
        engine_fixture_back_to_live(&fixture);
        engine_fixture_pump(&fixture);
        if (i == 10)
            live = fault_alloc_live();
    }
    assert_int_equal(fixture.outstanding, 0);
    assert_true(fault_alloc_live() <= live);
    engine_fixture_close(&fixture);
    assert_int_equal(fault_alloc_live(), 0);
}

/* In steady state a call's answer costs at most one allocation beyond the call itself. */
static void steady_calls_allocate_next_to_nothing(void **state)
{
    (void)state;
    fault_alloc_install();
    engine_fixture_open_live(&fixture, NULL);
    fixture.drops_lines = true;
    for (int i = 0; i < 1000; i++) {
        (void)engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
    }
    fault_alloc_fail_at(0);
    for (int i = 0; i < 1000; i++) {
        (void)engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
    }
    printf("%zu allocations for 1000 calls\n", fault_alloc_count());
    assert_in_range(fault_alloc_count(), 1000, 2000);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(none_from_the_nth_on_and_then_memory_again),
        cmocka_unit_test(what_one_event_costs_without_memory),
        cmocka_unit_test(no_part_of_a_line_goes_out),
        cmocka_unit_test(a_snapshot_that_memory_was_short_for_comes_soon),
        cmocka_unit_test(a_day_offline_with_calls_costs_no_memory),
        cmocka_unit_test(a_thousand_reconnects_leave_memory_flat),
        cmocka_unit_test(steady_calls_allocate_next_to_nothing),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_memory", tests, NULL, NULL);
}

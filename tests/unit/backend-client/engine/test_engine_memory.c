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

static struct kit kit;

/* Gives false when the failure was never met. */
static bool starve(size_t n, size_t chunk)
{
    struct ar_options o = talk_options();
    fault_alloc_install();
    fault_alloc_fail_at(n);
    if (kit_try_open(&kit, &o) == 0) {
        kit.starved = true;
        kit_start(&kit);
        kit_close(&kit);
    }
    fault_alloc_fail_at(0);
    assert_int_equal(fault_alloc_live(), 0);

    fault_alloc_fail_at(n);
    int rc = kit_try_open(&kit, &o);
    if (rc == 0) {
        kit.starved = true;
        kit.chunk = chunk;
        talk(&kit);
        talk_settle(&kit);
    }
    bool fired = fault_alloc_fired();
    fault_alloc_fail_at(0);
    if (rc == 0) {
        kit_back_to_live(&kit);
        kit_advance(&kit, 5000);
        kit.starved = false;
        kit_advance(&kit, 5000);
        assert_int_equal(kit.last.state, AR_LIVE);
        assert_int_equal(kit.last.source, AR_SOURCE_LIVE);
        assert_int_equal(kit.last.count, 3);
        kit_close(&kit);
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
        struct ar_options o = talk_options();
        fault_alloc_install();
        kit_open(&kit, &o);
        kit.starved = true;
        fault_alloc_fail_from(n);
        kit.script.call = KIT_SILENT;
        kit_start(&kit);
        for (int i = 0; i < 12; i++) {
            if (kit.connecting)
                kit_up(&kit);
            (void)kit_ask(&kit, &(struct kit_ask){.policy = (enum ar_policy)(i % 3), .idempotent = i % 2});
            kit_advance(&kit, 5000);
        }
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        talk_settle(&kit);
        kit_back_to_live(&kit);
        kit_advance(&kit, 5000);
        kit.starved = false;
        kit_advance(&kit, 5000);
        assert_int_equal(kit.last.state, AR_LIVE);
        assert_int_equal(kit.last.count, 3);
        kit_close(&kit);
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
        kit_go_live(&kit, NULL);
        kit.starved = true;
        kit.script.call = KIT_SILENT;
        uint64_t id = kit_ask(&kit, &(struct kit_ask){.progress = true});
        kit_pump(&kit);
        buf_done(&kit.engine.text); /* as before the first reply */
        fault_alloc_fail_from(1);
        switch (what) {
        case 0:
            kit_answer(&kit, id);
            kit_expect(&kit, id, AR_E_NO_MEMORY, true);
            break;
        case 1:
            kit_answer_error(&kit, id, -32000);
            kit_expect(&kit, id, AR_E_NO_MEMORY, true);
            break;
        case 2:
            kit_say(
                &kit,
                "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":1}}");
            assert_int_equal(kit.calls[id].progress, 0);
            break;
        case 3:
            kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\"}");
            assert_int_equal(kit.notes, 0);
            break;
        case 4:
            kit_say_part(&kit, "{\"jsonrpc\":"); /* cannot be followed */
            assert_false(kit.linked);
            kit_expect(&kit, id, AR_E_CONNECTION_LOST, true);
            break;
        default:
            buf_done(&kit.engine.out);
            kit_advance(&kit, 2000); /* a poll that cannot be written */
            assert_false(kit.linked);
            break;
        }
        assert_int_equal(kit.linked, what < 4);
        fault_alloc_fail_at(0);
        talk_settle(&kit);
        kit_back_to_live(&kit);
        kit_close(&kit);
        assert_int_equal(fault_alloc_live(), 0);
    }
}

/* A line that memory ran out for leaves nothing of itself between the others: the kit reads each line. */
static void no_part_of_a_line_goes_out(void **state)
{
    (void)state;
    size_t met = 0;
    for (int i = 1; i < 60; i++) {
        fault_alloc_install();
        kit_go_live(&kit, NULL);
        kit.starved = true;
        kit.script.call = KIT_SILENT;
        kit.deaf = true;
        for (int n = 0; n < i; n++)
            (void)kit_ask_plain(&kit, AR_FAIL_FAST);
        fault_alloc_fail_from(1);
        kit_cancel(&kit, (uint64_t)i);
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"id\":\"a long name for a question\",\"method\":\"ping\"}");
        engine_notify(&kit.engine, "notifications/x", "{\"some\":\"text\"}", 15);
        met += fault_alloc_fired();
        fault_alloc_fail_at(0);
        kit.deaf = false;
        kit_advance(&kit, 3000); /* with a poll behind it all */
        kit_back_to_live(&kit);
        kit_close(&kit);
        assert_int_equal(fault_alloc_live(), 0);
    }
    assert_true(met > 0);
}

/* Without memory for a snapshot an empty mock one is shown, and the right one soon after. */
static void a_snapshot_that_memory_was_short_for_comes_soon(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.mock_refresh_ms = AR_NEVER;
    o.backoff_base_ms = 30000;
    fault_alloc_install();
    kit_open(&kit, &o);
    kit_start(&kit);
    size_t agents = kit.last.count;
    assert_true(agents > 0);
    kit.starved = true;
    fault_alloc_fail_from(1);
    kit_refuse(&kit);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    assert_int_equal(kit.last.count, 0);
    kit_advance(&kit, 100);
    fault_alloc_fail_at(0);
    kit_advance(&kit, 100);
    assert_int_equal(kit.last.count, agents);
    assert_int_equal(kit.last.source, AR_SOURCE_MOCK);
    kit_close(&kit);
    assert_int_equal(fault_alloc_live(), 0);
}

/* FAILURES 16: out of memory while offline. */
static void failures_16_a_day_offline_with_calls_costs_no_memory(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.queue_max_calls = 10;
    fault_alloc_install();
    kit_open(&kit, &o);
    kit_start(&kit);
    size_t live = 0;
    for (int minute = 0; minute < 24 * 60; minute++) {
        for (int i = 0; i < 20; i++)
            (void)kit_ask(&kit,
                          &(struct kit_ask){.method = "agents/list", .policy = (enum ar_policy)(i % 3)});
        kit_advance(&kit, 60000);
        if (kit.connecting)
            kit_refuse(&kit);
        if (minute == 60)
            live = fault_alloc_live();
    }
    assert_true(fault_alloc_live() <= live + 20);
    kit_back_to_live(&kit);
    kit_close(&kit);
    assert_int_equal(fault_alloc_live(), 0);
}

static void failures_16_a_thousand_reconnects_leave_memory_flat(void **state)
{
    (void)state;
    fault_alloc_install();
    kit_go_live(&kit, NULL);
    size_t live = 0;
    for (int i = 0; i < 1000; i++) {
        (void)kit_ask_plain(&kit, AR_WAIT);
        kit_lose(&kit);
        kit_back_to_live(&kit);
        kit_pump(&kit);
        if (i == 10)
            live = fault_alloc_live();
    }
    assert_int_equal(kit.outstanding, 0);
    assert_true(fault_alloc_live() <= live);
    kit_close(&kit);
    assert_int_equal(fault_alloc_live(), 0);
}

/* In steady state a call's answer costs at most one allocation beyond the call itself. */
static void steady_calls_allocate_next_to_nothing(void **state)
{
    (void)state;
    fault_alloc_install();
    kit_go_live(&kit, NULL);
    kit.forgetful = true;
    for (int i = 0; i < 1000; i++) {
        (void)kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
    }
    fault_alloc_fail_at(0);
    for (int i = 0; i < 1000; i++) {
        (void)kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
    }
    printf("%zu allocations for 1000 calls\n", fault_alloc_count());
    assert_in_range(fault_alloc_count(), 1000, 2000);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_allocation_fails_once),
        cmocka_unit_test(none_from_the_nth_on_and_then_memory_again),
        cmocka_unit_test(what_one_event_costs_without_memory),
        cmocka_unit_test(no_part_of_a_line_goes_out),
        cmocka_unit_test(a_snapshot_that_memory_was_short_for_comes_soon),
        cmocka_unit_test(failures_16_a_day_offline_with_calls_costs_no_memory),
        cmocka_unit_test(failures_16_a_thousand_reconnects_leave_memory_flat),
        cmocka_unit_test(steady_calls_allocate_next_to_nothing),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_memory", tests, NULL, NULL);
}

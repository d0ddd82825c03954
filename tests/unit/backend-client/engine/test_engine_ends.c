/* How calls end, and what goes with them: deadlines, cancellation, being sent again, progress, notifications.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

/* ---- deadlines ---- */

static void deadlines_hold_to_the_millisecond(void **state)
{
    (void)state;
    static const uint32_t deadlines[] = {1, 2, 999, 1000, 29999};
    for (int live = 0; live < 2; live++) {
        for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
            if (live) {
                kit_go_live(&kit, NULL);
            } else {
                kit_open(&kit, NULL);
                kit_start(&kit);
            }
            kit.script.call = KIT_SILENT;
            uint64_t id = kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .deadline_ms = deadlines[i]});
            kit_advance(&kit, deadlines[i] - 1);
            kit_expect_open(&kit, id);
            kit_advance(&kit, 1);
            kit_expect(&kit, id, AR_E_TIMEOUT, live);
            assert_int_equal(kit.calls[id].elapsed_ms, deadlines[i]);
            kit_close(&kit);
        }
    }
}

/* The loop was busy: the deadline passed before the engine saw the call. */
static void a_deadline_that_passed_in_the_inbox_is_a_time_out(void **state)
{
    (void)state;
    for (uint32_t late_ms = 99; late_ms <= 101; late_ms++) {
        kit_go_live(&kit, NULL);
        uint64_t id = kit_ask(&kit, &(struct kit_ask){.deadline_ms = 100, .inbox_ms = late_ms});
        if (late_ms < 100) {
            kit_pump(&kit);
            kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
        } else {
            kit_expect(&kit, id, AR_E_TIMEOUT, false);
            kit_pump(&kit);
            assert_int_equal(kit.calls[id].seen, 0);
        }
        assert_int_equal(kit.calls[id].elapsed_ms, late_ms);
        kit_close(&kit);
    }
}

static void the_default_deadline_is_the_option(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.call_timeout_ms = 777;
    kit_open(&kit, &o);
    kit_start(&kit);
    uint64_t id = kit_ask_plain(&kit, AR_WAIT);
    kit_advance(&kit, 776);
    kit_expect_open(&kit, id);
    kit_advance(&kit, 1);
    kit_expect(&kit, id, AR_E_TIMEOUT, false);
    kit_close(&kit);
}

/* Whoever waited in vain is told for what. */
static void a_time_out_says_what_was_waited_for(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit_refuse(&kit);
    uint64_t id = kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .deadline_ms = 50});
    kit_advance(&kit, 50);
    kit_expect(&kit, id, AR_E_TIMEOUT, false);
    assert_ptr_equal(strstr(kit.calls[id].message, "no answer within the deadline of 50 ms: "),
                     kit.calls[id].message);
    assert_non_null(strstr(kit.calls[id].message, kit_health(&kit).last_error));
    kit_close(&kit);
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    id = kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .deadline_ms = 50});
    kit_advance(&kit, 50);
    assert_string_equal(kit.calls[id].message, "no answer within the deadline of 50 ms");
    kit_close(&kit);
}

static void a_call_without_a_deadline_waits_for_ever(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t flying = kit_ask(&kit, &(struct kit_ask){.deadline_ms = AR_NEVER});
    kit_advance(&kit, 3600000);
    kit_expect_open(&kit, flying);
    kit_answer(&kit, flying);
    kit_expect_ok(&kit, flying, AR_SOURCE_LIVE);
    kit_lose(&kit);
    uint64_t waiting = kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    for (int i = 0; i < 200; i++) {
        if (kit.connecting)
            kit_refuse(&kit);
        kit_advance(&kit, 30000);
    }
    kit_expect_open(&kit, waiting);
    kit_back_to_live(&kit);
    kit_pump(&kit);
    kit_answer(&kit, waiting);
    kit_expect_ok(&kit, waiting, AR_SOURCE_LIVE);
    kit_close(&kit);
}

static void late_answers_are_counted_and_no_more(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t slow = kit_ask(&kit, &(struct kit_ask){.deadline_ms = 100});
    uint64_t dropped = kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_advance(&kit, 100);
    kit_cancel(&kit, dropped);
    kit_pump(&kit);
    assert_int_equal(kit.methods_heard[KIT_M_CANCELLED], 2);
    kit_answer(&kit, slow);
    kit_answer(&kit, dropped);
    assert_int_equal(kit.engine.late_answers, 2);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
}

static void cancelling_what_is_complete_or_unknown_does_nothing(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_pump(&kit);
    kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    kit_cancel(&kit, id);
    kit_cancel(&kit, 0);
    kit_cancel(&kit, 999);
    kit_cancel(&kit, UINT64_MAX);
    kit_pump(&kit);
    assert_int_equal(kit.methods_heard[KIT_M_CANCELLED], 0);
    kit_close(&kit);
}

/* ---- sent again ---- */

static void an_idempotent_call_survives_any_number_of_losses(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t id =
        kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .idempotent = true, .deadline_ms = AR_NEVER});
    for (unsigned i = 1; i <= 5; i++) {
        kit_pump(&kit);
        assert_int_equal(kit.calls[id].seen, i);
        kit_lose(&kit);
        kit_expect_open(&kit, id);
        kit_back_to_live(&kit);
    }
    kit_pump(&kit);
    kit_answer(&kit, id);
    kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    kit_close(&kit);
}

static void one_that_may_have_run_says_so_whatever_ends_it(void **state)
{
    (void)state;
    static const int codes[] = {AR_E_TIMEOUT, AR_E_CANCELLED, AR_E_CLOSED};
    for (size_t i = 0; i < 3; i++) {
        kit_go_live(&kit, NULL);
        kit.script.call = KIT_SILENT;
        uint64_t id =
            kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .idempotent = true, .deadline_ms = 5000});
        kit_pump(&kit);
        kit_lose(&kit);
        kit_expect_open(&kit, id);
        if (codes[i] == AR_E_TIMEOUT) {
            kit_advance(&kit, 5000);
            kit_expect(&kit, id, AR_E_TIMEOUT, true);
        } else if (codes[i] == AR_E_CANCELLED) {
            kit_cancel(&kit, id);
        } else {
            kit_close_engine(&kit);
        }
        kit_expect(&kit, id, codes[i], true);
        kit_close(&kit);
    }
}

static void idempotent_means_nothing_to_those_that_do_not_wait(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t fast = kit_ask(&kit, &(struct kit_ask){.policy = AR_FAIL_FAST, .idempotent = true});
    uint64_t mock =
        kit_ask(&kit, &(struct kit_ask){.method = "agents/list", .policy = AR_MOCK, .idempotent = true});
    kit_pump(&kit);
    kit_lose(&kit);
    kit_expect(&kit, fast, AR_E_CONNECTION_LOST, true);
    kit_expect(&kit, mock, AR_E_CONNECTION_LOST, true);
    kit_close(&kit);
}

/* ---- progress ---- */

static void progress_goes_to_its_call_and_not_after_its_end(void **state)
{
    static const char tick[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":1}}";
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t a = kit_ask(&kit, &(struct kit_ask){.progress = true});
    uint64_t b =
        kit_ask(&kit, &(struct kit_ask){.params = "{\"name\":\"x\",\"_meta\":{\"k\":1}}", .progress = true});
    uint64_t mute = kit_ask(&kit, &(struct kit_ask){.params = "{\"name\":\"x\"}"});
    uint64_t array = kit_ask(&kit, &(struct kit_ask){.params = "{}", .progress = true});
    kit_pump(&kit);
    assert_non_null(strstr(kit.lines[2].text, "\"k\":1")); /* behind notifications/initialized */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    kit_sayf(&kit, tick, (unsigned long long)b);
    kit_sayf(&kit, tick, (unsigned long long)a);
    kit_sayf(&kit, tick, (unsigned long long)b);
    kit_sayf(&kit, tick, (unsigned long long)mute);
    kit_sayf(&kit, tick, 4711ULL);
    assert_int_equal(kit.calls[a].progress, 1);
    assert_int_equal(kit.calls[b].progress, 2);
    assert_int_equal(kit.calls[mute].progress, 0);
    assert_int_equal(kit.calls[array].progress, 0);
    kit_answer(&kit, b);
    kit_sayf(&kit, tick, (unsigned long long)b); /* FAILURES case 3 */
#pragma GCC diagnostic pop
    assert_int_equal(kit.calls[b].progress, 2);
    assert_int_equal(kit.last.state, AR_LIVE);
    assert_int_equal(kit.notes, 0);
    kit_close(&kit);
}

static void progress_tokens_that_are_none_of_ours_reach_nobody(void **state)
{
    static const char *const tokens[] = {
        "\"1\"",    "1.0", "-1", "1e0", "null", "true", "[1]", "{}", "0", "01", "18446744073709551617",
        "\"ar-1\"", "\"\""};
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t a = kit_ask(&kit, &(struct kit_ask){.progress = true});
    kit_pump(&kit);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        kit_sayf(
            &kit,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s}}",
            tokens[i]);
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}");
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":[1]}");
    assert_int_equal(kit.calls[a].progress, 0);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
}

/* ---- notify ---- */

static void notifications_go_out_while_ready_and_are_dropped_else(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    engine_notify(&kit.engine, "notifications/x", NULL, 0);
    kit.script.init = KIT_SILENT;
    kit_up(&kit);
    engine_notify(&kit.engine, "notifications/x", NULL, 0);
    kit_answer_held(&kit, "initialize", KIT_GOOD);
    kit_advance(&kit, 1000);
    assert_null(kit_find(&kit, "notifications/x"));
    engine_notify(&kit.engine, "notifications/x", NULL, 0);
    engine_notify(&kit.engine, "notifications/y", "{\"a\":[1]}", 9);
    kit_pump(&kit);
    assert_non_null(kit_find(&kit, "notifications/x"));
    assert_non_null(kit_find(&kit, "notifications/y"));
    assert_non_null(strstr(kit_find(&kit, "notifications/y")->text, "\"params\":{\"a\":[1]}"));
    kit_lose(&kit);
    engine_notify(&kit.engine, "notifications/z", NULL, 0);
    kit_back_to_live(&kit);
    assert_null(kit_find(&kit, "notifications/z"));
    kit_close_engine(&kit);
    engine_notify(&kit.engine, "notifications/z", NULL, 0);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_hold_to_the_millisecond),
        cmocka_unit_test(a_deadline_that_passed_in_the_inbox_is_a_time_out),
        cmocka_unit_test(the_default_deadline_is_the_option),
        cmocka_unit_test(a_time_out_says_what_was_waited_for),
        cmocka_unit_test(a_call_without_a_deadline_waits_for_ever),
        cmocka_unit_test(late_answers_are_counted_and_no_more),
        cmocka_unit_test(cancelling_what_is_complete_or_unknown_does_nothing),
        cmocka_unit_test(an_idempotent_call_survives_any_number_of_losses),
        cmocka_unit_test(one_that_may_have_run_says_so_whatever_ends_it),
        cmocka_unit_test(idempotent_means_nothing_to_those_that_do_not_wait),
        cmocka_unit_test(progress_goes_to_its_call_and_not_after_its_end),
        cmocka_unit_test(progress_tokens_that_are_none_of_ours_reach_nobody),
        cmocka_unit_test(notifications_go_out_while_ready_and_are_dropped_else),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_ends", tests, NULL, NULL);
}

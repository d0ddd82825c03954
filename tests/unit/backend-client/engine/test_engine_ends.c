/* How calls end, and what goes with them: deadlines, cancellation, being sent again, progress, notifications.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

/* ---- deadlines ---- */

static void deadlines_hold_to_the_millisecond(void **state)
{
    (void)state;
    static const uint32_t deadlines[] = {1, 2, 999, 1000, 29999};
    for (int live = 0; live < 2; live++) {
        for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++) {
            if (live) {
                engine_fixture_open_live(&fixture, NULL);
            } else {
                engine_fixture_open(&fixture, NULL);
                engine_fixture_start(&fixture);
            }
            fixture.script.call = REPLY_NONE;
            uint64_t id = engine_fixture_submit(
                &fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = deadlines[i]});
            engine_fixture_advance(&fixture, deadlines[i] - 1);
            engine_fixture_expect_open(&fixture, id);
            engine_fixture_advance(&fixture, 1);
            engine_fixture_expect(&fixture, id, AR_E_TIMEOUT, live);
            assert_int_equal(fixture.calls[id].elapsed_ms, deadlines[i]);
            engine_fixture_close(&fixture);
        }
    }
}

/* The loop was busy: the deadline passed before the engine saw the call. */
static void a_deadline_that_passed_in_the_inbox_is_a_time_out(void **state)
{
    (void)state;
    for (uint32_t late_ms = 99; late_ms <= 101; late_ms++) {
        engine_fixture_open_live(&fixture, NULL);
        uint64_t id =
            engine_fixture_submit(&fixture, &(struct call_spec){.deadline_ms = 100, .inbox_ms = late_ms});
        if (late_ms < 100) {
            engine_fixture_pump(&fixture);
            engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
        } else {
            engine_fixture_expect(&fixture, id, AR_E_TIMEOUT, false);
            engine_fixture_pump(&fixture);
            assert_int_equal(fixture.calls[id].seen, 0);
        }
        assert_int_equal(fixture.calls[id].elapsed_ms, late_ms);
        engine_fixture_close(&fixture);
    }
}

static void the_default_deadline_is_the_option(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.call_timeout_ms = 777;
    engine_fixture_open(&fixture, &o);
    engine_fixture_start(&fixture);
    uint64_t id = engine_fixture_submit_plain(&fixture, AR_WAIT);
    engine_fixture_advance(&fixture, 776);
    engine_fixture_expect_open(&fixture, id);
    engine_fixture_advance(&fixture, 1);
    engine_fixture_expect(&fixture, id, AR_E_TIMEOUT, false);
    engine_fixture_close(&fixture);
}

/* A call that waited in vain says for what. */
static void a_time_out_says_what_was_waited_for(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    engine_fixture_refuse(&fixture);
    uint64_t id = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = 50});
    engine_fixture_advance(&fixture, 50);
    engine_fixture_expect(&fixture, id, AR_E_TIMEOUT, false);
    assert_ptr_equal(strstr(fixture.calls[id].message, "no answer within the deadline of 50 ms: "),
                     fixture.calls[id].message);
    assert_non_null(strstr(fixture.calls[id].message, engine_fixture_health(&fixture).last_error));
    engine_fixture_close(&fixture);
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    id = engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = 50});
    engine_fixture_advance(&fixture, 50);
    assert_string_equal(fixture.calls[id].message, "no answer within the deadline of 50 ms");
    engine_fixture_close(&fixture);
}

static void a_call_without_a_deadline_waits_for_ever(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t flying = engine_fixture_submit(&fixture, &(struct call_spec){.deadline_ms = AR_NEVER});
    engine_fixture_advance(&fixture, 3600000);
    engine_fixture_expect_open(&fixture, flying);
    engine_fixture_answer(&fixture, flying);
    engine_fixture_expect_ok(&fixture, flying, AR_SOURCE_LIVE);
    engine_fixture_lose(&fixture);
    uint64_t waiting =
        engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    for (int i = 0; i < 200; i++) {
        if (fixture.connecting)
            engine_fixture_refuse(&fixture);
        engine_fixture_advance(&fixture, 30000);
    }
    engine_fixture_expect_open(&fixture, waiting);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_pump(&fixture);
    engine_fixture_answer(&fixture, waiting);
    engine_fixture_expect_ok(&fixture, waiting, AR_SOURCE_LIVE);
    engine_fixture_close(&fixture);
}

static void late_answers_are_counted_and_no_more(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t slow = engine_fixture_submit(&fixture, &(struct call_spec){.deadline_ms = 100});
    uint64_t dropped = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_advance(&fixture, 100);
    engine_fixture_cancel(&fixture, dropped);
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.methods_received[METHOD_CANCELLED], 2);
    engine_fixture_answer(&fixture, slow);
    engine_fixture_answer(&fixture, dropped);
    assert_int_equal(fixture.engine.late_answers, 2);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

static void cancelling_what_is_complete_or_unknown_does_nothing(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_pump(&fixture);
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    engine_fixture_cancel(&fixture, id);
    engine_fixture_cancel(&fixture, 0);
    engine_fixture_cancel(&fixture, 999);
    engine_fixture_cancel(&fixture, UINT64_MAX);
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.methods_received[METHOD_CANCELLED], 0);
    engine_fixture_close(&fixture);
}

/* ---- sent again ---- */

static void an_idempotent_call_survives_any_number_of_losses(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t id = engine_fixture_submit(
        &fixture, &(struct call_spec){.policy = AR_WAIT, .idempotent = true, .deadline_ms = AR_NEVER});
    for (unsigned i = 1; i <= 5; i++) {
        engine_fixture_pump(&fixture);
        assert_int_equal(fixture.calls[id].seen, i);
        engine_fixture_lose(&fixture);
        engine_fixture_expect_open(&fixture, id);
        engine_fixture_back_to_live(&fixture);
    }
    engine_fixture_pump(&fixture);
    engine_fixture_answer(&fixture, id);
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    engine_fixture_close(&fixture);
}

static void one_that_may_have_run_says_so_whatever_ends_it(void **state)
{
    (void)state;
    static const int codes[] = {AR_E_TIMEOUT, AR_E_CANCELLED, AR_E_CLOSED};
    for (size_t i = 0; i < 3; i++) {
        engine_fixture_open_live(&fixture, NULL);
        fixture.script.call = REPLY_NONE;
        uint64_t id = engine_fixture_submit(
            &fixture, &(struct call_spec){.policy = AR_WAIT, .idempotent = true, .deadline_ms = 5000});
        engine_fixture_pump(&fixture);
        engine_fixture_lose(&fixture);
        engine_fixture_expect_open(&fixture, id);
        if (codes[i] == AR_E_TIMEOUT) {
            engine_fixture_advance(&fixture, 5000);
            engine_fixture_expect(&fixture, id, AR_E_TIMEOUT, true);
        } else if (codes[i] == AR_E_CANCELLED) {
            engine_fixture_cancel(&fixture, id);
        } else {
            engine_fixture_close_engine(&fixture);
        }
        engine_fixture_expect(&fixture, id, codes[i], true);
        engine_fixture_close(&fixture);
    }
}

static void idempotent_means_nothing_to_those_that_do_not_wait(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t fast =
        engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_FAIL_FAST, .idempotent = true});
    uint64_t mock = engine_fixture_submit(
        &fixture, &(struct call_spec){.method = "agents/list", .policy = AR_MOCK, .idempotent = true});
    engine_fixture_pump(&fixture);
    engine_fixture_lose(&fixture);
    engine_fixture_expect(&fixture, fast, AR_E_CONNECTION_LOST, true);
    engine_fixture_expect(&fixture, mock, AR_E_CONNECTION_LOST, true);
    engine_fixture_close(&fixture);
}

/* ---- progress ---- */

static void progress_goes_to_its_call_and_not_after_its_end(void **state)
{
    static const char tick[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":1}}";
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t a = engine_fixture_submit(&fixture, &(struct call_spec){.progress = true});
    uint64_t b = engine_fixture_submit(
        &fixture, &(struct call_spec){.params = "{\"name\":\"x\",\"_meta\":{\"k\":1}}", .progress = true});
    uint64_t mute = engine_fixture_submit(&fixture, &(struct call_spec){.params = "{\"name\":\"x\"}"});
    uint64_t array = engine_fixture_submit(&fixture, &(struct call_spec){.params = "{}", .progress = true});
    engine_fixture_pump(&fixture);
    assert_non_null(strstr(fixture.lines[2].text, "\"k\":1")); /* behind notifications/initialized */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    engine_fixture_sendf(&fixture, tick, (unsigned long long)b);
    engine_fixture_sendf(&fixture, tick, (unsigned long long)a);
    engine_fixture_sendf(&fixture, tick, (unsigned long long)b);
    engine_fixture_sendf(&fixture, tick, (unsigned long long)mute);
    engine_fixture_sendf(&fixture, tick, 4711ULL);
    assert_int_equal(fixture.calls[a].progress, 1);
    assert_int_equal(fixture.calls[b].progress, 2);
    assert_int_equal(fixture.calls[mute].progress, 0);
    assert_int_equal(fixture.calls[array].progress, 0);
    engine_fixture_answer(&fixture, b);
    engine_fixture_sendf(&fixture, tick, (unsigned long long)b);
#pragma GCC diagnostic pop
    assert_int_equal(fixture.calls[b].progress, 2);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(fixture.notifications, 0);
    engine_fixture_close(&fixture);
}

static void progress_tokens_of_no_call_reach_no_callback(void **state)
{
    static const char *const tokens[] = {
        "\"1\"",    "1.0", "-1", "1e0", "null", "true", "[1]", "{}", "0", "01", "18446744073709551617",
        "\"ar-1\"", "\"\""};
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t a = engine_fixture_submit(&fixture, &(struct call_spec){.progress = true});
    engine_fixture_pump(&fixture);
    for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
        engine_fixture_sendf(
            &fixture,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%s}}",
            tokens[i]);
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}");
    engine_fixture_send(&fixture,
                        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":[1]}");
    assert_int_equal(fixture.calls[a].progress, 0);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

/* ---- notify ---- */

static void notifications_go_out_while_ready_and_are_dropped_else(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    engine_notify(&fixture.engine, "notifications/x", NULL, 0);
    fixture.script.init = REPLY_NONE;
    engine_fixture_connect(&fixture);
    engine_notify(&fixture.engine, "notifications/x", NULL, 0);
    engine_fixture_answer_line(&fixture, "initialize", REPLY_GOOD);
    engine_fixture_advance(&fixture, 1000);
    assert_null(engine_fixture_find_line(&fixture, "notifications/x"));
    engine_notify(&fixture.engine, "notifications/x", NULL, 0);
    engine_notify(&fixture.engine, "notifications/y", "{\"a\":[1]}", 9);
    engine_fixture_pump(&fixture);
    assert_non_null(engine_fixture_find_line(&fixture, "notifications/x"));
    assert_non_null(engine_fixture_find_line(&fixture, "notifications/y"));
    assert_non_null(
        strstr(engine_fixture_find_line(&fixture, "notifications/y")->text, "\"params\":{\"a\":[1]}"));
    engine_fixture_lose(&fixture);
    engine_notify(&fixture.engine, "notifications/z", NULL, 0);
    engine_fixture_back_to_live(&fixture);
    assert_null(engine_fixture_find_line(&fixture, "notifications/z"));
    engine_fixture_close_engine(&fixture);
    engine_notify(&fixture.engine, "notifications/z", NULL, 0);
    engine_fixture_close(&fixture);
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
        cmocka_unit_test(progress_tokens_of_no_call_reach_no_callback),
        cmocka_unit_test(notifications_go_out_while_ready_and_are_dropped_else),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_ends", tests, NULL, NULL);
}

/* Calls beyond the one: their order, the queue's limits, what may be in flight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

/* The calls that the peer holds, in the order in which they came, as "1 2 3". */
static const char *held(void)
{
    static char text[4096];
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < fixture.line_count; i++) {
        if (fixture.lines[i].call_id > 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llu", n > 0 ? " " : "",
                                  (unsigned long long)fixture.lines[i].call_id);
    }
    return text;
}

/* ---- order ---- */

static void calls_that_waited_go_out_in_their_order(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.call = REPLY_NONE;
    for (int i = 0; i < 10; i++)
        (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    assert_int_equal(engine_fixture_health(&fixture).waiting, 10);
    engine_fixture_connect(&fixture);
    assert_string_equal(held(), "1 2 3 4 5 6 7 8 9 10");
    engine_fixture_close(&fixture);
}

static void after_a_loss_the_old_order_holds(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.in_flight_max = 4;
    engine_fixture_open_live(&fixture, &o);
    fixture.script.call = REPLY_NONE;
    fixture.not_reading = true;
    for (int i = 0; i < 8; i++) /* 4 in flight and unsent, 4 waiting */
        (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    assert_int_equal(engine_fixture_health(&fixture).in_flight, 4);
    assert_int_equal(engine_fixture_health(&fixture).waiting, 4);
    engine_fixture_lose(&fixture);
    assert_int_equal(engine_fixture_health(&fixture).in_flight, 0);
    assert_int_equal(engine_fixture_health(&fixture).waiting, 8);
    (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    fixture.not_reading = false;
    engine_fixture_back_to_live(&fixture);
    engine_fixture_pump(&fixture);
    assert_string_equal(held(), "1 2 3 4");
    engine_fixture_answer(&fixture, 2);
    engine_fixture_pump(&fixture);
    assert_string_equal(held(), "1 3 4 5");
    for (uint64_t id = 1; id <= 9; id++) {
        if (id != 2)
            engine_fixture_answer(&fixture, id);
        engine_fixture_pump(&fixture);
    }
    assert_int_equal(fixture.completed, 9);
    engine_fixture_close(&fixture);
}

static void after_a_loss_idempotent_ones_come_before_what_waited(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.in_flight_max = 2;
    engine_fixture_open_live(&fixture, &o);
    fixture.script.call = REPLY_NONE;
    for (int i = 0; i < 4; i++)
        (void)engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .idempotent = true});
    engine_fixture_pump(&fixture);
    assert_string_equal(held(), "1 2");
    engine_fixture_lose(&fixture);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_pump(&fixture);
    assert_string_equal(held(), "1 2");
    assert_int_equal(fixture.calls[1].seen, 2);
    engine_fixture_close(&fixture);
}

/* A call that the relay puts off must not be overtaken for ever, and must not hold the others up either. */
static void a_call_to_retry_later_does_not_hold_up_the_rest(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    engine_fixture_pump(&fixture);
    engine_fixture_answer_relay_error(&fixture, 1, true, false, 20000);
    uint64_t reported_at_ms = fixture.now_ms;
    (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    engine_fixture_advance(&fixture, 2100);
    assert_string_equal(held(), "2");
    engine_fixture_until(&fixture, reported_at_ms + 19999);
    assert_string_equal(held(), "2");
    engine_fixture_advance(&fixture, 2001);
    assert_string_equal(held(), "2 1");
    engine_fixture_close(&fixture);
}

/* Not before the server has shown itself well. */
static void a_retry_comes_with_the_next_good_poll(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = fixture.script.list = REPLY_NONE;
    (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    engine_fixture_pump(&fixture);
    engine_fixture_answer_relay_error(&fixture, 1, true, false, 500);
    engine_fixture_advance(&fixture, 5000);
    assert_string_equal(held(), "");
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);
    engine_fixture_pump(&fixture);
    assert_string_equal(held(), "1");
    engine_fixture_close(&fixture);
}

static void relay_methods_queue_among_the_others(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.in_flight_max = 1;
    engine_fixture_open_live(&fixture, &o);
    fixture.script.call = REPLY_NONE;
    for (int i = 0; i < 6; i++)
        (void)engine_fixture_submit(&fixture,
                                    &(struct call_spec){.method = i % 2 ? "relay/status" : "tools/call"});
    for (uint64_t id = 1; id <= 6; id++) {
        engine_fixture_pump(&fixture);
        engine_fixture_answer(&fixture, id);
    }
    assert_int_equal(fixture.outstanding, 0);
    engine_fixture_close(&fixture);
}

/* Time alone decides when the server is asked again. */
static void without_a_list_the_time_alone_decides_about_a_retry(void **state)
{
    (void)state;
    for (int unlisted = 0; unlisted < 2; unlisted++) {
        struct ar_options o = engine_fixture_options();
        o.agents_poll_ms = unlisted ? 2000 : AR_NEVER;
        engine_fixture_open(&fixture, &o);
        engine_fixture_start(&fixture);
        fixture.script.list = fixture.script.tool = REPLY_UNKNOWN;
        fixture.script.call = REPLY_NONE;
        engine_fixture_connect(&fixture);
        assert_int_equal(fixture.last.state, AR_LIVE);
        (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
        engine_fixture_pump(&fixture);
        engine_fixture_answer_relay_error(&fixture, 1, true, false, 0);
        engine_fixture_advance(&fixture, ENGINE_RETRY_MS - 1);
        assert_string_equal(held(), "");
        engine_fixture_advance(&fixture, 1);
        assert_string_equal(held(), "1");
        engine_fixture_close(&fixture);
    }
}

static void a_retry_comes_also_when_the_list_goes_away(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    (void)engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    engine_fixture_pump(&fixture);
    fixture.script.list = fixture.script.tool = REPLY_UNKNOWN;
    engine_fixture_answer_relay_error(&fixture, 1, true, false, 0);
    engine_fixture_advance(&fixture, 2000);
    assert_int_equal(fixture.last.count, 0);
    assert_string_equal(held(), "1");
    engine_fixture_close(&fixture);
}

/* ---- limits ---- */

static void queue_overflow_fires_its_failures(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.queue_max_calls = 3;
    engine_fixture_open(&fixture, &o);
    engine_fixture_start(&fixture);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(engine_fixture_submit_plain(&fixture, AR_WAIT), i);
        if (i <= 3)
            engine_fixture_expect_open(&fixture, i);
        else
            engine_fixture_expect(&fixture, i, AR_E_QUEUE_FULL, false);
    }
    engine_fixture_cancel(&fixture, 2);
    (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    engine_fixture_expect_open(&fixture, 6);
    (void)engine_fixture_submit_plain(&fixture, AR_WAIT);
    engine_fixture_expect(&fixture, 7, AR_E_QUEUE_FULL, false);
    engine_fixture_connect(&fixture);
    engine_fixture_expect_ok(&fixture, 6, AR_SOURCE_LIVE);
    assert_int_equal(fixture.completed, 7);
    engine_fixture_close(&fixture);
}

static void the_queue_is_bounded_in_bytes(void **state)
{
    (void)state;
    /* "m" and "[1,2,3]" are 8 bytes a call. */
    for (size_t limit = 23; limit <= 25; limit++) {
        struct ar_options o = engine_fixture_options();
        o.queue_max_bytes = limit;
        engine_fixture_open(&fixture, &o);
        engine_fixture_start(&fixture);
        for (int i = 0; i < 3; i++)
            (void)engine_fixture_submit(
                &fixture, &(struct call_spec){.method = "m", .params = "[1,2,3]", .policy = AR_WAIT});
        engine_fixture_expect_open(&fixture, 2);
        if (limit < 24)
            engine_fixture_expect(&fixture, 3, AR_E_QUEUE_FULL, false);
        else
            engine_fixture_expect_open(&fixture, 3);
        assert_int_equal(fixture.engine.waiting_bytes, limit < 24 ? 16 : 24);
        engine_fixture_cancel(&fixture, 1);
        (void)engine_fixture_submit(
            &fixture, &(struct call_spec){.method = "m", .params = "[1,2,3]", .policy = AR_WAIT});
        engine_fixture_expect_open(&fixture, 4);
        engine_fixture_connect(&fixture);
        assert_int_equal(fixture.engine.waiting_bytes, 0);
        engine_fixture_close(&fixture);
    }
}

static void no_more_than_in_flight_max_are_in_flight_whatever_their_policy(void **state)
{
    (void)state;
    static const enum ar_policy policies[] = {AR_FAIL_FAST, AR_WAIT, AR_MOCK};
    for (uint32_t max = 1; max <= 4; max++) {
        struct ar_options o = engine_fixture_options();
        o.in_flight_max = max;
        engine_fixture_open_live(&fixture, &o);
        fixture.script.call = REPLY_NONE;
        for (int i = 0; i < 9; i++)
            (void)engine_fixture_submit_plain(&fixture, policies[i % 3]);
        for (uint64_t i = 1; i <= 9; i++) {
            engine_fixture_pump(&fixture);
            assert_int_equal(engine_fixture_health(&fixture).in_flight, 10 - i < max ? 10 - i : max);
            engine_fixture_answer(&fixture, i);
            engine_fixture_expect_ok(&fixture, i, AR_SOURCE_LIVE);
        }
        engine_fixture_close(&fixture);
    }
}

/* Calls that wait for a free place while live, and then it is live no more. */
static void those_that_wait_for_a_place_follow_their_policy_when_the_link_goes(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.in_flight_max = 1;
    for (int server_only = 0; server_only < 2; server_only++) {
        engine_fixture_open_live(&fixture, &o);
        fixture.script.call = REPLY_NONE;
        uint64_t first = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        uint64_t fast = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        uint64_t mock =
            engine_fixture_submit(&fixture, &(struct call_spec){.method = "agents/list", .policy = AR_MOCK});
        uint64_t wait = engine_fixture_submit_plain(&fixture, AR_WAIT);
        uint64_t relay = engine_fixture_submit(&fixture, &(struct call_spec){.method = "relay/status"});
        engine_fixture_pump(&fixture);
        if (server_only) {
            fixture.script.list = REPLY_UNAVAILABLE;
            engine_fixture_advance(&fixture, 2000);
            assert_true(fixture.linked);
            engine_fixture_expect_open(&fixture, first);
            engine_fixture_expect_open(&fixture, relay);
        } else {
            engine_fixture_lose(&fixture);
            engine_fixture_expect(&fixture, first, AR_E_CONNECTION_LOST, true);
            assert_true(fixture.calls[relay].done);
            assert_false(fixture.calls[relay].may_have_run);
        }
        assert_int_equal(fixture.last.state, AR_DEGRADED);
        assert_true(fixture.calls[fast].done);
        assert_true(fixture.calls[fast].code == AR_E_DEGRADED ||
                    fixture.calls[fast].code == AR_E_CONNECTION_LOST);
        assert_false(fixture.calls[fast].may_have_run);
        engine_fixture_expect_ok(&fixture, mock, AR_SOURCE_MOCK);
        engine_fixture_expect_open(&fixture, wait);
        engine_fixture_close(&fixture);
    }
}

static void above_the_high_mark_calls_wait_for_the_link(void **state)
{
    (void)state;
    size_t len = 300000;
    char *params = malloc(len + 1);
    assert_non_null(params);
    memset(params, ' ', len);
    params[0] = '[';
    params[len - 1] = ']';
    params[len] = '\0';
    engine_fixture_open_live(&fixture, NULL);
    fixture.not_reading = true;
    for (int i = 0; i < 20; i++)
        (void)engine_fixture_submit(&fixture, &(struct call_spec){.params = params, .policy = AR_FAIL_FAST});
    free(params);
    assert_in_range(buf_len(&fixture.engine.out), ENGINE_OUT_HIGH_BYTES, ENGINE_OUT_HIGH_BYTES + len + 1000);
    assert_int_equal(fixture.engine.in_flight_count, 4);
    assert_int_equal(fixture.engine.waiting_count, 16);
    fixture.script.call = REPLY_NONE;
    (void)engine_fixture_read(&fixture, 500000);
    assert_in_range(fixture.engine.in_flight_count, 5, 6);
    fixture.not_reading = false;
    engine_fixture_pump(&fixture);
    assert_string_equal(held(), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
    engine_fixture_close(&fixture);
}

/* `out` filled to exactly `bytes` by one call; the next one is sent or waits. */
static bool next_is_sent_at(size_t bytes)
{
    static char params[ENGINE_OUT_HIGH_BYTES + 10];
    memset(params, ' ', sizeof(params));
    params[0] = '[';
    engine_fixture_open_live(&fixture, NULL);
    fixture.not_reading = true;
    (void)engine_fixture_submit(&fixture, &(struct call_spec){.params = "[]"});
    size_t envelope = buf_len(&fixture.engine.out) - 2;
    fixture.not_reading = false;
    engine_fixture_pump(&fixture);
    fixture.not_reading = true;
    params[bytes - envelope - 1] = ']';
    params[bytes - envelope] = '\0';
    (void)engine_fixture_submit(&fixture, &(struct call_spec){.params = params});
    assert_int_equal(buf_len(&fixture.engine.out), bytes);
    (void)engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    bool sent = fixture.engine.in_flight_count == 2;
    assert_int_equal(fixture.engine.waiting_count, sent ? 0 : 1);
    fixture.not_reading = false;
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.outstanding, 0);
    engine_fixture_close(&fixture);
    return sent;
}

static void the_high_mark_is_exact(void **state)
{
    (void)state;
    assert_true(next_is_sent_at(ENGINE_OUT_HIGH_BYTES - 1));
    assert_false(next_is_sent_at(ENGINE_OUT_HIGH_BYTES));
    assert_false(next_is_sent_at(ENGINE_OUT_HIGH_BYTES + 1));
}

static void a_call_is_too_large_at_the_frame_limit(void **state)
{
    (void)state;
    /* 200 bytes of room; the envelope's exact size is found by trying. */
    struct ar_options o = engine_fixture_options();
    size_t most = 0;
    o.frame_max_bytes = 200;
    o.agents_poll_ms = AR_NEVER;
    for (size_t n = 2; n < 220; n++) {
        char params[256];
        memset(params, ' ', n);
        params[0] = '[';
        params[n - 1] = ']';
        params[n] = '\0';
        const struct ar_call call = {
            .size = sizeof(call), .method = "m", .params = params, .policy = AR_WAIT};
        struct call *c;
        int rc = call_new(&call, 5, 1000, o.frame_max_bytes, &c);
        assert_true(rc == AR_OK || rc == AR_E_TOO_LARGE);
        if (rc == AR_OK) {
            struct buf out;
            buf_init(&out, 1000);
            c->id = UINT64_MAX; /* the longest */
            assert_int_equal(call_write(c, &out), 0);
            assert_true(buf_len(&out) <= 201); /* the newline is no part of the frame */
            assert_int_equal(most, n == 2 ? 0 : n - 1);
            most = n;
            buf_done(&out);
            call_free(c);
        }
    }
    assert_in_range(most, 100, 170);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_that_waited_go_out_in_their_order),
        cmocka_unit_test(after_a_loss_the_old_order_holds),
        cmocka_unit_test(after_a_loss_idempotent_ones_come_before_what_waited),
        cmocka_unit_test(a_call_to_retry_later_does_not_hold_up_the_rest),
        cmocka_unit_test(a_retry_comes_with_the_next_good_poll),
        cmocka_unit_test(relay_methods_queue_among_the_others),
        cmocka_unit_test(without_a_list_the_time_alone_decides_about_a_retry),
        cmocka_unit_test(a_retry_comes_also_when_the_list_goes_away),
        cmocka_unit_test(queue_overflow_fires_its_failures),
        cmocka_unit_test(the_queue_is_bounded_in_bytes),
        cmocka_unit_test(no_more_than_in_flight_max_are_in_flight_whatever_their_policy),
        cmocka_unit_test(those_that_wait_for_a_place_follow_their_policy_when_the_link_goes),
        cmocka_unit_test(above_the_high_mark_calls_wait_for_the_link),
        cmocka_unit_test(the_high_mark_is_exact),
        cmocka_unit_test(a_call_is_too_large_at_the_frame_limit),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_queue", tests, NULL, NULL);
}

/* Calls beyond the one: their order, the queue's limits, what may be in flight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

/* The calls that the peer holds, in the order in which they came, as "1 2 3". */
static const char *held(void)
{
    static char text[4096];
    size_t n = 0;
    text[0] = '\0';
    for (size_t i = 0; i < kit.line_count; i++) {
        if (kit.lines[i].call_id > 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llu", n > 0 ? " " : "",
                                  (unsigned long long)kit.lines[i].call_id);
    }
    return text;
}

/* ---- order ---- */

static void calls_that_waited_go_out_in_their_order(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.call = KIT_SILENT;
    for (int i = 0; i < 10; i++)
        (void)kit_ask_plain(&kit, AR_WAIT);
    assert_int_equal(kit_health(&kit).waiting, 10);
    kit_up(&kit);
    assert_string_equal(held(), "1 2 3 4 5 6 7 8 9 10");
    kit_close(&kit);
}

static void after_a_loss_the_old_order_holds(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.in_flight_max = 4;
    kit_go_live(&kit, &o);
    kit.script.call = KIT_SILENT;
    kit.deaf = true;
    for (int i = 0; i < 8; i++) /* 4 in flight and unsent, 4 waiting */
        (void)kit_ask_plain(&kit, AR_WAIT);
    assert_int_equal(kit_health(&kit).in_flight, 4);
    assert_int_equal(kit_health(&kit).waiting, 4);
    kit_lose(&kit);
    assert_int_equal(kit_health(&kit).in_flight, 0);
    assert_int_equal(kit_health(&kit).waiting, 8);
    (void)kit_ask_plain(&kit, AR_WAIT);
    kit.deaf = false;
    kit_back_to_live(&kit);
    kit_pump(&kit);
    assert_string_equal(held(), "1 2 3 4");
    kit_answer(&kit, 2);
    kit_pump(&kit);
    assert_string_equal(held(), "1 3 4 5");
    for (uint64_t id = 1; id <= 9; id++) {
        if (id != 2)
            kit_answer(&kit, id);
        kit_pump(&kit);
    }
    assert_int_equal(kit.completed, 9);
    kit_close(&kit);
}

static void after_a_loss_idempotent_ones_come_before_what_waited(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.in_flight_max = 2;
    kit_go_live(&kit, &o);
    kit.script.call = KIT_SILENT;
    for (int i = 0; i < 4; i++)
        (void)kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .idempotent = true});
    kit_pump(&kit);
    assert_string_equal(held(), "1 2");
    kit_lose(&kit);
    kit_back_to_live(&kit);
    kit_pump(&kit);
    assert_string_equal(held(), "1 2");
    assert_int_equal(kit.calls[1].seen, 2);
    kit_close(&kit);
}

/* A call told to wait must not be overtaken for ever, and must not hold the others up either. */
static void a_call_to_retry_later_does_not_hold_up_the_rest(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    (void)kit_ask_plain(&kit, AR_WAIT);
    kit_pump(&kit);
    kit_answer_relay_error(&kit, 1, true, false, 20000);
    uint64_t told_at_ms = kit.now_ms;
    (void)kit_ask_plain(&kit, AR_WAIT);
    kit_advance(&kit, 2100);
    assert_string_equal(held(), "2");
    kit_until(&kit, told_at_ms + 19999);
    assert_string_equal(held(), "2");
    kit_advance(&kit, 2001);
    assert_string_equal(held(), "2 1");
    kit_close(&kit);
}

/* Not before the server has shown itself well. */
static void a_retry_comes_with_the_next_good_poll(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = kit.script.list = KIT_SILENT;
    (void)kit_ask_plain(&kit, AR_WAIT);
    kit_pump(&kit);
    kit_answer_relay_error(&kit, 1, true, false, 500);
    kit_advance(&kit, 5000);
    assert_string_equal(held(), "");
    kit_answer_held(&kit, "agents/list", KIT_GOOD);
    kit_pump(&kit);
    assert_string_equal(held(), "1");
    kit_close(&kit);
}

static void relay_methods_queue_among_the_others(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.in_flight_max = 1;
    kit_go_live(&kit, &o);
    kit.script.call = KIT_SILENT;
    for (int i = 0; i < 6; i++)
        (void)kit_ask(&kit, &(struct kit_ask){.method = i % 2 ? "relay/status" : "tools/call"});
    for (uint64_t id = 1; id <= 6; id++) {
        kit_pump(&kit);
        kit_answer(&kit, id);
    }
    assert_int_equal(kit.outstanding, 0);
    kit_close(&kit);
}

/* Nothing tells when the server is back but time. */
static void without_a_list_the_time_alone_decides_about_a_retry(void **state)
{
    (void)state;
    for (int unlisted = 0; unlisted < 2; unlisted++) {
        struct ar_options o = kit_options();
        o.agents_poll_ms = unlisted ? 2000 : AR_NEVER;
        kit_open(&kit, &o);
        kit_start(&kit);
        kit.script.list = kit.script.tool = KIT_UNKNOWN;
        kit.script.call = KIT_SILENT;
        kit_up(&kit);
        assert_int_equal(kit.last.state, AR_LIVE);
        (void)kit_ask_plain(&kit, AR_WAIT);
        kit_pump(&kit);
        kit_answer_relay_error(&kit, 1, true, false, 0);
        kit_advance(&kit, ENGINE_RETRY_MS - 1);
        assert_string_equal(held(), "");
        kit_advance(&kit, 1);
        assert_string_equal(held(), "1");
        kit_close(&kit);
    }
}

static void a_retry_comes_also_when_the_list_goes_away(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    (void)kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    kit_pump(&kit);
    kit.script.list = kit.script.tool = KIT_UNKNOWN;
    kit_answer_relay_error(&kit, 1, true, false, 0);
    kit_advance(&kit, 2000);
    assert_int_equal(kit.last.count, 0);
    assert_string_equal(held(), "1");
    kit_close(&kit);
}

/* ---- limits ---- */

static void failures_20_queue_overflow_fires_its_failures(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.queue_max_calls = 3;
    kit_open(&kit, &o);
    kit_start(&kit);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_int_equal(kit_ask_plain(&kit, AR_WAIT), i);
        if (i <= 3)
            kit_expect_open(&kit, i);
        else
            kit_expect(&kit, i, AR_E_QUEUE_FULL, false);
    }
    kit_cancel(&kit, 2);
    (void)kit_ask_plain(&kit, AR_WAIT);
    kit_expect_open(&kit, 6);
    (void)kit_ask_plain(&kit, AR_WAIT);
    kit_expect(&kit, 7, AR_E_QUEUE_FULL, false);
    kit_up(&kit);
    kit_expect_ok(&kit, 6, AR_SOURCE_LIVE);
    assert_int_equal(kit.completed, 7);
    kit_close(&kit);
}

static void the_queue_is_bounded_in_bytes(void **state)
{
    (void)state;
    /* "m" and "[1,2,3]" are 8 bytes a call. */
    for (size_t limit = 23; limit <= 25; limit++) {
        struct ar_options o = kit_options();
        o.queue_max_bytes = limit;
        kit_open(&kit, &o);
        kit_start(&kit);
        for (int i = 0; i < 3; i++)
            (void)kit_ask(&kit, &(struct kit_ask){.method = "m", .params = "[1,2,3]", .policy = AR_WAIT});
        kit_expect_open(&kit, 2);
        if (limit < 24)
            kit_expect(&kit, 3, AR_E_QUEUE_FULL, false);
        else
            kit_expect_open(&kit, 3);
        assert_int_equal(kit.engine.waiting_bytes, limit < 24 ? 16 : 24);
        kit_cancel(&kit, 1);
        (void)kit_ask(&kit, &(struct kit_ask){.method = "m", .params = "[1,2,3]", .policy = AR_WAIT});
        kit_expect_open(&kit, 4);
        kit_up(&kit);
        assert_int_equal(kit.engine.waiting_bytes, 0);
        kit_close(&kit);
    }
}

static void no_more_than_in_flight_max_are_in_flight_whatever_their_policy(void **state)
{
    (void)state;
    static const enum ar_policy policies[] = {AR_FAIL_FAST, AR_WAIT, AR_MOCK};
    for (uint32_t max = 1; max <= 4; max++) {
        struct ar_options o = kit_options();
        o.in_flight_max = max;
        kit_go_live(&kit, &o);
        kit.script.call = KIT_SILENT;
        for (int i = 0; i < 9; i++)
            (void)kit_ask_plain(&kit, policies[i % 3]);
        for (uint64_t i = 1; i <= 9; i++) {
            kit_pump(&kit);
            assert_int_equal(kit_health(&kit).in_flight, 10 - i < max ? 10 - i : max);
            kit_answer(&kit, i);
            kit_expect_ok(&kit, i, AR_SOURCE_LIVE);
        }
        kit_close(&kit);
    }
}

/* Calls that wait for a free place while live, and then it is live no more. */
static void those_that_wait_for_a_place_follow_their_policy_when_the_link_goes(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.in_flight_max = 1;
    for (int server_only = 0; server_only < 2; server_only++) {
        kit_go_live(&kit, &o);
        kit.script.call = KIT_SILENT;
        uint64_t first = kit_ask_plain(&kit, AR_FAIL_FAST);
        uint64_t fast = kit_ask_plain(&kit, AR_FAIL_FAST);
        uint64_t mock = kit_ask(&kit, &(struct kit_ask){.method = "agents/list", .policy = AR_MOCK});
        uint64_t wait = kit_ask_plain(&kit, AR_WAIT);
        uint64_t relay = kit_ask(&kit, &(struct kit_ask){.method = "relay/status"});
        kit_pump(&kit);
        if (server_only) {
            kit.script.list = KIT_DOWN;
            kit_advance(&kit, 2000);
            assert_true(kit.linked);
            kit_expect_open(&kit, first);
            kit_expect_open(&kit, relay);
        } else {
            kit_lose(&kit);
            kit_expect(&kit, first, AR_E_CONNECTION_LOST, true);
            assert_true(kit.calls[relay].done);
            assert_false(kit.calls[relay].may_have_run);
        }
        assert_int_equal(kit.last.state, AR_DEGRADED);
        assert_true(kit.calls[fast].done);
        assert_true(kit.calls[fast].code == AR_E_DEGRADED || kit.calls[fast].code == AR_E_CONNECTION_LOST);
        assert_false(kit.calls[fast].may_have_run);
        kit_expect_ok(&kit, mock, AR_SOURCE_MOCK);
        kit_expect_open(&kit, wait);
        kit_close(&kit);
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
    kit_go_live(&kit, NULL);
    kit.deaf = true;
    for (int i = 0; i < 20; i++)
        (void)kit_ask(&kit, &(struct kit_ask){.params = params, .policy = AR_FAIL_FAST});
    free(params);
    assert_in_range(buf_len(&kit.engine.out), ENGINE_OUT_HIGH_BYTES, ENGINE_OUT_HIGH_BYTES + len + 1000);
    assert_int_equal(kit.engine.in_flight_count, 4);
    assert_int_equal(kit.engine.waiting_count, 16);
    kit.script.call = KIT_SILENT;
    (void)kit_take(&kit, 500000);
    assert_in_range(kit.engine.in_flight_count, 5, 6);
    kit.deaf = false;
    kit_pump(&kit);
    assert_string_equal(held(), "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20");
    kit_close(&kit);
}

/* `out` filled to exactly `bytes` by one call; the next one is sent or waits. */
static bool next_is_sent_at(size_t bytes)
{
    static char params[ENGINE_OUT_HIGH_BYTES + 10];
    memset(params, ' ', sizeof(params));
    params[0] = '[';
    kit_go_live(&kit, NULL);
    kit.deaf = true;
    (void)kit_ask(&kit, &(struct kit_ask){.params = "[]"});
    size_t envelope = buf_len(&kit.engine.out) - 2;
    kit.deaf = false;
    kit_pump(&kit);
    kit.deaf = true;
    params[bytes - envelope - 1] = ']';
    params[bytes - envelope] = '\0';
    (void)kit_ask(&kit, &(struct kit_ask){.params = params});
    assert_int_equal(buf_len(&kit.engine.out), bytes);
    (void)kit_ask_plain(&kit, AR_FAIL_FAST);
    bool sent = kit.engine.in_flight_count == 2;
    assert_int_equal(kit.engine.waiting_count, sent ? 0 : 1);
    kit.deaf = false;
    kit_pump(&kit);
    assert_int_equal(kit.outstanding, 0);
    kit_close(&kit);
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
    struct ar_options o = kit_options();
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
        cmocka_unit_test(failures_20_queue_overflow_fires_its_failures),
        cmocka_unit_test(the_queue_is_bounded_in_bytes),
        cmocka_unit_test(no_more_than_in_flight_max_are_in_flight_whatever_their_policy),
        cmocka_unit_test(those_that_wait_for_a_place_follow_their_policy_when_the_link_goes),
        cmocka_unit_test(above_the_high_mark_calls_wait_for_the_link),
        cmocka_unit_test(the_high_mark_is_exact),
        cmocka_unit_test(a_call_is_too_large_at_the_frame_limit),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_queue", tests, NULL, NULL);
}

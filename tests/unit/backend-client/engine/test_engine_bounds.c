/* What a relay that refuses, contradicts itself or is given much time must not do: fill the queue without
 * end, have a call run twice, be given up too early; and what many calls that go back at once keep: their
 * order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

/* Each is written at once, since those that were refused wait elsewhere: the limits hold all the same. */
static void a_relay_that_refuses_all_does_not_fill_the_queue_without_end(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit <= 3; limit++) {
        struct ar_options o = engine_fixture_options();
        o.queue_max_calls = limit;
        engine_fixture_open_live(&fixture, &o);
        fixture.script.call = REPLY_NONE;
        for (uint64_t id = 1; id <= 5; id++) {
            assert_int_equal(engine_fixture_submit_plain(&fixture, AR_WAIT), id);
            engine_fixture_pump(&fixture);
            engine_fixture_answer_relay_error(&fixture, id, true, false, 60000);
            if (id <= limit)
                engine_fixture_expect_open(&fixture, id);
            else
                engine_fixture_expect(&fixture, id, AR_E_QUEUE_FULL, false);
        }
        assert_int_equal(engine_fixture_health(&fixture).waiting, limit);
        engine_fixture_close(&fixture);
    }
}

static void refused_calls_count_against_the_bytes_too(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.queue_max_bytes = 16; /* "m" and "[1,2,3]" are 8 */
    engine_fixture_open_live(&fixture, &o);
    fixture.script.call = REPLY_NONE;
    for (uint64_t id = 1; id <= 3; id++) {
        (void)engine_fixture_submit(
            &fixture, &(struct call_spec){.method = "m", .params = "[1,2,3]", .policy = AR_WAIT});
        engine_fixture_pump(&fixture);
        engine_fixture_answer_relay_error(&fixture, id, true, false, 60000);
    }
    engine_fixture_expect_open(&fixture, 2);
    engine_fixture_expect(&fixture, 3, AR_E_QUEUE_FULL, false);
    assert_int_equal(fixture.engine.waiting_bytes, 16);
    engine_fixture_close(&fixture);
}

static void what_was_sent_is_not_sent_again_even_if_called_retryable(void **state)
{
    (void)state;
    static const enum ar_policy policies[] = {AR_FAIL_FAST, AR_WAIT, AR_MOCK};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        engine_fixture_open_live(&fixture, NULL);
        fixture.script.call = REPLY_NONE;
        uint64_t id = engine_fixture_submit(
            &fixture, &(struct call_spec){.method = "agents/list", .policy = policies[i]});
        engine_fixture_pump(&fixture);
        engine_fixture_answer_relay_error(&fixture, id, true, true, 0);
        engine_fixture_expect(&fixture, id, AR_E_SERVER, true);
        engine_fixture_advance(&fixture, 5000);
        assert_int_equal(fixture.calls[id].seen, 1);
        engine_fixture_close(&fixture);
    }
}

static void the_link_is_dead_only_after_dead_after_ms(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.agents_poll_ms = AR_NEVER;
    o.dead_after_ms = 300000;
    engine_fixture_open_live(&fixture, &o);
    fixture.script.ping = REPLY_NONE;
    uint64_t received_at_ms = fixture.now_ms;
    engine_fixture_until(&fixture, received_at_ms + 299999);
    assert_true(fixture.linked);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_until(&fixture, received_at_ms + 300000);
    assert_false(fixture.linked);
    engine_fixture_close(&fixture);
}

/* Polls that are further apart than agents_timeout_ms: one busy answer is still no outage. */
static void a_busy_relay_has_its_time_also_where_polls_are_rare(void **state)
{
    static const char busy[] =
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-31003,\"message\":\"busy\",\"data\":{\"relay\":true,\"code\":\"OVERLOADED\",\"retryable\":true}}}";
    (void)state;
    for (int unlisted = 0; unlisted < 2; unlisted++) {
        struct ar_options o = engine_fixture_options();
        uint64_t interval_ms = unlisted ? 30000 : 60000;
        o.agents_poll_ms = unlisted ? 2000 : 60000;
        engine_fixture_open(&fixture, &o);
        engine_fixture_start(&fixture);
        fixture.script.list = fixture.script.tool = unlisted ? REPLY_UNKNOWN : REPLY_GOOD;
        engine_fixture_connect(&fixture);
        fixture.script.list = fixture.script.tool = REPLY_NONE;
        uint64_t end_ms = fixture.now_ms + interval_ms + o.agents_timeout_ms;
        unsigned busy_answers = 0;
        while (fixture.now_ms < end_ms) {
            assert_int_equal(fixture.last.state, AR_LIVE);
            engine_fixture_advance(&fixture, 1);
            const struct received_line *line = engine_fixture_find_line(&fixture, "agents/list");
            if (line) {
                engine_fixture_sendf(&fixture, busy, line->id);
                engine_fixture_forget_lines(&fixture);
                busy_answers++;
            }
        }
        assert_in_range(busy_answers, 2, 10);
        assert_int_equal(fixture.last.state, AR_DEGRADED);
        engine_fixture_close(&fixture);
    }
}

/* The calls that the peer holds, in the order in which they came. */
static void expect_held(const char *wanted)
{
    char text[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < fixture.line_count; i++) {
        if (fixture.lines[i].call_id > 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llu", n > 0 ? " " : "",
                                  (unsigned long long)fixture.lines[i].call_id);
    }
    assert_string_equal(text, wanted);
}

/* Answers the call that came first of those that the peer holds; 0: it holds none. */
static uint64_t answer_first(void)
{
    engine_fixture_pump(&fixture);
    for (size_t i = 0; i < fixture.line_count; i++) {
        uint64_t id = fixture.lines[i].call_id;
        if (id > 0) {
            engine_fixture_answer(&fixture, id);
            return id;
        }
    }
    return 0;
}

/* Refused ones come back before, between and behind those that wait, and then the link goes as well. */
static void calls_go_back_to_their_old_places(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.in_flight_max = 4;
    engine_fixture_open_live(&fixture, &o);
    fixture.script.call = fixture.script.list = REPLY_NONE;
    for (int i = 0; i < 12; i++) {
        const char *method = i % 3 == 2 ? "relay/status" : "tools/call";
        (void)engine_fixture_submit(
            &fixture, &(struct call_spec){.method = method, .policy = AR_WAIT, .idempotent = true});
    }
    engine_fixture_pump(&fixture);
    expect_held("1 2 3 4");
    for (uint64_t id = 4; id >= 1; id--) /* backwards */
        engine_fixture_answer_relay_error(&fixture, id, true, false, 0);
    engine_fixture_pump(&fixture);
    expect_held("5 6 7 8");
    engine_fixture_answer_relay_error(&fixture, 7, true, false, 0);
    engine_fixture_pump(&fixture);
    expect_held("5 6 8 9");
    engine_fixture_advance(&fixture,
                           ENGINE_RETRY_MS); /* 3 waits among the others again; 1, 2, 4 and 7 for a poll */
    engine_fixture_lose(&fixture);
    assert_int_equal(engine_fixture_health(&fixture).waiting, 12);
    engine_fixture_back_to_live(&fixture);
    fixture.script.list = REPLY_GOOD;
    uint64_t last[2] = {0,
                        0}; /* relay/ methods do not wait for the server: they have an order of their own */
    for (uint64_t id = answer_first(); id != 0; id = answer_first()) {
        assert_true(id > last[fixture.calls[id].to_relay]);
        last[fixture.calls[id].to_relay] = id;
    }
    assert_int_equal(last[0], 11);
    assert_int_equal(last[1], 12);
    assert_int_equal(fixture.completed, 12);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_that_refuses_all_does_not_fill_the_queue_without_end),
        cmocka_unit_test(refused_calls_count_against_the_bytes_too),
        cmocka_unit_test(what_was_sent_is_not_sent_again_even_if_called_retryable),
        cmocka_unit_test(the_link_is_dead_only_after_dead_after_ms),
        cmocka_unit_test(a_busy_relay_has_its_time_also_where_polls_are_rare),
        cmocka_unit_test(calls_go_back_to_their_old_places),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_bounds", tests, NULL, NULL);
}

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

static struct kit kit;

/* Each is written at once, since those that were refused wait elsewhere: the limits hold all the same. */
static void a_relay_that_refuses_all_does_not_fill_the_queue_without_end(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit <= 3; limit++) {
        struct ar_options o = kit_options();
        o.queue_max_calls = limit;
        kit_go_live(&kit, &o);
        kit.script.call = KIT_SILENT;
        for (uint64_t id = 1; id <= 5; id++) {
            assert_int_equal(kit_ask_plain(&kit, AR_WAIT), id);
            kit_pump(&kit);
            kit_answer_relay_error(&kit, id, true, false, 60000);
            if (id <= limit)
                kit_expect_open(&kit, id);
            else
                kit_expect(&kit, id, AR_E_QUEUE_FULL, false);
        }
        assert_int_equal(kit_health(&kit).waiting, limit);
        kit_close(&kit);
    }
}

static void refused_calls_count_against_the_bytes_too(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.queue_max_bytes = 16; /* "m" and "[1,2,3]" are 8 */
    kit_go_live(&kit, &o);
    kit.script.call = KIT_SILENT;
    for (uint64_t id = 1; id <= 3; id++) {
        (void)kit_ask(&kit, &(struct kit_ask){.method = "m", .params = "[1,2,3]", .policy = AR_WAIT});
        kit_pump(&kit);
        kit_answer_relay_error(&kit, id, true, false, 60000);
    }
    kit_expect_open(&kit, 2);
    kit_expect(&kit, 3, AR_E_QUEUE_FULL, false);
    assert_int_equal(kit.engine.waiting_bytes, 16);
    kit_close(&kit);
}

static void what_was_sent_is_not_sent_again_whoever_calls_it_retryable(void **state)
{
    (void)state;
    static const enum ar_policy policies[] = {AR_FAIL_FAST, AR_WAIT, AR_MOCK};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        kit_go_live(&kit, NULL);
        kit.script.call = KIT_SILENT;
        uint64_t id = kit_ask(&kit, &(struct kit_ask){.method = "agents/list", .policy = policies[i]});
        kit_pump(&kit);
        kit_answer_relay_error(&kit, id, true, true, 0);
        kit_expect(&kit, id, AR_E_SERVER, true);
        kit_advance(&kit, 5000);
        assert_int_equal(kit.calls[id].seen, 1);
        kit_close(&kit);
    }
}

static void the_link_is_dead_only_after_dead_after_ms(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.agents_poll_ms = AR_NEVER;
    o.dead_after_ms = 300000;
    kit_go_live(&kit, &o);
    kit.script.ping = KIT_SILENT;
    uint64_t heard_at_ms = kit.now_ms;
    kit_until(&kit, heard_at_ms + 299999);
    assert_true(kit.linked);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_until(&kit, heard_at_ms + 300000);
    assert_false(kit.linked);
    kit_close(&kit);
}

/* Polls that are further apart than agents_timeout_ms: one busy answer is still no outage. */
static void a_busy_relay_has_its_time_also_where_polls_are_rare(void **state)
{
    static const char busy[] =
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-31003,\"message\":\"busy\",\"data\":{\"relay\":true,\"code\":\"OVERLOADED\",\"retryable\":true}}}";
    (void)state;
    for (int unlisted = 0; unlisted < 2; unlisted++) {
        struct ar_options o = kit_options();
        uint64_t interval_ms = unlisted ? 30000 : 60000;
        o.agents_poll_ms = unlisted ? 2000 : 60000;
        kit_open(&kit, &o);
        kit_start(&kit);
        kit.script.list = kit.script.tool = unlisted ? KIT_UNKNOWN : KIT_GOOD;
        kit_up(&kit);
        kit.script.list = kit.script.tool = KIT_SILENT;
        uint64_t end_ms = kit.now_ms + interval_ms + o.agents_timeout_ms;
        unsigned busy_answers = 0;
        while (kit.now_ms < end_ms) {
            assert_int_equal(kit.last.state, AR_LIVE);
            kit_advance(&kit, 1);
            const struct kit_line *line = kit_find(&kit, "agents/list");
            if (line) {
                kit_sayf(&kit, busy, line->id);
                kit_forget_lines(&kit);
                busy_answers++;
            }
        }
        assert_in_range(busy_answers, 2, 10);
        assert_int_equal(kit.last.state, AR_DEGRADED);
        kit_close(&kit);
    }
}

/* The calls that the peer holds, in the order in which they came. */
static void expect_held(const char *wanted)
{
    char text[256] = "";
    size_t n = 0;
    for (size_t i = 0; i < kit.line_count; i++) {
        if (kit.lines[i].call_id > 0)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%llu", n > 0 ? " " : "",
                                  (unsigned long long)kit.lines[i].call_id);
    }
    assert_string_equal(text, wanted);
}

/* Answers the call that came first of those that the peer holds; 0: it holds none. */
static uint64_t answer_first(void)
{
    kit_pump(&kit);
    for (size_t i = 0; i < kit.line_count; i++) {
        uint64_t id = kit.lines[i].call_id;
        if (id > 0) {
            kit_answer(&kit, id);
            return id;
        }
    }
    return 0;
}

/* Refused ones come back before, between and behind those that wait, and then the link goes as well. */
static void calls_go_back_to_their_old_places(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.in_flight_max = 4;
    kit_go_live(&kit, &o);
    kit.script.call = kit.script.list = KIT_SILENT;
    for (int i = 0; i < 12; i++) {
        const char *method = i % 3 == 2 ? "relay/status" : "tools/call";
        (void)kit_ask(&kit, &(struct kit_ask){.method = method, .policy = AR_WAIT, .idempotent = true});
    }
    kit_pump(&kit);
    expect_held("1 2 3 4");
    for (uint64_t id = 4; id >= 1; id--) /* backwards */
        kit_answer_relay_error(&kit, id, true, false, 0);
    kit_pump(&kit);
    expect_held("5 6 7 8");
    kit_answer_relay_error(&kit, 7, true, false, 0);
    kit_pump(&kit);
    expect_held("5 6 8 9");
    kit_advance(&kit, ENGINE_RETRY_MS); /* 3 waits among the others again; 1, 2, 4 and 7 for a poll */
    kit_lose(&kit);
    assert_int_equal(kit_health(&kit).waiting, 12);
    kit_back_to_live(&kit);
    kit.script.list = KIT_GOOD;
    uint64_t last[2] = {0,
                        0}; /* relay/ methods do not wait for the server: they have an order of their own */
    for (uint64_t id = answer_first(); id != 0; id = answer_first()) {
        assert_true(id > last[kit.calls[id].to_relay]);
        last[kit.calls[id].to_relay] = id;
    }
    assert_int_equal(last[0], 11);
    assert_int_equal(last[1], 12);
    assert_int_equal(kit.completed, 12);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_relay_that_refuses_all_does_not_fill_the_queue_without_end),
        cmocka_unit_test(refused_calls_count_against_the_bytes_too),
        cmocka_unit_test(what_was_sent_is_not_sent_again_whoever_calls_it_retryable),
        cmocka_unit_test(the_link_is_dead_only_after_dead_after_ms),
        cmocka_unit_test(a_busy_relay_has_its_time_also_where_polls_are_rare),
        cmocka_unit_test(calls_go_back_to_their_old_places),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_bounds", tests, NULL, NULL);
}

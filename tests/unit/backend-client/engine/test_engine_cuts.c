/* The conversation broken off at every byte and at every event, by a loss or by the end; and cut into chunks
 * of every size, which must make no difference.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"
#include "tests/unit/backend-client/engine/engine_script.h"
#include "tests/unit/common/fault_alloc.h"

static struct kit kit;

static void lose(struct kit *k)
{
    if (k->linked)
        kit_lose(k);
}

static void close_it(struct kit *k)
{
    kit_close_engine(k);
}

enum cut { SAID, HEARD, EVENT };

/* Gives false when the conversation was over before the cut. */
static bool talk_until(enum cut cut, uint64_t at, void (*then)(struct kit *k))
{
    struct ar_options o = talk_options();
    fault_alloc_install();
    kit_open(&kit, &o);
    kit.on_enough = then;
    if (cut == SAID)
        kit.say_at_most = at;
    else if (cut == HEARD)
        kit.hear_at_most = at;
    else
        kit.event_at_most = at;
    talk(&kit);
    bool was_cut =
        kit.say_at_most == UINT64_MAX && kit.hear_at_most == UINT64_MAX && kit.event_at_most == UINT64_MAX;
    kit.say_at_most = kit.hear_at_most = kit.event_at_most = UINT64_MAX;
    talk_settle(&kit);
    kit_close(&kit);
    assert_int_equal(kit.completed, kit.calls_made);
    assert_int_equal(fault_alloc_live(), 0);
    return was_cut;
}

static void cut_everywhere(enum cut cut, void (*then)(struct kit *k), uint64_t at_least)
{
    uint64_t at = 0;
    while (talk_until(cut, at, then))
        at++;
    printf("%llu cuts\n", (unsigned long long)at);
    assert_true(at >= at_least);
}

static void the_conversation_as_it_is(void **state)
{
    (void)state;
    struct ar_options o = talk_options();
    kit_open(&kit, &o);
    talk(&kit);
    assert_int_equal(kit.last.state, AR_LIVE);
    talk_settle(&kit);
    unsigned ok = 0;
    unsigned mocked = 0;
    unsigned failed = 0;
    for (uint64_t id = 1; id <= kit.calls_made; id++) {
        ok += kit.calls[id].code == AR_OK && kit.calls[id].source == AR_SOURCE_LIVE;
        mocked += kit.calls[id].code == AR_OK && kit.calls[id].source == AR_SOURCE_MOCK;
        failed += kit.calls[id].code != AR_OK;
    }
    assert_in_range(ok, 3, 20);
    assert_in_range(mocked, 2, 20);
    assert_in_range(failed, 3, 20);
    kit_close(&kit);
}

static void lost_at_every_byte_of_the_peers(void **state)
{
    (void)state;
    cut_everywhere(SAID, lose, 1500);
}

static void lost_at_every_byte_of_ours(void **state)
{
    (void)state;
    cut_everywhere(HEARD, lose, 1500);
}

static void closing_at_every_byte_of_the_peers(void **state)
{
    (void)state;
    cut_everywhere(SAID, close_it, 1500);
}

static void closing_at_every_byte_of_ours(void **state)
{
    (void)state;
    cut_everywhere(HEARD, close_it, 1500);
}

static void closing_at_every_event(void **state)
{
    (void)state;
    cut_everywhere(EVENT, close_it, 80);
}

/* FAILURES 10: the verdict must not depend on how the bytes were chunked. */
static void failures_10_chunks_make_no_difference(void **state)
{
    char *whole = NULL;
    (void)state;
    for (size_t chunk = 0; chunk <= 300; chunk++) {
        struct ar_options o = talk_options();
        kit_open(&kit, &o);
        kit.tracing = true;
        kit.chunk = chunk;
        talk(&kit);
        talk_settle(&kit);
        kit_close_engine(&kit);
        if (whole) {
            assert_string_equal(kit.trace, whole);
        } else {
            whole = strdup(kit.trace);
            assert_non_null(whole);
            assert_in_range(strlen(whole), 5000, 100000);
        }
        kit_close(&kit);
    }
    free(whole);
}

/* Many answers in one piece, cut in two at every place. */
static void answers_in_one_piece_cut_anywhere(void **state)
{
    char blob[2000] = "";
    size_t len = 0;
    (void)state;
    for (int id = 10; id >= 1; id--)
        len += (size_t)snprintf(blob + len, sizeof(blob) - len,
                                "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"v\":\"\u20ac\u00e9%d\"}}\r\n",
                                id, id);
    for (size_t cut = 0; cut <= len; cut++) {
        kit_go_live(&kit, NULL);
        kit.script.call = KIT_SILENT;
        for (int i = 0; i < 10; i++)
            (void)kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
        for (int i = 1; i <= 10; i++)
            kit.calls[i].answers++;
        kit_say_bytes(&kit, blob, cut);
        kit_say_bytes(&kit, blob + cut, len - cut);
        for (uint64_t i = 1; i <= 10; i++) {
            char expected[64];
            (void)snprintf(expected, sizeof(expected), "{\"v\":\"\u20ac\u00e9%llu\"}", (unsigned long long)i);
            kit_expect_ok(&kit, i, AR_SOURCE_LIVE);
            assert_string_equal(kit.calls[i].result, expected);
        }
        kit_close(&kit);
    }
}

/* ---- the end ---- */

static void closing_twice_is_closing_once(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit_close_engine(&kit);
    uint64_t publications = kit.publications;
    uint64_t states = kit.states;
    kit_close_engine(&kit);
    kit_tick(&kit);
    kit_cancel(&kit, 1);
    engine_probe(&kit.engine, 200, "", kit.now_ms);
    engine_notify(&kit.engine, "notifications/x", NULL, 0);
    assert_int_equal(kit.publications, publications);
    assert_int_equal(kit.states, states);
    for (int policy = AR_FAIL_FAST; policy <= AR_MOCK; policy++)
        kit_expect(&kit, kit_ask_plain(&kit, (enum ar_policy)policy), AR_E_CLOSED, false);
    assert_int_equal(kit_health(&kit).state, AR_CLOSED);
    assert_int_not_equal(kit_health(&kit).relay, AR_REACH_UP);
    assert_int_equal(kit_health(&kit).next_attempt_in_ms, -1);
    kit_close(&kit);
}

static void closing_before_the_start(void **state)
{
    (void)state;
    fault_alloc_install();
    kit_open(&kit, NULL);
    kit_close(&kit);
    assert_int_equal(fault_alloc_live(), 0);
}

static void failures_20_closing_during_a_reconnect(void **state)
{
    (void)state;
    for (int moment = 0; moment < 4; moment++) {
        kit_go_live(&kit, NULL);
        kit_lose(&kit); /* waiting for the next attempt */
        uint64_t id = kit_ask_plain(&kit, AR_WAIT);
        if (moment > 0)
            kit_until(&kit, kit.now_ms + 1000); /* the attempt is under way */
        kit.script.init = moment < 3 ? KIT_SILENT : KIT_GOOD;
        kit.script.list = KIT_SILENT;
        if (moment > 1)
            kit_up(&kit); /* initialize, or the first poll, is under way */
        kit_close_engine(&kit);
        kit_expect(&kit, id, AR_E_CLOSED, false);
        kit_close(&kit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_conversation_as_it_is),
        cmocka_unit_test(lost_at_every_byte_of_the_peers),
        cmocka_unit_test(lost_at_every_byte_of_ours),
        cmocka_unit_test(closing_at_every_byte_of_the_peers),
        cmocka_unit_test(closing_at_every_byte_of_ours),
        cmocka_unit_test(closing_at_every_event),
        cmocka_unit_test(failures_10_chunks_make_no_difference),
        cmocka_unit_test(answers_in_one_piece_cut_anywhere),
        cmocka_unit_test(closing_twice_is_closing_once),
        cmocka_unit_test(closing_before_the_start),
        cmocka_unit_test(failures_20_closing_during_a_reconnect),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_cuts", tests, NULL, NULL);
}

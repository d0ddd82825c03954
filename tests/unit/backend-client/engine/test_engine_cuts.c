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

static struct engine_fixture fixture;

static void lose(struct engine_fixture *k)
{
    if (k->linked)
        engine_fixture_lose(k);
}

static void close_it(struct engine_fixture *k)
{
    engine_fixture_close_engine(k);
}

enum cut { SAID, HEARD, EVENT };

/* Gives false when the conversation was over before the cut. */
static bool run_script_until(enum cut cut, uint64_t at, void (*then)(struct engine_fixture *k))
{
    struct ar_options o = engine_script_options();
    fault_alloc_install();
    engine_fixture_open(&fixture, &o);
    fixture.on_limit = then;
    if (cut == SAID)
        fixture.send_at_most = at;
    else if (cut == HEARD)
        fixture.receive_at_most = at;
    else
        fixture.event_at_most = at;
    engine_script_run(&fixture);
    bool was_cut = fixture.send_at_most == UINT64_MAX && fixture.receive_at_most == UINT64_MAX &&
                   fixture.event_at_most == UINT64_MAX;
    fixture.send_at_most = fixture.receive_at_most = fixture.event_at_most = UINT64_MAX;
    engine_script_settle(&fixture);
    engine_fixture_close(&fixture);
    assert_int_equal(fixture.completed, fixture.calls_made);
    assert_int_equal(fault_alloc_live(), 0);
    return was_cut;
}

static void cut_everywhere(enum cut cut, void (*then)(struct engine_fixture *k), uint64_t at_least)
{
    uint64_t at = 0;
    while (run_script_until(cut, at, then))
        at++;
    printf("%llu cuts\n", (unsigned long long)at);
    assert_true(at >= at_least);
}

static void the_conversation_as_it_is(void **state)
{
    (void)state;
    struct ar_options o = engine_script_options();
    engine_fixture_open(&fixture, &o);
    engine_script_run(&fixture);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_script_settle(&fixture);
    unsigned ok = 0;
    unsigned mocked = 0;
    unsigned failed = 0;
    for (uint64_t id = 1; id <= fixture.calls_made; id++) {
        ok += fixture.calls[id].code == AR_OK && fixture.calls[id].source == AR_SOURCE_LIVE;
        mocked += fixture.calls[id].code == AR_OK && fixture.calls[id].source == AR_SOURCE_MOCK;
        failed += fixture.calls[id].code != AR_OK;
    }
    assert_in_range(ok, 3, 20);
    assert_in_range(mocked, 2, 20);
    assert_in_range(failed, 3, 20);
    engine_fixture_close(&fixture);
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

/* The outcome must not depend on how the bytes were chunked. */
static void chunks_make_no_difference(void **state)
{
    char *whole = NULL;
    (void)state;
    for (size_t chunk = 0; chunk <= 300; chunk++) {
        struct ar_options o = engine_script_options();
        engine_fixture_open(&fixture, &o);
        fixture.tracing = true;
        fixture.chunk = chunk;
        engine_script_run(&fixture);
        engine_script_settle(&fixture);
        engine_fixture_close_engine(&fixture);
        if (whole) {
            assert_string_equal(fixture.trace, whole);
        } else {
            whole = strdup(fixture.trace);
            assert_non_null(whole);
            assert_in_range(strlen(whole), 5000, 100000);
        }
        engine_fixture_close(&fixture);
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
        engine_fixture_open_live(&fixture, NULL);
        fixture.script.call = REPLY_NONE;
        for (int i = 0; i < 10; i++)
            (void)engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
        for (int i = 1; i <= 10; i++)
            fixture.calls[i].answers++;
        engine_fixture_send_bytes(&fixture, blob, cut);
        engine_fixture_send_bytes(&fixture, blob + cut, len - cut);
        for (uint64_t i = 1; i <= 10; i++) {
            char expected[64];
            (void)snprintf(expected, sizeof(expected), "{\"v\":\"\u20ac\u00e9%llu\"}", (unsigned long long)i);
            engine_fixture_expect_ok(&fixture, i, AR_SOURCE_LIVE);
            assert_string_equal(fixture.calls[i].result, expected);
        }
        engine_fixture_close(&fixture);
    }
}

/* ---- the end ---- */

static void closing_twice_is_closing_once(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_close_engine(&fixture);
    uint64_t publications = fixture.publications;
    uint64_t states = fixture.states;
    engine_fixture_close_engine(&fixture);
    engine_fixture_tick(&fixture);
    engine_fixture_cancel(&fixture, 1);
    engine_probe(&fixture.engine, 200, "", fixture.now_ms);
    engine_notify(&fixture.engine, "notifications/x", NULL, 0);
    assert_int_equal(fixture.publications, publications);
    assert_int_equal(fixture.states, states);
    for (int policy = AR_FAIL_FAST; policy <= AR_MOCK; policy++)
        engine_fixture_expect(&fixture, engine_fixture_submit_plain(&fixture, (enum ar_policy)policy),
                              AR_E_CLOSED, false);
    assert_int_equal(engine_fixture_health(&fixture).state, AR_CLOSED);
    assert_int_not_equal(engine_fixture_health(&fixture).relay, AR_REACH_UP);
    assert_int_equal(engine_fixture_health(&fixture).next_attempt_in_ms, -1);
    engine_fixture_close(&fixture);
}

static void closing_before_the_start(void **state)
{
    (void)state;
    fault_alloc_install();
    engine_fixture_open(&fixture, NULL);
    engine_fixture_close(&fixture);
    assert_int_equal(fault_alloc_live(), 0);
}

static void closing_during_a_reconnect(void **state)
{
    (void)state;
    for (int moment = 0; moment < 4; moment++) {
        engine_fixture_open_live(&fixture, NULL);
        engine_fixture_lose(&fixture); /* waiting for the next attempt */
        uint64_t id = engine_fixture_submit_plain(&fixture, AR_WAIT);
        if (moment > 0)
            engine_fixture_until(&fixture, fixture.now_ms + 1000); /* the attempt is under way */
        fixture.script.init = moment < 3 ? REPLY_NONE : REPLY_GOOD;
        fixture.script.list = REPLY_NONE;
        if (moment > 1)
            engine_fixture_connect(&fixture); /* initialize, or the first poll, is under way */
        engine_fixture_close_engine(&fixture);
        engine_fixture_expect(&fixture, id, AR_E_CLOSED, false);
        engine_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_conversation_as_it_is),     cmocka_unit_test(lost_at_every_byte_of_the_peers),
        cmocka_unit_test(lost_at_every_byte_of_ours),    cmocka_unit_test(closing_at_every_byte_of_the_peers),
        cmocka_unit_test(closing_at_every_byte_of_ours), cmocka_unit_test(closing_at_every_event),
        cmocka_unit_test(chunks_make_no_difference),     cmocka_unit_test(answers_in_one_piece_cut_anywhere),
        cmocka_unit_test(closing_twice_is_closing_once), cmocka_unit_test(closing_before_the_start),
        cmocka_unit_test(closing_during_a_reconnect),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_cuts", tests, NULL, NULL);
}

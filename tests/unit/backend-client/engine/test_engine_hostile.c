/* A peer that means harm: ids that are none, answers that are no answers, half and over-long lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

static uint64_t disregarded(void)
{
    return engine_fixture_health(&fixture).bad_frames + fixture.engine.late_answers;
}

/* ---- ids ---- */

static void answers_under_ids_that_are_none_complete_nothing(void **state)
{
    static const char *const ids[] = {"2",
                                      "0",
                                      "4711",
                                      "9007199254740993",
                                      "18446744073709551615",
                                      "18446744073709551617",
                                      "99999999999999999999999999999999999999",
                                      "\"1\"",
                                      "1.0",
                                      "1e0",
                                      "10e-1",
                                      "-1",
                                      "-0",
                                      "\"\"",
                                      "\"ar-999999\"",
                                      "\"ar-\"",
                                      "\"ar-01\"",
                                      "\"ar-18446744073709551616\"",
                                      "\"AR-1\"",
                                      "\" ar-1\""};
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_pump(&fixture);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        uint64_t before = disregarded();
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"agents\":[]}}", ids[i]);
        engine_fixture_sendf(
            &fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"\"}}", ids[i]);
        engine_fixture_expect_open(&fixture, id);
        assert_int_equal(disregarded(), before + 2);
        assert_int_equal(fixture.last.state, AR_LIVE);
        assert_int_equal(fixture.last.count, 3);
    }
    engine_fixture_send(&fixture,
                        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"\"}}");
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"\"}}");
    engine_fixture_expect_open(&fixture, id);
    assert_true(fixture.linked);
    engine_fixture_answer(&fixture, id);
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    engine_fixture_close(&fixture);
}

static void the_second_answer_has_no_request(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t a = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    uint64_t b = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_pump(&fixture);
    engine_fixture_answer(&fixture, a);
    uint64_t before = disregarded();
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"again\":1}}",
                         (unsigned long long)a);
    engine_fixture_sendf(&fixture,
                         "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":1,\"message\":\"\"}}",
                         (unsigned long long)a);
    assert_int_equal(disregarded(), before + 2);
    assert_string_equal(fixture.calls[a].result, "{\"echo\":1}");
    engine_fixture_expect_open(&fixture, b);
    engine_fixture_close(&fixture);
}

/* The own requests' answers twice: the second poll answer must not count as a poll. */
static void the_second_answer_to_a_poll_changes_nothing(void **state)
{
    (void)state;
    char id[32];
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    engine_fixture_advance(&fixture, 2000);
    (void)snprintf(id, sizeof(id), "%s", engine_fixture_find_line(&fixture, "agents/list")->id);
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);
    uint64_t publications = fixture.publications;
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"agents\":[]}}", id);
    engine_fixture_sendf(&fixture,
                         "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-31001,\"message\":\"\"}}", id);
    assert_int_equal(fixture.publications, publications);
    assert_int_equal(fixture.last.count, 3);
    engine_fixture_close(&fixture);
}

/* An answer that waited on the old link's id must not answer the new link's request. */
static void an_answer_before_its_request_left_is_not_trusted(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_lose(&fixture);
    uint64_t id = engine_fixture_submit_plain(&fixture, AR_WAIT);
    fixture.script.init = REPLY_NONE;
    while (!fixture.connecting)
        engine_fixture_until(&fixture, engine_due_ms(&fixture.engine));
    engine_fixture_connect(&fixture);
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}", (unsigned long long)id);
    engine_fixture_expect_open(&fixture, id); /* it waits: no peer can have answered it */
    engine_fixture_close(&fixture);
}

static void an_answer_that_is_no_response_is_a_bad_reply(void **state)
{
    static const char *const rests[] = {
        "\"result\":{},\"error\":{\"code\":1,\"message\":\"\"}}", /* both */
        "\"result\":{\"a\":\"\xff\"}}",                           /* invalid UTF-8 */
        "\"x\":1}",                                               /* neither */
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rests) / sizeof(rests[0]); i++) {
        engine_fixture_open_live(&fixture, NULL);
        fixture.script.call = REPLY_NONE;
        uint64_t a = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        uint64_t b = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s", (unsigned long long)a,
                             rests[i]);
        engine_fixture_expect(&fixture, a, AR_E_BAD_REPLY, true);
        engine_fixture_expect_open(&fixture, b);
        assert_true(fixture.linked);
        engine_fixture_close(&fixture);
    }
}

/* The engine's own requests, answered with what is no answer: as if refused. A list that is too large is there all
 * the same. */
static void own_requests_answered_badly_are_refused(void **state)
{
    (void)state;
    for (int too_large = 0; too_large < 2; too_large++) {
        for (int poll = 0; poll < 2; poll++) {
            struct ar_options o = engine_fixture_options();
            char line[3000];
            char blanks[2500];
            o.frame_max_bytes = 2000;
            engine_fixture_open(&fixture, &o);
            engine_fixture_start(&fixture);
            fixture.script.init = poll ? REPLY_GOOD : REPLY_NONE;
            fixture.script.list = REPLY_NONE;
            engine_fixture_connect(&fixture);
            engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
            memset(blanks, ' ', sizeof(blanks));
            blanks[too_large ? sizeof(blanks) - 1 : 0] = '\0';
            (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%s,%s\"result\":%s}",
                           engine_fixture_find_line(&fixture, poll ? "agents/list" : "initialize")->id,
                           blanks, too_large ? "{}" : "\"\xff\"");
            engine_fixture_send(&fixture, line);
            bool listed = poll && too_large;
            struct ar_health h = engine_fixture_health(&fixture);
            assert_int_equal(fixture.last.state, listed ? AR_LIVE : AR_DEGRADED);
            assert_int_equal(fixture.linked, poll);
            assert_int_equal(h.server, listed ? AR_REACH_UP : AR_REACH_DOWN);
            assert_int_equal(h.agents_cut, listed);
            assert_string_equal(h.last_error_name, poll ? "BAD_ANSWER" : h.last_error_name);
            engine_fixture_back_to_live(&fixture);
            engine_fixture_close(&fixture);
        }
    }
}

static void a_request_under_an_endless_id_is_passed_over(void **state)
{
    (void)state;
    char id[3000];
    engine_fixture_open_live(&fixture, NULL);
    memset(id, 'x', sizeof(id));
    id[0] = id[sizeof(id) - 2] = '"';
    id[sizeof(id) - 1] = '\0';
    engine_fixture_send_part(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":");
    engine_fixture_send_part(&fixture, id);
    engine_fixture_send_part(&fixture, "}\n");
    engine_fixture_pump(&fixture);
    assert_int_equal(engine_fixture_health(&fixture).bad_frames, 1);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

static void odd_errors_are_errors(void **state)
{
    static const char *const errors[] = {
        "{}",
        "[]",
        "7",
        "null",
        "\"no\"",
        "{\"code\":\"x\",\"message\":5}",
        "{\"code\":99999999999999,\"message\":null,\"data\":1}",
        "{\"code\":-31001,\"message\":\"\",\"data\":{\"relay\":1,\"code\":7,\"retryable\":\"y\",\"sent\":0}}",
        "{\"code\":-31001,\"message\":\"\\ud800\\u0000\",\"data\":{\"relay\":true}}",
        "{\"code\":1.5,\"message\":\"m\",\"data\":[{\"relay\":true,\"retryable\":true}]}"};
    (void)state;
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        engine_fixture_open_live(&fixture, NULL);
        fixture.raw_peer = true;
        fixture.script.call = REPLY_NONE;
        uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":%s}",
                             (unsigned long long)id, errors[i]);
        assert_true(fixture.calls[id].done);
        assert_true(fixture.calls[id].code == AR_E_SERVER || fixture.calls[id].code == AR_E_BAD_REPLY);
        assert_true(fixture.linked);
        fixture.raw_peer = false;
        engine_fixture_close(&fixture);
    }
}

/* ---- lines ---- */

static void half_a_line_is_nothing_until_its_other_half(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_pump(&fixture);
    engine_fixture_send_part(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":1,\"resu");
    engine_fixture_advance(&fixture, 1500);
    engine_fixture_expect_open(&fixture, id);
    fixture.calls[id].answers++;
    engine_fixture_send_part(&fixture, "lt\":{\"late\":true}}\n");
    engine_fixture_expect(&fixture, id, AR_OK, true);
    assert_string_equal(fixture.calls[id].result, "{\"late\":true}");
    engine_fixture_close(&fixture);
}

/* Half a line on one link and the other half on the next are no line. */
static void halves_on_two_links_are_no_line(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_send_part(&fixture, "{\"jsonrpc\":\"2.0\",\"meth");
    engine_fixture_lose(&fixture);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_send_part(&fixture, "od\":\"m\"}\n");
    assert_int_equal(fixture.notifications, 0);
    assert_true(fixture.linked);
    assert_int_equal(fixture.link, 2); /* the first half did not spoil the answer to initialize */
    engine_fixture_close(&fixture);
}

static void an_over_long_answer_is_too_large_for_its_call_alone(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.frame_max_bytes = 2000;
    for (int id_first = 0; id_first < 2; id_first++) {
        engine_fixture_open_live(&fixture, &o);
        fixture.script.call = REPLY_NONE;
        uint64_t a = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        uint64_t b = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
        char text[2600];
        char blanks[2100];
        memset(blanks, ' ', sizeof(blanks));
        blanks[sizeof(blanks) - 1] = '\0';
        (void)snprintf(text, sizeof(text),
                       id_first ? "{\"jsonrpc\":\"2.0\",\"id\":1,%s\"result\":{}}\n"
                                : "{\"jsonrpc\":\"2.0\",\"result\":{},%s\"id\":1}\n",
                       blanks);
        fixture.chunk = 700;
        engine_fixture_send_bytes(&fixture, text, strlen(text));
        fixture.chunk = 0;
        engine_fixture_expect(&fixture, a, AR_E_TOO_LARGE, true);
        engine_fixture_expect_open(&fixture, b);
        assert_true(fixture.linked);
        engine_fixture_answer(&fixture, b);
        engine_fixture_expect_ok(&fixture, b, AR_SOURCE_LIVE);
        engine_fixture_close(&fixture);
    }
}

static void a_line_is_too_long_beyond_its_limit_and_not_at_it(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.frame_max_bytes = 2000;
    for (size_t len = 1999; len <= 2001; len++) {
        char line[2010];
        engine_fixture_open_live(&fixture, &o);
        fixture.script.call = REPLY_NONE;
        uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
        engine_fixture_pump(&fixture);
        memset(line, ' ', sizeof(line));
        int start = snprintf(line, sizeof(line), "%s", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}");
        line[start] = ' ';
        line[len - 1] = '}';
        line[len] = '\n';
        fixture.calls[id].answers++;
        engine_fixture_send_bytes(&fixture, line, len + 1);
        engine_fixture_expect(&fixture, id, len <= 2000 ? AR_OK : AR_E_TOO_LARGE, true);
        engine_fixture_close(&fixture);
    }
}

static void an_over_long_line_without_a_call_is_passed_over(void **state)
{
    (void)state;
    struct ar_options o = engine_fixture_options();
    o.frame_max_bytes = 2000;
    engine_fixture_open_live(&fixture, &o);
    fixture.chunk = 999;
    char *text = malloc(100001);
    assert_non_null(text);
    memset(text, '[', 100000);
    text[100000] = '\n';
    for (int i = 0; i < 10; i++)
        engine_fixture_send_bytes(&fixture, text, 100001);
    free(text);
    fixture.chunk = 0;
    assert_true(fixture.linked);
    assert_true(engine_fixture_health(&fixture).bad_frames >= 10);
    engine_fixture_close(&fixture);
}

static void crlf_will_do(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_NONE;
    engine_fixture_connect(&fixture);
    engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}\r", fixture.lines[0].id);
    engine_fixture_send(&fixture, "\r");
    engine_fixture_send(&fixture, " \t\r");
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(engine_fixture_health(&fixture).bad_frames, 0);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_under_ids_that_are_none_complete_nothing),
        cmocka_unit_test(the_second_answer_has_no_request),
        cmocka_unit_test(the_second_answer_to_a_poll_changes_nothing),
        cmocka_unit_test(an_answer_before_its_request_left_is_not_trusted),
        cmocka_unit_test(an_answer_that_is_no_response_is_a_bad_reply),
        cmocka_unit_test(own_requests_answered_badly_are_refused),
        cmocka_unit_test(a_request_under_an_endless_id_is_passed_over),
        cmocka_unit_test(odd_errors_are_errors),
        cmocka_unit_test(half_a_line_is_nothing_until_its_other_half),
        cmocka_unit_test(halves_on_two_links_are_no_line),
        cmocka_unit_test(an_over_long_answer_is_too_large_for_its_call_alone),
        cmocka_unit_test(a_line_is_too_long_beyond_its_limit_and_not_at_it),
        cmocka_unit_test(an_over_long_line_without_a_call_is_passed_over),
        cmocka_unit_test(crlf_will_do),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_hostile", tests, NULL, NULL);
}

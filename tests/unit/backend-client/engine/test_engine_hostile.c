/* A peer that means harm: ids that are none, answers that are no answers, half and over-long lines.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

static uint64_t disregarded(void)
{
    return kit_health(&kit).bad_frames + kit.engine.late_answers;
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
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_pump(&kit);
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        uint64_t before = disregarded();
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"agents\":[]}}", ids[i]);
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,\"message\":\"\"}}",
                 ids[i]);
        kit_expect_open(&kit, id);
        assert_int_equal(disregarded(), before + 2);
        assert_int_equal(kit.last.state, AR_LIVE);
        assert_int_equal(kit.last.count, 3);
    }
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"\"}}");
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32700,\"message\":\"\"}}");
    kit_expect_open(&kit, id);
    assert_true(kit.linked);
    kit_answer(&kit, id);
    kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    kit_close(&kit);
}

static void the_second_answer_is_nobodys(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t a = kit_ask_plain(&kit, AR_FAIL_FAST);
    uint64_t b = kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_pump(&kit);
    kit_answer(&kit, a);
    uint64_t before = disregarded();
    kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"again\":1}}", (unsigned long long)a);
    kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":1,\"message\":\"\"}}",
             (unsigned long long)a);
    assert_int_equal(disregarded(), before + 2);
    assert_string_equal(kit.calls[a].result, "{\"echo\":1}");
    kit_expect_open(&kit, b);
    kit_close(&kit);
}

/* The own requests' answers twice: the second poll answer must not count as a poll. */
static void the_second_answer_to_a_poll_changes_nothing(void **state)
{
    (void)state;
    char id[32];
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit_advance(&kit, 2000);
    (void)snprintf(id, sizeof(id), "%s", kit_find(&kit, "agents/list")->id);
    kit_answer_held(&kit, "agents/list", KIT_GOOD);
    uint64_t publications = kit.publications;
    kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{\"agents\":[]}}", id);
    kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-31001,\"message\":\"\"}}", id);
    assert_int_equal(kit.publications, publications);
    assert_int_equal(kit.last.count, 3);
    kit_close(&kit);
}

/* An answer that waited on the old link's id must not answer the new link's request. */
static void an_answer_before_its_request_left_is_nobodys_to_give(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit_lose(&kit);
    uint64_t id = kit_ask_plain(&kit, AR_WAIT);
    kit.script.init = KIT_SILENT;
    while (!kit.connecting)
        kit_until(&kit, engine_due_ms(&kit.engine));
    kit_up(&kit);
    kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}", (unsigned long long)id);
    kit_expect_open(&kit, id); /* it waits: nobody can have answered it */
    kit_close(&kit);
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
        kit_go_live(&kit, NULL);
        kit.script.call = KIT_SILENT;
        uint64_t a = kit_ask_plain(&kit, AR_FAIL_FAST);
        uint64_t b = kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,%s", (unsigned long long)a, rests[i]);
        kit_expect(&kit, a, AR_E_BAD_REPLY, true);
        kit_expect_open(&kit, b);
        assert_true(kit.linked);
        kit_close(&kit);
    }
}

/* The engine's own requests, answered with what is no answer: as if refused. */
static void own_requests_answered_badly_are_refused(void **state)
{
    (void)state;
    for (int too_large = 0; too_large < 2; too_large++) {
        for (int poll = 0; poll < 2; poll++) {
            struct ar_options o = kit_options();
            char line[3000];
            char blanks[2500];
            o.frame_max_bytes = 2000;
            kit_open(&kit, &o);
            kit_start(&kit);
            kit.script.init = poll ? KIT_GOOD : KIT_SILENT;
            kit.script.list = KIT_SILENT;
            kit_up(&kit);
            kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
            memset(blanks, ' ', sizeof(blanks));
            blanks[too_large ? sizeof(blanks) - 1 : 0] = '\0';
            (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%s,%s\"result\":%s}",
                           kit_find(&kit, poll ? "agents/list" : "initialize")->id, blanks,
                           too_large ? "{}" : "\"\xff\"");
            kit_say(&kit, line);
            assert_int_equal(kit.last.state, AR_DEGRADED);
            assert_int_equal(kit.linked, poll);
            assert_int_equal(kit_health(&kit).server, AR_REACH_DOWN);
            kit_back_to_live(&kit);
            kit_close(&kit);
        }
    }
}

static void a_request_under_an_endless_id_is_passed_over(void **state)
{
    (void)state;
    char id[3000];
    kit_go_live(&kit, NULL);
    memset(id, 'x', sizeof(id));
    id[0] = id[sizeof(id) - 2] = '"';
    id[sizeof(id) - 1] = '\0';
    kit_say_part(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":");
    kit_say_part(&kit, id);
    kit_say_part(&kit, "}\n");
    kit_pump(&kit);
    assert_int_equal(kit_health(&kit).bad_frames, 1);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
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
        kit_go_live(&kit, NULL);
        kit.raw_peer = true;
        kit.script.call = KIT_SILENT;
        uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":%s}", (unsigned long long)id, errors[i]);
        assert_true(kit.calls[id].done);
        assert_true(kit.calls[id].code == AR_E_SERVER || kit.calls[id].code == AR_E_BAD_REPLY);
        assert_true(kit.linked);
        kit.raw_peer = false;
        kit_close(&kit);
    }
}

/* ---- lines ---- */

static void half_a_line_is_nothing_until_its_other_half(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_pump(&kit);
    kit_say_part(&kit, "{\"jsonrpc\":\"2.0\",\"id\":1,\"resu");
    kit_advance(&kit, 1500);
    kit_expect_open(&kit, id);
    kit.calls[id].answers++;
    kit_say_part(&kit, "lt\":{\"late\":true}}\n");
    kit_expect(&kit, id, AR_OK, true);
    assert_string_equal(kit.calls[id].result, "{\"late\":true}");
    kit_close(&kit);
}

/* Half a line on one link and the other half on the next are no line. */
static void halves_on_two_links_are_no_line(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit_say_part(&kit, "{\"jsonrpc\":\"2.0\",\"meth");
    kit_lose(&kit);
    kit_back_to_live(&kit);
    kit_say_part(&kit, "od\":\"m\"}\n");
    assert_int_equal(kit.notes, 0);
    assert_true(kit.linked);
    assert_int_equal(kit.link, 2); /* the first half did not spoil the answer to initialize */
    kit_close(&kit);
}

static void an_over_long_answer_is_too_large_for_its_call_alone(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.frame_max_bytes = 2000;
    for (int id_first = 0; id_first < 2; id_first++) {
        kit_go_live(&kit, &o);
        kit.script.call = KIT_SILENT;
        uint64_t a = kit_ask_plain(&kit, AR_FAIL_FAST);
        uint64_t b = kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
        char text[2600];
        char blanks[2100];
        memset(blanks, ' ', sizeof(blanks));
        blanks[sizeof(blanks) - 1] = '\0';
        (void)snprintf(text, sizeof(text),
                       id_first ? "{\"jsonrpc\":\"2.0\",\"id\":1,%s\"result\":{}}\n"
                                : "{\"jsonrpc\":\"2.0\",\"result\":{},%s\"id\":1}\n",
                       blanks);
        kit.chunk = 700;
        kit_say_bytes(&kit, text, strlen(text));
        kit.chunk = 0;
        kit_expect(&kit, a, AR_E_TOO_LARGE, true);
        kit_expect_open(&kit, b);
        assert_true(kit.linked);
        kit_answer(&kit, b);
        kit_expect_ok(&kit, b, AR_SOURCE_LIVE);
        kit_close(&kit);
    }
}

static void a_line_is_too_long_beyond_its_limit_and_not_at_it(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.frame_max_bytes = 2000;
    for (size_t len = 1999; len <= 2001; len++) {
        char line[2010];
        kit_go_live(&kit, &o);
        kit.script.call = KIT_SILENT;
        uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
        kit_pump(&kit);
        memset(line, ' ', sizeof(line));
        int start = snprintf(line, sizeof(line), "%s", "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}");
        line[start] = ' ';
        line[len - 1] = '}';
        line[len] = '\n';
        kit.calls[id].answers++;
        kit_say_bytes(&kit, line, len + 1);
        kit_expect(&kit, id, len <= 2000 ? AR_OK : AR_E_TOO_LARGE, true);
        kit_close(&kit);
    }
}

static void an_over_long_line_of_nobodys_is_passed_over(void **state)
{
    (void)state;
    struct ar_options o = kit_options();
    o.frame_max_bytes = 2000;
    kit_go_live(&kit, &o);
    kit.chunk = 999;
    char *text = malloc(100001);
    assert_non_null(text);
    memset(text, '[', 100000);
    text[100000] = '\n';
    for (int i = 0; i < 10; i++)
        kit_say_bytes(&kit, text, 100001);
    free(text);
    kit.chunk = 0;
    assert_true(kit.linked);
    assert_true(kit_health(&kit).bad_frames >= 10);
    kit_close(&kit);
}

static void crlf_will_do(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_SILENT;
    kit_up(&kit);
    kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":{}}\r", kit.lines[0].id);
    kit_say(&kit, "\r");
    kit_say(&kit, " \t\r");
    kit_pump(&kit);
    assert_int_equal(kit.last.state, AR_LIVE);
    assert_int_equal(kit_health(&kit).bad_frames, 0);
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_under_ids_that_are_none_complete_nothing),
        cmocka_unit_test(the_second_answer_is_nobodys),
        cmocka_unit_test(the_second_answer_to_a_poll_changes_nothing),
        cmocka_unit_test(an_answer_before_its_request_left_is_nobodys_to_give),
        cmocka_unit_test(an_answer_that_is_no_response_is_a_bad_reply),
        cmocka_unit_test(own_requests_answered_badly_are_refused),
        cmocka_unit_test(a_request_under_an_endless_id_is_passed_over),
        cmocka_unit_test(odd_errors_are_errors),
        cmocka_unit_test(half_a_line_is_nothing_until_its_other_half),
        cmocka_unit_test(halves_on_two_links_are_no_line),
        cmocka_unit_test(an_over_long_answer_is_too_large_for_its_call_alone),
        cmocka_unit_test(a_line_is_too_long_beyond_its_limit_and_not_at_it),
        cmocka_unit_test(an_over_long_line_of_nobodys_is_passed_over),
        cmocka_unit_test(crlf_will_do),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_hostile", tests, NULL, NULL);
}

/* A peer that is no relay, an HTTP or SSH server on the relay's port; bad lines; and floods.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"
#include "tests/unit/common/fault_alloc.h"

static struct engine_fixture fixture;

static uint64_t disregarded(void)
{
    return engine_fixture_health(&fixture).bad_frames + fixture.engine.late_answers;
}

/* ---- bad lines ---- */

static void sixteen_bad_lines_in_a_row_are_no_relay(void **state)
{
    static const char *const bad[] = {"garbage",
                                      "{",
                                      "[1,2",
                                      "{\"a\":1}",
                                      "7",
                                      "\"x\"",
                                      "{\"jsonrpc\":\"1.0\"}",
                                      "\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"method\":\"m\"}"};
    (void)state;
    for (size_t kind = 0; kind < sizeof(bad) / sizeof(bad[0]); kind++) {
        engine_fixture_open_live(&fixture, NULL);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 15; i++)
                engine_fixture_send(&fixture, bad[kind]);
            assert_true(fixture.linked);
            engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"good\"}");
        }
        assert_int_equal(fixture.last.state, AR_LIVE);
        assert_int_equal(engine_fixture_health(&fixture).bad_frames, 45);
        for (int i = 0; i < 15; i++)
            engine_fixture_send(&fixture, bad[kind]);
        assert_true(fixture.linked);
        engine_fixture_send(&fixture, bad[kind]);
        assert_false(fixture.linked);
        assert_int_equal(fixture.last.state, AR_DEGRADED);
        engine_fixture_back_to_live(&fixture);
        engine_fixture_close(&fixture);
    }
}

/* What follows in the same bytes as the line that ended the link is not looked at. */
static void seventeen_bad_lines_in_one_piece_end_the_link_once(void **state)
{
    char text[400] = "";
    size_t n = 0;
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.call = REPLY_NONE;
    uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_pump(&fixture);
    for (int i = 0; i < 17; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "bad %d\n", i);
    n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    engine_fixture_send_bytes(&fixture, text, n);
    assert_int_equal(fixture.drops, 1);
    assert_int_equal(engine_fixture_health(&fixture).losses, 1);
    engine_fixture_expect(&fixture, id, AR_E_CONNECTION_LOST, true);
    engine_fixture_close(&fixture);
}

static void any_bad_line_before_the_first_good_line_is_no_relay(void **state)
{
    static const char *const banners[] = {
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400 Bad Request",
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "\xff\xfe{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n", /* a byte order mark of UTF-16 */
        "{\"error\":\"Service unavailable - connection limit reached\"}\n",
        "-ERR unknown command\r\n",
        "220 mail.example ESMTP\r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-1\"}\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(banners) / sizeof(banners[0]); i++) {
        engine_fixture_open(&fixture, NULL);
        engine_fixture_start(&fixture);
        fixture.script.init = REPLY_NONE;
        engine_fixture_connect(&fixture);
        engine_fixture_send_bytes(&fixture, banners[i], strlen(banners[i]));
        assert_false(fixture.linked);
        struct ar_health h = engine_fixture_health(&fixture);
        assert_int_equal(h.state, AR_DEGRADED);
        assert_int_equal(h.source, AR_SOURCE_MOCK);
        assert_int_equal(h.relay, AR_REACH_DOWN);
        assert_true(h.bad_frames >= 1);
        engine_fixture_back_to_live(&fixture);
        engine_fixture_close(&fixture);
    }
}

/* What the last link said does not count for this one. */
static void each_link_has_to_show_itself_a_relay_anew(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_lose(&fixture);
    fixture.script.init = REPLY_NONE;
    while (!fixture.connecting)
        engine_fixture_until(&fixture, engine_due_ms(&fixture.engine));
    engine_fixture_connect(&fixture);
    engine_fixture_send(&fixture, "220 mail.example ESMTP\r");
    assert_false(fixture.linked);
    engine_fixture_close(&fixture);
}

static void the_fault_names_what_answered(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_NONE;
    engine_fixture_connect(&fixture);
    engine_fixture_send(&fixture, "SSH-2.0-OpenSSH_9.2p1\r");
    assert_non_null(strstr(engine_fixture_health(&fixture).last_error, "SSH-2.0-OpenSSH_9.2p1"));
    assert_non_null(strstr(engine_fixture_health(&fixture).last_error, "relay:9500"));
    engine_fixture_close(&fixture);
}

static void a_batch_is_understood_or_disregarded_and_no_more(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.raw_peer = true;
    fixture.script.call = REPLY_NONE;
    uint64_t id = engine_fixture_submit_plain(&fixture, AR_FAIL_FAST);
    engine_fixture_pump(&fixture);
    engine_fixture_send(&fixture, "[]");
    engine_fixture_send(
        &fixture, "[1,{\"jsonrpc\":\"2.0\",\"method\":\"m\"},{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
    assert_true(fixture.linked);
    if (!fixture.calls[id].done) {
        engine_fixture_answer(&fixture, id);
        engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    }
    engine_fixture_close(&fixture);
}

/* ---- floods ---- */

static void a_flood_of_notifications_costs_no_memory(void **state)
{
    (void)state;
    fault_alloc_install();
    engine_fixture_open_live(&fixture, NULL);
    for (int i = 0; i < 100; i++)
        engine_fixture_send(
            &fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"a\":[1,2]}}");
    size_t live = fault_alloc_live();
    for (int i = 0; i < 100000; i++)
        engine_fixture_send(
            &fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"a\":[1,2]}}");
    assert_true(fault_alloc_live() <= live);
    assert_int_equal(fixture.notifications, 100100);
    assert_int_equal(buf_len(&fixture.engine.out), 0);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
    assert_int_equal(fault_alloc_live(), 0);
}

static void a_flood_of_pushed_changes_makes_few_polls(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    uint64_t polls = fixture.methods_received[METHOD_LIST];
    for (int i = 0; i < 100000; i++) {
        engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\"}");
        engine_fixture_pump(&fixture);
    }
    assert_true(fixture.methods_received[METHOD_LIST] - polls <= 2);
    engine_fixture_advance(&fixture, 100);
    assert_true(fixture.methods_received[METHOD_LIST] - polls <= 2);
    engine_fixture_close(&fixture);
}

static void a_flood_of_requests_from_a_peer_that_does_not_read_is_bounded(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.not_reading = true;
    for (int i = 0; i < 100000; i++)
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"}", i,
                             i % 2 ? "ping" : "roots/list");
    assert_true(buf_len(&fixture.engine.out) <= ENGINE_OUT_HIGH_BYTES + 1000);
    assert_true(buf_len(&fixture.engine.out) >= ENGINE_OUT_HIGH_BYTES / 2);
    fixture.not_reading = false;
    fixture.drops_lines = true;
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

static void a_flood_of_unknown_answers_is_counted(void **state)
{
    (void)state;
    fault_alloc_install();
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":999999999,\"result\":{}}");
    size_t live = fault_alloc_live();
    uint64_t before = disregarded();
    for (int i = 0; i < 100000; i++)
        engine_fixture_sendf(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}", i);
    assert_int_equal(disregarded(), before + 100000);
    assert_true(fault_alloc_live() <= live);
    assert_true(fixture.linked);
    engine_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sixteen_bad_lines_in_a_row_are_no_relay),
        cmocka_unit_test(seventeen_bad_lines_in_one_piece_end_the_link_once),
        cmocka_unit_test(any_bad_line_before_the_first_good_line_is_no_relay),
        cmocka_unit_test(each_link_has_to_show_itself_a_relay_anew),
        cmocka_unit_test(the_fault_names_what_answered),
        cmocka_unit_test(a_batch_is_understood_or_disregarded_and_no_more),
        cmocka_unit_test(a_flood_of_notifications_costs_no_memory),
        cmocka_unit_test(a_flood_of_pushed_changes_makes_few_polls),
        cmocka_unit_test(a_flood_of_requests_from_a_peer_that_does_not_read_is_bounded),
        cmocka_unit_test(a_flood_of_unknown_answers_is_counted),
    };
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_bad_lines", tests, NULL, NULL);
}

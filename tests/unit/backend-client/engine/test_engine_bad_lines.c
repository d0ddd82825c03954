/* A peer that is somebody else, an HTTP or SSH server on the relay's port; bad lines; and floods.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"
#include "tests/unit/common/fault_alloc.h"

static struct kit kit;

static uint64_t disregarded(void)
{
    return kit_health(&kit).bad_frames + kit.engine.late_answers;
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
        kit_go_live(&kit, NULL);
        for (int round = 0; round < 3; round++) {
            for (int i = 0; i < 15; i++)
                kit_say(&kit, bad[kind]);
            assert_true(kit.linked);
            kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"good\"}");
        }
        assert_int_equal(kit.last.state, AR_LIVE);
        assert_int_equal(kit_health(&kit).bad_frames, 45);
        for (int i = 0; i < 15; i++)
            kit_say(&kit, bad[kind]);
        assert_true(kit.linked);
        kit_say(&kit, bad[kind]);
        assert_false(kit.linked);
        assert_int_equal(kit.last.state, AR_DEGRADED);
        kit_back_to_live(&kit);
        kit_close(&kit);
    }
}

/* What follows in the same bytes as the line that ended the link is not looked at. */
static void seventeen_bad_lines_in_one_piece_end_the_link_once(void **state)
{
    char text[400] = "";
    size_t n = 0;
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.call = KIT_SILENT;
    uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_pump(&kit);
    for (int i = 0; i < 17; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "bad %d\n", i);
    n += (size_t)snprintf(text + n, sizeof(text) - n, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}\n");
    kit_say_bytes(&kit, text, n);
    assert_int_equal(kit.drops, 1);
    assert_int_equal(kit_health(&kit).losses, 1);
    kit_expect(&kit, id, AR_E_CONNECTION_LOST, true);
    kit_close(&kit);
}

static void any_bad_line_before_the_first_good_line_is_no_relay(void **state)
{
    static const char *const banners[] = {
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\r\n400 Bad Request",
        "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
        "\xef\xbb\xbf{\"jsonrpc\":\"2.0\",\"method\":\"m\"}\n",
        "{\"error\":\"Service unavailable - connection limit reached\"}\n",
        "-ERR unknown command\r\n",
        "220 mail.example ESMTP\r\n",
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-1\"}\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(banners) / sizeof(banners[0]); i++) {
        kit_open(&kit, NULL);
        kit_start(&kit);
        kit.script.init = KIT_SILENT;
        kit_up(&kit);
        kit_say_bytes(&kit, banners[i], strlen(banners[i]));
        assert_false(kit.linked);
        struct ar_health h = kit_health(&kit);
        assert_int_equal(h.state, AR_DEGRADED);
        assert_int_equal(h.source, AR_SOURCE_MOCK);
        assert_int_equal(h.relay, AR_REACH_DOWN);
        assert_true(h.bad_frames >= 1);
        kit_back_to_live(&kit);
        kit_close(&kit);
    }
}

/* What the last link said does not count for this one. */
static void each_link_has_to_show_itself_a_relay_anew(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit_lose(&kit);
    kit.script.init = KIT_SILENT;
    while (!kit.connecting)
        kit_until(&kit, engine_due_ms(&kit.engine));
    kit_up(&kit);
    kit_say(&kit, "220 mail.example ESMTP\r");
    assert_false(kit.linked);
    kit_close(&kit);
}

static void the_fault_names_what_answered(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_SILENT;
    kit_up(&kit);
    kit_say(&kit, "SSH-2.0-OpenSSH_9.2p1\r");
    assert_non_null(strstr(kit_health(&kit).last_error, "SSH-2.0-OpenSSH_9.2p1"));
    assert_non_null(strstr(kit_health(&kit).last_error, "relay:9500"));
    kit_close(&kit);
}

static void a_batch_is_understood_or_disregarded_and_no_more(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.raw_peer = true;
    kit.script.call = KIT_SILENT;
    uint64_t id = kit_ask_plain(&kit, AR_FAIL_FAST);
    kit_pump(&kit);
    kit_say(&kit, "[]");
    kit_say(&kit, "[1,{\"jsonrpc\":\"2.0\",\"method\":\"m\"},{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}]");
    assert_true(kit.linked);
    if (!kit.calls[id].done) {
        kit_answer(&kit, id);
        kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    }
    kit_close(&kit);
}

/* ---- floods ---- */

static void a_flood_of_notifications_costs_no_memory(void **state)
{
    (void)state;
    fault_alloc_install();
    kit_go_live(&kit, NULL);
    for (int i = 0; i < 100; i++)
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"a\":[1,2]}}");
    size_t live = fault_alloc_live();
    for (int i = 0; i < 100000; i++)
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"a\":[1,2]}}");
    assert_true(fault_alloc_live() <= live);
    assert_int_equal(kit.notes, 100100);
    assert_int_equal(buf_len(&kit.engine.out), 0);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
    assert_int_equal(fault_alloc_live(), 0);
}

static void a_flood_of_pushed_changes_makes_few_polls(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    uint64_t polls = kit.methods_heard[KIT_M_LIST];
    for (int i = 0; i < 100000; i++) {
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.spawned\"}");
        kit_pump(&kit);
    }
    assert_true(kit.methods_heard[KIT_M_LIST] - polls <= 2);
    kit_advance(&kit, 100);
    assert_true(kit.methods_heard[KIT_M_LIST] - polls <= 2);
    kit_close(&kit);
}

static void a_flood_of_requests_from_one_who_does_not_read_is_bounded(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.deaf = true;
    for (int i = 0; i < 100000; i++)
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\"}", i, i % 2 ? "ping" : "roots/list");
    assert_true(buf_len(&kit.engine.out) <= ENGINE_OUT_HIGH_BYTES + 1000);
    assert_true(buf_len(&kit.engine.out) >= ENGINE_OUT_HIGH_BYTES / 2);
    kit.deaf = false;
    kit.forgetful = true;
    kit_pump(&kit);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
}

static void a_flood_of_unknown_answers_is_counted(void **state)
{
    (void)state;
    fault_alloc_install();
    kit_go_live(&kit, NULL);
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"id\":999999999,\"result\":{}}");
    size_t live = fault_alloc_live();
    uint64_t before = disregarded();
    for (int i = 0; i < 100000; i++)
        kit_sayf(&kit, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}", i);
    assert_int_equal(disregarded(), before + 100000);
    assert_true(fault_alloc_live() <= live);
    assert_true(kit.linked);
    kit_close(&kit);
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
        cmocka_unit_test(a_flood_of_requests_from_one_who_does_not_read_is_bounded),
        cmocka_unit_test(a_flood_of_unknown_answers_is_counted),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_bad_lines", tests, NULL, NULL);
}

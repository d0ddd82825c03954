/* Is the peer alive: heartbeat, dead-peer detection in a bounded time, a host that was suspended; lines and
 * pings that never end; a peer that does not read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct kit kit;

/* Live, and silent but for heartbeats. */
static void go_live_without_polls(void)
{
    struct ar_options o = kit_options();
    o.agents_poll_ms = AR_NEVER;
    kit_go_live(&kit, &o);
}

static void after_silence_the_relay_is_asked(void **state)
{
    (void)state;
    go_live_without_polls();
    for (unsigned i = 1; i <= 5; i++) {
        uint64_t heard_at_ms = kit.now_ms;
        kit_until(&kit, heard_at_ms + 4999);
        assert_int_equal(kit.methods_heard[KIT_M_PING], i - 1);
        kit_until(&kit, heard_at_ms + 5000);
        assert_int_equal(kit.methods_heard[KIT_M_PING], i);
    }
    assert_true(kit_health(&kit).round_trip_ms >= 0);
    kit_close(&kit);
}

static void any_byte_puts_the_next_ping_off(void **state)
{
    (void)state;
    go_live_without_polls();
    for (int i = 0; i < 20; i++) {
        kit_advance(&kit, 4999);
        kit_say_bytes(&kit, "\n", 1);
    }
    assert_int_equal(kit.methods_heard[KIT_M_PING], 0);
    kit_close(&kit);
}

static void a_ping_answered_with_an_error_is_an_answer(void **state)
{
    (void)state;
    go_live_without_polls();
    kit.script.ping = KIT_UNKNOWN;
    kit_advance(&kit, 600000);
    assert_int_equal(kit.last.state, AR_LIVE);
    assert_int_equal(kit.link, 1);
    assert_in_range(kit.methods_heard[KIT_M_PING], 119, 120);
    kit_close(&kit);
}

static void a_silent_relay_is_given_up_at_dead_after_ms(void **state)
{
    (void)state;
    go_live_without_polls();
    kit.script.ping = KIT_SILENT;
    uint64_t heard_at_ms = kit.now_ms;
    kit_until(&kit, heard_at_ms + 9999);
    assert_true(kit.linked);
    assert_int_equal(kit.last.state, AR_LIVE);
    assert_int_equal(kit.methods_heard[KIT_M_PING], 1);
    kit_until(&kit, heard_at_ms + 10000);
    assert_false(kit.linked);
    assert_int_equal(kit.dropped_at_ms, heard_at_ms + 10000);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    assert_int_equal(kit.last.source, AR_SOURCE_STALE);
    assert_string_equal(kit_health(&kit).last_error_name, "RELAY_SILENT");
    assert_int_equal(kit_health(&kit).losses, 1);
    kit_back_to_live(&kit);
    kit_close(&kit);
}

/* With polls, too: a frozen relay (SIGSTOP) answers nothing at all. */
static void a_frozen_relay_is_noticed_in_time(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script = (struct kit_script){
        .init = KIT_SILENT, .list = KIT_SILENT, .ping = KIT_SILENT, .call = KIT_SILENT, .agents = kit_agents};
    uint64_t call = kit_ask(&kit, &(struct kit_ask){.deadline_ms = AR_NEVER});
    uint64_t froze_at_ms = kit.now_ms;
    kit_until(&kit, froze_at_ms + 10000);
    assert_false(kit.linked);
    assert_int_equal(kit.dropped_at_ms, froze_at_ms + 10000);
    kit_expect(&kit, call, AR_E_CONNECTION_LOST, true);
    kit_close(&kit);
}

static void a_byte_at_the_last_moment_saves_it(void **state)
{
    (void)state;
    go_live_without_polls();
    kit.script.ping = KIT_SILENT;
    kit_advance(&kit, 9999);
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
    kit_advance(&kit, 9999);
    assert_true(kit.linked);
    kit_advance(&kit, 1);
    assert_false(kit.linked);
    kit_close(&kit);
}

static void a_link_silent_from_its_start_is_given_up(void **state)
{
    (void)state;
    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = kit.script.ping = KIT_SILENT;
    kit_up(&kit);
    uint64_t up_at_ms = kit.now_ms;
    kit_until(&kit, up_at_ms + 9999);
    assert_true(kit.linked);
    kit_until(&kit, up_at_ms + 10000);
    assert_false(kit.linked);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    assert_int_equal(kit_health(&kit).links, 1);
    kit_close(&kit);
}

/* ---- a suspended host ---- */

static void a_host_that_wakes_does_not_find_a_healthy_link_dead(void **state)
{
    (void)state;
    for (uint64_t slept_ms = 1; slept_ms <= 100000000; slept_ms *= 10) {
        kit_go_live(&kit, NULL);
        kit_advance(&kit, 1234);
        kit_leap(&kit, slept_ms);
        assert_true(kit.linked);
        assert_int_equal(kit.last.state, AR_LIVE);
        kit_advance(&kit, 20000);
        assert_int_equal(kit.last.state, AR_LIVE);
        assert_int_equal(kit.link, 1);
        kit_close(&kit);
    }
}

static void a_host_that_wakes_finds_a_dead_link_dead_soon(void **state)
{
    (void)state;
    go_live_without_polls();
    kit.script.ping = KIT_SILENT;
    kit_leap(&kit, 3600000);
    assert_true(kit.linked);
    kit_advance(&kit, 11000);
    assert_false(kit.linked);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    kit_close(&kit);
}

/* Asleep with a ping, a poll, initialize and half a line under way: their answers lie in the socket. */
static void answers_that_lay_in_the_socket_are_in_time(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.script.list = KIT_SILENT;
    kit_advance(&kit, 2000);
    kit_leap(&kit, 3600000);
    assert_true(kit.linked);
    kit_answer_held(&kit, "agents/list", KIT_GOOD);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit.script.list = KIT_GOOD;
    kit_advance(&kit, 30000);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);

    kit_open(&kit, NULL);
    kit_start(&kit);
    kit.script.init = KIT_SILENT;
    kit_up(&kit);
    kit_leap(&kit, 3600000);
    kit_answer_held(&kit, "initialize", KIT_GOOD);
    kit_pump(&kit);
    assert_int_equal(kit.last.state, AR_LIVE);
    kit_close(&kit);
}

/* The fallback policy is about truth, not about the peer: a snapshot that is too old on waking is not shown. */
static void on_waking_stale_agents_are_not_shown_beyond_their_age(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit_lose(&kit);
    assert_int_equal(kit.last.source, AR_SOURCE_STALE);
    kit_leap(&kit, 3600000);
    assert_int_equal(kit.last.source, AR_SOURCE_MOCK);
    kit_close(&kit);
}

/* ---- what never ends ---- */

static void a_line_that_never_ends_ends_the_link(void **state)
{
    (void)state;
    go_live_without_polls();
    uint64_t began_at_ms = kit.now_ms;
    while (kit.linked && kit.now_ms < began_at_ms + 100000) {
        kit_say_bytes(&kit, "[", 1);
        kit_advance(&kit, 250);
    }
    assert_int_equal(kit.dropped_at_ms, began_at_ms + ENGINE_FRAME_MS);
    assert_int_equal(kit.last.state, AR_DEGRADED);
    assert_string_equal(kit_health(&kit).last_error_name, "LINE_TOO_SLOW");
    assert_non_null(strstr(kit_health(&kit).last_error, " began a line and has not ended it for 60 s"));
    kit_back_to_live(&kit);
    kit_close(&kit);
}

static void a_line_that_takes_almost_as_long_is_a_line(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"slow\"}\n";
    (void)state;
    go_live_without_polls();
    kit.script.ping = KIT_GOOD;
    uint64_t began_at_ms = kit.now_ms;
    for (size_t i = 0; i < sizeof(line) - 2; i++) {
        kit_say_bytes(&kit, &line[i], 1);
        kit_advance(&kit, 1800); /* 33 bytes: half a second is left */
    }
    kit_until(&kit, began_at_ms + ENGINE_FRAME_MS - 1);
    kit_say_bytes(&kit, "\n", 1);
    kit_advance(&kit, 10);
    assert_true(kit.linked);
    assert_string_equal(kit.note, "slow");
    kit_close(&kit);
}

static void a_ping_never_answered_ends_a_link_that_chatters(void **state)
{
    (void)state;
    go_live_without_polls();
    kit.script.ping = KIT_SILENT;
    kit_advance(&kit, 5000);
    assert_int_equal(kit.methods_heard[KIT_M_PING], 1);
    uint64_t asked_at_ms = kit.now_ms;
    while (kit.linked && kit.now_ms < asked_at_ms + 100000) {
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
        kit_advance(&kit, 250);
    }
    assert_int_equal(kit.dropped_at_ms, asked_at_ms + ENGINE_FRAME_MS);
    kit_close(&kit);
}

static void a_peer_that_reads_nothing_is_given_up(void **state)
{
    (void)state;
    go_live_without_polls();
    kit.deaf = true;
    uint64_t id = kit_ask(&kit, &(struct kit_ask){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    uint64_t asked_at_ms = kit.now_ms;
    while (kit.linked && kit.now_ms < asked_at_ms + 200000) {
        kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
        kit_advance(&kit, 250);
    }
    assert_in_range(kit.dropped_at_ms, asked_at_ms + ENGINE_FRAME_MS - 250, asked_at_ms + ENGINE_FRAME_MS);
    assert_string_equal(kit_health(&kit).last_error_name, "RELAY_STALLED");
    kit.deaf = false;
    kit_expect_open(&kit, id);
    kit_back_to_live(&kit);
    kit_pump(&kit);
    kit_expect_ok(&kit, id, AR_SOURCE_LIVE);
    kit_close(&kit);
}

/* An outage may be long, and half a line of megabytes is of no use in it. */
static void half_a_line_is_not_held_through_an_outage(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit_say_part(&kit, "{\"jsonrpc\":\"2.0\",\"id\":1,");
    assert_true(kit.engine.reader.partial.cap > 0);
    kit_lose(&kit);
    kit_tick(&kit);
    assert_int_equal(kit.engine.reader.partial.cap, 0);
    kit_back_to_live(&kit);
    kit_close(&kit);
}

/* ---- what the server asks of us ---- */

static void requests_of_the_server_are_answered(void **state)
{
    (void)state;
    kit_go_live(&kit, NULL);
    kit.raw_peer = true;
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}");
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"method\":\"roots/list\",\"params\":{}}");
    kit_say(&kit, "{\"jsonrpc\":\"2.0\",\"id\":1.5e3,\"method\":\"sampling/createMessage\"}");
    kit_pump(&kit);
    assert_int_equal(kit.line_count, 4); /* notifications/initialized is the first */
    assert_string_equal(kit.lines[1].text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}");
    assert_int_equal(kit.lines[2].env.kind, RPC_ERROR);
    assert_non_null(strstr(kit.lines[2].text, "\"id\":\"a\\\"b\""));
    assert_non_null(strstr(kit.lines[2].text, "-32601"));
    assert_non_null(strstr(kit.lines[3].text, "\"id\":1.5e3"));
    kit_close(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_silence_the_relay_is_asked),
        cmocka_unit_test(any_byte_puts_the_next_ping_off),
        cmocka_unit_test(a_ping_answered_with_an_error_is_an_answer),
        cmocka_unit_test(a_silent_relay_is_given_up_at_dead_after_ms),
        cmocka_unit_test(a_frozen_relay_is_noticed_in_time),
        cmocka_unit_test(a_byte_at_the_last_moment_saves_it),
        cmocka_unit_test(a_link_silent_from_its_start_is_given_up),
        cmocka_unit_test(a_host_that_wakes_does_not_find_a_healthy_link_dead),
        cmocka_unit_test(a_host_that_wakes_finds_a_dead_link_dead_soon),
        cmocka_unit_test(answers_that_lay_in_the_socket_are_in_time),
        cmocka_unit_test(on_waking_stale_agents_are_not_shown_beyond_their_age),
        cmocka_unit_test(a_line_that_never_ends_ends_the_link),
        cmocka_unit_test(a_line_that_takes_almost_as_long_is_a_line),
        cmocka_unit_test(a_ping_never_answered_ends_a_link_that_chatters),
        cmocka_unit_test(a_peer_that_reads_nothing_is_given_up),
        cmocka_unit_test(half_a_line_is_not_held_through_an_outage),
        cmocka_unit_test(requests_of_the_server_are_answered),
    };
    kit_failed = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_life", tests, NULL, NULL);
}

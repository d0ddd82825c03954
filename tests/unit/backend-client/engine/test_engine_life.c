/* Is the peer alive: heartbeat, dead-peer detection in a bounded time, a host that was suspended; lines and
 * pings that never end; a peer that does not read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/backend-client/engine/engine_fixture.h"

static struct engine_fixture fixture;

/* Live, and silent but for heartbeats. */
static void go_live_without_polls(void)
{
    struct ar_options o = engine_fixture_options();
    o.agents_poll_ms = AR_NEVER;
    engine_fixture_open_live(&fixture, &o);
}

static void after_silence_the_relay_is_asked(void **state)
{
    (void)state;
    go_live_without_polls();
    for (unsigned i = 1; i <= 5; i++) {
        uint64_t received_at_ms = fixture.now_ms;
        engine_fixture_until(&fixture, received_at_ms + 4999);
        assert_int_equal(fixture.methods_received[METHOD_PING], i - 1);
        engine_fixture_until(&fixture, received_at_ms + 5000);
        assert_int_equal(fixture.methods_received[METHOD_PING], i);
    }
    assert_true(engine_fixture_health(&fixture).round_trip_ms >= 0);
    engine_fixture_close(&fixture);
}

static void any_byte_puts_the_next_ping_off(void **state)
{
    (void)state;
    go_live_without_polls();
    for (int i = 0; i < 20; i++) {
        engine_fixture_advance(&fixture, 4999);
        engine_fixture_send_bytes(&fixture, "\n", 1);
    }
    assert_int_equal(fixture.methods_received[METHOD_PING], 0);
    engine_fixture_close(&fixture);
}

static void a_ping_answered_with_an_error_is_an_answer(void **state)
{
    (void)state;
    go_live_without_polls();
    fixture.script.ping = REPLY_UNKNOWN;
    engine_fixture_advance(&fixture, 600000);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(fixture.link, 1);
    assert_in_range(fixture.methods_received[METHOD_PING], 119, 120);
    engine_fixture_close(&fixture);
}

static void a_silent_relay_is_given_up_at_dead_after_ms(void **state)
{
    (void)state;
    go_live_without_polls();
    fixture.script.ping = REPLY_NONE;
    uint64_t received_at_ms = fixture.now_ms;
    engine_fixture_until(&fixture, received_at_ms + 9999);
    assert_true(fixture.linked);
    assert_int_equal(fixture.last.state, AR_LIVE);
    assert_int_equal(fixture.methods_received[METHOD_PING], 1);
    engine_fixture_until(&fixture, received_at_ms + 10000);
    assert_false(fixture.linked);
    assert_int_equal(fixture.dropped_at_ms, received_at_ms + 10000);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_int_equal(fixture.last.source, AR_SOURCE_STALE);
    assert_string_equal(engine_fixture_health(&fixture).last_error_name, "RELAY_SILENT");
    assert_int_equal(engine_fixture_health(&fixture).losses, 1);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

/* With polls, too: a frozen relay (SIGSTOP) answers nothing at all. */
static void a_frozen_relay_is_noticed_in_time(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script = (struct peer_script){.init = REPLY_NONE,
                                          .list = REPLY_NONE,
                                          .ping = REPLY_NONE,
                                          .call = REPLY_NONE,
                                          .agents = engine_fixture_agents};
    uint64_t call = engine_fixture_submit(&fixture, &(struct call_spec){.deadline_ms = AR_NEVER});
    uint64_t froze_at_ms = fixture.now_ms;
    engine_fixture_until(&fixture, froze_at_ms + 10000);
    assert_false(fixture.linked);
    assert_int_equal(fixture.dropped_at_ms, froze_at_ms + 10000);
    engine_fixture_expect(&fixture, call, AR_E_CONNECTION_LOST, true);
    engine_fixture_close(&fixture);
}

static void a_byte_at_the_last_moment_saves_it(void **state)
{
    (void)state;
    go_live_without_polls();
    fixture.script.ping = REPLY_NONE;
    engine_fixture_advance(&fixture, 9999);
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
    engine_fixture_advance(&fixture, 9999);
    assert_true(fixture.linked);
    engine_fixture_advance(&fixture, 1);
    assert_false(fixture.linked);
    engine_fixture_close(&fixture);
}

/* Its host does not even acknowledge; one that does: test_engine_second.c. */
static void a_link_silent_from_its_start_is_given_up(void **state)
{
    (void)state;
    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.unacked = 1000000;
    fixture.script.init = fixture.script.ping = REPLY_NONE;
    engine_fixture_connect(&fixture);
    uint64_t up_at_ms = fixture.now_ms;
    engine_fixture_until(&fixture, up_at_ms + 9999);
    assert_true(fixture.linked);
    engine_fixture_until(&fixture, up_at_ms + 10000);
    assert_false(fixture.linked);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_int_equal(engine_fixture_health(&fixture).links, 1);
    engine_fixture_close(&fixture);
}

/* ---- a suspended host ---- */

static void a_host_that_wakes_does_not_find_a_healthy_link_dead(void **state)
{
    (void)state;
    for (uint64_t slept_ms = 1; slept_ms <= 100000000; slept_ms *= 10) {
        engine_fixture_open_live(&fixture, NULL);
        engine_fixture_advance(&fixture, 1234);
        engine_fixture_suspend(&fixture, slept_ms);
        assert_true(fixture.linked);
        assert_int_equal(fixture.last.state, AR_LIVE);
        engine_fixture_advance(&fixture, 20000);
        assert_int_equal(fixture.last.state, AR_LIVE);
        assert_int_equal(fixture.link, 1);
        engine_fixture_close(&fixture);
    }
}

static void a_host_that_wakes_finds_a_dead_link_dead_soon(void **state)
{
    (void)state;
    go_live_without_polls();
    fixture.script.ping = REPLY_NONE;
    engine_fixture_suspend(&fixture, 3600000);
    assert_true(fixture.linked);
    engine_fixture_advance(&fixture, 11000);
    assert_false(fixture.linked);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    engine_fixture_close(&fixture);
}

/* Asleep with a ping, a poll, initialize and half a line under way: their answers lie in the socket. */
static void answers_that_lay_in_the_socket_are_in_time(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.script.list = REPLY_NONE;
    engine_fixture_advance(&fixture, 2000);
    engine_fixture_suspend(&fixture, 3600000);
    assert_true(fixture.linked);
    engine_fixture_answer_line(&fixture, "agents/list", REPLY_GOOD);
    assert_int_equal(fixture.last.state, AR_LIVE);
    fixture.script.list = REPLY_GOOD;
    engine_fixture_advance(&fixture, 30000);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);

    engine_fixture_open(&fixture, NULL);
    engine_fixture_start(&fixture);
    fixture.script.init = REPLY_NONE;
    engine_fixture_connect(&fixture);
    engine_fixture_suspend(&fixture, 3600000);
    engine_fixture_answer_line(&fixture, "initialize", REPLY_GOOD);
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.last.state, AR_LIVE);
    engine_fixture_close(&fixture);
}

/* The fallback policy is about truth, not about the peer: a snapshot that is too old on waking is not shown. */
static void on_waking_stale_agents_are_not_shown_beyond_their_age(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_lose(&fixture);
    assert_int_equal(fixture.last.source, AR_SOURCE_STALE);
    engine_fixture_suspend(&fixture, 3600000);
    assert_int_equal(fixture.last.source, AR_SOURCE_MOCK);
    engine_fixture_close(&fixture);
}

/* ---- what never ends ---- */

static void a_line_that_never_ends_ends_the_link(void **state)
{
    (void)state;
    go_live_without_polls();
    uint64_t began_at_ms = fixture.now_ms;
    while (fixture.linked && fixture.now_ms < began_at_ms + 100000) {
        engine_fixture_send_bytes(&fixture, "[", 1);
        engine_fixture_advance(&fixture, 250);
    }
    assert_int_equal(fixture.dropped_at_ms, began_at_ms + ENGINE_FRAME_MS);
    assert_int_equal(fixture.last.state, AR_DEGRADED);
    assert_string_equal(engine_fixture_health(&fixture).last_error_name, "LINE_TOO_SLOW");
    assert_non_null(
        strstr(engine_fixture_health(&fixture).last_error, " began a line and has not ended it for 60 s"));
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

static void a_line_that_takes_almost_as_long_is_a_line(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"slow\"}\n";
    (void)state;
    go_live_without_polls();
    fixture.script.ping = REPLY_GOOD;
    uint64_t began_at_ms = fixture.now_ms;
    for (size_t i = 0; i < sizeof(line) - 2; i++) {
        engine_fixture_send_bytes(&fixture, &line[i], 1);
        engine_fixture_advance(&fixture, 1800); /* 33 bytes: half a second is left */
    }
    engine_fixture_until(&fixture, began_at_ms + ENGINE_FRAME_MS - 1);
    engine_fixture_send_bytes(&fixture, "\n", 1);
    engine_fixture_advance(&fixture, 10);
    assert_true(fixture.linked);
    assert_string_equal(fixture.notification, "slow");
    engine_fixture_close(&fixture);
}

static void a_ping_never_answered_ends_a_link_that_chatters(void **state)
{
    (void)state;
    go_live_without_polls();
    fixture.script.ping = REPLY_NONE;
    engine_fixture_advance(&fixture, 5000);
    assert_int_equal(fixture.methods_received[METHOD_PING], 1);
    uint64_t asked_at_ms = fixture.now_ms;
    while (fixture.linked && fixture.now_ms < asked_at_ms + 100000) {
        engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
        engine_fixture_advance(&fixture, 250);
    }
    assert_int_equal(fixture.dropped_at_ms, asked_at_ms + ENGINE_FRAME_MS);
    engine_fixture_close(&fixture);
}

static void a_peer_that_reads_nothing_is_given_up(void **state)
{
    (void)state;
    go_live_without_polls();
    fixture.not_reading = true;
    uint64_t id =
        engine_fixture_submit(&fixture, &(struct call_spec){.policy = AR_WAIT, .deadline_ms = AR_NEVER});
    uint64_t asked_at_ms = fixture.now_ms;
    while (fixture.linked && fixture.now_ms < asked_at_ms + 200000) {
        engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"method\":\"m\"}");
        engine_fixture_advance(&fixture, 250);
    }
    assert_in_range(fixture.dropped_at_ms, asked_at_ms + ENGINE_FRAME_MS - 250,
                    asked_at_ms + ENGINE_FRAME_MS);
    assert_string_equal(engine_fixture_health(&fixture).last_error_name, "RELAY_STALLED");
    fixture.not_reading = false;
    engine_fixture_expect_open(&fixture, id);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_pump(&fixture);
    engine_fixture_expect_ok(&fixture, id, AR_SOURCE_LIVE);
    engine_fixture_close(&fixture);
}

/* An outage may be long, and half a line of megabytes is of no use in it. */
static void half_a_line_is_not_held_through_an_outage(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    engine_fixture_send_part(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":1,");
    assert_true(fixture.engine.reader.partial.cap > 0);
    engine_fixture_lose(&fixture);
    engine_fixture_tick(&fixture);
    assert_int_equal(fixture.engine.reader.partial.cap, 0);
    engine_fixture_back_to_live(&fixture);
    engine_fixture_close(&fixture);
}

/* ---- what the server asks of us ---- */

static void requests_of_the_server_are_answered(void **state)
{
    (void)state;
    engine_fixture_open_live(&fixture, NULL);
    fixture.raw_peer = true;
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}");
    engine_fixture_send(&fixture,
                        "{\"jsonrpc\":\"2.0\",\"id\":\"a\\\"b\",\"method\":\"roots/list\",\"params\":{}}");
    engine_fixture_send(&fixture, "{\"jsonrpc\":\"2.0\",\"id\":1.5e3,\"method\":\"sampling/createMessage\"}");
    engine_fixture_pump(&fixture);
    assert_int_equal(fixture.line_count, 4); /* notifications/initialized is the first */
    assert_string_equal(fixture.lines[1].text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{}}");
    assert_int_equal(fixture.lines[2].env.kind, RPC_ERROR);
    assert_non_null(strstr(fixture.lines[2].text, "\"id\":\"a\\\"b\""));
    assert_non_null(strstr(fixture.lines[2].text, "-32601"));
    assert_non_null(strstr(fixture.lines[3].text, "\"id\":1.5e3"));
    engine_fixture_close(&fixture);
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
    engine_fixture_on_failure = (void (*)(const char *, int))_fail;
    return cmocka_run_group_tests_name("engine_life", tests, NULL, NULL);
}

/* Hostile peers over real sockets: half a line, a flood, silence, garbage, an HTTP server, answers with
 * unknown ids, answers twice, closing at every byte. After each of them the client is live again by itself
 * as soon as a relay stands at the address. The engine's own tests have the finer cases.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/backend-client/api/client_fixture.h"

static bool has_tried_thrice(struct kit *k)
{
    return peer_accepted(k->peer) >= 3;
}

static void recover(struct kit *k)
{
    peer_set_mode(k->peer, PEER_SERVE);
    peer_drop_all(k->peer, true);
    kit_until(k, kit_is_live);
    assert_int_equal(kit_source(k), AR_SOURCE_LIVE);
}

/* Each connection gets `bytes`, and is closed or left silent: degraded, tried again, and then live. */
static void suffer(struct kit *k, const char *bytes, size_t len, enum peer_mode mode)
{
    k->peer = peer_start(PEER_IP4);
    peer_set_raw(k->peer, bytes, len);
    peer_set_mode(k->peer, mode);
    kit_quick(k, peer_url(k->peer));
    k->options.init_timeout_ms = 50;
    k->options.heartbeat_ms = 20;
    k->options.dead_after_ms = 60;
    k->options.agents_timeout_ms = 50;
    kit_open(k);
    assert_int_equal(kit_call(k, "echo", AR_WAIT, AR_NEVER, NULL), AR_OK);
    assert_int_equal(kit_call(k, "echo", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
    kit_until(k, kit_is_degraded);
    kit_until(k, has_tried_thrice);
    assert_true(kit_is_degraded(k) || kit_health(k).state == AR_CONNECTING);
    assert_int_equal(kit_source(k), AR_SOURCE_MOCK);
    assert_true(kit_health(k).last_error[0] != '\0');
    recover(k);
    kit_close(k);
    assert_int_equal(atomic_load(&k->replies), 2);
}

#define SUFFER(k, text, mode) suffer((k), (text), sizeof(text) - 1, (mode))

static void test_closes_at_once(void **state)
{
    SUFFER(*state, "", PEER_CLOSE);
}

static void test_silence(void **state)
{
    SUFFER(*state, "", PEER_SILENT);
}

static void test_half_a_line(void **state)
{
    SUFFER(*state, "{\"jsonrpc\":\"2.0\",\"id\":\"ar-", PEER_RAW);
}

static void test_half_a_line_and_close(void **state)
{
    SUFFER(*state, "{\"jsonrpc\":\"2.0\",\"id\":\"ar-", PEER_RAW_CLOSE);
}

static void test_http_server(void **state)
{
    SUFFER(*state, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>", PEER_RAW);
}

static void test_banner(void **state)
{
    SUFFER(*state, "SSH-2.0-OpenSSH_9.2p1\r\n", PEER_RAW_CLOSE);
}

static void test_nul_bytes(void **state)
{
    SUFFER(*state, "\0\0\0\0\n\0\n\xff\xfe\n", PEER_RAW);
}

static void test_answers_to_nobody(void **state)
{
    SUFFER(*state,
           "{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":{}}\n"
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"x\"}}\n"
           "{\"jsonrpc\":\"2.0\",\"id\":\"ar-77\",\"result\":{}}\n"
           "{\"jsonrpc\":\"2.0\",\"id\":1e400,\"result\":{}}\n",
           PEER_RAW);
}

/* A line without end: bounded by frame_max_bytes, and given up. */
static void test_line_without_end(void **state)
{
    size_t size = (size_t)12 << 20;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 'x', size);
    suffer(*state, bytes, size, PEER_RAW);
    free(bytes);
}

static void test_flood_of_notifications(void **state)
{
    static const char line[] = "{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\",\"params\":{\"n\":1}}\n";
    enum { COUNT = 20000 };
    size_t len = sizeof(line) - 1;
    char *bytes = malloc(len * COUNT);
    assert_non_null(bytes);
    for (size_t i = 0; i < COUNT; i++)
        memcpy(bytes + i * len, line, len);
    suffer(*state, bytes, len * COUNT, PEER_RAW_CLOSE);
    free(bytes);
}

/* ---- on a link that is live ---- */

static bool one_reply(struct kit *k)
{
    return atomic_load(&k->replies) >= 1;
}

static void test_answers_twice(void **state)
{
    struct kit *k = *state;
    char line[160];
    uint64_t id = 0;
    kit_open_live(k);
    assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, AR_NEVER, &id), AR_OK);
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":2}",
        (unsigned long long)id, (unsigned long long)id);
    while (peer_requests(k->peer) == 0)
        kit_iterations(k, 1);
    uint64_t bad = kit_health(k).bad_frames;
    peer_say(k->peer, line);
    kit_until(k, one_reply);
    assert_string_equal(k->last_result, "1");
    while (kit_health(k).bad_frames == bad)
        kit_iterations(k, 1);
    assert_int_equal(atomic_load(&k->replies), 1);
    assert_true(kit_is_live(k));
}

/* The answer's line stops after each of its bytes, and so does the connection. */
static void test_closes_at_every_byte(void **state)
{
    struct kit *k = *state;
    static const char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
    kit_open_live(k);
    for (size_t cut = 0; cut < sizeof(answer); cut++) {
        char line[sizeof(answer)];
        (void)snprintf(line, cut + 1, "%s", answer);
        kit_until(k, kit_is_live);
        assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
        peer_say(k->peer, line);
        peer_drop_all(k->peer, cut % 2 == 0);
        while (atomic_load(&k->replies) <= cut)
            kit_iterations(k, 1);
    }
    kit_until(k, kit_is_live);
    assert_int_equal(atomic_load(&k->replies), sizeof(answer));
}

/* Frozen while live: found out within the bound, and the answer to the call says that it may have run. */
static void test_freezes(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    k->options.heartbeat_ms = 50;
    k->options.dead_after_ms = 150;
    k->options.agents_poll_ms = AR_NEVER;
    k->options.init_timeout_ms = 100;
    kit_open(k);
    kit_until(k, kit_is_live);
    assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
    while (peer_requests(k->peer) == 0)
        kit_iterations(k, 1);
    peer_set_mode(k->peer, PEER_DEAF);
    kit_until(k, kit_is_degraded);
    kit_until(k, one_reply);
    assert_int_equal(atomic_load(&k->codes[-AR_E_CONNECTION_LOST]), 1);
    assert_int_equal(atomic_load(&k->may_have_run), 1);
    recover(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TESTS(test_closes_at_once),   KIT_TESTS(test_silence),
        KIT_TESTS(test_half_a_line),      KIT_TESTS(test_half_a_line_and_close),
        KIT_TESTS(test_http_server),      KIT_TESTS(test_banner),
        KIT_TESTS(test_nul_bytes),        KIT_TESTS(test_answers_to_nobody),
        KIT_TESTS(test_line_without_end), KIT_TESTS(test_flood_of_notifications),
        KIT_TESTS(test_answers_twice),    KIT_TESTS(test_closes_at_every_byte),
        KIT_TESTS(test_freezes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

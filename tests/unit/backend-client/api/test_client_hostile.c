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

static bool has_tried_thrice(struct client_fixture *f)
{
    return peer_accepted(f->peer) >= 3;
}

static void recover(struct client_fixture *f)
{
    peer_set_mode(f->peer, PEER_SERVE);
    peer_drop_all(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(client_fixture_source(f), AR_SOURCE_LIVE);
}

/* Each connection gets `bytes`, and is closed or left silent: degraded, tried again, and then live. */
static void suffer(struct client_fixture *f, const char *bytes, size_t len, enum peer_mode mode)
{
    f->peer = peer_start(PEER_IP4);
    peer_set_raw(f->peer, bytes, len);
    peer_set_mode(f->peer, mode);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.init_timeout_ms = 50;
    f->options.heartbeat_ms = 20;
    f->options.dead_after_ms = 60;
    f->options.agents_timeout_ms = 50;
    client_fixture_open(f);
    assert_int_equal(client_fixture_call(f, "echo", AR_WAIT, AR_NEVER, NULL), AR_OK);
    assert_int_equal(client_fixture_call(f, "echo", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
    client_fixture_run_until(f, client_fixture_is_degraded);
    client_fixture_run_until(f, has_tried_thrice);
    assert_true(client_fixture_is_degraded(f) || client_fixture_health(f).state == AR_CONNECTING);
    assert_int_equal(client_fixture_source(f), AR_SOURCE_MOCK);
    assert_true(client_fixture_health(f).last_error[0] != '\0');
    recover(f);
    client_fixture_close(f);
    assert_int_equal(atomic_load(&f->replies), 2);
}

#define SUFFER(f, text, mode) suffer((f), (text), sizeof(text) - 1, (mode))

static void a_peer_that_closes_at_once(void **state)
{
    SUFFER(*state, "", PEER_CLOSE);
}

static void a_silent_peer(void **state)
{
    SUFFER(*state, "", PEER_SILENT);
}

static void half_a_line(void **state)
{
    SUFFER(*state, "{\"jsonrpc\":\"2.0\",\"id\":\"ar-", PEER_RAW);
}

static void half_a_line_and_a_close(void **state)
{
    SUFFER(*state, "{\"jsonrpc\":\"2.0\",\"id\":\"ar-", PEER_RAW_CLOSE);
}

static void an_http_server(void **state)
{
    SUFFER(*state, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n<html>", PEER_RAW);
}

static void a_banner(void **state)
{
    SUFFER(*state, "SSH-2.0-OpenSSH_9.2p1\r\n", PEER_RAW_CLOSE);
}

static void nul_bytes(void **state)
{
    SUFFER(*state, "\0\0\0\0\n\0\n\xff\xfe\n", PEER_RAW);
}

static void answers_without_a_call(void **state)
{
    SUFFER(*state,
           "{\"jsonrpc\":\"2.0\",\"id\":99999,\"result\":{}}\n"
           "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":1,\"message\":\"x\"}}\n"
           "{\"jsonrpc\":\"2.0\",\"id\":\"ar-77\",\"result\":{}}\n"
           "{\"jsonrpc\":\"2.0\",\"id\":1e400,\"result\":{}}\n",
           PEER_RAW);
}

/* A line without end: bounded by frame_max_bytes, and given up. */
static void a_line_without_end(void **state)
{
    size_t size = (size_t)12 << 20;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, 'x', size);
    suffer(*state, bytes, size, PEER_RAW);
    free(bytes);
}

static void a_flood_of_notifications(void **state)
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

static bool one_reply(struct client_fixture *f)
{
    return atomic_load(&f->replies) >= 1;
}

static void a_peer_that_answers_twice(void **state)
{
    struct client_fixture *f = *state;
    char line[160];
    uint64_t id = 0;
    client_fixture_open_live(f);
    assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, AR_NEVER, &id), AR_OK);
    (void)snprintf(
        line, sizeof(line),
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}\n{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":2}",
        (unsigned long long)id, (unsigned long long)id);
    while (peer_requests(f->peer) == 0)
        client_fixture_iterations(f, 1);
    uint64_t bad = client_fixture_health(f).bad_frames;
    peer_send(f->peer, line);
    client_fixture_run_until(f, one_reply);
    assert_string_equal(f->last_result, "1");
    while (client_fixture_health(f).bad_frames == bad)
        client_fixture_iterations(f, 1);
    assert_int_equal(atomic_load(&f->replies), 1);
    assert_true(client_fixture_is_live(f));
}

/* The answer's line stops after each of its bytes, and so does the connection. */
static void a_peer_that_closes_at_every_byte(void **state)
{
    struct client_fixture *f = *state;
    static const char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}";
    client_fixture_open_live(f);
    for (size_t cut = 0; cut < sizeof(answer); cut++) {
        char line[sizeof(answer)];
        (void)snprintf(line, cut + 1, "%s", answer);
        client_fixture_run_until(f, client_fixture_is_live);
        assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
        peer_send(f->peer, line);
        peer_drop_all(f->peer, cut % 2 == 0);
        while (atomic_load(&f->replies) <= cut)
            client_fixture_iterations(f, 1);
    }
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(atomic_load(&f->replies), sizeof(answer));
}

/* Frozen while live: found out within the bound, and the answer to the call says that it may have run. */
static void a_peer_that_freezes(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.heartbeat_ms = 50;
    f->options.dead_after_ms = 150;
    f->options.agents_poll_ms = AR_NEVER;
    f->options.init_timeout_ms = 100;
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
    while (peer_requests(f->peer) == 0)
        client_fixture_iterations(f, 1);
    peer_set_mode(f->peer, PEER_NOT_READING);
    client_fixture_run_until(f, client_fixture_is_degraded);
    client_fixture_run_until(f, one_reply);
    assert_int_equal(atomic_load(&f->codes[-AR_E_CONNECTION_LOST]), 1);
    assert_int_equal(atomic_load(&f->may_have_run), 1);
    recover(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TESTS(a_peer_that_closes_at_once),
        CLIENT_TESTS(a_silent_peer),
        CLIENT_TESTS(half_a_line),
        CLIENT_TESTS(half_a_line_and_a_close),
        CLIENT_TESTS(an_http_server),
        CLIENT_TESTS(a_banner),
        CLIENT_TESTS(nul_bytes),
        CLIENT_TESTS(answers_without_a_call),
        CLIENT_TESTS(a_line_without_end),
        CLIENT_TESTS(a_flood_of_notifications),
        CLIENT_TESTS(a_peer_that_answers_twice),
        CLIENT_TESTS(a_peer_that_closes_at_every_byte),
        CLIENT_TESTS(a_peer_that_freezes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

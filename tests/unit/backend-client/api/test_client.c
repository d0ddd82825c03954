/* The client as a whole, on a thread of its own and on the host's loop, against a relay of plain sockets:
 * the way to live and back, calls, waiting for them.
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

/* ---- live and not ---- */

static void test_is_live(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    const struct ar_snapshot *s = ar_agents(k->client);
    assert_int_equal(ar_snapshot_source(s), AR_SOURCE_LIVE);
    assert_int_equal(ar_snapshot_count(s), 1);
    assert_string_equal(ar_snapshot_agent(s, 0)->id, "a1");
    struct ar_health h = kit_health(k);
    assert_int_equal(h.source, AR_SOURCE_LIVE);
    assert_int_equal(h.links, 1);
    assert_int_equal(h.losses, 0);
    assert_int_equal(h.relay, AR_REACH_UP);
    assert_int_equal(h.server, AR_REACH_UP);
    assert_int_equal(h.next_attempt_in_ms, -1);
    assert_string_equal(h.peer, peer_url(k->peer));
    assert_string_equal(h.address, peer_url(k->peer));
    assert_string_equal(h.last_error_name, "");
    uint64_t until_ns = uv_hrtime() + UINT64_C(20000000000);
    while (kit_health(k).state_for_ms == h.state_for_ms) /* times pass without a loop iteration */
        assert_true(uv_hrtime() < until_ns);
    kit_close(k);
    assert_int_equal(ar_snapshot_count(s), 1); /* held beyond the client */
    ar_snapshot_release(s);
}

static void test_over_ip6(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP6);
    kit_quick(k, peer_url(k->peer));
    kit_open(k);
    kit_until(k, kit_is_live);
    assert_string_equal(kit_health(k).peer, peer_url(k->peer));
}

static void test_over_unix(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_UNIX);
    kit_quick(k, peer_url(k->peer));
    kit_open(k);
    kit_until(k, kit_is_live);
    assert_string_equal(kit_health(k).peer, peer_url(k->peer));
}

/* ::1 and 127.0.0.1, and only the second listens. */
static void test_tries_every_address(void **state)
{
    struct kit *k = *state;
    char url[64];
    k->peer = peer_start(PEER_IP4);
    (void)snprintf(url, sizeof(url), "both.test:%u", (unsigned)peer_port(k->peer));
    kit_quick(k, url);
    kit_open(k);
    kit_until(k, kit_is_live);
    struct ar_health h = kit_health(k);
    assert_string_equal(h.peer, peer_url(k->peer));
    assert_string_equal(h.address, url);
    assert_int_equal(atomic_load(&k->states[AR_DEGRADED]), 0);
}

/* Nobody there at first: mock, degraded, with the reason; live by itself. */
static void test_start_order_is_free(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    peer_set_listening(k->peer, false);
    kit_quick(k, peer_url(k->peer));
    kit_open(k);
    assert_int_equal(kit_source(k), AR_SOURCE_MOCK);
    kit_until(k, kit_is_degraded);
    struct ar_health h = kit_health(k);
    assert_string_equal(h.last_error_name, "ECONNREFUSED");
    assert_non_null(strstr(h.last_error, peer_url(k->peer)));
    assert_true(h.suggestion[0] != '\0');
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_true(h.agents_are_mock);
    peer_set_listening(k->peer, true);
    kit_until(k, kit_is_live);
    assert_int_equal(kit_source(k), AR_SOURCE_LIVE);
    assert_true(atomic_load(&k->agents[AR_SOURCE_MOCK]) > 0);
}

static void test_name_that_does_not_exist(void **state)
{
    struct kit *k = *state;
    kit_quick(k, "none.test:9500");
    unsigned asked = kit_dns_asked();
    kit_open(k);
    kit_until(k, kit_is_degraded);
    assert_non_null(strstr(kit_health(k).last_error, "none.test"));
    assert_true(kit_dns_asked() > asked);
}

static bool told_live_twice(struct kit *k)
{
    return atomic_load(&k->states[AR_LIVE]) >= 2;
}

/* Live, stale, mock, and live again. */
static bool mock_was_told(struct kit *k)
{
    return atomic_load(&k->agents[AR_SOURCE_MOCK]) > 0;
}

/* The first agents are told at once, whatever else has to be waited for. */
static void test_first_agents_are_told_at_once(void **state)
{
    struct kit *k = *state;
    kit_quick(k, "hang.test:9500");
    k->options.mock_refresh_ms = AR_NEVER;
    kit_open(k);
    kit_until(k, mock_was_told);
    kit_close(k);
    kit_dns_release();
}

static void falls_back_from_live_to_stale_to_mock(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    k->options.stale_max_ms = 300;
    kit_open(k);
    kit_until(k, kit_is_live);
    peer_set_listening(k->peer, false);
    peer_drop_all(k->peer, true);
    kit_until(k, kit_is_stale);
    kit_until(k, kit_is_mock);
    assert_int_equal(kit_health(k).losses, 1);
    peer_set_listening(k->peer, true);
    kit_until(k, told_live_twice);
    assert_true(kit_is_live(k));
    assert_true(atomic_load(&k->agents[AR_SOURCE_STALE]) > 0);
    assert_int_equal(atomic_load(&k->states[AR_LIVE]), 2);
}

/* ---- the health probe ---- */

static bool probe_is_up(struct kit *k)
{
    return kit_health(k).health_probe == AR_REACH_UP;
}

static bool probe_is_down(struct kit *k)
{
    return kit_health(k).health_probe == AR_REACH_DOWN;
}

/* Asked while degraded, with the attempts, and not more often than once a second. */
static void test_health_probe(void **state)
{
    struct kit *k = *state;
    static const char well[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char ill[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    char url[80];
    struct peer *http = peer_start(PEER_IP4);
    peer_set_mode(http, PEER_HTTP);
    peer_set_raw(http, well, sizeof(well) - 1);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/health", (unsigned)peer_port(http));
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    k->options.health_url = url;
    kit_open(k);
    kit_until(k, kit_is_live);
    assert_int_equal(peer_requests(http), 0);
    assert_int_equal(kit_health(k).health_probe, AR_REACH_UNKNOWN);
    uint64_t from_ns = uv_hrtime();
    peer_set_listening(k->peer, false);
    peer_drop_all(k->peer, true);
    kit_until(k, probe_is_up);
    assert_int_equal(kit_health(k).health_probe_status, 200);
    peer_set_raw(http, ill, sizeof(ill) - 1);
    kit_until(k, probe_is_down);
    assert_int_equal(kit_health(k).health_probe_status, 503);
    /* The client counts whole milliseconds, which began up to one earlier. */
    uint64_t seconds = (uv_hrtime() - from_ns + UINT64_C(2000000)) / UINT64_C(1000000000);
    assert_true(kit_health(k).attempts > 3);
    assert_in_range(peer_requests(http), 2, seconds + 1);
    kit_close(k);
    peer_stop(http);
}

/* ---- calls ---- */

static bool one_reply(struct kit *k)
{
    return atomic_load(&k->replies) >= 1;
}

static void test_call(void **state)
{
    struct kit *k = *state;
    uint64_t id = 0;
    kit_open_live(k);
    assert_int_equal(kit_call(k, "echo", AR_FAIL_FAST, 0, &id), AR_OK);
    kit_until(k, one_reply);
    assert_true(id > 0);
    assert_int_equal(atomic_load(&k->codes[0]), 1);
    assert_string_equal(k->last_result, "{\"echo\":{\"n\":1}}");
    assert_int_equal(ar_cancel(k->client, id), AR_OK); /* complete already: nothing */
    assert_int_equal(ar_cancel(k->client, id + 1000), AR_E_NOT_FOUND);
    assert_int_equal(ar_cancel(k->client, 0), AR_E_NOT_FOUND);
}

static void test_call_fails(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    assert_int_equal(kit_call(k, "fail", AR_FAIL_FAST, 0, NULL), AR_OK);
    kit_until(k, one_reply);
    assert_int_equal(atomic_load(&k->codes[-AR_E_SERVER]), 1);
    assert_string_equal(k->last_message, "it failed");
}

static void test_call_runs_out_of_time(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, 30, NULL), AR_OK);
    kit_until(k, one_reply);
    assert_int_equal(atomic_load(&k->codes[-AR_E_TIMEOUT]), 1);
    assert_int_equal(atomic_load(&k->may_have_run), 1);
}

static bool one_cancel(struct kit *k)
{
    return peer_cancels(k->peer) >= 1;
}

static bool one_request(struct kit *k)
{
    return peer_requests(k->peer) >= 1;
}

static void test_cancel(void **state)
{
    struct kit *k = *state;
    uint64_t id;
    kit_open_live(k);
    assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, AR_NEVER, &id), AR_OK);
    kit_until(k, one_request);
    assert_int_equal(ar_cancel(k->client, id), AR_OK);
    kit_until(k, one_reply);
    kit_until(k, one_cancel);
    assert_int_equal(atomic_load(&k->codes[-AR_E_CANCELLED]), 1);
}

static void test_progress_comes_before_the_reply(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    assert_int_equal(kit_call(k, "progress", AR_FAIL_FAST, 0, NULL), AR_OK);
    kit_until(k, one_reply);
    assert_int_equal(atomic_load(&k->progress), 1);
    assert_int_equal(atomic_load(&k->codes[0]), 1);
}

static bool one_notification(struct kit *k)
{
    return atomic_load(&k->notifications) >= 1;
}

static bool two_sent(struct kit *k)
{
    return peer_notifications(k->peer) >= 2;
}

static void test_notifications(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    peer_say(k->peer, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\",\"params\":{}}");
    kit_until(k, one_notification);
    assert_int_equal(ar_notify(k->client, "notifications/roots/list_changed", NULL, 0), AR_OK);
    assert_int_equal(ar_notify(k->client, "hello", "{\"a\":1}", 0), AR_OK);
    kit_until(k, two_sent);
    assert_int_equal(ar_notify(k->client, "notifications/initialized", NULL, 0), AR_E_INVALID);
    assert_int_equal(ar_notify(k->client, "hello", "{\"a\":", 0), AR_E_INVALID);
    assert_int_equal(ar_notify(k->client, NULL, NULL, 0), AR_E_INVALID);
    peer_set_listening(k->peer, false);
    peer_drop_all(k->peer, false);
    kit_until(k, kit_is_degraded);
    assert_int_equal(ar_notify(k->client, "hello", NULL, 0), AR_E_DEGRADED);
}

static void test_policies_while_degraded(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    peer_set_listening(k->peer, false);
    peer_drop_all(k->peer, true);
    kit_until(k, kit_is_degraded);
    assert_int_equal(kit_call(k, "tools/list", AR_FAIL_FAST, 0, NULL), AR_OK);
    assert_int_equal(kit_call(k, "tools/list", AR_MOCK, 0, NULL), AR_OK);
    assert_int_equal(kit_call(k, "echo", AR_WAIT, AR_NEVER, NULL), AR_OK);
    kit_until(k, one_reply);
    peer_set_listening(k->peer, true);
    kit_until(k, one_request);
    kit_until(k, kit_is_live);
    assert_int_equal(atomic_load(&k->codes[-AR_E_DEGRADED]), 1);
    assert_int_equal(atomic_load(&k->mocked), 1);
    kit_close(k);
    assert_int_equal(atomic_load(&k->replies), 3);
}

static void test_refuses_what_cannot_be_sent(void **state)
{
    struct kit *k = *state;
    struct ar_call c;
    kit_open_live(k);
    assert_int_equal(ar_call(k->client, NULL, NULL), AR_E_INVALID);
    memset(&c, 0, sizeof(c));
    c.method = "echo";
    assert_int_equal(ar_call(k->client, &c, NULL), AR_E_INVALID); /* not initialised */
    ar_call_init(&c);
    assert_int_equal(ar_call(k->client, &c, NULL), AR_E_INVALID);
    c.method = "initialize";
    assert_int_equal(ar_call(k->client, &c, NULL), AR_E_INVALID);
    c.method = "echo";
    c.params = "[1,";
    assert_int_equal(ar_call(k->client, &c, NULL), AR_E_INVALID);
    size_t size = k->options.frame_max_bytes;
    char *large = malloc(size + 3);
    assert_non_null(large);
    memset(large, 'x', size);
    large[0] = '[';
    large[1] = large[size - 2] = '"';
    large[size - 1] = ']';
    large[size] = '\0';
    c.params = large;
    assert_int_equal(ar_call(k->client, &c, NULL), AR_E_TOO_LARGE);
    free(large);
    struct ar_health h = {.size = 1};
    assert_int_equal(ar_health(k->client, &h), AR_E_INVALID);
    assert_int_equal(ar_health(k->client, NULL), AR_E_INVALID);
}

/* ---- waiting for an answer ---- */

static void test_call_wait(void **state)
{
    struct kit *k = *state;
    struct ar_call c;
    struct ar_reply *reply;
    kit_open_live(k);
    ar_call_init(&c);
    c.method = "echo";
    c.params = "{\"n\":2}";
    if (k->host) {
        assert_int_equal(ar_call_wait(k->client, &c, &reply), AR_E_WOULD_DEADLOCK);
        return;
    }
    assert_int_equal(ar_call_wait(k->client, &c, &reply), AR_OK);
    assert_int_equal(reply->code, AR_OK);
    assert_string_equal(reply->result, "{\"echo\":{\"n\":2}}");
    assert_int_equal(reply->result_len, strlen(reply->result));
    ar_reply_free(reply);
    c.method = "fail";
    assert_int_equal(ar_call_wait(k->client, &c, &reply), AR_OK);
    assert_int_equal(reply->code, AR_E_SERVER);
    assert_int_equal(reply->error_code, -32000);
    assert_string_equal(reply->message, "it failed");
    assert_string_equal(reply->error_data, "{\"why\":1}");
    ar_reply_free(reply);
    c.method = NULL;
    assert_int_equal(ar_call_wait(k->client, &c, &reply), AR_E_INVALID);
    ar_reply_free(NULL);
}

static atomic_int wait_code;

static void wait_inside(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct ar_call c;
    struct ar_reply *inner;
    (void)reply;
    ar_call_init(&c);
    c.method = "echo";
    int rc = ar_call_wait(client, &c, &inner);
    if (rc == AR_E_WOULD_DEADLOCK)
        rc = ar_close_wait(client);
    atomic_store(&wait_code, rc);
    (void)atomic_fetch_add(&((struct kit *)data)->replies, 1);
}

static void test_waiting_in_a_callback_would_deadlock(void **state)
{
    struct kit *k = *state;
    struct ar_call c;
    kit_open_live(k);
    atomic_store(&wait_code, 0);
    ar_call_init(&c);
    c.method = "echo";
    c.on_reply = wait_inside;
    c.data = k;
    assert_int_equal(ar_call(k->client, &c, NULL), AR_OK);
    kit_until(k, one_reply);
    assert_int_equal(atomic_load(&wait_code), AR_E_WOULD_DEADLOCK);
}

static atomic_uint chain;

/* Calls from inside a completion, for ever: the loop's other handles still run. */
static void call_again(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct ar_call c;
    (void)reply;
    (void)atomic_fetch_add(&chain, 1);
    ar_call_init(&c);
    c.method = "echo";
    c.on_reply = call_again;
    c.data = data;
    (void)ar_call(client, &c, NULL); /* refused once it closes */
}

static bool long_chain(struct kit *k)
{
    (void)k;
    return atomic_load(&chain) >= 200;
}

static void test_calls_from_completions(void **state)
{
    struct kit *k = *state;
    struct ar_call c;
    kit_open_live(k);
    atomic_store(&chain, 0);
    ar_call_init(&c);
    c.method = "echo";
    c.on_reply = call_again;
    assert_int_equal(ar_call(k->client, &c, NULL), AR_OK);
    kit_until(k, long_chain);
    peer_set_listening(k->peer, false); /* fails fast now, at once, each time: a loop without end */
    peer_drop_all(k->peer, false);
    kit_until(k, kit_is_degraded);
    peer_set_listening(k->peer, true);
    kit_until(k, kit_is_live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TESTS(test_is_live),
        KIT_TESTS(test_over_ip6),
        KIT_TESTS(test_over_unix),
        KIT_TESTS(test_tries_every_address),
        KIT_TESTS(test_start_order_is_free),
        KIT_TESTS(test_name_that_does_not_exist),
        KIT_TESTS(test_first_agents_are_told_at_once),
        KIT_TESTS(falls_back_from_live_to_stale_to_mock),
        KIT_TESTS(test_health_probe),
        KIT_TESTS(test_call),
        KIT_TESTS(test_call_fails),
        KIT_TESTS(test_call_runs_out_of_time),
        KIT_TESTS(test_cancel),
        KIT_TESTS(test_progress_comes_before_the_reply),
        KIT_TESTS(test_notifications),
        KIT_TESTS(test_policies_while_degraded),
        KIT_TESTS(test_refuses_what_cannot_be_sent),
        KIT_TESTS(test_call_wait),
        KIT_TESTS(test_waiting_in_a_callback_would_deadlock),
        KIT_TESTS(test_calls_from_completions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

static void becomes_live(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    const struct ar_snapshot *s = ar_agents(f->client);
    assert_int_equal(ar_snapshot_source(s), AR_SOURCE_LIVE);
    assert_int_equal(ar_snapshot_count(s), 1);
    assert_string_equal(ar_snapshot_agent(s, 0)->id, "a1");
    struct ar_health h = client_fixture_health(f);
    assert_int_equal(h.source, AR_SOURCE_LIVE);
    assert_int_equal(h.links, 1);
    assert_int_equal(h.losses, 0);
    assert_int_equal(h.relay, AR_REACH_UP);
    assert_int_equal(h.server, AR_REACH_UP);
    assert_int_equal(h.next_attempt_in_ms, -1);
    assert_string_equal(h.peer, peer_url(f->peer));
    assert_string_equal(h.address, peer_url(f->peer));
    assert_string_equal(h.last_error_name, "");
    uint64_t until_ns = uv_hrtime() + UINT64_C(20000000000);
    while (client_fixture_health(f).state_for_ms == h.state_for_ms) /* times pass without a loop iteration */
        assert_true(uv_hrtime() < until_ns);
    client_fixture_close(f);
    assert_int_equal(ar_snapshot_count(s), 1); /* held beyond the client */
    ar_snapshot_release(s);
}

static void becomes_live_over_ip6(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP6);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_string_equal(client_fixture_health(f).peer, peer_url(f->peer));
}

static void becomes_live_over_a_unix_socket(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_UNIX);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_string_equal(client_fixture_health(f).peer, peer_url(f->peer));
}

/* ::1 and 127.0.0.1, and only the second listens. */
static void tries_every_address(void **state)
{
    struct client_fixture *f = *state;
    char url[64];
    f->peer = peer_start(PEER_IP4);
    (void)snprintf(url, sizeof(url), "both.test:%u", (unsigned)peer_port(f->peer));
    client_fixture_use_quick_options(f, url);
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
    struct ar_health h = client_fixture_health(f);
    assert_string_equal(h.peer, peer_url(f->peer));
    assert_string_equal(h.address, url);
    assert_int_equal(atomic_load(&f->states[AR_DEGRADED]), 0);
}

/* No relay at first: mock, degraded, with the reason; live by itself. */
static void start_order_is_free(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    peer_set_listening(f->peer, false);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    client_fixture_open(f);
    assert_int_equal(client_fixture_source(f), AR_SOURCE_MOCK);
    client_fixture_run_until(f, client_fixture_is_degraded);
    struct ar_health h = client_fixture_health(f);
    assert_string_equal(h.last_error_name, "ECONNREFUSED");
    assert_non_null(strstr(h.last_error, peer_url(f->peer)));
    assert_true(h.suggestion[0] != '\0');
    assert_int_equal(h.source, AR_SOURCE_MOCK);
    assert_true(h.agents_are_mock);
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(client_fixture_source(f), AR_SOURCE_LIVE);
    assert_true(atomic_load(&f->agents[AR_SOURCE_MOCK]) > 0);
}

static void reports_a_name_that_does_not_exist(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_use_quick_options(f, "none.test:9500");
    unsigned asked = client_fixture_dns_asked();
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_degraded);
    assert_non_null(strstr(client_fixture_health(f).last_error, "none.test"));
    assert_true(client_fixture_dns_asked() > asked);
}

static bool reported_live_twice(struct client_fixture *f)
{
    return atomic_load(&f->states[AR_LIVE]) >= 2;
}

/* Live, stale, mock, and live again. */
static bool mock_was_published(struct client_fixture *f)
{
    return atomic_load(&f->agents[AR_SOURCE_MOCK]) > 0;
}

/* The first agents are published at once, whatever else has to be waited for. */
static void publishes_the_first_agents_at_once(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_use_quick_options(f, "hang.test:9500");
    f->options.mock_refresh_ms = AR_NEVER;
    client_fixture_open(f);
    client_fixture_run_until(f, mock_was_published);
    client_fixture_close(f);
    client_fixture_dns_release();
}

static void falls_back_from_live_to_stale_to_mock(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.stale_max_ms = 300;
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
    peer_set_listening(f->peer, false);
    peer_drop_all(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_stale);
    client_fixture_run_until(f, client_fixture_is_mock);
    assert_int_equal(client_fixture_health(f).losses, 1);
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, reported_live_twice);
    assert_true(client_fixture_is_live(f));
    assert_true(atomic_load(&f->agents[AR_SOURCE_STALE]) > 0);
    assert_int_equal(atomic_load(&f->states[AR_LIVE]), 2);
}

/* ---- the health probe ---- */

static bool probe_is_up(struct client_fixture *f)
{
    return client_fixture_health(f).health_probe == AR_REACH_UP;
}

static bool probe_is_down(struct client_fixture *f)
{
    return client_fixture_health(f).health_probe == AR_REACH_DOWN;
}

/* Asked while degraded, with the attempts, and not more often than once a second. */
static void asks_the_health_address(void **state)
{
    struct client_fixture *f = *state;
    static const char well[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char ill[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    char url[80];
    struct peer *http = peer_start(PEER_IP4);
    peer_set_mode(http, PEER_HTTP);
    peer_set_raw(http, well, sizeof(well) - 1);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/health", (unsigned)peer_port(http));
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.health_url = url;
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(peer_requests(http), 0);
    assert_int_equal(client_fixture_health(f).health_probe, AR_REACH_UNKNOWN);
    uint64_t from_ns = uv_hrtime();
    peer_set_listening(f->peer, false);
    peer_drop_all(f->peer, true);
    client_fixture_run_until(f, probe_is_up);
    assert_int_equal(client_fixture_health(f).health_probe_status, 200);
    peer_set_raw(http, ill, sizeof(ill) - 1);
    client_fixture_run_until(f, probe_is_down);
    assert_int_equal(client_fixture_health(f).health_probe_status, 503);
    /* The client counts whole milliseconds, which began up to one earlier. */
    uint64_t seconds = (uv_hrtime() - from_ns + UINT64_C(2000000)) / UINT64_C(1000000000);
    assert_true(client_fixture_health(f).attempts > 3);
    assert_in_range(peer_requests(http), 2, seconds + 1);
    client_fixture_close(f);
    peer_stop(http);
}

/* ---- calls ---- */

static bool one_reply(struct client_fixture *f)
{
    return atomic_load(&f->replies) >= 1;
}

static void completes_a_call(void **state)
{
    struct client_fixture *f = *state;
    uint64_t id = 0;
    client_fixture_open_live(f);
    assert_int_equal(client_fixture_call(f, "echo", AR_FAIL_FAST, 0, &id), AR_OK);
    client_fixture_run_until(f, one_reply);
    assert_true(id > 0);
    assert_int_equal(atomic_load(&f->codes[0]), 1);
    assert_string_equal(f->last_result, "{\"echo\":{\"n\":1}}");
    assert_int_equal(ar_cancel(f->client, id), AR_OK); /* complete already: nothing */
    assert_int_equal(ar_cancel(f->client, id + 1000), AR_E_NOT_FOUND);
    assert_int_equal(ar_cancel(f->client, 0), AR_E_NOT_FOUND);
}

static void completes_a_call_that_fails(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    assert_int_equal(client_fixture_call(f, "fail", AR_FAIL_FAST, 0, NULL), AR_OK);
    client_fixture_run_until(f, one_reply);
    assert_int_equal(atomic_load(&f->codes[-AR_E_SERVER]), 1);
    assert_string_equal(f->last_message, "it failed");
}

static void completes_a_call_at_its_deadline(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, 30, NULL), AR_OK);
    client_fixture_run_until(f, one_reply);
    assert_int_equal(atomic_load(&f->codes[-AR_E_TIMEOUT]), 1);
    assert_int_equal(atomic_load(&f->may_have_run), 1);
}

static bool one_cancel(struct client_fixture *f)
{
    return peer_cancels(f->peer) >= 1;
}

static bool one_request(struct client_fixture *f)
{
    return peer_requests(f->peer) >= 1;
}

static void cancels_a_call(void **state)
{
    struct client_fixture *f = *state;
    uint64_t id;
    client_fixture_open_live(f);
    assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, AR_NEVER, &id), AR_OK);
    client_fixture_run_until(f, one_request);
    assert_int_equal(ar_cancel(f->client, id), AR_OK);
    client_fixture_run_until(f, one_reply);
    client_fixture_run_until(f, one_cancel);
    assert_int_equal(atomic_load(&f->codes[-AR_E_CANCELLED]), 1);
}

static void progress_comes_before_the_reply(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    assert_int_equal(client_fixture_call(f, "progress", AR_FAIL_FAST, 0, NULL), AR_OK);
    client_fixture_run_until(f, one_reply);
    assert_int_equal(atomic_load(&f->progress), 1);
    assert_int_equal(atomic_load(&f->codes[0]), 1);
}

static bool one_notification(struct client_fixture *f)
{
    return atomic_load(&f->notifications) >= 1;
}

static bool two_sent(struct client_fixture *f)
{
    return peer_notifications(f->peer) >= 2;
}

static void passes_notifications_both_ways(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    peer_send(f->peer, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\",\"params\":{}}");
    client_fixture_run_until(f, one_notification);
    assert_int_equal(ar_notify(f->client, "notifications/roots/list_changed", NULL, 0), AR_OK);
    assert_int_equal(ar_notify(f->client, "hello", "{\"a\":1}", 0), AR_OK);
    client_fixture_run_until(f, two_sent);
    assert_int_equal(ar_notify(f->client, "notifications/initialized", NULL, 0), AR_E_INVALID);
    assert_int_equal(ar_notify(f->client, "hello", "{\"a\":", 0), AR_E_INVALID);
    assert_int_equal(ar_notify(f->client, NULL, NULL, 0), AR_E_INVALID);
    peer_set_listening(f->peer, false);
    peer_drop_all(f->peer, false);
    client_fixture_run_until(f, client_fixture_is_degraded);
    assert_int_equal(ar_notify(f->client, "hello", NULL, 0), AR_E_DEGRADED);
}

static void policies_while_degraded(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    peer_set_listening(f->peer, false);
    peer_drop_all(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_degraded);
    assert_int_equal(client_fixture_call(f, "tools/list", AR_FAIL_FAST, 0, NULL), AR_OK);
    assert_int_equal(client_fixture_call(f, "tools/list", AR_MOCK, 0, NULL), AR_OK);
    assert_int_equal(client_fixture_call(f, "echo", AR_WAIT, AR_NEVER, NULL), AR_OK);
    client_fixture_run_until(f, one_reply);
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, one_request);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(atomic_load(&f->codes[-AR_E_DEGRADED]), 1);
    assert_int_equal(atomic_load(&f->mocked), 1);
    client_fixture_close(f);
    assert_int_equal(atomic_load(&f->replies), 3);
}

static void refuses_what_cannot_be_sent(void **state)
{
    struct client_fixture *f = *state;
    struct ar_call c;
    client_fixture_open_live(f);
    assert_int_equal(ar_call(f->client, NULL, NULL), AR_E_INVALID);
    memset(&c, 0, sizeof(c));
    c.method = "echo";
    assert_int_equal(ar_call(f->client, &c, NULL), AR_E_INVALID); /* not initialised */
    ar_call_init(&c);
    assert_int_equal(ar_call(f->client, &c, NULL), AR_E_INVALID);
    c.method = "initialize";
    assert_int_equal(ar_call(f->client, &c, NULL), AR_E_INVALID);
    c.method = "echo";
    c.params = "[1,";
    assert_int_equal(ar_call(f->client, &c, NULL), AR_E_INVALID);
    size_t size = f->options.frame_max_bytes;
    char *large = malloc(size + 3);
    assert_non_null(large);
    memset(large, 'x', size);
    large[0] = '[';
    large[1] = large[size - 2] = '"';
    large[size - 1] = ']';
    large[size] = '\0';
    c.params = large;
    assert_int_equal(ar_call(f->client, &c, NULL), AR_E_TOO_LARGE);
    free(large);
    struct ar_health h = {.size = 1};
    assert_int_equal(ar_health(f->client, &h), AR_E_INVALID);
    assert_int_equal(ar_health(f->client, NULL), AR_E_INVALID);
}

/* ---- waiting for an answer ---- */

static void waits_for_a_call(void **state)
{
    struct client_fixture *f = *state;
    struct ar_call c;
    struct ar_reply *reply;
    client_fixture_open_live(f);
    ar_call_init(&c);
    c.method = "echo";
    c.params = "{\"n\":2}";
    if (f->host) {
        assert_int_equal(ar_call_wait(f->client, &c, &reply), AR_E_WOULD_DEADLOCK);
        return;
    }
    assert_int_equal(ar_call_wait(f->client, &c, &reply), AR_OK);
    assert_int_equal(reply->code, AR_OK);
    assert_string_equal(reply->result, "{\"echo\":{\"n\":2}}");
    assert_int_equal(reply->result_len, strlen(reply->result));
    ar_reply_free(reply);
    c.method = "fail";
    assert_int_equal(ar_call_wait(f->client, &c, &reply), AR_OK);
    assert_int_equal(reply->code, AR_E_SERVER);
    assert_int_equal(reply->error_code, -32000);
    assert_string_equal(reply->message, "it failed");
    assert_string_equal(reply->error_data, "{\"why\":1}");
    assert_false(reply->from_relay);
    assert_string_equal(reply->error_name, "SERVER_ERROR");
    assert_non_null(strstr(reply->error_text, " refused fail: error -32000: it failed"));
    assert_true(reply->suggestion[0] != '\0');
    ar_reply_free(reply);
    c.method = NULL;
    assert_int_equal(ar_call_wait(f->client, &c, &reply), AR_E_INVALID);
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
    (void)atomic_fetch_add(&((struct client_fixture *)data)->replies, 1);
}

static void waiting_in_a_callback_would_deadlock(void **state)
{
    struct client_fixture *f = *state;
    struct ar_call c;
    client_fixture_open_live(f);
    atomic_store(&wait_code, 0);
    ar_call_init(&c);
    c.method = "echo";
    c.on_reply = wait_inside;
    c.data = f;
    assert_int_equal(ar_call(f->client, &c, NULL), AR_OK);
    client_fixture_run_until(f, one_reply);
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

static bool long_chain(struct client_fixture *f)
{
    (void)f;
    return atomic_load(&chain) >= 200;
}

static void takes_calls_from_completions(void **state)
{
    struct client_fixture *f = *state;
    struct ar_call c;
    client_fixture_open_live(f);
    atomic_store(&chain, 0);
    ar_call_init(&c);
    c.method = "echo";
    c.on_reply = call_again;
    assert_int_equal(ar_call(f->client, &c, NULL), AR_OK);
    client_fixture_run_until(f, long_chain);
    peer_set_listening(f->peer, false); /* fails fast now, at once, each time: a loop without end */
    peer_drop_all(f->peer, false);
    client_fixture_run_until(f, client_fixture_is_degraded);
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TESTS(becomes_live),
        CLIENT_TESTS(becomes_live_over_ip6),
        CLIENT_TESTS(becomes_live_over_a_unix_socket),
        CLIENT_TESTS(tries_every_address),
        CLIENT_TESTS(start_order_is_free),
        CLIENT_TESTS(reports_a_name_that_does_not_exist),
        CLIENT_TESTS(publishes_the_first_agents_at_once),
        CLIENT_TESTS(falls_back_from_live_to_stale_to_mock),
        CLIENT_TESTS(asks_the_health_address),
        CLIENT_TESTS(completes_a_call),
        CLIENT_TESTS(completes_a_call_that_fails),
        CLIENT_TESTS(completes_a_call_at_its_deadline),
        CLIENT_TESTS(cancels_a_call),
        CLIENT_TESTS(progress_comes_before_the_reply),
        CLIENT_TESTS(passes_notifications_both_ways),
        CLIENT_TESTS(policies_while_degraded),
        CLIENT_TESTS(refuses_what_cannot_be_sent),
        CLIENT_TESTS(waits_for_a_call),
        CLIENT_TESTS(waiting_in_a_callback_would_deadlock),
        CLIENT_TESTS(takes_calls_from_completions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

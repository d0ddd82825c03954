/* Closing: in every state, inside every callback, by two at once, while a name is being resolved. Each time
 * every accepted call completes once, on_closed is the last callback, and nothing is left (the fixture's
 * tear-down looks).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend-client/src/api/client.h"
#include "tests/unit/backend-client/api/client_fixture.h"

/* Four calls of all policies that are still open when the client is closed. */
static void leave_calls(struct client_fixture *f)
{
    assert_int_equal(client_fixture_call(f, "hang", AR_WAIT, AR_NEVER, NULL), AR_OK);
    assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
    assert_int_equal(client_fixture_call(f, "hang", AR_MOCK, AR_NEVER, NULL), AR_OK);
    assert_int_equal(client_fixture_call(f, "relay/hang", AR_WAIT, AR_NEVER, NULL), AR_OK);
}

static void close_with_calls(struct client_fixture *f)
{
    leave_calls(f);
    client_fixture_close(f);
    assert_int_equal(atomic_load(&f->replies), 4);
    assert_true(atomic_load(&f->codes[-AR_E_CLOSED]) >= 2);
}

/* ---- in every state ---- */

static void closes_at_once(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_use_quick_options(f, "127.0.0.1:1");
    client_fixture_open(f);
    close_with_calls(f);
    if (f->host) /* the loop had not run yet */
        assert_int_equal(atomic_load(&f->agents[AR_SOURCE_MOCK]), 0);
}

static bool name_is_waiting(struct client_fixture *f)
{
    (void)f;
    return client_fixture_dns_waiting() > 0;
}

/* The resolver never answers; closing does not wait for it. */
static void closes_while_resolving(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_use_quick_options(f, "hang.test:9500");
    client_fixture_open(f);
    client_fixture_run_until(f, name_is_waiting);
    close_with_calls(f);
    assert_int_equal(client_fixture_dns_waiting(), 1);
    client_fixture_dns_release();
}

/* A listener whose backlog is full: the kernel lets further connections wait. */
struct crowd {
    int listener;
    int waiting[4];
    char url[64];
};

static void crowd_open(struct crowd *c)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(a);
    c->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(c->listener, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(listen(c->listener, 0), 0);
    assert_int_equal(getsockname(c->listener, (struct sockaddr *)&a, &size), 0);
    for (size_t i = 0; i < sizeof(c->waiting) / sizeof(c->waiting[0]); i++) {
        c->waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(c->waiting[i], (struct sockaddr *)&a, sizeof(a));
    }
    (void)snprintf(c->url, sizeof(c->url), "127.0.0.1:%u", (unsigned)ntohs(a.sin_port));
}

static void crowd_close(struct crowd *c)
{
    for (size_t i = 0; i < sizeof(c->waiting) / sizeof(c->waiting[0]); i++)
        (void)close(c->waiting[i]);
    (void)close(c->listener);
}

static void closes_while_connecting(void **state)
{
    struct client_fixture *f = *state;
    struct crowd crowd;
    crowd_open(&crowd);
    client_fixture_use_quick_options(f, crowd.url);
    client_fixture_open(f);
    client_fixture_iterations(f, 5);
    assert_int_equal(client_fixture_health(f).state, AR_CONNECTING);
    close_with_calls(f);
    crowd_close(&crowd);
}

static void connect_runs_out_of_time(void **state)
{
    struct client_fixture *f = *state;
    struct crowd crowd;
    crowd_open(&crowd);
    client_fixture_use_quick_options(f, crowd.url);
    f->options.connect_timeout_ms = 30;
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_degraded);
    assert_string_equal(client_fixture_health(f).last_error_name, "ETIMEDOUT");
    client_fixture_close(f);
    crowd_close(&crowd);
}

static bool one_link(struct client_fixture *f)
{
    return client_fixture_health(f).links >= 1;
}

static void closes_while_initialize_is_unanswered(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    peer_set_mode(f->peer, PEER_SILENT);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    client_fixture_open(f);
    client_fixture_run_until(f, one_link);
    close_with_calls(f);
}

static void closes_while_the_server_is_down(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    peer_set_mode(f->peer, PEER_UNAVAILABLE);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_degraded);
    assert_int_equal(client_fixture_health(f).relay, AR_REACH_UP);
    assert_int_equal(client_fixture_health(f).server, AR_REACH_DOWN);
    close_with_calls(f);
}

static void closes_while_live(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    close_with_calls(f);
    assert_int_equal(atomic_load(&f->states[AR_CLOSED]), 1);
    assert_int_equal(atomic_load(&f->agents[AR_SOURCE_STALE]), 0); /* no news of agents from closing */
}

/* Close during reconnect. */
static void close_during_reconnect(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    peer_set_listening(f->peer, false);
    peer_drop_all(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_degraded);
    close_with_calls(f);
}

static void closes_while_the_relay_does_not_read(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    peer_set_mode(f->peer, PEER_NOT_READING);
    enum { COUNT = 200 };
    static char params[64 << 10];
    params[0] = '[';
    params[1] = '"';
    for (size_t i = 2; i < sizeof(params) - 3; i++)
        params[i] = 'x';
    params[sizeof(params) - 3] = '"';
    params[sizeof(params) - 2] = ']';
    for (int i = 0; i < COUNT; i++) {
        struct ar_call c;
        ar_call_init(&c);
        c.method = "echo";
        c.params = params;
        assert_int_equal(ar_call(f->client, &c, NULL), AR_OK);
    }
    leave_calls(f);
    client_fixture_iterations(f, 10);
    client_fixture_close(f);
    assert_int_equal(atomic_load(&f->replies), 4);
}

/* ---- inside every callback ---- */

/* Closing inside a callback is no use after free and no deadlock. */
static void close_inside(struct client_fixture *f, enum close_in where, const char *method)
{
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    if (where == CLOSE_IN_STATE || where == CLOSE_IN_AGENTS) {
        atomic_store(&f->close_in, (int)where);
        client_fixture_open(f);
    } else {
        client_fixture_open(f);
        client_fixture_run_until(f, client_fixture_is_live);
        atomic_store(&f->close_in, (int)where);
        assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
        assert_int_equal(client_fixture_call(f, method, AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
        if (where == CLOSE_IN_NOTIFICATION)
            peer_send(f->peer, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\"}");
    }
    client_fixture_await_closed(f);
    if (method)
        assert_int_equal(atomic_load(&f->replies), 2);
}

static void close_in_on_state(void **state)
{
    close_inside(*state, CLOSE_IN_STATE, NULL);
}

static void close_in_on_agents(void **state)
{
    close_inside(*state, CLOSE_IN_AGENTS, NULL);
}

static void close_in_on_notification(void **state)
{
    close_inside(*state, CLOSE_IN_NOTIFICATION, "hang");
}

/* Closed in a notification, behind which agents came in the same read: they are no news any more. */
static void no_agents_after_close(void **state)
{
    struct client_fixture *f = *state;
    static const char lines[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-1\",\"result\":{\"protocolVersion\":\"2025-11-25\","
        "\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-2\",\"result\":{\"tools\":[]}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-3\",\"result\":{\"agents\":[{\"id\":\"a\"}]}}\n";
    f->peer = peer_start(PEER_IP4);
    peer_set_raw(f->peer, lines, sizeof(lines) - 1);
    peer_set_mode(f->peer, PEER_RAW);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    atomic_store(&f->close_in, CLOSE_IN_NOTIFICATION);
    client_fixture_open(f);
    client_fixture_await_closed(f);
    assert_int_equal(atomic_load(&f->notifications), 1);
    assert_int_equal(atomic_load(&f->states[AR_LIVE]), 1); /* that they came is true */
    assert_int_equal(atomic_load(&f->agents[AR_SOURCE_LIVE]), 0);
}

static void close_in_on_reply(void **state)
{
    close_inside(*state, CLOSE_IN_REPLY, "echo");
}

static void close_in_on_progress(void **state)
{
    close_inside(*state, CLOSE_IN_PROGRESS, "progress");
}

/* The state is reported first. */
static bool is_lost_reported(struct client_fixture *f)
{
    return atomic_load(&f->states[AR_DEGRADED]) > 0 && atomic_load(&f->codes[-AR_E_CONNECTION_LOST]) > 0;
}

/* Disconnect inside a callback: the link goes while its own completion runs. */
static void drop_inside(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct client_fixture *f = data;
    (void)client;
    (void)reply;
    peer_set_listening(f->peer, false);
    peer_drop_all(f->peer, true);
}

static void disconnect_inside_a_callback(void **state)
{
    struct client_fixture *f = *state;
    struct ar_call c;
    client_fixture_open_live(f);
    ar_call_init(&c);
    c.method = "echo";
    c.on_reply = drop_inside;
    c.data = f;
    assert_int_equal(client_fixture_call(f, "hang", AR_FAIL_FAST, AR_NEVER, NULL),
                     AR_OK); /* first: the other one drops */
    assert_int_equal(ar_call(f->client, &c, NULL), AR_OK);
    client_fixture_run_until(f, is_lost_reported);
    assert_int_equal(atomic_load(&f->codes[-AR_E_CONNECTION_LOST]), 1);
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_live);
}

/* ---- by whom ---- */

static void nothing_goes_in_after_close(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    if (f->host) {
        ar_close(f->client, NULL, NULL);
        assert_int_equal(client_fixture_call(f, "echo", AR_WAIT, 0, NULL), AR_E_CLOSED);
        assert_int_equal(ar_cancel(f->client, 1), AR_E_CLOSED);
        assert_int_equal(ar_notify(f->client, "hello", NULL, 0), AR_E_CLOSED);
    }
    client_fixture_close(f);
    assert_int_equal(atomic_load(&f->replies), 0);
}

static unsigned before_open;

static bool descriptors_are_back(struct client_fixture *f)
{
    return peer_open_now(f->peer) == 0 && client_fixture_descriptors() == before_open;
}

/* Without on_closed and without a waiter: it ends and frees by itself. */
static void close_and_forget(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    before_open = client_fixture_descriptors();
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
    ar_close(f->client, NULL, NULL);
    f->client = NULL;
    client_fixture_run_until(f, descriptors_are_back);
}

static void *wait_for_close(void *data)
{
    return ar_close_wait(data) == AR_OK ? data : NULL;
}

/* Holds the close up until both who wait for it are there: a handle is not valid any more once it is over. */
static void wait_for_both(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    unsigned waiters = 0;
    (void)data;
    (void)reply;
    while (waiters < 2) {
        inbox_lock(&client->inbox);
        waiters = client->waiters;
        inbox_unlock(&client->inbox);
        (void)usleep(1000);
    }
}

static void two_threads_wait_for_the_close(void **state)
{
    struct client_fixture *f = *state;
    struct ar_call c;
    pthread_t thread;
    void *result;
    client_fixture_open_live(f);
    ar_call_init(&c);
    c.method = "hang";
    c.deadline_ms = AR_NEVER;
    c.on_reply = wait_for_both;
    assert_int_equal(ar_call(f->client, &c, NULL), AR_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_close, f->client), 0);
    assert_int_equal(ar_close_wait(f->client), AR_OK);
    f->client = NULL;
    (void)pthread_join(thread, &result);
    assert_non_null(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TESTS(closes_at_once),
        CLIENT_TESTS(closes_while_resolving),
        CLIENT_TESTS(closes_while_connecting),
        CLIENT_TESTS(connect_runs_out_of_time),
        CLIENT_TESTS(closes_while_initialize_is_unanswered),
        CLIENT_TESTS(closes_while_the_server_is_down),
        CLIENT_TESTS(closes_while_live),
        CLIENT_TESTS(close_during_reconnect),
        CLIENT_TESTS(closes_while_the_relay_does_not_read),
        CLIENT_TESTS(close_in_on_state),
        CLIENT_TESTS(close_in_on_agents),
        CLIENT_TESTS(close_in_on_notification),
        CLIENT_TESTS(no_agents_after_close),
        CLIENT_TESTS(close_in_on_reply),
        CLIENT_TESTS(close_in_on_progress),
        CLIENT_TESTS(disconnect_inside_a_callback),
        CLIENT_TESTS(nothing_goes_in_after_close),
        CLIENT_TESTS(close_and_forget),
        CLIENT_TEST(two_threads_wait_for_the_close, client_fixture_on_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

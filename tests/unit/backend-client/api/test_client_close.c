/* Closing: in every state, inside every callback, by two at once, while a name is being resolved. Each time
 * every accepted call completes once, on_closed is the last callback, and nothing is left (the kit's
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
static void leave_calls(struct kit *k)
{
    assert_int_equal(kit_call(k, "hang", AR_WAIT, AR_NEVER, NULL), AR_OK);
    assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
    assert_int_equal(kit_call(k, "hang", AR_MOCK, AR_NEVER, NULL), AR_OK);
    assert_int_equal(kit_call(k, "relay/hang", AR_WAIT, AR_NEVER, NULL), AR_OK);
}

static void close_with_calls(struct kit *k)
{
    leave_calls(k);
    kit_close(k);
    assert_int_equal(atomic_load(&k->replies), 4);
    assert_true(atomic_load(&k->codes[-AR_E_CLOSED]) >= 2);
}

/* ---- in every state ---- */

static void test_at_once(void **state)
{
    struct kit *k = *state;
    kit_quick(k, "127.0.0.1:1");
    kit_open(k);
    close_with_calls(k);
    if (k->host) /* the loop had not run yet */
        assert_int_equal(atomic_load(&k->agents[AR_SOURCE_MOCK]), 0);
}

static bool name_is_waiting(struct kit *k)
{
    (void)k;
    return kit_dns_waiting() > 0;
}

/* The resolver never answers; closing does not wait for it. */
static void test_during_dns(void **state)
{
    struct kit *k = *state;
    kit_quick(k, "hang.test:9500");
    kit_open(k);
    kit_until(k, name_is_waiting);
    close_with_calls(k);
    assert_int_equal(kit_dns_waiting(), 1);
    kit_dns_release();
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

static void test_during_connect(void **state)
{
    struct kit *k = *state;
    struct crowd crowd;
    crowd_open(&crowd);
    kit_quick(k, crowd.url);
    kit_open(k);
    kit_iterations(k, 5);
    assert_int_equal(kit_health(k).state, AR_CONNECTING);
    close_with_calls(k);
    crowd_close(&crowd);
}

static void test_connect_runs_out_of_time(void **state)
{
    struct kit *k = *state;
    struct crowd crowd;
    crowd_open(&crowd);
    kit_quick(k, crowd.url);
    k->options.connect_timeout_ms = 30;
    kit_open(k);
    kit_until(k, kit_is_degraded);
    assert_string_equal(kit_health(k).last_error_name, "ETIMEDOUT");
    kit_close(k);
    crowd_close(&crowd);
}

static bool one_link(struct kit *k)
{
    return kit_health(k).links >= 1;
}

static void test_while_initialize_is_unanswered(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    peer_set_mode(k->peer, PEER_SILENT);
    kit_quick(k, peer_url(k->peer));
    kit_open(k);
    kit_until(k, one_link);
    close_with_calls(k);
}

static void test_while_the_server_is_down(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    peer_set_mode(k->peer, PEER_UNAVAILABLE);
    kit_quick(k, peer_url(k->peer));
    kit_open(k);
    kit_until(k, kit_is_degraded);
    assert_int_equal(kit_health(k).relay, AR_REACH_UP);
    assert_int_equal(kit_health(k).server, AR_REACH_DOWN);
    close_with_calls(k);
}

static void test_while_live(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    close_with_calls(k);
    assert_int_equal(atomic_load(&k->states[AR_CLOSED]), 1);
    assert_int_equal(atomic_load(&k->agents[AR_SOURCE_STALE]), 0); /* no news of agents from closing */
}

/* FAILURES 20: close during reconnect. */
static void test_failures_20_close_during_reconnect(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    peer_set_listening(k->peer, false);
    peer_drop_all(k->peer, true);
    kit_until(k, kit_is_degraded);
    close_with_calls(k);
}

static void test_while_the_relay_does_not_read(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    peer_set_mode(k->peer, PEER_DEAF);
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
        assert_int_equal(ar_call(k->client, &c, NULL), AR_OK);
    }
    leave_calls(k);
    kit_iterations(k, 10);
    kit_close(k);
    assert_int_equal(atomic_load(&k->replies), 4);
}

/* ---- inside every callback ---- */

/* FAILURES 16 and 20: closing inside a callback is no use after free and no deadlock. */
static void close_inside(struct kit *k, enum close_in where, const char *method)
{
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    if (where == CLOSE_IN_STATE || where == CLOSE_IN_AGENTS) {
        atomic_store(&k->close_in, (int)where);
        kit_open(k);
    } else {
        kit_open(k);
        kit_until(k, kit_is_live);
        atomic_store(&k->close_in, (int)where);
        assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
        assert_int_equal(kit_call(k, method, AR_FAIL_FAST, AR_NEVER, NULL), AR_OK);
        if (where == CLOSE_IN_NOTIFICATION)
            peer_say(k->peer, "{\"jsonrpc\":\"2.0\",\"method\":\"agent.status\"}");
    }
    kit_await_closed(k);
    if (method)
        assert_int_equal(atomic_load(&k->replies), 2);
}

static void test_failures_20_close_in_on_state(void **state)
{
    close_inside(*state, CLOSE_IN_STATE, NULL);
}

static void test_failures_20_close_in_on_agents(void **state)
{
    close_inside(*state, CLOSE_IN_AGENTS, NULL);
}

static void test_failures_20_close_in_on_notification(void **state)
{
    close_inside(*state, CLOSE_IN_NOTIFICATION, "hang");
}

/* Closed in a notification, behind which agents came in the same read: they are no news any more. */
static void test_no_agents_after_close(void **state)
{
    struct kit *k = *state;
    static const char lines[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-1\",\"result\":{\"protocolVersion\":\"2025-11-25\","
        "\"capabilities\":{},\"serverInfo\":{\"name\":\"s\",\"version\":\"1\"}}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"hello\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"ar-2\",\"result\":{\"agents\":[{\"id\":\"a\"}]}}\n";
    k->peer = peer_start(PEER_IP4);
    peer_set_raw(k->peer, lines, sizeof(lines) - 1);
    peer_set_mode(k->peer, PEER_RAW);
    kit_quick(k, peer_url(k->peer));
    atomic_store(&k->close_in, CLOSE_IN_NOTIFICATION);
    kit_open(k);
    kit_await_closed(k);
    assert_int_equal(atomic_load(&k->notifications), 1);
    assert_int_equal(atomic_load(&k->states[AR_LIVE]), 1); /* that they came is true */
    assert_int_equal(atomic_load(&k->agents[AR_SOURCE_LIVE]), 0);
}

static void test_failures_20_close_in_on_reply(void **state)
{
    close_inside(*state, CLOSE_IN_REPLY, "echo");
}

static void test_failures_20_close_in_on_progress(void **state)
{
    close_inside(*state, CLOSE_IN_PROGRESS, "progress");
}

/* The state is told first. */
static bool is_lost_told(struct kit *k)
{
    return atomic_load(&k->states[AR_DEGRADED]) > 0 && atomic_load(&k->codes[-AR_E_CONNECTION_LOST]) > 0;
}

/* FAILURES 20: disconnect inside a callback: the link goes while its own completion runs. */
static void drop_inside(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct kit *k = data;
    (void)client;
    (void)reply;
    peer_set_listening(k->peer, false);
    peer_drop_all(k->peer, true);
}

static void test_failures_20_disconnect_inside_a_callback(void **state)
{
    struct kit *k = *state;
    struct ar_call c;
    kit_open_live(k);
    ar_call_init(&c);
    c.method = "echo";
    c.on_reply = drop_inside;
    c.data = k;
    assert_int_equal(kit_call(k, "hang", AR_FAIL_FAST, AR_NEVER, NULL),
                     AR_OK); /* first: the other one drops */
    assert_int_equal(ar_call(k->client, &c, NULL), AR_OK);
    kit_until(k, is_lost_told);
    assert_int_equal(atomic_load(&k->codes[-AR_E_CONNECTION_LOST]), 1);
    peer_set_listening(k->peer, true);
    kit_until(k, kit_is_live);
}

/* ---- by whom ---- */

static void test_nothing_goes_in_after_close(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    if (k->host) {
        ar_close(k->client, NULL, NULL);
        assert_int_equal(kit_call(k, "echo", AR_WAIT, 0, NULL), AR_E_CLOSED);
        assert_int_equal(ar_cancel(k->client, 1), AR_E_CLOSED);
        assert_int_equal(ar_notify(k->client, "hello", NULL, 0), AR_E_CLOSED);
    }
    kit_close(k);
    assert_int_equal(atomic_load(&k->replies), 0);
}

static unsigned before_open;

static bool descriptors_are_back(struct kit *k)
{
    return peer_open_now(k->peer) == 0 && kit_descriptors() == before_open;
}

/* Without on_closed, and nobody waits: it ends and frees by itself. */
static void test_close_and_forget(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    before_open = kit_descriptors();
    kit_open(k);
    kit_until(k, kit_is_live);
    ar_close(k->client, NULL, NULL);
    k->client = NULL;
    kit_until(k, descriptors_are_back);
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

static void test_two_wait(void **state)
{
    struct kit *k = *state;
    struct ar_call c;
    pthread_t thread;
    void *result;
    kit_open_live(k);
    ar_call_init(&c);
    c.method = "hang";
    c.deadline_ms = AR_NEVER;
    c.on_reply = wait_for_both;
    assert_int_equal(ar_call(k->client, &c, NULL), AR_OK);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_close, k->client), 0);
    assert_int_equal(ar_close_wait(k->client), AR_OK);
    k->client = NULL;
    (void)pthread_join(thread, &result);
    assert_non_null(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TESTS(test_at_once),
        KIT_TESTS(test_during_dns),
        KIT_TESTS(test_during_connect),
        KIT_TESTS(test_connect_runs_out_of_time),
        KIT_TESTS(test_while_initialize_is_unanswered),
        KIT_TESTS(test_while_the_server_is_down),
        KIT_TESTS(test_while_live),
        KIT_TESTS(test_failures_20_close_during_reconnect),
        KIT_TESTS(test_while_the_relay_does_not_read),
        KIT_TESTS(test_failures_20_close_in_on_state),
        KIT_TESTS(test_failures_20_close_in_on_agents),
        KIT_TESTS(test_failures_20_close_in_on_notification),
        KIT_TESTS(test_no_agents_after_close),
        KIT_TESTS(test_failures_20_close_in_on_reply),
        KIT_TESTS(test_failures_20_close_in_on_progress),
        KIT_TESTS(test_failures_20_disconnect_inside_a_callback),
        KIT_TESTS(test_nothing_goes_in_after_close),
        KIT_TESTS(test_close_and_forget),
        KIT_TEST(test_two_wait, kit_on_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

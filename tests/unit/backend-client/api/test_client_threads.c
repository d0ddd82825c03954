/* One client used from eight threads at once: calls of every kind, waiting calls, cancels, notifications,
 * snapshots and health, while the relay comes and goes and in the end the client is closed under them. Each
 * accepted call completes exactly once. Run under ThreadSanitizer as well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/backend-client/api/client_fixture.h"

#define THREADS             8
#define ROUNDS              300
#define OPEN_MAX_PER_THREAD 64

struct worker {
    struct client_fixture *fixture;
    unsigned number;
    bool until_closed; /* it goes on until it is refused for the client being closed */
    pthread_t thread;
    atomic_uint accepted;
    atomic_uint completed;
    atomic_bool done;
    unsigned refused_closed;
};

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct worker *w = data;
    (void)client;
    if (reply->code == AR_OK)
        assert_non_null(reply->result);
    else
        assert_non_null(reply->message);
    (void)atomic_fetch_add(&w->completed, 1);
}

static void note(struct worker *w, int rc)
{
    if (rc == AR_OK)
        (void)atomic_fetch_add(&w->accepted, 1);
    else if (rc == AR_E_CLOSED)
        w->refused_closed++;
    else
        assert_int_equal(rc, AR_E_QUEUE_FULL);
}

static void call_once(struct worker *w, unsigned round)
{
    static const char *const methods[] = {"echo", "hang", "fail", "echo", "busy", "tools/list"};
    struct ar_call c;
    uint64_t id;
    ar_call_init(&c);
    c.method = methods[(round + w->number) % (sizeof(methods) / sizeof(methods[0]))];
    c.params = "{\"n\":1}";
    c.policy = (enum ar_policy)(round % 3);
    c.idempotent = round % 2 == 0;
    c.deadline_ms = 5 + round % 40;
    c.on_reply = on_reply;
    c.data = w;
    int rc = ar_call(w->fixture->client, &c, &id);
    note(w, rc);
    if (rc == AR_OK && round % 5 == 0) {
        int cancelled = ar_cancel(w->fixture->client, id);
        assert_true(cancelled == AR_OK || cancelled == AR_E_CLOSED);
    }
}

static void wait_once(struct worker *w, unsigned round)
{
    struct ar_call c;
    struct ar_reply *reply;
    ar_call_init(&c);
    c.method = round % 2 == 0 ? "echo" : "hang";
    c.policy = (enum ar_policy)(round % 3);
    c.deadline_ms = 20;
    int rc = ar_call_wait(w->fixture->client, &c, &reply);
    if (rc == AR_OK) {
        assert_true(reply->code == AR_OK || reply->message);
        ar_reply_free(reply);
    } else {
        assert_true(rc == AR_E_CLOSED || rc == AR_E_QUEUE_FULL);
    }
}

static void look(struct client_fixture *f)
{
    const struct ar_snapshot *s = ar_agents(f->client);
    bool live = ar_snapshot_source(s) != AR_SOURCE_MOCK;
    for (size_t i = 0; i < ar_snapshot_count(s); i++) {
        assert_non_null(ar_snapshot_agent(s, i)->id);
        assert_true(ar_snapshot_agent(s, i)->mock != live);
    }
    ar_snapshot_release(s);
    struct ar_health h = client_fixture_health(f);
    assert_true(h.completions <= h.calls);
    assert_true(h.calls - h.completions == h.in_flight + h.waiting);
}

static bool goes_on(const struct worker *w, unsigned round)
{
    return w->until_closed ? w->refused_closed == 0 : round < ROUNDS;
}

static void *work(void *data)
{
    struct worker *w = data;
    for (unsigned round = 0; goes_on(w, round); round++) {
        call_once(w, round);
        look(w->fixture);
        if (round % 16 == 0)
            wait_once(w, round / 16);
        if (round % 7 == 0) {
            int rc = ar_notify(w->fixture->client, "hello", "[1]", 0);
            assert_true(rc == AR_OK || rc == AR_E_DEGRADED || rc == AR_E_CLOSED || rc == AR_E_QUEUE_FULL);
        }
        while (atomic_load(&w->accepted) - atomic_load(&w->completed) > OPEN_MAX_PER_THREAD)
            (void)usleep(500);
    }
    atomic_store(&w->done, true);
    return NULL;
}

static struct worker workers[THREADS];

static void start_all(struct client_fixture *f, bool until_closed)
{
    memset(workers, 0, sizeof(workers));
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].fixture = f;
        workers[i].number = i;
        workers[i].until_closed = until_closed;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

static bool all_done(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        if (!atomic_load(&workers[i].done))
            return false;
    }
    return true;
}

static void join_all(void)
{
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(workers[i].thread, NULL);
}

static void check_all(void)
{
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(atomic_load(&workers[i].accepted), atomic_load(&workers[i].completed));
        assert_true(atomic_load(&workers[i].accepted) > 0);
    }
}

static void set_up_quick(struct client_fixture *f)
{
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.stale_max_ms = 30;
    f->options.in_flight_max = 32;
    client_fixture_open(f);
}

static void eight_threads(void **state)
{
    struct client_fixture *f = *state;
    set_up_quick(f);
    start_all(f, false);
    for (unsigned n = 0; !all_done(); n++) {
        client_fixture_iterations(f, 20);
        if (n % 3 == 2)
            peer_drop_all(f->peer, n % 2 == 0);
        if (n % 4 == 1)
            peer_set_listening(f->peer, n % 8 != 1);
    }
    join_all();
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_live);
    client_fixture_close(f);
    check_all();
}

/* Closing does not end the handle until on_closed has returned: here that is held up until each thread has been
 * refused. */
static void hold_until_done(void *data)
{
    (void)data;
    while (!all_done())
        (void)usleep(1000);
}

/* None of them is between two calls when the client is closed under it, but by chance. */
static bool all_have_called(struct client_fixture *f)
{
    (void)f;
    for (unsigned i = 0; i < THREADS; i++) {
        if (atomic_load(&workers[i].accepted) == 0)
            return false;
    }
    return true;
}

static void closed_under_eight_threads(void **state)
{
    struct client_fixture *f = *state;
    set_up_quick(f);
    start_all(f, true);
    client_fixture_run_until(f, all_have_called);
    ar_close(f->client, hold_until_done, NULL);
    assert_int_equal(ar_close_wait(f->client), AR_OK);
    f->client = NULL;
    join_all();
    check_all();
    for (unsigned i = 0; i < THREADS; i++)
        assert_true(workers[i].refused_closed > 0);
}

/* ---- snapshots under readers ---- */

static atomic_bool stop_reading;

static void *read_snapshots(void *data)
{
    struct client_fixture *f = data;
    const struct ar_snapshot *held = ar_agents(f->client);
    uint64_t version = 0;
    while (!atomic_load(&stop_reading)) {
        const struct ar_snapshot *s = ar_agents(f->client);
        assert_true(ar_snapshot_version(s) >= version); /* never an older one */
        version = ar_snapshot_version(s);
        assert_non_null(ar_snapshot_agent(s, 0)->id);
        ar_snapshot_release(s);
    }
    assert_non_null(ar_snapshot_agent(held, 0)->id);
    ar_snapshot_release(held);
    return NULL;
}

static bool many_versions(struct client_fixture *f)
{
    return client_fixture_health(f).snapshot_version >= 30;
}

static void readers_while_it_changes(void **state)
{
    struct client_fixture *f = *state;
    pthread_t threads[THREADS];
    client_fixture_use_quick_options(f, "127.0.0.1:1");
    f->options.mock_refresh_ms = 1;
    client_fixture_open(f);
    atomic_store(&stop_reading, false);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_snapshots, f), 0);
    client_fixture_run_until(f, many_versions);
    atomic_store(&stop_reading, true);
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TEST(eight_threads, client_fixture_on_thread),
        CLIENT_TEST(eight_threads, client_fixture_on_host),
        CLIENT_TEST(closed_under_eight_threads, client_fixture_on_thread),
        CLIENT_TEST(readers_while_it_changes, client_fixture_on_thread),
        CLIENT_TEST(readers_while_it_changes, client_fixture_on_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

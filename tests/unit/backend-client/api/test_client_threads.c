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
    struct kit *kit;
    unsigned number;
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
    int rc = ar_call(w->kit->client, &c, &id);
    note(w, rc);
    if (rc == AR_OK && round % 5 == 0) {
        int cancelled = ar_cancel(w->kit->client, id);
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
    int rc = ar_call_wait(w->kit->client, &c, &reply);
    if (rc == AR_OK) {
        assert_true(reply->code == AR_OK || reply->message);
        ar_reply_free(reply);
    } else {
        assert_true(rc == AR_E_CLOSED || rc == AR_E_QUEUE_FULL);
    }
}

static void look(struct kit *k)
{
    const struct ar_snapshot *s = ar_agents(k->client);
    bool live = ar_snapshot_source(s) != AR_SOURCE_MOCK;
    for (size_t i = 0; i < ar_snapshot_count(s); i++) {
        assert_non_null(ar_snapshot_agent(s, i)->id);
        assert_true(ar_snapshot_agent(s, i)->mock != live);
    }
    ar_snapshot_release(s);
    struct ar_health h = kit_health(k);
    assert_true(h.completions <= h.calls);
    assert_true(h.calls - h.completions == h.in_flight + h.waiting);
}

static void *work(void *data)
{
    struct worker *w = data;
    for (unsigned round = 0; round < ROUNDS; round++) {
        call_once(w, round);
        look(w->kit);
        if (round % 16 == 0)
            wait_once(w, round / 16);
        if (round % 7 == 0) {
            int rc = ar_notify(w->kit->client, "hello", "[1]", 0);
            assert_true(rc == AR_OK || rc == AR_E_DEGRADED || rc == AR_E_CLOSED || rc == AR_E_QUEUE_FULL);
        }
        while (atomic_load(&w->accepted) - atomic_load(&w->completed) > OPEN_MAX_PER_THREAD)
            (void)usleep(500);
    }
    atomic_store(&w->done, true);
    return NULL;
}

static void start_all(struct worker *workers, struct kit *k)
{
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].kit = k;
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
}

static bool all_done(const struct worker *workers)
{
    for (unsigned i = 0; i < THREADS; i++) {
        if (!atomic_load(&workers[i].done))
            return false;
    }
    return true;
}

static void join_all(struct worker *workers)
{
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(workers[i].thread, NULL);
}

static void check_all(const struct worker *workers)
{
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(atomic_load(&workers[i].accepted), atomic_load(&workers[i].completed));
        assert_true(atomic_load(&workers[i].accepted) > 0);
    }
}

static void set_up_quick(struct kit *k)
{
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    k->options.stale_max_ms = 30;
    k->options.in_flight_max = 32;
    kit_open(k);
}

static void test_eight_threads(void **state)
{
    struct kit *k = *state;
    static struct worker workers[THREADS];
    memset(workers, 0, sizeof(workers));
    set_up_quick(k);
    start_all(workers, k);
    for (unsigned n = 0; !all_done(workers); n++) {
        kit_iterations(k, 20);
        if (n % 3 == 2)
            peer_drop_all(k->peer, n % 2 == 0);
        if (n % 4 == 1)
            peer_set_listening(k->peer, n % 8 != 1);
    }
    join_all(workers);
    peer_set_listening(k->peer, true);
    kit_until(k, kit_is_live);
    kit_close(k);
    check_all(workers);
}

/* Closing does not end the handle until on_closed has returned: here that is held up until all have seen
 * AR_E_CLOSED or are through. */
struct gate {
    struct worker *workers;
};

static void hold_until_done(void *data)
{
    const struct gate *g = data;
    while (!all_done(g->workers))
        (void)usleep(1000);
}

static void test_closed_under_eight_threads(void **state)
{
    struct kit *k = *state;
    static struct worker workers[THREADS];
    struct gate gate = {workers};
    memset(workers, 0, sizeof(workers));
    set_up_quick(k);
    start_all(workers, k);
    kit_iterations(k, 30);
    ar_close(k->client, hold_until_done, &gate);
    assert_int_equal(ar_close_wait(k->client), AR_OK);
    k->client = NULL;
    join_all(workers);
    check_all(workers);
    unsigned refused = 0;
    for (unsigned i = 0; i < THREADS; i++)
        refused += workers[i].refused_closed;
    assert_true(refused > 0);
}

/* ---- snapshots under readers ---- */

static atomic_bool stop_reading;

static void *read_snapshots(void *data)
{
    struct kit *k = data;
    const struct ar_snapshot *held = ar_agents(k->client);
    uint64_t version = 0;
    while (!atomic_load(&stop_reading)) {
        const struct ar_snapshot *s = ar_agents(k->client);
        assert_true(ar_snapshot_version(s) >= version); /* never an older one */
        version = ar_snapshot_version(s);
        assert_non_null(ar_snapshot_agent(s, 0)->id);
        ar_snapshot_release(s);
    }
    assert_non_null(ar_snapshot_agent(held, 0)->id);
    ar_snapshot_release(held);
    return NULL;
}

static bool many_versions(struct kit *k)
{
    return kit_health(k).snapshot_version >= 30;
}

static void test_readers_while_it_changes(void **state)
{
    struct kit *k = *state;
    pthread_t threads[THREADS];
    kit_quick(k, "127.0.0.1:1");
    k->options.mock_refresh_ms = 1;
    kit_open(k);
    atomic_store(&stop_reading, false);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_snapshots, k), 0);
    kit_until(k, many_versions);
    atomic_store(&stop_reading, true);
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TEST(test_eight_threads, kit_on_thread),
        KIT_TEST(test_eight_threads, kit_on_host),
        KIT_TEST(test_closed_under_eight_threads, kit_on_thread),
        KIT_TEST(test_readers_while_it_changes, kit_on_thread),
        KIT_TEST(test_readers_while_it_changes, kit_on_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

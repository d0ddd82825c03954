/* A client under test and what it reported. Purpose and use: client_fixture.h. Each test's tear-down looks whether
 * the loop is empty, descriptors are as before, and no callback came after on_closed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backend-client/src/api/client.h"
#include "tests/unit/backend-client/api/client_fixture.h"

#define LIMIT_MS 20000

bool client_fixture_on_thread = false;
bool client_fixture_on_host = true;

static uint64_t wall_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t limit_ms(void)
{
    const char *text = getenv("TEST_TIME_SCALE");
    unsigned long scale = text ? strtoul(text, NULL, 10) : 1;
    return LIMIT_MS * (scale > 0 && scale < 100 ? scale : 1);
}

/* Without opening one: a number that a thread has just closed would be taken, which is no synchronisation. */
unsigned client_fixture_descriptors(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* ---- names ---- */

static pthread_mutex_t dns_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t dns_cond = PTHREAD_COND_INITIALIZER;
static bool dns_open;
static unsigned dns_asked;
static unsigned dns_waiting;

typedef int getaddrinfo_fn(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static getaddrinfo_fn *real_getaddrinfo(void)
{
    getaddrinfo_fn *fn;
    void *symbol = dlsym(RTLD_NEXT, "getaddrinfo");
    memcpy(&fn, &symbol, sizeof(fn));
    return fn;
}

static void hang(void)
{
    (void)pthread_mutex_lock(&dns_mutex);
    dns_waiting++;
    while (!dns_open)
        (void)pthread_cond_wait(&dns_cond, &dns_mutex);
    dns_waiting--;
    (void)pthread_cond_broadcast(&dns_cond);
    (void)pthread_mutex_unlock(&dns_mutex);
}

/* Two addresses of the C library's making, linked into one list that freeaddrinfo takes. */
static int both(const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
    struct addrinfo *second;
    int rc = real_getaddrinfo()("::1", service, hints, ret_list);
    if (rc == 0)
        rc = real_getaddrinfo()("127.0.0.1", service, hints, &second);
    if (rc == 0)
        (*ret_list)->ai_next = second;
    return rc;
}

__attribute__((visibility("default"))) int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_list)
{
    (void)pthread_mutex_lock(&dns_mutex);
    dns_asked++;
    (void)pthread_mutex_unlock(&dns_mutex);
    if (node && strcmp(node, "none.test") == 0)
        return EAI_NONAME;
    if (node && strcmp(node, "hang.test") == 0) {
        hang();
        return EAI_AGAIN;
    }
    if (node && (strcmp(node, "both.test") == 0 || strcmp(node, "both.test.") == 0))
        return both(service, hints, ret_list);
    return real_getaddrinfo()(node, service, hints, ret_list);
}

void client_fixture_dns_release(void)
{
    (void)pthread_mutex_lock(&dns_mutex);
    dns_open = true;
    (void)pthread_cond_broadcast(&dns_cond);
    while (dns_waiting > 0)
        (void)pthread_cond_wait(&dns_cond, &dns_mutex);
    dns_open = false;
    (void)pthread_mutex_unlock(&dns_mutex);
}

static unsigned dns_read(const unsigned *counter)
{
    (void)pthread_mutex_lock(&dns_mutex);
    unsigned value = *counter;
    (void)pthread_mutex_unlock(&dns_mutex);
    return value;
}

unsigned client_fixture_dns_asked(void)
{
    return dns_read(&dns_asked);
}

unsigned client_fixture_dns_waiting(void)
{
    return dns_read(&dns_waiting);
}

/* ---- callbacks ---- */

/* A callback ran: run_until looks at its condition again. */
static pthread_mutex_t news_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news_cond = PTHREAD_COND_INITIALIZER;
static unsigned news;

static void bring_news(void)
{
    (void)pthread_mutex_lock(&news_mutex);
    news++;
    (void)pthread_cond_broadcast(&news_cond);
    (void)pthread_mutex_unlock(&news_mutex);
}

/* A few milliseconds at most: the peer's side and the health's counters move without a callback. */
static void await_news(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 2000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    (void)pthread_mutex_lock(&news_mutex);
    unsigned before = news;
    while (news == before && pthread_cond_timedwait(&news_cond, &news_mutex, &until) == 0)
        ;
    (void)pthread_mutex_unlock(&news_mutex);
}

static bool has_waiter(struct ar_client *client)
{
    inbox_lock(&client->inbox);
    bool has = client->waiters > 0;
    inbox_unlock(&client->inbox);
    return has;
}

static void on_closed(void *data)
{
    struct client_fixture *f = data;
    /* The handle is valid until this returns, and by then the ar_close_wait that follows must have begun. */
    while (atomic_load(&f->wait_follows) && !has_waiter(f->client))
        (void)sched_yield();
    atomic_store(&f->closed, true);
    bring_news();
}

static void note_callback(struct client_fixture *f, enum close_in where)
{
    if (atomic_load(&f->closed))
        atomic_store(&f->late, true);
    int due = (int)where;
    if (where != CLOSE_NEVER && atomic_compare_exchange_strong(&f->close_in, &due, CLOSE_NEVER)) {
        ar_close(f->client, on_closed, f);
        ar_close(f->client, NULL, NULL); /* again: the first counts */
    }
    bring_news();
}

static void on_state(struct ar_client *client, const struct ar_health *health, void *data)
{
    struct client_fixture *f = data;
    (void)client;
    atomic_store(&f->state, (int)health->state);
    (void)atomic_fetch_add(&f->states[health->state], 1);
    note_callback(f, CLOSE_IN_STATE);
}

static void on_agents(struct ar_client *client, const struct ar_snapshot *snapshot, void *data)
{
    struct client_fixture *f = data;
    (void)client;
    (void)atomic_fetch_add(&f->agents[ar_snapshot_source(snapshot)], 1);
    note_callback(f, CLOSE_IN_AGENTS);
}

static void on_notification(struct ar_client *client, const char *method, const char *params,
                            size_t params_len, void *data)
{
    struct client_fixture *f = data;
    (void)client;
    (void)method;
    (void)params;
    (void)params_len;
    (void)atomic_fetch_add(&f->notifications, 1);
    note_callback(f, CLOSE_IN_NOTIFICATION);
}

static void on_progress(struct ar_client *client, const char *params, size_t params_len, void *data)
{
    struct client_fixture *f = data;
    (void)client;
    (void)params;
    (void)params_len;
    (void)atomic_fetch_add(&f->progress, 1);
    note_callback(f, CLOSE_IN_PROGRESS);
}

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct client_fixture *f = data;
    (void)client;
    assert_in_range(-reply->code, 0, CODES_MAX - 1);
    (void)snprintf(f->last_result, sizeof(f->last_result), "%s", reply->result ? reply->result : "");
    (void)snprintf(f->last_message, sizeof(f->last_message), "%s", reply->message ? reply->message : "");
    (void)atomic_fetch_add(&f->codes[-reply->code], 1);
    if (reply->code == AR_OK && reply->source == AR_SOURCE_MOCK)
        (void)atomic_fetch_add(&f->mocked, 1);
    if (reply->may_have_run)
        (void)atomic_fetch_add(&f->may_have_run, 1);
    (void)atomic_fetch_add(&f->replies, 1);
    note_callback(f, CLOSE_IN_REPLY);
}

/* ---- opening ---- */

void client_fixture_use_quick_options(struct client_fixture *f, const char *url)
{
    ar_options_init(&f->options);
    f->options.url = url;
    f->options.health_url = "";
    f->options.loop = f->host ? &f->loop : NULL;
    f->options.backoff_base_ms = 1;
    f->options.backoff_cap_ms = 20;
    f->options.agents_poll_ms = 20;
    f->options.mock_refresh_ms = 50;
    f->options.on_state = on_state;
    f->options.on_agents = on_agents;
    f->options.on_notification = on_notification;
    f->options.data = f;
}

void client_fixture_open(struct client_fixture *f)
{
    char problem[AR_PROBLEM_SIZE];
    int rc = ar_open(&f->options, &f->client, problem, sizeof(problem));
    if (rc != AR_OK)
        fail_msg("ar_open: %s: %s", ar_code_name(rc), problem);
}

void client_fixture_open_live(struct client_fixture *f)
{
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_live);
}

/* ---- waiting ---- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void iterate(struct client_fixture *f)
{
    if (f->host)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    else
        await_news();
}

void client_fixture_run_until(struct client_fixture *f, client_fixture_condition *condition)
{
    uint64_t end_ms = wall_ms() + limit_ms();
    while (!condition(f)) {
        if (wall_ms() > end_ms)
            fail_msg("gave up waiting");
        iterate(f);
    }
}

void client_fixture_iterations(struct client_fixture *f, int count)
{
    for (int i = 0; i < count; i++)
        iterate(f);
}

void client_fixture_await_closed(struct client_fixture *f)
{
    client_fixture_run_until(f, client_fixture_is_closed);
    f->client = NULL;
}

void client_fixture_close(struct client_fixture *f)
{
    if (!f->client)
        return;
    atomic_store(&f->wait_follows, !f->host);
    ar_close(f->client, on_closed, f);
    if (f->host) {
        assert_int_equal(ar_close_wait(f->client), AR_E_WOULD_DEADLOCK);
        client_fixture_await_closed(f);
    } else {
        assert_int_equal(ar_close_wait(f->client), AR_OK);
        assert_true(atomic_load(&f->closed));
        atomic_store(&f->wait_follows, false);
        f->client = NULL;
    }
}

int client_fixture_call(struct client_fixture *f, const char *method, enum ar_policy policy,
                        uint32_t deadline_ms, uint64_t *ret_id)
{
    struct ar_call c;
    ar_call_init(&c);
    c.method = method;
    c.params = "{\"n\":1}";
    c.policy = policy;
    c.deadline_ms = deadline_ms;
    c.on_reply = on_reply;
    c.on_progress = strcmp(method, "progress") == 0 ? on_progress : NULL;
    c.data = f;
    return ar_call(f->client, &c, ret_id);
}

struct ar_health client_fixture_health(struct client_fixture *f)
{
    struct ar_health h;
    ar_health_init(&h);
    assert_int_equal(ar_health(f->client, &h), AR_OK);
    return h;
}

enum ar_source client_fixture_source(struct client_fixture *f)
{
    const struct ar_snapshot *s = ar_agents(f->client);
    enum ar_source source = ar_snapshot_source(s);
    ar_snapshot_release(s);
    return source;
}

bool client_fixture_is_live(struct client_fixture *f)
{
    return client_fixture_health(f).state == AR_LIVE;
}

bool client_fixture_is_degraded(struct client_fixture *f)
{
    return client_fixture_health(f).state == AR_DEGRADED;
}

bool client_fixture_is_stale(struct client_fixture *f)
{
    return client_fixture_source(f) == AR_SOURCE_STALE;
}

bool client_fixture_is_mock(struct client_fixture *f)
{
    return client_fixture_source(f) == AR_SOURCE_MOCK;
}

bool client_fixture_is_closed(struct client_fixture *f)
{
    return atomic_load(&f->closed);
}

/* ---- cmocka ---- */

int client_fixture_set_up(void **state)
{
    const bool *host = *state;
    struct client_fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    f->host = *host;
    assert_int_equal(uv_loop_init(&f->loop),
                     0); /* the process's first one keeps descriptors of libuv's own */
    assert_int_equal(uv_loop_close(&f->loop), 0);
    f->descriptors = client_fixture_descriptors();
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->tick), 0);
    assert_int_equal(uv_timer_start(&f->tick, on_tick, 5, 5), 0);
    *state = f;
    return 0;
}

int client_fixture_tear_down(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_close(f);
    if (f->peer)
        peer_stop(f->peer);
    uv_close((uv_handle_t *)&f->tick, NULL);
    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    assert_false(atomic_load(&f->late));
    assert_int_equal(client_fixture_descriptors(), f->descriptors);
    free(f);
    return 0;
}

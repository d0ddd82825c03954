/* A client under test and what it told. Purpose and use: client_kit.h. Each test's tear-down looks whether
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/backend-client/api/client_fixture.h"

#define LIMIT_MS 20000

bool kit_on_thread = false;
bool kit_on_host = true;

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
unsigned kit_descriptors(void)
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

void kit_dns_release(void)
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

unsigned kit_dns_asked(void)
{
    return dns_read(&dns_asked);
}

unsigned kit_dns_waiting(void)
{
    return dns_read(&dns_waiting);
}

/* ---- callbacks ---- */

/* A callback ran: whoever waits for what callbacks tell looks again. */
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

static void on_closed(void *data)
{
    struct kit *k = data;
    atomic_store(&k->closed, true);
    bring_news();
}

static void told(struct kit *k, enum close_in where)
{
    if (atomic_load(&k->closed))
        atomic_store(&k->late, true);
    int due = (int)where;
    if (where != CLOSE_NEVER && atomic_compare_exchange_strong(&k->close_in, &due, CLOSE_NEVER)) {
        ar_close(k->client, on_closed, k);
        ar_close(k->client, NULL, NULL); /* again: the first counts */
    }
    bring_news();
}

static void on_state(struct ar_client *client, const struct ar_health *health, void *data)
{
    struct kit *k = data;
    (void)client;
    atomic_store(&k->state, (int)health->state);
    (void)atomic_fetch_add(&k->states[health->state], 1);
    told(k, CLOSE_IN_STATE);
}

static void on_agents(struct ar_client *client, const struct ar_snapshot *snapshot, void *data)
{
    struct kit *k = data;
    (void)client;
    (void)atomic_fetch_add(&k->agents[ar_snapshot_source(snapshot)], 1);
    told(k, CLOSE_IN_AGENTS);
}

static void on_notification(struct ar_client *client, const char *method, const char *params,
                            size_t params_len, void *data)
{
    struct kit *k = data;
    (void)client;
    (void)method;
    (void)params;
    (void)params_len;
    (void)atomic_fetch_add(&k->notifications, 1);
    told(k, CLOSE_IN_NOTIFICATION);
}

static void on_progress(struct ar_client *client, const char *params, size_t params_len, void *data)
{
    struct kit *k = data;
    (void)client;
    (void)params;
    (void)params_len;
    (void)atomic_fetch_add(&k->progress, 1);
    told(k, CLOSE_IN_PROGRESS);
}

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct kit *k = data;
    (void)client;
    assert_in_range(-reply->code, 0, CODES_MAX - 1);
    (void)snprintf(k->last_result, sizeof(k->last_result), "%s", reply->result ? reply->result : "");
    (void)snprintf(k->last_message, sizeof(k->last_message), "%s", reply->message ? reply->message : "");
    (void)atomic_fetch_add(&k->codes[-reply->code], 1);
    if (reply->code == AR_OK && reply->source == AR_SOURCE_MOCK)
        (void)atomic_fetch_add(&k->mocked, 1);
    if (reply->may_have_run)
        (void)atomic_fetch_add(&k->may_have_run, 1);
    (void)atomic_fetch_add(&k->replies, 1);
    told(k, CLOSE_IN_REPLY);
}

/* ---- opening ---- */

void kit_quick(struct kit *k, const char *url)
{
    ar_options_init(&k->options);
    k->options.url = url;
    k->options.health_url = "";
    k->options.loop = k->host ? &k->loop : NULL;
    k->options.backoff_base_ms = 1;
    k->options.backoff_cap_ms = 20;
    k->options.agents_poll_ms = 20;
    k->options.mock_refresh_ms = 50;
    k->options.on_state = on_state;
    k->options.on_agents = on_agents;
    k->options.on_notification = on_notification;
    k->options.data = k;
}

void kit_open(struct kit *k)
{
    char problem[AR_PROBLEM_SIZE];
    int rc = ar_open(&k->options, &k->client, problem, sizeof(problem));
    if (rc != AR_OK)
        fail_msg("ar_open: %s: %s", ar_code_name(rc), problem);
}

void kit_open_live(struct kit *k)
{
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    kit_open(k);
    kit_until(k, kit_is_live);
}

/* ---- waiting ---- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void iterate(struct kit *k)
{
    if (k->host)
        (void)uv_run(&k->loop, UV_RUN_ONCE);
    else
        await_news();
}

void kit_until(struct kit *k, kit_condition *condition)
{
    uint64_t end_ms = wall_ms() + limit_ms();
    while (!condition(k)) {
        if (wall_ms() > end_ms)
            fail_msg("gave up waiting");
        iterate(k);
    }
}

void kit_iterations(struct kit *k, int count)
{
    for (int i = 0; i < count; i++)
        iterate(k);
}

void kit_await_closed(struct kit *k)
{
    kit_until(k, kit_is_closed);
    k->client = NULL;
}

void kit_close(struct kit *k)
{
    if (!k->client)
        return;
    ar_close(k->client, on_closed, k);
    if (k->host) {
        assert_int_equal(ar_close_wait(k->client), AR_E_WOULD_DEADLOCK);
        kit_await_closed(k);
    } else {
        assert_int_equal(ar_close_wait(k->client), AR_OK);
        assert_true(atomic_load(&k->closed));
        k->client = NULL;
    }
}

int kit_call(struct kit *k, const char *method, enum ar_policy policy, uint32_t deadline_ms, uint64_t *ret_id)
{
    struct ar_call c;
    ar_call_init(&c);
    c.method = method;
    c.params = "{\"n\":1}";
    c.policy = policy;
    c.deadline_ms = deadline_ms;
    c.on_reply = on_reply;
    c.on_progress = strcmp(method, "progress") == 0 ? on_progress : NULL;
    c.data = k;
    return ar_call(k->client, &c, ret_id);
}

struct ar_health kit_health(struct kit *k)
{
    struct ar_health h;
    ar_health_init(&h);
    assert_int_equal(ar_health(k->client, &h), AR_OK);
    return h;
}

enum ar_source kit_source(struct kit *k)
{
    const struct ar_snapshot *s = ar_agents(k->client);
    enum ar_source source = ar_snapshot_source(s);
    ar_snapshot_release(s);
    return source;
}

bool kit_is_live(struct kit *k)
{
    return kit_health(k).state == AR_LIVE;
}

bool kit_is_degraded(struct kit *k)
{
    return kit_health(k).state == AR_DEGRADED;
}

bool kit_is_stale(struct kit *k)
{
    return kit_source(k) == AR_SOURCE_STALE;
}

bool kit_is_mock(struct kit *k)
{
    return kit_source(k) == AR_SOURCE_MOCK;
}

bool kit_is_closed(struct kit *k)
{
    return atomic_load(&k->closed);
}

/* ---- cmocka ---- */

int kit_set_up(void **state)
{
    const bool *host = *state;
    struct kit *k = calloc(1, sizeof(*k));
    assert_non_null(k);
    k->host = *host;
    assert_int_equal(uv_loop_init(&k->loop),
                     0); /* the process's first one keeps descriptors of libuv's own */
    assert_int_equal(uv_loop_close(&k->loop), 0);
    k->descriptors = kit_descriptors();
    assert_int_equal(uv_loop_init(&k->loop), 0);
    assert_int_equal(uv_timer_init(&k->loop, &k->tick), 0);
    assert_int_equal(uv_timer_start(&k->tick, on_tick, 5, 5), 0);
    *state = k;
    return 0;
}

int kit_tear_down(void **state)
{
    struct kit *k = *state;
    kit_close(k);
    if (k->peer)
        peer_stop(k->peer);
    uv_close((uv_handle_t *)&k->tick, NULL);
    (void)uv_run(&k->loop, UV_RUN_NOWAIT);
    assert_int_equal(uv_loop_close(&k->loop), 0);
    assert_false(atomic_load(&k->late));
    assert_int_equal(kit_descriptors(), k->descriptors);
    free(k);
    return 0;
}

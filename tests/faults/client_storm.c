/* A storm over the client library: eight threads call through one client while the relay behind it is cut
 * off, reset, silenced, left without its server, and brought back.
 *
 *     client_storm --seconds 600 --disconnects 200
 *
 * Every policy, deadlines from 1 ms to never, cancels, waiting calls, snapshots, health, all at once.
 * Checked: each accepted call completes exactly once; an echoed number is the one that was sent; a snapshot
 * is never mock and live at once; the counters of the client balance; descriptors are the same, and resident
 * memory stays flat between the first quarter and the end. Exit 0 and one line of figures; else 1 and the
 * reason.
 */
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent_relay.h"
#include "tests/unit/backend-client/link/peer_fixture.h"

#define THREADS 8
#define SLOTS   64 /* open calls of one thread */
/* What the heap's own habits may add after the first quarter; a leak of 1 byte per call would be more. */
#define GROWTH_MAX_KIB 4096

/* AddressSanitizer keeps what was freed for a while: there, memory says nothing. */
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_TELLS false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_TELLS false
#endif
#endif
#ifndef MEMORY_TELLS
#define MEMORY_TELLS true
#endif

enum outage { OUTAGE_RESET, OUTAGE_END, OUTAGE_GONE, OUTAGE_NO_SERVER, OUTAGE_SILENT, OUTAGE_COUNT };

struct slot {
    atomic_uint open; /* 1: a call of this slot is under way */
    uint64_t number;
    uint64_t id;
    struct worker *worker;
};

struct worker {
    pthread_t thread;
    unsigned index;
    uint64_t random;
    struct slot slots[SLOTS];
    uint64_t accepted;
    atomic_uint_fast64_t completed;
    atomic_uint_fast64_t ok;
    atomic_uint_fast64_t mocked;
    uint64_t cancelled;
    uint64_t waited;
};

static struct ar_client *client;
static struct worker workers[THREADS];
static atomic_bool stop;
static atomic_uint_fast64_t worst_elapsed_ms;

static void fail(const char *what)
{
    (void)fflush(NULL);
    (void)fprintf(stderr, "client_storm: %s\n", what);
    _exit(1);
}

static void check(bool held, const char *what)
{
    if (!held)
        fail(what);
}

static uint64_t now_ms(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t draw(struct worker *w)
{
    w->random = w->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return w->random >> 33;
}

/* ---- what there is to wait for: a completion, or a change of state ---- */

static pthread_mutex_t news_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news_cond = PTHREAD_COND_INITIALIZER;
static uint64_t news;

static void bring_news(void)
{
    (void)pthread_mutex_lock(&news_mutex);
    news++;
    (void)pthread_cond_broadcast(&news_cond);
    (void)pthread_mutex_unlock(&news_mutex);
}

/* Taken before looking at what is waited for, so that nothing slips between the look and the wait. */
static uint64_t news_now(void)
{
    (void)pthread_mutex_lock(&news_mutex);
    uint64_t now = news;
    (void)pthread_mutex_unlock(&news_mutex);
    return now;
}

/* Until there is more than `seen`, or for a minute. */
static void await_news(uint64_t seen)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    (void)pthread_mutex_lock(&news_mutex);
    while (news == seen && pthread_cond_timedwait(&news_cond, &news_mutex, &until) == 0)
        ;
    (void)pthread_mutex_unlock(&news_mutex);
}

static void on_state(struct ar_client *c, const struct ar_health *health, void *data)
{
    (void)c;
    (void)health;
    (void)data;
    bring_news();
}

/* ---- calls ---- */

static void on_reply(struct ar_client *c, const struct ar_reply *reply, void *data)
{
    struct slot *s = data;
    struct worker *w = s->worker;
    (void)c;
    if (reply->code == AR_OK && reply->source == AR_SOURCE_LIVE) {
        char wanted[64]; /* tools/list, too, is echoed by this relay */
        (void)snprintf(wanted, sizeof(wanted), "{\"echo\":{\"n\":%llu}}", (unsigned long long)s->number);
        check(strcmp(reply->result, wanted) == 0, "an answer to another call");
        (void)atomic_fetch_add(&w->ok, 1);
    } else if (reply->code == AR_OK) {
        (void)atomic_fetch_add(&w->mocked, 1);
    }
    uint64_t elapsed = reply->elapsed_ms;
    if (elapsed > atomic_load(&worst_elapsed_ms))
        atomic_store(&worst_elapsed_ms, elapsed);
    (void)atomic_fetch_add(&w->completed, 1);
    check(atomic_exchange(&s->open, 0) == 1, "a call completed twice");
    bring_news();
}

static struct slot *free_slot(struct worker *w)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        if (atomic_load(&w->slots[i].open) == 0)
            return &w->slots[i];
    }
    return NULL;
}

static void call_once(struct worker *w, struct slot *s)
{
    static const char *const methods[] = {"echo", "echo", "echo", "hang", "busy", "fail", "tools/list"};
    static const uint32_t deadlines[] = {1, 5, 20, 100, 1000, 5000};
    struct ar_call c;
    char params[40];
    ar_call_init(&c);
    s->number = w->accepted;
    (void)snprintf(params, sizeof(params), "{\"n\":%llu}", (unsigned long long)s->number);
    c.method = methods[draw(w) % 7];
    c.params = params;
    c.policy = draw(w) % 8 == 0 ? AR_MOCK : draw(w) % 2 == 0 ? AR_WAIT : AR_FAIL_FAST;
    c.deadline_ms = strcmp(c.method, "echo") == 0 && draw(w) % 4 == 0 ? AR_NEVER : deadlines[draw(w) % 6];
    c.idempotent = draw(w) % 2 == 0;
    c.on_reply = on_reply;
    c.data = s;
    atomic_store(&s->open, 1);
    int rc = ar_call(client, &c, &s->id);
    if (rc != AR_OK) {
        check(rc == AR_E_QUEUE_FULL, ar_code_name(rc));
        atomic_store(&s->open, 0);
        return;
    }
    w->accepted++;
    if (draw(w) % 10 == 0) {
        check(ar_cancel(client, s->id) == AR_OK, "cancel");
        w->cancelled++;
    }
}

static void wait_once(struct worker *w)
{
    struct ar_call c;
    struct ar_reply *reply;
    ar_call_init(&c);
    c.method = "echo";
    c.policy = (enum ar_policy)(draw(w) % 3);
    c.deadline_ms = 50;
    int rc = ar_call_wait(client, &c, &reply);
    check(rc == AR_OK || rc == AR_E_QUEUE_FULL, ar_code_name(rc));
    if (rc == AR_OK)
        ar_reply_free(reply);
    w->waited++;
}

static void look(void)
{
    const struct ar_snapshot *s = ar_agents(client);
    bool mock = ar_snapshot_source(s) == AR_SOURCE_MOCK;
    for (size_t i = 0; i < ar_snapshot_count(s); i++)
        check(ar_snapshot_agent(s, i)->mock == mock, "a snapshot that mixes mock and live");
    ar_snapshot_release(s);
    struct ar_health h;
    ar_health_init(&h);
    check(ar_health(client, &h) == AR_OK, "health");
    check(h.calls == h.completions + h.in_flight + h.waiting, "the counters do not balance");
    check((h.source == AR_SOURCE_LIVE) == (h.state == AR_LIVE), "live in name only");
}

static void *work(void *data)
{
    const unsigned *index = data;
    struct worker *w = &workers[*index];
    while (!atomic_load(&stop)) {
        uint64_t seen = news_now();
        struct slot *s = free_slot(w);
        if (s)
            call_once(w, s);
        else
            await_news(seen); /* as many as it may have open are open */
        if (draw(w) % 64 == 0)
            wait_once(w);
        if (draw(w) % 16 == 0)
            look();
    }
    return NULL;
}

/* ---- the process ---- */

static long resident_kib(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    char line[128] = "";
    check(f && fgets(line, sizeof(line), f), "statm");
    (void)fclose(f);
    const char *second = strchr(line, ' '); /* the first is the size of the address space */
    long pages = second ? strtol(second, NULL, 10) : 0;
    check(pages > 0, "statm");
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    check(dir, "fd");
    while (readdir(dir))
        count++;
    (void)closedir(dir);
    return count;
}

static enum ar_state state_now(struct ar_health *ret_health)
{
    ar_health_init(ret_health);
    check(ar_health(client, ret_health) == AR_OK, "health");
    return ret_health->state;
}

static void until_live(uint64_t *ret_took_ms)
{
    struct ar_health h;
    uint64_t from = now_ms();
    for (uint64_t seen = news_now(); state_now(&h) != AR_LIVE; seen = news_now()) {
        check(now_ms() - from < 60000, "not live again within a minute");
        await_news(seen);
    }
    *ret_took_ms = now_ms() - from;
}

static uint64_t losses_now(void)
{
    struct ar_health h;
    (void)state_now(&h);
    return h.losses;
}

static void until_noticed(uint64_t losses_before)
{
    uint64_t from = now_ms();
    for (uint64_t seen = news_now(); losses_now() == losses_before; seen = news_now()) {
        check(now_ms() - from < 60000, "the loss was never noticed");
        await_news(seen);
    }
}

/* One outage, seen and overcome; how long it took to be live from when the relay was back. */
static uint64_t outage(struct peer *peer, enum outage kind)
{
    uint64_t took_ms;
    uint64_t losses_before = losses_now();
    if (kind == OUTAGE_NO_SERVER)
        peer_set_mode(peer, PEER_UNAVAILABLE);
    else if (kind == OUTAGE_SILENT)
        peer_set_mode(peer, PEER_NOT_READING);
    else if (kind == OUTAGE_GONE)
        peer_set_listening(peer, false);
    if (kind != OUTAGE_NO_SERVER && kind != OUTAGE_SILENT)
        peer_drop_all(peer, kind != OUTAGE_END);
    until_noticed(losses_before);
    if (kind == OUTAGE_NO_SERVER || kind == OUTAGE_SILENT)
        peer_set_mode(peer, PEER_SERVE);
    else if (kind == OUTAGE_GONE)
        peer_set_listening(peer, true);
    until_live(&took_ms);
    return took_ms;
}

static void open_client(const char *url)
{
    struct ar_options o;
    char problem[AR_PROBLEM_SIZE];
    ar_options_init(&o);
    o.on_state = on_state;
    o.url = url;
    o.health_url = "";
    o.backoff_base_ms = 5;
    o.backoff_cap_ms = 100;
    o.agents_poll_ms = 50;
    o.agents_timeout_ms = 400;
    o.heartbeat_ms = 100;
    o.dead_after_ms = 300;
    o.init_timeout_ms = 500;
    o.stale_max_ms = 60;
    o.mock_refresh_ms = 50;
    if (ar_open(&o, &client, problem, sizeof(problem)) != AR_OK)
        fail(problem);
}

static unsigned long number(int argc, char **argv, const char *name, unsigned long otherwise)
{
    for (int i = 1; i + 1 < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return strtoul(argv[i + 1], NULL, 10);
    }
    return otherwise;
}

struct sums {
    uint64_t accepted;
    uint64_t completed;
    uint64_t ok;
    uint64_t mocked;
    uint64_t cancelled;
    uint64_t waited;
};

static struct sums add_up(void)
{
    struct sums s = {0};
    for (unsigned i = 0; i < THREADS; i++) {
        s.accepted += workers[i].accepted;
        s.completed += atomic_load(&workers[i].completed);
        s.ok += atomic_load(&workers[i].ok);
        s.mocked += atomic_load(&workers[i].mocked);
        s.cancelled += workers[i].cancelled;
        s.waited += workers[i].waited;
        check(workers[i].accepted > 0, "a thread that never got a call through");
    }
    return s;
}

int main(int argc, char **argv)
{
    unsigned long seconds = number(argc, argv, "--seconds", 3);
    unsigned long disconnects = number(argc, argv, "--disconnects", 20);
    struct peer *peer = peer_start(PEER_IP4);
    uint64_t took_ms;
    uint64_t worst_ms = 0;
    long early_kib = 0;
    open_client(peer_url(peer));
    until_live(&took_ms);
    unsigned descriptors_before = descriptors();
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i].index = i;
        workers[i].random = i + 1;
        for (unsigned j = 0; j < SLOTS; j++)
            workers[i].slots[j].worker = &workers[i];
        check(pthread_create(&workers[i].thread, NULL, work, &workers[i].index) == 0, "thread");
    }
    uint64_t start_ms = now_ms();
    for (unsigned long n = 0; n < disconnects; n++) {
        uint64_t due_ms = start_ms + (n + 1) * seconds * 1000 / (disconnects + 1);
        while (now_ms() < due_ms)
            (void)usleep(1000);
        uint64_t back_ms = outage(peer, (enum outage)(n % OUTAGE_COUNT));
        worst_ms = back_ms > worst_ms ? back_ms : worst_ms;
        if (n == disconnects / 4)
            early_kib = resident_kib();
    }
    while (now_ms() < start_ms + seconds * 1000)
        (void)usleep(1000);
    until_live(&took_ms);
    long late_kib = resident_kib();
    atomic_store(&stop, true);
    bring_news();
    for (unsigned i = 0; i < THREADS; i++)
        (void)pthread_join(workers[i].thread, NULL);
    struct ar_health h;
    check(state_now(&h) == AR_LIVE, "not live in the end");
    unsigned descriptors_after = descriptors();
    check(ar_close_wait(client) == AR_OK, "close");
    peer_stop(peer);
    struct sums s = add_up();
    (void)printf("storm: %lu s, %lu disconnects (%llu links, %llu losses), %llu calls, %llu completed, "
                 "%llu answered, %llu mocked, %llu cancelled, %llu waited for; longest %llu ms; back "
                 "to live within %llu ms; resident %ld -> %ld KiB, descriptors %u -> %u\n",
                 seconds, disconnects, (unsigned long long)h.links, (unsigned long long)h.losses,
                 (unsigned long long)s.accepted, (unsigned long long)s.completed, (unsigned long long)s.ok,
                 (unsigned long long)s.mocked, (unsigned long long)s.cancelled, (unsigned long long)s.waited,
                 (unsigned long long)atomic_load(&worst_elapsed_ms), (unsigned long long)worst_ms, early_kib,
                 late_kib, descriptors_before, descriptors_after);
    check(s.accepted == s.completed, "a call that never completed");
    check(descriptors_after == descriptors_before, "descriptors leaked");
    check(!MEMORY_TELLS || late_kib - early_kib <= GROWTH_MAX_KIB, "memory grows");
    return 0;
}

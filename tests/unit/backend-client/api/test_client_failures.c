/* What FAILURES 16 and 20 ask of a client library, on a thread of its own and on the host's loop: overflow,
 * long outages, no signals, no output, no processes; and several clients at once. Closing has its own file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/backend-client/api/client_fixture.h"

/* Sanitizers keep freed memory for a while: bounds on it are looser then. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define GROWTH_MAX_KIB (64L << 10)
#else
#define GROWTH_MAX_KIB 256L
#endif

static bool one_reply(struct kit *k)
{
    return atomic_load(&k->replies) >= 1;
}

static bool all_replied(struct kit *k)
{
    return atomic_load(&k->replies) >= 40;
}

static void test_failures_20_queue_overflow_fires_its_failures(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    k->options.queue_max_calls = 10;
    peer_set_listening(k->peer, false);
    kit_open(k);
    kit_until(k, kit_is_degraded);
    for (int i = 0; i < 40; i++)
        assert_int_equal(kit_call(k, "echo", AR_WAIT, AR_NEVER, NULL), AR_OK);
    peer_set_listening(k->peer, true);
    kit_until(k, all_replied);
    assert_int_equal(atomic_load(&k->codes[-AR_E_QUEUE_FULL]), 30);
    assert_int_equal(atomic_load(&k->codes[0]), 10);
}

/* Thousands of failed attempts, and it is as eager as before. */
static void test_failures_16_reconnects_after_a_long_outage(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    k->options.backoff_cap_ms = 1;
    peer_set_listening(k->peer, false);
    kit_open(k);
    kit_until(k, kit_is_degraded);
    while (kit_health(k).attempts < 1000)
        kit_iterations(k, 1);
    peer_set_listening(k->peer, true);
    kit_until(k, kit_is_live);
    assert_int_equal(kit_health(k).links, 1);
    assert_int_equal(kit_health(k).attempts, 0);
}

static void count_handle(uv_handle_t *handle, void *count)
{
    (void)handle;
    ++*(unsigned *)count;
}

static unsigned handles(struct kit *k)
{
    unsigned count = 0;
    uv_walk(&k->loop, count_handle, &count);
    return count;
}

static long resident_kib(void)
{
    char text[128];
    FILE *f = fopen("/proc/self/statm", "re");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    (void)fclose(f);
    char *second;
    (void)strtol(text, &second, 10);
    long resident = strtol(second, NULL, 10);
    assert_true(resident > 0);
    return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static uint64_t links_wanted;
static bool has_links(struct kit *k)
{
    return kit_is_live(k) && kit_health(k).links >= links_wanted;
}

/* A thousand reconnects, with a health address that refuses: probes, timers, descriptors and memory stay
 * flat. */
static void test_failures_16_a_thousand_reconnects(void **state)
{
    struct kit *k = *state;
    k->peer = peer_start(PEER_IP4);
    kit_quick(k, peer_url(k->peer));
    k->options.backoff_cap_ms = 1;
    k->options.health_url = "http://127.0.0.1:1/health";
    kit_open(k);
    unsigned descriptors = 0, at_first = 0;
    long memory_kib = 0;
    for (links_wanted = 1; links_wanted <= 1100; links_wanted++) {
        kit_until(k, has_links);
        if (links_wanted == 100) { /* every buffer has its size by now */
            descriptors = kit_descriptors();
            at_first = k->host ? handles(k) : 0;
            memory_kib = resident_kib();
        }
        if (links_wanted < 1100)
            peer_drop_all(k->peer, links_wanted % 2 == 0);
    }
    assert_int_equal(kit_health(k).losses, 1099);
    assert_int_equal(kit_descriptors(), descriptors);
    assert_int_equal(k->host ? handles(k) : 0, at_first);
    assert_true(resident_kib() - memory_kib < GROWTH_MAX_KIB);
}

/* The peer is gone while we write, and SIGPIPE is at its default: the process lives. */
static void test_failures_20_signal_free(void **state)
{
    struct kit *k = *state;
    struct sigaction before[NSIG];
    sigset_t mask_before;
    struct sigaction after;
    sigset_t mask_after;
    memset(before, 0, sizeof(before));
    memset(&mask_before, 0, sizeof(mask_before)); /* the kernel fills in less than all of it */
    memset(&mask_after, 0, sizeof(mask_after));
    for (int i = 1; i < NSIG; i++)
        (void)sigaction(i, NULL, &before[i]); /* two are the C library's own, and cannot be asked for */
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
    assert_true(before[SIGPIPE].sa_handler == SIG_DFL);
    k->peer = peer_start(PEER_UNIX); /* a path says EPIPE to the first send already */
    kit_quick(k, peer_url(k->peer));
    kit_open(k);
    for (int round = 0; round < 20; round++) {
        kit_until(k, kit_is_live);
        for (int i = 0; i < 50; i++)
            assert_int_equal(kit_call(k, "echo", AR_FAIL_FAST, 0, NULL), AR_OK);
        peer_drop_all(k->peer, round % 2 == 0);
        for (int i = 0; i < 50; i++)
            assert_int_equal(kit_call(k, "echo", AR_FAIL_FAST, 0, NULL), AR_OK);
    }
    kit_close(k);
    assert_int_equal(atomic_load(&k->replies), 2000);
    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &after) == 0)
            assert_true(after.sa_handler == before[i].sa_handler);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    assert_memory_equal(&mask_before, &mask_after, sizeof(mask_before));
}

static void test_failures_20_fork_free_and_log_free(void **state)
{
    struct kit *k = *state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    (void)fflush(NULL);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    (void)dup2(fds[1], STDOUT_FILENO);
    (void)dup2(fds[1], STDERR_FILENO);
    kit_open_live(k);
    peer_set_raw(k->peer, "garbage\ngarbage\n", 16);
    peer_set_mode(k->peer, PEER_RAW_CLOSE);
    peer_drop_all(k->peer, true);
    kit_until(k, kit_is_degraded);
    (void)kit_call(k, "echo", AR_WAIT, AR_NEVER, NULL);
    kit_close(k);
    (void)fflush(NULL);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(err, STDERR_FILENO);
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    for (int *fd = (int[]){out, err, fds[0], fds[1], -1}; *fd >= 0; fd++)
        (void)close(*fd);
}

/* ---- no memory for an answer ---- */

/* The Nth allocation of 64 KiB or more fails, whichever thread makes it. */
static atomic_int large_left;

static bool fails_now(size_t size)
{
    return size >= 65536 && atomic_fetch_sub(&large_left, 1) == 1;
}

static void *picky_malloc(size_t size)
{
    return fails_now(size) ? NULL : malloc(size);
}

static void *picky_calloc(size_t count, size_t size)
{
    return fails_now(count * size) ? NULL : calloc(count, size);
}

static void *picky_realloc(void *p, size_t size)
{
    return fails_now(size) ? NULL : realloc(p, size);
}

/* A large call and its large answer. AR_E_NO_MEMORY from ar_call_wait itself only where the server never saw
 * the call: whoever repeats it must not run it twice. */
static void test_waiting_without_memory(void **state)
{
    struct kit *k = *state;
    static const struct allocator picky = {picky_malloc, picky_calloc, picky_realloc, free};
    static char params[100000];
    struct ar_call c;
    unsigned short_replies = 0;
    memset(params, 'x', sizeof(params) - 1);
    params[0] = '[';
    params[1] = params[sizeof(params) - 3] = '"';
    params[sizeof(params) - 2] = ']';
    mem_set(&picky);
    kit_open_live(k);
    ar_call_init(&c);
    c.method = "echo";
    c.params = params;
    for (int n = 1; n < 50; n++) {
        struct ar_reply *reply;
        kit_until(k, kit_is_live);
        uint64_t before = peer_requests(k->peer);
        atomic_store(&large_left, n);
        int rc = ar_call_wait(k->client, &c, &reply);
        bool spent = atomic_exchange(&large_left, 0) <= 0;
        if (rc != AR_OK) {
            assert_int_equal(rc, AR_E_NO_MEMORY);
            assert_int_equal(peer_requests(k->peer), before);
            continue;
        }
        if (reply->code == AR_E_NO_MEMORY) {
            short_replies++;
            assert_true(reply->message[0] != '\0');
            assert_true(reply->may_have_run || peer_requests(k->peer) == before);
        }
        bool whole = reply->code == AR_OK && reply->result_len == sizeof(params) - 1 + strlen("{\"echo\":}");
        ar_reply_free(reply);
        if (!spent) {
            assert_true(whole);
            break;
        }
    }
    assert_true(short_replies >= 1);
    kit_close(k);
    mem_set(NULL);
}

/* ---- several at once ---- */

static void note_closed(void *data)
{
    atomic_store((atomic_bool *)data, true);
}

static void test_two_clients_on_one_loop(void **state)
{
    struct kit *k = *state;
    kit_open_live(k);
    struct kit *other = calloc(1, sizeof(*other));
    assert_non_null(other);
    kit_quick(other, peer_url(k->peer));
    other->host = k->host;
    other->options.loop = k->options.loop;
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(ar_open(&other->options, &other->client, problem, sizeof(problem)), AR_OK);
    while (!kit_is_live(other))
        kit_iterations(k, 1);
    ar_close(other->client, note_closed, &other->closed);
    assert_int_equal(kit_call(k, "echo", AR_FAIL_FAST, 0, NULL), AR_OK);
    kit_until(k, one_reply);
    assert_int_equal(atomic_load(&k->codes[0]), 1);
    while (!kit_is_closed(other) || peer_open_now(k->peer) > 1)
        kit_iterations(k, 1);
    assert_true(kit_is_live(k));
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        KIT_TESTS(test_failures_20_queue_overflow_fires_its_failures),
        KIT_TESTS(test_failures_16_reconnects_after_a_long_outage),
        KIT_TESTS(test_failures_16_a_thousand_reconnects),
        KIT_TESTS(test_failures_20_signal_free),
        KIT_TESTS(test_failures_20_fork_free_and_log_free),
        KIT_TEST(test_waiting_without_memory, kit_on_thread),
        KIT_TESTS(test_two_clients_on_one_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

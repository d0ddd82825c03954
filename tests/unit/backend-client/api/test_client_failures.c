/* What reconnecting clients are known to get wrong, on a thread of its own and on the host's loop: overflow,
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

static bool one_reply(struct client_fixture *f)
{
    return atomic_load(&f->replies) >= 1;
}

static bool all_replied(struct client_fixture *f)
{
    return atomic_load(&f->replies) >= 40;
}

static void queue_overflow_fires_its_failures(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.queue_max_calls = 10;
    peer_set_listening(f->peer, false);
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_degraded);
    for (int i = 0; i < 40; i++)
        assert_int_equal(client_fixture_call(f, "echo", AR_WAIT, AR_NEVER, NULL), AR_OK);
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, all_replied);
    assert_int_equal(atomic_load(&f->codes[-AR_E_QUEUE_FULL]), 30);
    assert_int_equal(atomic_load(&f->codes[0]), 10);
}

/* Thousands of failed attempts, and it is as eager as before. */
static void reconnects_after_a_long_outage(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.backoff_cap_ms = 1;
    peer_set_listening(f->peer, false);
    client_fixture_open(f);
    client_fixture_run_until(f, client_fixture_is_degraded);
    while (client_fixture_health(f).attempts < 1000)
        client_fixture_iterations(f, 1);
    peer_set_listening(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_live);
    assert_int_equal(client_fixture_health(f).links, 1);
    assert_int_equal(client_fixture_health(f).attempts, 0);
}

static void count_handle(uv_handle_t *handle, void *count)
{
    (void)handle;
    ++*(unsigned *)count;
}

static unsigned handles(struct client_fixture *f)
{
    unsigned count = 0;
    uv_walk(&f->loop, count_handle, &count);
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
static bool has_links(struct client_fixture *f)
{
    return client_fixture_is_live(f) && client_fixture_health(f).links >= links_wanted;
}

/* A thousand reconnects, with a health address that refuses: probes, timers, descriptors and memory stay
 * flat. */
static void a_thousand_reconnects(void **state)
{
    struct client_fixture *f = *state;
    f->peer = peer_start(PEER_IP4);
    client_fixture_use_quick_options(f, peer_url(f->peer));
    f->options.backoff_cap_ms = 1;
    f->options.health_url = "http://127.0.0.1:1/health";
    client_fixture_open(f);
    unsigned descriptors = 0, at_first = 0;
    long memory_kib = 0;
    for (links_wanted = 1; links_wanted <= 1100; links_wanted++) {
        client_fixture_run_until(f, has_links);
        if (links_wanted == 100) { /* every buffer has its size by now */
            descriptors = client_fixture_descriptors();
            at_first = f->host ? handles(f) : 0;
            memory_kib = resident_kib();
        }
        if (links_wanted < 1100)
            peer_drop_all(f->peer, links_wanted % 2 == 0);
    }
    assert_int_equal(client_fixture_health(f).losses, 1099);
    assert_int_equal(client_fixture_descriptors(), descriptors);
    assert_int_equal(f->host ? handles(f) : 0, at_first);
    assert_true(resident_kib() - memory_kib < GROWTH_MAX_KIB);
}

/* The peer is gone while we write, and SIGPIPE is at its default: the process lives. */
static void touches_no_signals(void **state)
{
    struct client_fixture *f = *state;
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
    f->peer = peer_start(PEER_UNIX); /* a path says EPIPE to the first send already */
    client_fixture_use_quick_options(f, peer_url(f->peer));
    client_fixture_open(f);
    for (int round = 0; round < 20; round++) {
        client_fixture_run_until(f, client_fixture_is_live);
        for (int i = 0; i < 50; i++)
            assert_int_equal(client_fixture_call(f, "echo", AR_FAIL_FAST, 0, NULL), AR_OK);
        peer_drop_all(f->peer, round % 2 == 0);
        for (int i = 0; i < 50; i++)
            assert_int_equal(client_fixture_call(f, "echo", AR_FAIL_FAST, 0, NULL), AR_OK);
    }
    client_fixture_close(f);
    assert_int_equal(atomic_load(&f->replies), 2000);
    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &after) == 0)
            assert_true(after.sa_handler == before[i].sa_handler);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
    assert_memory_equal(&mask_before, &mask_after, sizeof(mask_before));
}

static void fork_free_and_log_free(void **state)
{
    struct client_fixture *f = *state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    (void)fflush(NULL);
    int out = dup(STDOUT_FILENO);
    int err = dup(STDERR_FILENO);
    (void)dup2(fds[1], STDOUT_FILENO);
    (void)dup2(fds[1], STDERR_FILENO);
    client_fixture_open_live(f);
    peer_set_raw(f->peer, "garbage\ngarbage\n", 16);
    peer_set_mode(f->peer, PEER_RAW_CLOSE);
    peer_drop_all(f->peer, true);
    client_fixture_run_until(f, client_fixture_is_degraded);
    (void)client_fixture_call(f, "echo", AR_WAIT, AR_NEVER, NULL);
    client_fixture_close(f);
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
 * the call: a caller that repeats it must not run it twice. */
static void waiting_without_memory(void **state)
{
    struct client_fixture *f = *state;
    static const struct allocator picky = {picky_malloc, picky_calloc, picky_realloc, free};
    static char params[100000];
    struct ar_call c;
    unsigned short_replies = 0;
    memset(params, 'x', sizeof(params) - 1);
    params[0] = '[';
    params[1] = params[sizeof(params) - 3] = '"';
    params[sizeof(params) - 2] = ']';
    mem_set(&picky);
    client_fixture_open_live(f);
    ar_call_init(&c);
    c.method = "echo";
    c.params = params;
    for (int n = 1; n < 50; n++) {
        struct ar_reply *reply;
        client_fixture_run_until(f, client_fixture_is_live);
        uint64_t before = peer_requests(f->peer);
        atomic_store(&large_left, n);
        int rc = ar_call_wait(f->client, &c, &reply);
        bool spent = atomic_exchange(&large_left, 0) <= 0;
        if (rc != AR_OK) {
            assert_int_equal(rc, AR_E_NO_MEMORY);
            assert_int_equal(peer_requests(f->peer), before);
            continue;
        }
        if (reply->code == AR_E_NO_MEMORY) {
            short_replies++;
            assert_true(reply->message[0] != '\0');
            assert_true(reply->may_have_run || peer_requests(f->peer) == before);
        }
        bool whole = reply->code == AR_OK && reply->result_len == sizeof(params) - 1 + strlen("{\"echo\":}");
        ar_reply_free(reply);
        if (!spent) {
            assert_true(whole);
            break;
        }
    }
    assert_true(short_replies >= 1);
    client_fixture_close(f);
    mem_set(NULL);
}

/* ---- several at once ---- */

static void note_closed(void *data)
{
    atomic_store((atomic_bool *)data, true);
}

static void two_clients_on_one_loop(void **state)
{
    struct client_fixture *f = *state;
    client_fixture_open_live(f);
    struct client_fixture *other = calloc(1, sizeof(*other));
    assert_non_null(other);
    client_fixture_use_quick_options(other, peer_url(f->peer));
    other->host = f->host;
    other->options.loop = f->options.loop;
    char problem[AR_PROBLEM_SIZE];
    assert_int_equal(ar_open(&other->options, &other->client, problem, sizeof(problem)), AR_OK);
    while (!client_fixture_is_live(other))
        client_fixture_iterations(f, 1);
    ar_close(other->client, note_closed, &other->closed);
    assert_int_equal(client_fixture_call(f, "echo", AR_FAIL_FAST, 0, NULL), AR_OK);
    client_fixture_run_until(f, one_reply);
    assert_int_equal(atomic_load(&f->codes[0]), 1);
    while (!client_fixture_is_closed(other) || peer_open_now(f->peer) > 1)
        client_fixture_iterations(f, 1);
    assert_true(client_fixture_is_live(f));
    free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLIENT_TESTS(queue_overflow_fires_its_failures),
        CLIENT_TESTS(reconnects_after_a_long_outage),
        CLIENT_TESTS(a_thousand_reconnects),
        CLIENT_TESTS(touches_no_signals),
        CLIENT_TESTS(fork_free_and_log_free),
        CLIENT_TEST(waiting_without_memory, client_fixture_on_thread),
        CLIENT_TESTS(two_clients_on_one_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

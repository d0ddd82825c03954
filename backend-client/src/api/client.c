/* A client's opening, and its thread. Closing: client_close.c.
 *
 * Happy path: ar_open takes the options, makes the engine and the probe, then the handles, and starts the
 * engine: the first snapshot stands before ar_open returns. On a loop of its own a thread then runs that loop
 * until no handle is left, runs on_closed, and frees.
 *
 * Failure modes: everything that can fail in ar_open without a handle comes before the first handle, since
 * a handle on the host's loop could only be closed asynchronously: the async handle is the one whose making
 * can fail, and it is made first. No thread: the loop, which is the library's alone, is run to its end in
 * ar_open.
 */
#include "client.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/alloc.h"
#include "base/map.h"

/* ---- the process's part ---- */

static uint64_t random_u64(void)
{
    uint64_t value;
    if (getrandom(&value, sizeof(value), GRND_NONBLOCK) == (ssize_t)sizeof(value))
        return value;
    /* Early at boot: good enough for jitter, and what the hash table holds are numbers of our own. */
    return uv_hrtime() ^ ((uint64_t)uv_os_getpid() << 32);
}

static void seed_once(void)
{
    hash_seed(random_u64(), random_u64());
}

static pthread_once_t seeded = PTHREAD_ONCE_INIT;

/* ---- the thread ---- */

static int make_loop(struct ar_client *c)
{
    c->loop = mem_zalloc(sizeof(*c->loop));
    if (!c->loop)
        return -ENOMEM;
    int rc = uv_loop_init(c->loop);
    if (rc != 0) {
        mem_free(c->loop);
        return rc;
    }
    c->owns_loop = true;
    return 0;
}

/* It has no handle left. */
static void drop_loop(struct ar_client *c)
{
    int rc = uv_loop_close(c->loop);
    assert(rc == 0);
    (void)rc;
    mem_free(c->loop);
}

static void *run_thread(void *data)
{
    struct ar_client *c = data;
    (void)pthread_setname_np(pthread_self(), "agent-relay");
    (void)uv_run(c->loop, UV_RUN_DEFAULT);
    drop_loop(c);
    client_run_on_closed(c);

    inbox_lock(&c->inbox);
    c->over = true;
    bool waited_for = c->waiters > 0;
    if (waited_for)
        (void)pthread_cond_broadcast(&c->over_cond);
    inbox_unlock(&c->inbox);
    if (!waited_for) {
        (void)pthread_detach(pthread_self());
        client_release(c);
        mem_free(c);
    }
    return NULL;
}

static int start_thread(struct ar_client *c)
{
    /* A host's signal handlers are not to run here: the thread inherits the mask it is made under. */
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    /* Held meanwhile, so that inbox_on_loop_thread is right on every thread, the new one included. */
    inbox_lock(&c->inbox);
    int rc = pthread_create(&c->thread, NULL, run_thread, c);
    if (rc == 0)
        c->inbox.loop_thread = c->thread;
    inbox_unlock(&c->inbox);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc == 0 ? AR_OK : AR_E_SYSTEM;
}

/* ---- opening ---- */

static int say(char *problem, size_t size, int code, const char *what, int uv_code)
{
    (void)snprintf(problem, size, "%s: %s", what, err_text(uv_code));
    return code;
}

static int code_of(int rc)
{
    return rc == -ENOMEM ? AR_E_NO_MEMORY : AR_E_SYSTEM;
}

/* Puts the option's name before what is wrong with it. */
static void name_option(const char *option, char *problem, size_t size)
{
    char why[AR_PROBLEM_SIZE];
    (void)snprintf(why, sizeof(why), "%s", problem);
    (void)snprintf(problem, size, "%s: %s", option, why); /* cut where it is longer */
}

/* What needs no handle. */
static int make_parts(struct ar_client *c, char *problem, size_t size)
{
    const struct ar_options *o = &c->options.values;
    int rc = client_view_init(&c->published);
    if (rc != 0)
        return say(problem, size, AR_E_NO_MEMORY, "no mutex", rc);
    c->view = &c->published;
    size_t inbox_bytes;
    if (!size_add(o->queue_max_bytes, o->frame_max_bytes, &inbox_bytes))
        inbox_bytes = SIZE_MAX;
    rc = inbox_init(&c->inbox, &c->async, inbox_bytes);
    if (rc != 0) {
        (void)say(problem, size, 0, "no mutex", rc);
        goto fail_inbox;
    }
    (void)pthread_cond_init(&c->over_cond, NULL); /* cannot fail without attributes */
    c->now_ms = client_clock_ms();
    rc = engine_init(&c->engine, &client_engine_ops, c, o, c->options.address.text, random_u64(), c->now_ms,
                     (int64_t)time(NULL) * 1000, problem, size);
    if (rc != 0) {
        name_option("mock_cast", problem, size);
        goto fail_engine;
    }
    c->options.values.mock_cast = NULL; /* used up, and the caller's */
    if (o->health_url)
        rc = probe_new(c->loop, &c->async, o->health_url, client_on_probe, c, &c->probe, problem, size);
    if (rc != 0) {
        name_option(c->options.health_source, problem, size);
        goto fail_probe;
    }
    return AR_OK;

fail_probe:
    engine_close(&c->engine, c->now_ms);
    engine_done(&c->engine);
fail_engine:
    (void)pthread_cond_destroy(&c->over_cond);
    inbox_done(&c->inbox);
fail_inbox:
    client_view_done(&c->published);
    if (rc == -ENOMEM)
        return say(problem, size, AR_E_NO_MEMORY, "agent-relay client", rc);
    return AR_E_INVALID;
}

/* The handles; the first one's making can fail, and nothing is left then. */
static int make_handles(struct ar_client *c)
{
    int rc = uv_async_init(c->loop, &c->async, client_on_async);
    if (rc != 0)
        return rc;
    c->async.data = c;
    (void)uv_timer_init(c->loop, &c->timer); /* cannot fail */
    c->timer.data = c;
    for (unsigned i = 0; i < 2; i++) {
        link_init(&c->links[i], c->loop, &c->async, &client_link_ops, c, &c->options.address,
                  c->options.values.connect_timeout_ms);
    }
    return 0;
}

static int open_on_host(struct ar_client *c, char *problem, size_t size)
{
    int rc = make_parts(c, problem, size);
    if (rc != AR_OK)
        return rc;
    int uv = make_handles(c);
    if (uv != 0) {
        engine_close(&c->engine, c->now_ms);
        probe_close(c->probe, NULL, NULL);
        client_release(c);
        return say(problem, size, code_of(uv), "no descriptor for waking the loop", uv);
    }
    client_event_begin(c);
    engine_start(&c->engine, c->now_ms);
    client_event_end(c);
    c->quiet = false;
    if (c->announce)
        (void)uv_async_send(&c->async); /* open: cannot fail */
    return AR_OK;
}

/* *ret_client is written before the thread is there: its callbacks may look at it before ar_open returns. */
static int open_on_thread(struct ar_client *c, struct ar_client **ret_client, char *problem, size_t size)
{
    int uv = make_loop(c);
    if (uv != 0)
        return say(problem, size, code_of(uv), "no event loop", uv);
    int rc = open_on_host(c, problem, size);
    if (rc != AR_OK) {
        drop_loop(c); /* it never had a handle */
        return rc;
    }
    struct ar_client *before = *ret_client;
    *ret_client = c;
    if (start_thread(c) == AR_OK)
        return AR_OK;
    *ret_client = before;
    c->quiet = true;
    client_begin_close(c);
    (void)uv_run(c->loop, UV_RUN_DEFAULT);
    drop_loop(c);
    client_release(c);
    return say(problem, size, AR_E_SYSTEM, "no thread", -EAGAIN);
}

int ar_open(const struct ar_options *o, struct ar_client **ret_client, char *problem, size_t problem_size)
{
    char unread[AR_PROBLEM_SIZE];
    if (!problem || problem_size == 0) {
        problem = unread;
        problem_size = sizeof(unread);
    }
    problem[0] = '\0';
    if (!ret_client)
        return AR_E_INVALID;
    (void)pthread_once(&seeded, seed_once);
    struct ar_client *c = mem_zalloc(sizeof(*c));
    if (!c)
        return say(problem, problem_size, AR_E_NO_MEMORY, "agent-relay client", -ENOMEM);
    int rc = options_take(&c->options, o, problem, problem_size);
    if (rc != AR_OK)
        goto fail_options;
    c->quiet = true;
    c->link = &c->links[0];
    c->second = &c->links[1];
    c->link->phase = c->second->phase = LINK_DONE; /* there is none yet: dropping it does nothing */
    c->armed_ms = UINT64_MAX;
    c->loop = c->options.values.loop;
    if (!c->loop)
        rc = open_on_thread(c, ret_client, problem, problem_size);
    else if ((rc = open_on_host(c, problem, problem_size)) == AR_OK)
        *ret_client = c;
    if (rc != AR_OK)
        goto fail_open;
    return AR_OK;

fail_open:
    options_done(&c->options);
fail_options:
    mem_free(c);
    return rc;
}

/* The driver's table over children, and what all children share: the keeper's path and the reaper.
 *
 * Happy path: open (keeper found, reaper started) -> start, stop, ... -> close: no orphan is left -> reaper
 * and timer close -> on_closed.
 *
 * Failure modes: no keeper -> open is refused. Orphans are still dying at close -> waited for,
 * ORPHANS_WAIT_MS at most: they may have children of their own, which nobody would end once the relay is
 * gone.
 */
#include "server/process/process_driver.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"
#include "server/process/child.h"
#include "server/process/keeper_path.h"

/* Killed processes are reaped within milliseconds, unless the kernel itself holds them. */
#define ORPHANS_WAIT_MS 2000

extern char **environ;

struct process_driver {
    struct driver driver;
    struct process_driver_options options; /* program_dir is NULL: it was borrowed for open */
    char *keeper;                          /* owned; its path */
    struct reaper reaper;
    struct timer linger; /* while closing: how long orphans are waited for */
    unsigned handles;    /* open ones: reaper and timer */
    bool closing;
    void (*on_closed)(void *data);
    void *data;
};

static struct process_driver *process_of(struct driver *d)
{
    return CONTAINER_OF(d, struct process_driver, driver);
}

/* ---- instances ---- */

/* Here only the keeper can be missing: whether the command is, the keeper finds out. */
static void explain(const struct process_driver *p, int error, struct driver_error *ret_error)
{
    const char *what = error == -ENOENT || error == -EACCES ? p->keeper : "a process";
    (void)snprintf(ret_error->text, sizeof(ret_error->text), "cannot start %s: %s", what, err_text(error));
}

static int process_start(struct driver *d, const struct instance_spec *spec,
                         const struct instance_events *events, void *data, struct instance **ret_instance,
                         struct driver_error *ret_error)
{
    struct process_driver *p = process_of(d);
    const struct child_spec child_spec = {.instance = *spec,
                                          .loop = p->options.loop,
                                          .reaper = &p->reaper,
                                          .memory = p->options.memory,
                                          .keeper = p->keeper,
                                          .environ = p->options.environ,
                                          .soft_nofile = p->options.soft_nofile};
    struct child *c = NULL;
    int rc = child_start(&child_spec, events, data, &c);
    if (rc != 0) {
        explain(p, rc, ret_error);
        return rc;
    }
    c->instance.driver = d->ops;
    *ret_instance = &c->instance;
    return 0;
}

static void process_stop(struct instance *i, uint64_t grace_ms)
{
    child_stop(child_of(i), grace_ms);
}

static void process_kill(struct instance *i)
{
    child_kill(child_of(i));
}

static size_t process_tail(const struct instance *i, char *ret_text, size_t max)
{
    return child_stderr_tail(CONST_CONTAINER_OF(i, struct child, instance), ret_text, max);
}

static void process_get_pids(struct instance *i, struct instance_pids *ret_pids)
{
    struct child *c = child_of(i);
    *ret_pids = (struct instance_pids){.pid = child_pid(c), .keeper_pid = c->keeper_pid};
}

/* ---- closing ---- */

static void handle_closed(struct process_driver *p)
{
    if (--p->handles > 0)
        return;
    p->on_closed(p->data);
    mem_free(p->keeper);
    mem_free(p);
}

static void on_reaper_closed(struct reaper *r)
{
    handle_closed(CONTAINER_OF(r, struct process_driver, reaper));
}

static void on_linger_closed(struct timer *t)
{
    handle_closed(CONTAINER_OF(t, struct process_driver, linger));
}

static void close_handles(struct process_driver *p)
{
    timer_close(&p->linger, on_linger_closed);
    reaper_close(&p->reaper, on_reaper_closed);
}

static void close_without_orphans(struct process_driver *p)
{
    if (reaper_sweep(&p->reaper) == 0)
        close_handles(p);
}

static void on_orphan(struct reaper *r)
{
    struct process_driver *p = CONTAINER_OF(r, struct process_driver, reaper);
    if (p->closing)
        close_without_orphans(p);
}

static void on_linger_over(struct timer *t)
{
    LOG(LOG_ERROR, "processes that had lost their keeper do not end");
    close_handles(CONTAINER_OF(t, struct process_driver, linger));
}

static void process_close(struct driver *d, void (*on_closed)(void *data), void *data)
{
    struct process_driver *p = process_of(d);
    p->closing = true;
    p->on_closed = on_closed;
    p->data = data;
    timer_set(&p->linger, loop_now_ms(p->options.loop) + ORPHANS_WAIT_MS);
    close_without_orphans(p);
}

/* ---- opening ---- */

static const struct upstream_driver process_driver = {process_start, process_stop,     process_kill,
                                                      process_tail,  process_get_pids, process_close};

static int open_handles(struct process_driver *p)
{
    int rc = reaper_start(&p->reaper, p->options.loop);
    if (rc != 0)
        return rc;
    rc = timer_init(&p->linger, p->options.loop, on_linger_over);
    assert(rc == 0); /* as all of libuv's timers */
    p->reaper.on_orphan = on_orphan;
    p->handles = 2;
    return rc;
}

int process_driver_open(const struct process_driver_options *options, struct driver **ret_driver)
{
    struct process_driver *p = mem_zalloc(sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->driver.ops = &process_driver;
    p->options = *options;
    p->options.program_dir = NULL;
    if (!p->options.environ)
        p->options.environ = environ;
    int rc = keeper_path_find(options->program_dir, &p->keeper);
    if (rc == 0)
        rc = open_handles(p);
    if (rc != 0) {
        mem_free(p->keeper);
        mem_free(p);
        return rc;
    }
    *ret_driver = &p->driver;
    return 0;
}

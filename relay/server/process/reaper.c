/* One SIGCHLD handler and a waitpid loop.
 *
 * Happy path: SIGCHLD -> waitpid until no zombie is left -> orphans are killed, when there can be any -> each
 * on_exit. A keeper that exits by itself has reaped all of its descendants. One that died by a signal may
 * have died like its command (then it has reaped them as well), or have been killed: then its children are
 * ours by the time of its SIGCHLD, and are found in the kernel's list of our children. Their own children
 * follow when they are reaped, and so on.
 *
 * Failure modes: the list cannot be read (no descriptor left) -> no orphan is killed now; the next exit tries
 * again.
 */
#include "server/process/reaper.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "log/log.h"
#include "server/process/proc.h"

/* More orphans than this are killed in several rounds: each exit leads to another sweep. */
#define ORPHANS_PER_ROUND 256

static bool same_pid(const struct map_node *node, const void *key)
{
    const struct reaper_watch *w = (const void *)((const char *)node - offsetof(struct reaper_watch, node));
    return w->pid == *(const pid_t *)key;
}

static struct reaper_watch *find_watch(const struct reaper *r, pid_t pid)
{
    struct map_node *node = map_find(&r->watches, hash_u64((uint64_t)pid), same_pid, &pid);
    return node ? CONTAINER_OF(node, struct reaper_watch, node) : NULL;
}

static size_t find_spared(const struct reaper *r, pid_t pid)
{
    size_t i = 0;
    while (i < r->spared_count && r->spared[i] != pid)
        i++;
    return i;
}

size_t reaper_sweep(struct reaper *r)
{
    size_t found = 0;
    size_t max = r->watches.count + r->spared_count + ORPHANS_PER_ROUND;
    pid_t *pids = mem_alloc(max * sizeof(*pids));
    int n = pids ? proc_children(pids, max) : -ENOMEM;
    if (n < 0)
        LOG(LOG_ERROR, "cannot look for orphans", F_STR("error", err_text(n)));
    for (int i = 0; i < n; i++) {
        if (find_watch(r, pids[i]) || find_spared(r, pids[i]) < r->spared_count)
            continue;
        found++;
        /* Only we reap, so the pid is still its own. */
        if (kill(pids[i], SIGKILL) == 0)
            r->orphans_killed++;
    }
    mem_free(pids);
    return found;
}

/* Puts watches whose on_exit is due on `dead`; true when there may be orphans. *ret_orphans grows by those
 * that were reaped. */
static bool reap_all(struct reaper *r, struct list *dead, size_t *ret_orphans)
{
    bool may_have_orphans = false;
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return may_have_orphans;
        struct reaper_watch *w = find_watch(r, pid);
        if (w) {
            map_remove(&r->watches, &w->node);
            w->pid = 0;
            w->status = status;
            list_push_back(dead, &w->dead);
            may_have_orphans |= WIFSIGNALED(status);
            continue;
        }
        size_t spared = find_spared(r, pid);
        if (spared < r->spared_count) {
            r->spared[spared] = r->spared[--r->spared_count];
            continue;
        }
        ++*ret_orphans;
        may_have_orphans = true;
    }
}

static void on_sigchld(uv_signal_t *handle, int signum)
{
    (void)signum;
    struct reaper *r = CONTAINER_OF(handle, struct reaper, signal);
    struct list dead;
    list_init(&dead);
    size_t orphans = 0;
    while (reap_all(r, &dead, &orphans)) {
        uint64_t before = r->orphans_killed;
        (void)reaper_sweep(r);
        if (r->orphans_killed == before)
            break;
        LOG(LOG_WARN, "killed processes that had lost their keeper",
            F_UINT("count", r->orphans_killed - before));
    }
    for (struct list *node; (node = list_pop_front(&dead));) {
        struct reaper_watch *w = CONTAINER_OF(node, struct reaper_watch, dead);
        w->on_exit(w, w->status);
    }
    if (orphans > 0 && r->on_orphan)
        r->on_orphan(r);
}

/* A child started by the program that this process was before its exec is not ours to kill. */
static void note_spared(struct reaper *r)
{
    int n = proc_children(r->spared, REAPER_SPARED_MAX);
    r->spared_count = n > 0 ? (size_t)n : 0;
}

int reaper_start(struct reaper *r, struct loop *loop)
{
    *r = (struct reaper){.loop = loop};
    map_init(&r->watches);
    note_spared(r);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
        return -errno;
    int rc = uv_signal_init(&loop->uv, &r->signal);
    if (rc != 0)
        return rc;
    rc = uv_signal_start(&r->signal, on_sigchld, SIGCHLD);
    if (rc != 0)
        uv_close((uv_handle_t *)&r->signal, NULL);
    return rc;
}

int reaper_add(struct reaper *r, struct reaper_watch *w, pid_t pid,
               void (*on_exit)(struct reaper_watch *w, int status))
{
    w->pid = pid;
    w->on_exit = on_exit;
    list_init(&w->dead);
    return map_add(&r->watches, &w->node, hash_u64((uint64_t)pid));
}

static void on_signal_closed(uv_handle_t *handle)
{
    struct reaper *r = CONTAINER_OF(handle, struct reaper, signal);
    if (r->on_closed)
        r->on_closed(r);
}

void reaper_close(struct reaper *r, void (*on_closed)(struct reaper *r))
{
    if (r->closing)
        return;
    r->closing = true;
    r->on_closed = on_closed;
    map_done(&r->watches);
    uv_close((uv_handle_t *)&r->signal, on_signal_closed);
}

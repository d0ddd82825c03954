/* The event loop: libuv's, with what every owner of a handle needs once per iteration.
 *
 * - one shared read buffer (reads are synchronous: the bytes are used before the callback returns)
 * - tasks that run once at the end of the iteration they were marked in (links flush there: one write per link
 *   and iteration)
 * - deferred frees: nothing is freed inside a callback of its own
 * - one hook at the end of each iteration, for the owner of the whole
 * - idle storage: an owner that kept memory for its next use is asked to release it after a second or two without use
 *
 * The end of an iteration is libuv's check phase, and its prepare phase for what timers and close callbacks marked
 * before the poll: nothing that is marked ever waits through a blocking poll. One thread.
 */
#ifndef IO_LOOP_H
#define IO_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"
#include "base/list.h"

/* Larger chunks mean fewer reads and fewer iterations for long frames; it is one buffer, so it costs nobody
 * anything. */
#define LOOP_READ_BYTES ((size_t)256 << 10)
/* How often warm storage is looked at: unused storage is given back after one to two of these. */
#define LOOP_SWEEP_MS UINT64_C(1000)

struct loop {
    uv_loop_t uv;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t spin;       /* active while tasks are left over: the poll must not block then */
    uv_timer_t sweep;     /* active while `warm` is not empty; does not keep the loop alive */
    struct list tasks;    /* struct loop_task.node */
    struct list deferred; /* struct loop_deferred.node */
    struct list warm;     /* struct loop_warm.node */
    char *read_bytes;     /* owned, LOOP_READ_BYTES; shared by every stream of the loop */
    /* Runs once per iteration, behind its tasks and before the poll; NULL: none. It may mark tasks. */
    void (*on_iteration_end)(struct loop *loop);
};

struct loop_task {
    struct list node;
    void (*run)(
        struct loop_task *task); /* marked again meanwhile, it runs again before the next blocking poll */
};

struct loop_deferred {
    struct list node;
    void (*free)(struct loop_deferred *d);
};

/* Something that keeps storage for its next use (a queue's buffer). */
struct loop_warm {
    struct list node;
    bool used;                            /* since the last sweep */
    void (*cool)(struct loop_warm *warm); /* give the storage back, or loop_touch again to stay warm */
};

/* 0, a libuv code or -ENOMEM; after a failure there is nothing to undo. */
MUSTCHECK int loop_init(struct loop *loop);
/* Runs until loop_stop, or until no handle is left. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Closes the loop's own handles, runs what that needs (never blocks), and returns uv_loop_close's verdict: 0,
 * or UV_EBUSY when somebody left a handle open. Frees the read buffer in both cases. */
MUSTCHECK int loop_done(struct loop *loop);

/* Monotonic milliseconds of this iteration (uv_now). The one clock of the relay. */
uint64_t loop_now_ms(const struct loop *loop);

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task));
/* Runs the task at the end of this iteration; marking twice runs it once. */
void loop_mark(struct loop *loop, struct loop_task *task);
void loop_unmark(struct loop_task *task);
/* Calls d->free at the end of this iteration, after the tasks. */
void loop_defer(struct loop *loop, struct loop_deferred *d, void (*free)(struct loop_deferred *d));

void loop_warm_init(struct loop_warm *warm, void (*cool)(struct loop_warm *warm));
/* Says that it was used just now: `cool` runs once it has not been touched for LOOP_SWEEP_MS to twice that.
 */
void loop_touch(struct loop *loop, struct loop_warm *warm);
/* `cool` will not run. Idempotent. */
void loop_untouch(struct loop_warm *warm);

#endif

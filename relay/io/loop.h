/* The event loop: libuv's, with what every owner of a handle needs once per iteration.
 *
 * - one shared read buffer (reads are synchronous: the bytes are used before the callback returns)
 * - tasks that run once at the end of the iteration they were marked in (links flush there: one write per link
 *   and iteration)
 * - deferred frees: nothing is freed inside a callback of its own
 * - one hook at the end of each iteration, for the owner of the whole
 * - idle storage: an owner that kept memory for its next use is asked to release it after a second or two without use
 * - time: one clock, which stands still while the loop does not run (io/served_time.h)
 *
 * Standstill. A process that is stopped, paused with its container or starved wakes up with deadlines long past, while
 * what was due lies in its descriptors; libuv runs timers before it polls. Two rules keep that from being judged late:
 * deadlines are in served time, which the loop measures against its own wake-ups; and a timer (io/timer.h) fires only
 * behind a poll that began when it was due, after a standstill behind one that brought nothing more to read. While a
 * timer is set the loop wakes up every LOOP_TICK_MS, so that a standstill costs a deadline no more than that.
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
#include "io/served_time.h"

/* Larger chunks mean fewer reads and fewer iterations for long frames; it is one buffer, so it costs nobody
 * anything. */
#define LOOP_READ_BYTES ((size_t)256 << 10)
/* When an iteration has read so much, some 10 ms of work, each further stream gets one read of LOOP_LATE_READ_BYTES in
 * it: a thousand streams that are full do not make it a long one, and each moves on. */
#define LOOP_ITERATION_BYTES ((size_t)8 << 20)
#define LOOP_LATE_READ_BYTES ((size_t)16 << 10)
/* How often warm storage is looked at: unused storage is given back after one to two of these. */
#define LOOP_SWEEP_MS UINT64_C(1000)
/* The most that a standstill costs a deadline; 20 wake-ups a second, of some 10 us each, only while a timer is set. */
#define LOOP_TICK_MS UINT64_C(50)
/* A wake-up may come so late and be served time: a scheduler's tick (CONFIG_HZ=100). */
#define LOOP_LATE_MS UINT64_C(10)
/* An iteration's callbacks may take so long and be served time; they are bounded to less. So it is also what a deadline
 * loses, at most, when a standstill falls into an iteration. */
#define LOOP_WORK_MS UINT64_C(100)
/* For so long after a standstill, of served time, timers wait for a poll that brings nothing. */
#define LOOP_CATCH_UP_MS UINT64_C(100)

struct loop {
    uv_loop_t uv;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t spin;   /* active while tasks are left over: the poll must not block then */
    uv_timer_t sweep; /* active while `warm` is not empty; does not keep the loop alive */
    uv_timer_t tick;  /* active while timers are set, and up to a tick longer; does not keep the loop alive */
    struct list tasks;    /* struct loop_task.node */
    struct list polled;   /* struct loop_task.node: they run behind the next poll */
    struct list deferred; /* struct loop_deferred.node */
    struct list warm;     /* struct loop_warm.node */
    char *read_bytes;     /* owned, LOOP_READ_BYTES; shared by every stream of the loop */
    struct served_time served;
    size_t timers;              /* that are set */
    uint64_t iterations;        /* polls begun */
    size_t iteration_bytes;     /* read since the last poll began */
    uint64_t reads;             /* counted by loop_note_read */
    uint64_t reads_seen;        /* `reads` at the end of the last poll */
    uint64_t catch_up_until_ms; /* valid while catching_up */
    uint64_t woke_ms;           /* real: when the last poll returned, or loop_run began */
    uint64_t longest_ms;        /* real: the longest time between two polls */
    bool polling;               /* the poll is running or its return has not been noticed yet */
    bool catching_up;           /* since a standstill, until a poll has brought nothing */
    bool catch_up_polled;       /* the poll began while catching_up */
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

/* Monotonic milliseconds of this iteration, without those in which the loop did not run. The one clock of the relay:
 * whatever is due is due in it. */
uint64_t loop_now_ms(struct loop *loop);
/* The same with them (uv_now): for the durations that people read. */
uint64_t loop_real_ms(const struct loop *loop);
/* Every set timer counts here, from its setting until it fires or is cleared. */
void loop_timer_set(struct loop *loop);
void loop_timer_unset(struct loop *loop);
/* Somebody read bytes from a descriptor, or worked off some of those that were read before: there may be more. */
static inline void loop_note_read(struct loop *loop, size_t bytes)
{
    loop->reads++;
    loop->iteration_bytes += bytes;
}

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task));
/* Runs the task at the end of this iteration; marking twice runs it once. */
void loop_mark(struct loop *loop, struct loop_task *task);
void loop_unmark(struct loop_task *task);
/* Runs the task behind the next poll, which does not block; after a standstill behind the first one that brings
 * nothing to read. For what must not be decided before everything that has arrived was seen. loop_unmark holds. */
void loop_mark_polled(struct loop *loop, struct loop_task *task);
/* Calls d->free at the end of this iteration, after the tasks. */
void loop_defer(struct loop *loop, struct loop_deferred *d, void (*free)(struct loop_deferred *d));

void loop_warm_init(struct loop_warm *warm, void (*cool)(struct loop_warm *warm));
/* Says that it was used just now: `cool` runs once it has not been touched for LOOP_SWEEP_MS to twice that.
 */
void loop_touch(struct loop *loop, struct loop_warm *warm);
/* `cool` will not run. Idempotent. */
void loop_untouch(struct loop_warm *warm);

#endif

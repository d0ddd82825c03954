/* Reports the exits of child processes: one SIGCHLD handler and a waitpid loop for the whole process.
 *
 * Happy path: reaper_start makes the process a subreaper; reaper_add after each spawn; on_exit comes once,
 * from the loop. A child that was never added is an orphan: it has lost its keeper. It is killed at once, and
 * so are the children that fall to the process by its death. Children older than reaper_start are left alone.
 *
 * No other code in the process may wait for children or handle SIGCHLD.
 */
#ifndef PROCESS_REAPER_H
#define PROCESS_REAPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "io/loop.h"

struct reaper_watch {
    struct map_node node;
    struct list dead; /* while its on_exit is due */
    pid_t pid;        /* 0: not watched */
    int status;
    /* `status` as waitpid gives it. The watch is removed already and may be freed or added again. */
    void (*on_exit)(struct reaper_watch *w, int status);
};

#define REAPER_SPARED_MAX 64

struct reaper {
    struct loop *loop; /* borrowed */
    uv_signal_t signal;
    struct map watches;
    pid_t spared[REAPER_SPARED_MAX]; /* children older than the reaper */
    size_t spared_count;
    uint64_t orphans_killed;
    /* An orphan was reaped. May be NULL. */
    void (*on_orphan)(struct reaper *r);
    void (*on_closed)(struct reaper *r);
    bool closing;
};

/* 0, a negative errno or libuv code; after a failure there is nothing to close. */
MUSTCHECK int reaper_start(struct reaper *r, struct loop *loop);
/* `pid` was spawned by us in this iteration. -ENOMEM. */
MUSTCHECK int reaper_add(struct reaper *r, struct reaper_watch *w, pid_t pid,
                         void (*on_exit)(struct reaper_watch *w, int status));
/* Kills every orphan now and returns how many there were. The reaper calls it by itself when there can be
 * any; the driver calls it to know that there is none. */
size_t reaper_sweep(struct reaper *r);
/* No watch may be left. on_closed runs from the loop. */
void reaper_close(struct reaper *r, void (*on_closed)(struct reaper *r));

#endif

/* A child: one process running a server's command under its keeper, with its three pipes and the link that
 * the router writes to. An instance (driver.h); the events and their order are described there.
 *
 * Happy path: child_start -> on_frame for each line of its stdout -> child_stop -> on_exit -> on_closed
 * (freed).
 *
 * Stop escalation of child_stop: stdin is closed once its queue is written; after `grace_ms` SIGTERM to the
 * process group; after `grace_ms` more the keeper kills everything; then the keeper itself is killed. Frames
 * are read until on_exit.
 */
#ifndef PROCESS_CHILD_H
#define PROCESS_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "io/loop.h"
#include "io/memory.h"
#include "io/stream.h"
#include "io/timer.h"
#include "server/driver.h"
#include "server/process/reaper.h"
#include "server/process/stderr_ring.h"
#include "wire/frame.h"

/* The high-water mark of its link. */
#define CHILD_HIGH_BYTES ((size_t)1 << 20)
/* A child that closed its stdout, or whose stdin broke, and lives on for so long, is reported lost. Nearly
 * always its exit comes earlier. */
#define CHILD_LOST_MS 250
/* How long the keeper has for killing everything until it is killed itself. */
#define CHILD_KILL_MS 2000
/* What a child needs to run. Borrowed for child_start; loop, reaper and memory outlive the child. */
struct child_spec {
    struct instance_spec instance;
    struct loop *loop;
    struct reaper *reaper;
    struct memory *memory; /* NULL: not counted */
    const char *keeper;    /* path of the keeper's program */
    char *const *environ;  /* the relay's environment */
    uint64_t soft_nofile;  /* 0: the relay's */
};

/* Moves and deadlines: child_stop.c. */
enum child_phase {
    CHILD_RUNNING,
    CHILD_ENDING, /* stdin is closed, or will be when its queue is out */
    CHILD_TERMED,
    CHILD_KILLED,
    CHILD_EXITED
};

struct child {
    struct instance instance; /* its driver is set by process_driver.c */
    struct loop *loop;
    struct memory *memory;
    char *name;
    enum child_phase phase;
    struct reaper_watch watch; /* of the keeper */
    pid_t keeper_pid;
    pid_t pid;       /* of the command; 0: not known yet */
    int lifeline_fd; /* -1: closed */
    struct stream in;
    struct stream out;
    struct stream err;
    struct timer timer; /* the next step of the stop escalation, or on_lost */
    unsigned handles;   /* open ones: streams and timer */
    uint64_t grace_ms;
    const char *lost_why; /* NULL: it is not lost; static */
    bool lost_reported;
    bool paused_by_router;
    bool paused_by_memory;
    bool memory_joined;
    struct memory_user memory_user;
    struct loop_task account; /* reports to the memory budget what the child holds */
    struct frame_reader reader;
    struct loop_warm warm; /* the idle buffers of reader and stdin queue */
    struct stderr_ring stderr_ring;
    uint64_t lines_second; /* the second that lines_logged counts in */
    unsigned lines_logged;
    uint64_t lines_hidden; /* not logged, since the last one that was */
    uint64_t
        minute_at_ms; /* when the minute began that the next two count in; they are of a child that is ready */
    unsigned minute_lines;  /* logged at info */
    uint64_t minute_hidden; /* and at debug */
};

static inline struct child *child_of(struct instance *i)
{
    return CONTAINER_OF(i, struct child, instance);
}

/* 0 and *ret_child; else a negative errno or libuv code: nothing is left and no event comes. `events` is
 * static. That the command itself cannot be run shows as its exit (keeper.h), with the reason on its
 * standard error. */
MUSTCHECK int child_start(const struct child_spec *spec, const struct instance_events *events, void *data,
                          struct child **ret_child);
/* Begins the escalation, at SIGTERM if the child was reported lost; later calls change nothing. */
void child_stop(struct child *c, uint64_t grace_ms);
/* Kills everything now. */
void child_kill(struct child *c);
/* The command's pid; 0 while it is not known. */
pid_t child_pid(struct child *c);
/* The end of its standard error, see stderr_ring_tail. */
size_t child_stderr_tail(const struct child *c, char *ret_text, size_t max);

#endif

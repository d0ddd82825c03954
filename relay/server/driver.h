/* The driver of a server's instances: the one thing that supervisors know of what runs behind a server.
 *
 * An instance is one run of a server: a child process under its keeper (process/). The supervisor decides
 * when one starts and stops; the driver knows how.
 *
 * Happy path: start -> on_frame for each line that the instance writes -> stop -> on_exit -> on_closed, and
 * the instance is freed. Frames may come until on_exit.
 *
 * Failure modes: start fails -> the reason in words, nothing is left, no event comes. The instance ends by
 * itself -> on_exit. It lives on and can serve no more -> on_lost, and the supervisor stops it.
 *
 * Every event runs from the loop, none inside a call of the driver. on_exit comes once, however the instance
 * ends, after everything that it had written; on_closed comes once, after it.
 */
#ifndef SERVER_DRIVER_H
#define SERVER_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "route/link.h"
#include "wire/frame.h"

/* What an outage shows of the instance's standard error. */
#define INSTANCE_TAIL_BYTES ((size_t)2 << 10)
/* All that a driver keeps of it: what the cause of a failure is looked for in. */
#define INSTANCE_STDERR_BYTES ((size_t)64 << 10)

struct driver;
struct instance;
struct server_config;

struct instance_events {
    /* One line, as upstream_frame takes it. */
    void (*on_frame)(struct instance *i, const struct frame *frame);
    /* More may be sent: the link's queue got shorter, or the frames of one read were all handed in. */
    void (*on_writable)(struct instance *i);
    /* It can serve no more, and nobody has stopped it: "closed its stdout", ... Stop it. At most once. */
    void (*on_lost)(struct instance *i, const char *why);
    /* term_signal 0: it exited by itself, with exit_status. */
    void (*on_exit)(struct instance *i, int exit_status, int term_signal);
    /* `i` is freed after this call. */
    void (*on_closed)(struct instance *i);
};

/* Embedded in the driver's own struct. */
struct instance {
    struct link link; /* what the router writes to */
    const struct upstream_driver *driver;
    const struct instance_events *events; /* static */
    void *data;                           /* the supervisor's */
    bool ready;                           /* kept by the supervisor: it serves */
};

/* Everything is borrowed for the call of start. */
struct instance_spec {
    const char *name; /* of the server */
    const struct server_config *config;
    size_t max_frame_bytes;
    size_t max_id_bytes;
};

struct driver_error {
    char text[512]; /* one line for people: "cannot start a process: Too many open files" */
};

/* For people. 0: there is none, or it is not known yet. */
struct instance_pids {
    pid_t pid; /* of the server's command */
    pid_t keeper_pid;
};

struct upstream_driver {
    /* 0 and *ret_instance; else a negative errno or libuv code, and *ret_error. That the command itself
     * cannot be run may show as an exit, with the reason at the end of its standard error. */
    MUSTCHECK int (*start)(struct driver *d, const struct instance_spec *spec,
                           const struct instance_events *events, void *data, struct instance **ret_instance,
                           struct driver_error *ret_error);
    /* Begins to end it: each step of the escalation gets grace_ms, and the last one cannot be resisted. An
     * instance that was reported lost gets no time to read what is queued for it. Later calls change
     * nothing. */
    void (*stop)(struct instance *i, uint64_t grace_ms);
    /* Ends it now. on_exit still comes. */
    void (*kill)(struct instance *i);
    /* The end of its standard error as valid UTF-8, at most `max` - 1 bytes and a NUL; returns the length. */
    size_t (*tail)(const struct instance *i, char *ret_text, size_t max);
    void (*get_pids)(struct instance *i, struct instance_pids *ret_pids);
    /* No instance is left. on_closed runs once, from the loop, when nothing that instances have left
     * behind runs any more, or will not end; `d` is freed after it. Once. */
    void (*close)(struct driver *d, void (*on_closed)(void *data), void *data);
};

/* A driver that is open: what its instances share. Embedded in the driver's own struct. */
struct driver {
    const struct upstream_driver *ops; /* static */
};

#endif

/* The set of servers: what the configuration names, each with its instances, kept in step with it.
 *
 * Happy path: server_set_new -> server_set_apply at start and at every reload -> server_set_stop ->
 * on_stopped -> server_set_free. The router says when a server is needed; the set starts its instances,
 * lazily unless an entry is `eager`, keeps them running while sessions use them, and stops idle ones where
 * the entry has an idle time.
 *
 * One thread, the loop's. SIGPIPE must be ignored by the process.
 */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "config/config.h"
#include "io/loop.h"
#include "io/memory.h"
#include "route/router.h"

struct driver;
struct server_set;

struct server_set_options {
    struct loop *loop;     /* borrowed until server_set_free */
    struct router *router; /* borrowed until server_set_free */
    struct memory *memory; /* borrowed until on_stopped; NULL: children's buffers are not counted */
    /* The relay's own before it was raised; children get rlim_cur back. 0: nothing is set. */
    struct rlimit original_nofile;
    /* The keeper is looked for here, then in ../libexec/agent-relay; borrowed for server_set_new. */
    const char *program_dir;
    /* What children may inherit from; borrowed until on_stopped. NULL: the process's own. */
    char *const *environ;
    /* Runs every server in place of the process driver, which is not opened then: for tests. Taken. NULL:
     * none. */
    struct driver *driver;
};

/* Makes the process a subreaper and takes SIGCHLD. ERR_NOT_FOUND: no keeper, logged with the places looked
 * at; -ENOMEM; a negative errno or libuv code. */
MUSTCHECK int server_set_new(const struct server_set_options *options, struct server_set **ret_set);

/* Brings the set in step with `config`, which is borrowed until the next server_set_apply returns or
 * server_set_free does: new entries are added, removed ones close their sessions, changed ones are drained
 * (config->drain_ms at the most), stopped and started again; those that differ in their limits alone take
 * them without a restart; the others are not touched. Running instances of a `perSession` entry keep what
 * they were started with. -ENOMEM: entries that could not be added are missing, and the next apply tries
 * again. */
MUSTCHECK int server_set_apply(struct server_set *set, const struct config *config);

/* Stops all children in parallel: stdin closed, stop_grace_ms later SIGTERM, stop_grace_ms later the rest is
 * killed. No child starts any more. on_stopped runs once, from the loop, when no child and no handle is left.
 * Once. */
void server_set_stop(struct server_set *set, void (*on_stopped)(void *data), void *data);
/* While stopping: kills what is left at once; on_stopped still comes. */
void server_set_kill(struct server_set *set);
/* After on_stopped. Sessions must be closed. */
void server_set_free(struct server_set *set);

/* ---- for ops/ ---- */

struct server_info {
    const char *name; /* borrowed */
    /* "starting", "ready", "stopping", "down", "backing-off", "crash-loop"; perSession: the first of
     * ready, starting, stopping that one of its children is in, else the server's own */
    const char *state;
    enum sharing sharing;
    bool remote;
    bool disabled;
    /* Why it cannot run ("remote servers are not built in yet"), or its last failure; NULL: none. */
    const char *note;
    size_t children; /* running now */
    pid_t pid;       /* of the command; perSession: of the oldest child. 0: none */
    pid_t keeper_pid;
    uint64_t generation; /* children started, ever */
    uint64_t restarts;   /* of those, after an unexpected exit */
    uint64_t uptime_ms;  /* of the child `pid`, since it became ready; 0: it has not */
    bool exited;         /* one ended unexpectedly: exit_status, term_signal */
    int exit_status;
    int term_signal;
    uint64_t retry_at_ms; /* the next planned start; 0: none */
    struct route_server *route;
};

typedef void server_info_cb(void *data, const struct server_info *info);
/* Every server, in the configuration's order as far as reloads leave it. */
void server_set_each(struct server_set *set, server_info_cb *on_server, void *data);

#endif

/* A supervisor: the state machine that keeps one upstream supplied with an instance (driver.h). A shared
 * server has one, a `perSession` server one per session.
 *
 *   state        meaning                                         deadline
 *   down         no instance is needed, or none can be had       none: the next request starts one
 *   starting     it runs and has not passed the handshake        start_timeout_ms, then it is stopped
 *   ready        it serves                                       idle_timeout_ms, where set, then it is stopped
 *   draining     it serves what is in flight, before a restart   drain_ms, then it is stopped
 *   stopping     the driver ends it                              the driver's (process/child_stop.c)
 *   backing-off  it ended unexpectedly                           the back-off, then a start if one is needed
 *   crash-loop   it ended unexpectedly too often                 breaker_probe_ms, then a probe if one is needed
 *
 *   down -> starting -> ready -> draining -> stopping -> down     a life with a reload
 *   starting, ready -> stopping                                   the other stops
 *   starting, ready, stopping -> backing-off, crash-loop, down    it ended unexpectedly (down: perSession)
 *   down -> backing-off, crash-loop                               needed again before the back-off is over
 *   backing-off, crash-loop -> starting, down                     the back-off is over; or nothing needs it any more
 *
 * A shared server's instance is started again by itself only while one is needed: a session is bound to the
 * server, a request waits, or the entry is eager. Else the next request starts it. A session's instance is
 * never started again: its session is closed. With perSession only instances that never became ready count, and
 * what one has read of its client's counts against that client's peer (server_peers.h), else against the server: a
 * client that makes its own child crash must not close the server to the others.
 *
 * What cannot be started for want of descriptors, memory, processes or children (maxChildren) is OVERLOADED: it says
 * nothing about the server, so neither back-off nor breaker hears of it, and a session is not closed for it.
 */
#ifndef SERVER_SUPERVISOR_H
#define SERVER_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "io/timer.h"
#include "route/router.h"
#include "server/driver.h"

struct server;
struct server_peer;

enum supervisor_state {
    SUPERVISOR_DOWN,
    SUPERVISOR_STARTING,
    SUPERVISOR_READY,
    SUPERVISOR_DRAINING,
    SUPERVISOR_STOPPING,
    SUPERVISOR_BACKING_OFF,
    SUPERVISOR_CRASH_LOOP
};

/* Why an instance is being stopped. */
enum supervisor_stop {
    STOP_NONE,
    STOP_FAILED,   /* it never became ready, or can serve no more: its exit counts as unexpected */
    STOP_IDLE,     /* no session uses it */
    STOP_RESTART,  /* its configuration changed */
    STOP_RELEASED, /* its session, or its server, is gone: the upstream is freed once it has ended */
    STOP_SHUTDOWN  /* the relay ends */
};

struct supervisor {
    struct list node;            /* in server->supervisors */
    struct list start_node;      /* in set->start_queue, while it waits for a later iteration to start in */
    struct server *server;       /* borrowed; outlives it */
    struct server_peer *peer;    /* perSession: of its session; joined; NULL: shared */
    struct upstream *upstream;   /* borrowed; NULL: its server was removed */
    struct instance *instance;   /* NULL: none runs. The driver's, until its on_closed */
    enum supervisor_state state; /* set by supervisor_move alone */
    enum supervisor_stop stop;   /* of the instance that stops, or stopped last */
    struct timer timer;          /* the state's deadline */
    struct loop_task fail_later; /* a refused handshake: no stop may begin inside the router's call */
    bool timer_open;
    size_t open_instances; /* not closed yet: the one that runs, and those that have ended */
    bool attached;         /* the router has the instance's link */
    bool read_by_child;    /* the instance that ended last had read something of what it was sent */
    bool was_ready;        /* the instance that runs, or ran last, became ready */
    bool failed;           /* the last one ended unexpectedly: the next start is a restart */
    bool wanted;           /* start one as soon as the one that stops has ended */
    bool handshake_failed;
    bool closing;
    uint64_t ready_at_ms;
    uint64_t ready_real_ms; /* the same moment by loop_real_ms's clock, for people */
    uint64_t began_at_ms;   /* of the state */
    bool exited;            /* exit_status and term_signal are those of the last unexpected exit */
    int exit_status;
    int term_signal;
    char *detail; /* owned; the last failure in words, or NULL */
    char *tail;   /* owned, INSTANCE_TAIL_BYTES; NULL: none */
    size_t tail_len;
};

/* Adds itself to the server's list and to the upstream as its data. -ENOMEM, or a libuv code. */
MUSTCHECK int supervisor_new(struct server *server, struct upstream *upstream,
                             struct supervisor **ret_supervisor);
/* Closes the timer; no instance may be left. server_supervisor_closed follows, from the loop. */
void supervisor_close(struct supervisor *s);
/* Frees what has closed. */
void supervisor_free(struct supervisor *s);

/* ---- what the router wants: server_ops ---- */

/* An instance is needed. */
void supervisor_want(struct supervisor *s);
/* The handshake is done. */
void supervisor_ready(struct supervisor *s);
/* The handshake was refused. `reason` is copied. */
void supervisor_handshake_failed(struct supervisor *s, const char *reason);
/* The upstream's session is gone, or its server: upstream_free is called when no instance is left. The
 * supervisor frees itself. */
void supervisor_release(struct supervisor *s);

/* ---- what the set wants ---- */

/* Starts an instance if one is needed already: the entry is eager. */
void supervisor_begin(struct supervisor *s);
/* Shared: the server's configuration changed: drain, stop, start with the new one; or stay down, if it
 * cannot run at all. */
void supervisor_restart(struct supervisor *s);
/* Its idle time may have changed. */
void supervisor_retime(struct supervisor *s);
/* The shared upstream is about to be freed with its server: it is not touched any more. The supervisor
 * frees itself. */
void supervisor_detach(struct supervisor *s, const char *reason);
/* The relay ends. */
void supervisor_shutdown(struct supervisor *s);
void supervisor_kill(struct supervisor *s);

/* Of the instance that runs; zero without one. */
struct instance_pids supervisor_pids(const struct supervisor *s);
const char *supervisor_state_name(enum supervisor_state state);

#endif

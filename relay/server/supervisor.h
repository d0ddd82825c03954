/* A supervisor: the state machine that keeps one upstream supplied with a child. A shared server has one, a
 * `session` server one per session.
 *
 *   down         nobody needs a child, or none can be had      the next request starts one
 *   starting     the child runs, and has not proved itself     start_timeout_ms, then it is stopped
 *   ready        it serves                                     idle_timeout_ms, where set
 *   draining     it serves what it has, before a restart       drain_ms, then it is stopped
 *   stopping     it was told to end                            the child's ladder (child.h)
 *   backing-off  it has gone unasked                           then it is started again, if somebody needs it
 *   crash-loop   it goes too often                             one probe per breaker_probe_ms, if somebody
 * needs it
 *
 * A shared child is started again by itself only while somebody needs it: a session is bound to its server, a
 * request waits, or the entry is eager. Else the next request starts it. A session's child is never started
 * again: its session is closed. With session sharing the back-off belongs to the server, and only children
 * that never became ready count: one client that makes its own child crash must not close the server to the
 * others.
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

enum supervisor_state {
    SUPERVISOR_DOWN,
    SUPERVISOR_STARTING,
    SUPERVISOR_READY,
    SUPERVISOR_DRAINING,
    SUPERVISOR_STOPPING,
    SUPERVISOR_BACKING_OFF,
    SUPERVISOR_CRASH_LOOP
};

/* Why a child was told to end. */
enum supervisor_stop {
    STOP_NONE,
    STOP_FAILED,   /* it never became ready, or can serve no more: an unasked end */
    STOP_IDLE,     /* nobody uses it */
    STOP_RESTART,  /* its configuration changed */
    STOP_RELEASED, /* its session, or its server, has gone: there is no upstream any more once it has ended */
    STOP_SHUTDOWN  /* the relay ends */
};

struct supervisor {
    struct list node;          /* in server->supervisors */
    struct server *server;     /* borrowed; outlives it */
    struct upstream *upstream; /* borrowed; NULL: its server was removed */
    struct instance *instance; /* NULL: none runs */
    enum supervisor_state state;
    enum supervisor_stop stop;
    struct timer timer;     /* the state's deadline */
    struct loop_task after; /* what may not be done inside a call of the router */
    size_t open;            /* the timer, and children whose handles are not closed yet */
    bool attached;          /* the router has the child's link */
    bool was_ready;         /* the child that runs, or ran last, has been */
    bool failed;            /* the last one ended unasked: the next start is a restart */
    bool wanted;            /* a child is needed as soon as the one that stops has gone */
    bool handshake_failed;
    bool closing;
    uint64_t ready_at_ms;
    uint64_t began_at_ms; /* of the state; for status */
    bool exited;          /* exit_status and term_signal tell how the last unasked end was */
    int exit_status;
    int term_signal;
    char *detail; /* owned; what the last failure was, or NULL */
    char *tail;   /* owned, INSTANCE_TAIL_BYTES; NULL: none */
    size_t tail_len;
};

/* Adds itself to the server's list and to the upstream as its data. -ENOMEM, or a libuv code. */
MUSTCHECK int supervisor_new(struct server *server, struct upstream *upstream,
                             struct supervisor **ret_supervisor);
/* A child is needed (server_ops.start). */
void supervisor_want(struct supervisor *s);
/* The router's verdicts (server_ops.ready and handshake_failed). `reason` is copied. */
void supervisor_ready(struct supervisor *s);
void supervisor_handshake_failed(struct supervisor *s, const char *reason);
/* The upstream has gone, or goes with the child: session sharing calls upstream_free when nothing runs any more. The
 * supervisor frees itself. */
void supervisor_release(struct supervisor *s);
/* The shared upstream is about to be freed with its server: it is not touched any more. The supervisor frees
 * itself. */
void supervisor_detach(struct supervisor *s, const char *reason);
/* Shared: the server's configuration changed: drain, stop, start with the new one; or rest, if it cannot run
 * at all. */
void supervisor_restart(struct supervisor *s);
/* Its idle time may have changed. */
void supervisor_retime(struct supervisor *s);
/* Starts a child if one is needed already: the entry is eager. */
void supervisor_begin(struct supervisor *s);
/* The relay ends. */
void supervisor_shutdown(struct supervisor *s);
void supervisor_kill(struct supervisor *s);
/* Closes the timer; nothing may run. server_supervisor_closed follows, from the loop. */
void supervisor_close(struct supervisor *s);
/* Frees what has closed. */
void supervisor_free(struct supervisor *s);

/* Of the instance that runs; zero without one. */
struct instance_pids supervisor_pids(const struct supervisor *s);
const char *supervisor_state_name(enum supervisor_state state);

#endif

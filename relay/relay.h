/* The relay as a whole: puts the parts together, keeps the router's clock, reloads, and ends in order.
 *
 *   relay_new -> (main catches signals) -> relay_start -> relay_run -> relay_free
 *   while it runs: relay_reload (SIGHUP), relay_drain (SIGTERM), relay_abort (the second signal)
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>

#include "config/config.h"
#include "io/loop.h"
#include "io/memory.h"
#include "io/timer.h"
#include "front/front.h"
#include "ops/ops.h"
#include "ops/pidfile.h"
#include "route/router.h"
#include "server/server.h"
#include "session/session.h"

/* serving -> draining -> stopping -> stopped, and serving -> stopped for a relay that never ran
 * (shutdown.c). */
enum relay_phase {
    RELAY_SERVING,
    RELAY_DRAINING, /* no new clients or requests; requests in flight go on, for drain_ms at most */
    RELAY_STOPPING, /* children are being stopped, clients closed */
    RELAY_STOPPED,  /* every handle is closing: relay_run is about to return */
};

/* What ends the program; main returns it. */
enum relay_exit { RELAY_EXIT_OK = 0, RELAY_EXIT_FAILURE = 1, RELAY_EXIT_USAGE = 2, RELAY_EXIT_LISTEN = 3 };

struct relay_options {
    const struct config_args *args; /* borrowed: a reload reads the same flags and environment again */
    struct config *config;          /* taken, also on failure */
    /* The relay has stopped: every other handle on the loop must be closed. */
    void (*on_stopped)(void *data);
    void *data;
};

struct relay_error {
    char text[640];
    enum relay_exit exit;
};

struct relay {
    struct relay_options options;
    struct loop loop;
    struct memory memory;
    struct router *router;
    struct session_set sessions;
    struct front front;
    struct server_set *servers;
    struct ops ops;
    struct pidfile pidfile;
    struct config *config;        /* owned; the one in force */
    struct rlimit original_files; /* for children */
    rlim_t max_files;             /* RLIMIT_NOFILE as raised */
    enum relay_phase phase;
    bool servers_stopped;
    bool clients_closed;   /* front_close_clients was called */
    bool stuck;            /* the end took too long */
    struct timer clock;    /* router_tick; set at the end of each iteration */
    struct timer deadline; /* of the drain, then of the whole end */
    uint64_t end_by_ms;
    uint64_t standstill_said_ms; /* of the loop's standstill, how much the log has */
};

/* The loop and the parts, and nothing that is visible outside yet. On failure nothing is left, and
 * `ret_error` has one line for stderr and the exit code. */
MUSTCHECK int relay_new(const struct relay_options *options, struct relay **ret_relay,
                        struct relay_error *ret_error);
/* Everything is up and listening when it returns 0. On failure, as above; relay_free is all that may follow.
 */
MUSTCHECK int relay_start(struct relay *r, struct relay_error *ret_error);
/* Until the end of a drain. RELAY_EXIT_FAILURE: the end took too long; call relay_abort then and
 * exit, nothing can be freed. */
enum relay_exit relay_run(struct relay *r);
/* Before relay_run, or after it returned RELAY_EXIT_OK. Without a run, on_stopped is called from here. */
void relay_free(struct relay *r);

/* Reads the configuration again. An invalid one changes nothing and is reported in the log. */
void relay_reload(struct relay *r);
/* Ends in order: within drain_ms and about five seconds. Idempotent. */
void relay_drain(struct relay *r);
/* Removes the pid file and kills the children; the caller exits at once. Keepers end what is left. */
void relay_abort(struct relay *r);

/* ---- between relay.c, reload.c and shutdown.c ---- */

struct front_limits relay_front_limits(const struct relay *r, const struct config *c);
/* maxMemoryBytes is in two halves: requests that wait in the router, and the buffers of links (partial
 * frames, queues). */
size_t relay_router_share(const struct config *c);
uint64_t relay_link_share(const struct config *c);
/* Logs it when the limit on open files leaves less than the maxClients that the user has set. */
void relay_say_limits(const struct relay *r);
/* Logs which servers run outside the process tree, where a stop of the child may not reach them. */
void relay_warn_outside(const struct config *c);
/* The server of listeners that name none; NULL: there is none. */
const char *relay_default_server(const struct config *c);
/* Moves on when the phase is over. Called at the end of every iteration. */
void relay_check_phase(struct relay *r);
void relay_on_deadline(struct timer *t);
/* Stops the servers of a relay that never ran, and waits for their ends; runs the loop. */
void relay_stop_servers(struct relay *r);
/* Closes the relay's own handles and calls on_stopped: the loop runs out. */
void relay_finish(struct relay *r);
void relay_close_handles(struct relay *r);

#endif

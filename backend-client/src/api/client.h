/* The client: an engine with a link, a health probe, a timer and an inbox, on a loop of its own or the
 * host's. What the files client*.c share; the public functions are in agent_relay.h.
 *
 *   client.c        opening, the thread
 *   client_close.c  closing
 *   client_loop.c   the I/O driver: events into the engine, the engine's requests out
 *   client_calls.c  ar_call, ar_call_wait, ar_cancel, ar_notify, on any thread
 *   client_view.c   what any thread may read: the snapshot, the health
 */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "agent_relay.h"
#include "backend-client/src/engine/engine.h"
#include "inbox.h"
#include "backend-client/src/link/link.h"
#include "options.h"
#include "backend-client/src/link/probe.h"

/* A probe with each connection attempt, at least every 5 s while degraded, not twice within a second. */
#define CLIENT_PROBE_EVERY_MS 5000
#define CLIENT_PROBE_APART_MS 1000

/* What the loop's thread publishes and any thread reads. */
struct published {
    pthread_mutex_t snapshot_mutex;
    const struct ar_snapshot *snapshot; /* owned reference; never NULL once open */
    pthread_mutex_t health_mutex;
    struct ar_health health;
    uint64_t health_at_ms; /* when its times were true */
    atomic_int state;      /* enum ar_state */
};

struct ar_client {
    struct published published;
    struct published *view; /* &published: how a const client is read */
    struct options options;
    struct engine engine;
    struct link_conn links[2];
    struct link_conn *link;   /* the engine's: one of them */
    struct link_conn *second; /* the other: an attempt beside a link that stands still, or idle */
    struct probe *probe;      /* owned; NULL: no address for it */
    struct inbox inbox;
    uv_loop_t *loop; /* the host's, or owned */
    bool owns_loop;
    uv_async_t async; /* the inbox has something, or a resolution is done */
    uv_timer_t timer;
    pthread_t thread; /* where owns_loop */

    /* The loop's thread alone. */
    uint64_t now_ms;   /* of the event under way */
    uint64_t armed_ms; /* the timer's moment; UINT64_MAX: not set */
    uint64_t probe_at_ms;
    bool probed;       /* probe_at_ms counts */
    bool quiet;        /* ar_open is not over: no callback of the user's runs */
    bool announce;     /* on_agents is still to run for the first snapshot */
    bool close_wanted; /* ar_close was called: client_event_end begins it */
    bool closing;
    unsigned handles; /* whose close callback is to come */

    /* Under the inbox's mutex. */
    ar_closed_cb *on_closed;
    void *closed_data;
    bool over;        /* the thread has done everything but end */
    unsigned waiters; /* in ar_close_wait */
    pthread_cond_t over_cond;
};

#define CLIENT_MS_NS UINT64_C(1000000)

/* The one clock: CLOCK_MONOTONIC in ms, as uv_now and snapshots have it. */
static inline uint64_t client_clock_ms(void)
{
    return uv_hrtime() / CLIENT_MS_NS;
}

/* ---- client_view.c ---- */

/* -ENOMEM. */
MUSTCHECK int client_view_init(struct published *view);
void client_view_done(struct published *view);
/* Takes the reference. */
void client_view_put_snapshot(struct published *view, const struct ar_snapshot *s);
void client_view_put_health(struct published *view, const struct ar_health *health, uint64_t now_ms);

/* ---- client_loop.c ---- */

extern const struct engine_ops client_engine_ops;
extern const struct link_conn_ops client_link_ops;

/* Around everything that enters the engine. */
void client_event_begin(struct ar_client *c);
void client_event_end(struct ar_client *c);
void client_on_async(uv_async_t *async);
void client_on_probe(void *data, int status, const char *text);

/* ---- client_close.c ---- */

/* From the loop: everything is completed and every handle closed; the end comes with the last one. */
void client_begin_close(struct ar_client *c);
/* One of the handles that client_begin_close closed is gone. */
void client_handle_closed(struct ar_client *c);
void client_run_on_closed(struct ar_client *c);
/* Frees everything but the structure itself; the handles are closed. */
void client_release(struct ar_client *c);

#endif

/* The router's own structures, for the files of route/ and of the protocol's rules in mcp/. What each means to others
 * is in router.h.
 *
 * Who owns what: the router owns servers and sessions; a server its upstreams (a session upstream outlives its server
 * and its session until upstream_free); an upstream its calls, its outbox and what the protocol keeps.
 */
#ifndef ROUTE_STATE_H
#define ROUTE_STATE_H

#include "base/buf.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "route/block_pool.h"
#include "route/calls.h"
#include "route/deadline.h"
#include "route/hold.h"
#include "route/peer.h"
#include "route/protocol.h"
#include "route/router.h"
#include "route/scheduler.h"

#define PROTOCOL_MAX 32 /* bytes of a protocol version that is kept, with its NUL */

struct router {
    struct router_options options;
    struct list servers;
    struct list sessions;
    struct map client_ids;      /* call.by_client_id, of all sessions */
    struct heap deadlines;      /* struct deadline.node */
    struct list free_calls;     /* call.upstream_node */
    struct list credit_waiters; /* route_session.queued.credit_node, first come first served */
    size_t free_call_count;
    struct block_pool blocks;
    size_t expected_bytes; /* of the answers to what is in flight, as far as they can be guessed (credit.h) */
    size_t max_expected_bytes; /* 0: no limit */
    size_t max_held_bytes;     /* of the pool's blocks in use; 0: no limit */
    struct buf scratch;        /* texts that the relay itself writes; nothing lives there between calls */
    struct buf message;        /* an error's message, escaped; likewise */
    uint64_t last_serial;
    size_t pending; /* requests waiting, held or in flight */
    bool draining;
    bool control_answered; /* set by route_reply_* while on_control runs */
};

struct route_server {
    struct list node;
    struct router *router;
    char *name;
    struct server_limits limits;
    const struct server_ops *ops;
    void *data;
    struct list upstreams;
};

/* IDLE: no child, and none asked for. HANDSHAKE: shared only, attached and not initialized yet. */
enum upstream_state { UPSTREAM_IDLE, UPSTREAM_STARTING, UPSTREAM_HANDSHAKE, UPSTREAM_READY, UPSTREAM_DOWN };

/* What the protocol's rules keep of an upstream and of a session; route_protocol says how large they are. */
struct upstream_protocol;
struct session_protocol;

struct upstream {
    struct list server_node;
    struct router *router;
    struct route_server *server; /* NULL once the server was removed */
    void *data;
    enum sharing sharing;
    enum upstream_state state;
    struct link *link;   /* borrowed; NULL while there is none */
    bool link_closing;   /* its link said ERR_CLOSING: upstream_down will follow */
    bool ready_reported; /* ops->ready was called for this child */
    bool in_start;       /* ops->start is running */
    bool draining;
    bool released; /* perSession: takes no frames any more */
    struct list sessions;

    struct map calls; /* call.by_relay_id */
    struct list in_flight;
    struct list abandoned;     /* oldest first */
    struct list tasks_running; /* calls in state TASK */
    struct list own;
    uint64_t last_id;
    struct map peers; /* route_peer.node */
    struct scheduler scheduler;
    struct hold hold;
    size_t largest_answer_bytes; /* recently, of any session; 0: none came yet */

    size_t
        init_held_count; /* HELD initialize calls: they take no waiting place: a crowd may come while a child starts */
    struct list outbox; /* messages that the child's link had no room for (outbox.c), oldest first */
    size_t outbox_bytes;
    struct list deferred_sends; /* deferred_send.node, first come first sent, behind the outbox */
    struct buf outage;          /* inside of the data object of SERVER_UNAVAILABLE */
    char *outage_message;       /* owned; NULL: the code's own */
    int outage_code;
    struct stray_lines
        *strays; /* owned; stray_lines.c: lines of the child that were no messages; NULL: none */
    uint64_t retry_at_ms;
    uint64_t retry_after_ms; /* without retry_at_ms; 0: nobody knows */
    uint64_t
        ready_at_ms; /* the child proved itself; requests that waited for that count their time from here */
    struct upstream_stats stats;
    struct upstream_protocol *protocol; /* in the same block, behind this struct */
};

struct route_session {
    struct list router_node;
    struct list upstream_node;
    struct router *router;
    struct upstream *upstream; /* NULL once its server was removed */
    struct link *link;
    void *user;
    uint64_t serial;
    bool dead;        /* its link was told to close: nothing is sent or taken any more */
    bool initialized; /* sent notifications/initialized */
    bool paused;
    char revision[PROTOCOL_MAX]; /* of the protocol, as negotiated; shown */
    char *client_name;           /* owned; NULL: not known; shown */
    char *client_version;

    struct list queue;       /* waiting calls, oldest first */
    struct list held;        /* held calls */
    struct list calls;       /* all its others */
    struct route_peer *peer; /* of this session's upstream; NULL once it has left that */
    struct fair_queue_session queued;
    struct hold_session hold;
    size_t largest_answer_bytes; /* recently; 0: none came yet */
    size_t expected_bytes;       /* of the answers to what is in flight */
    size_t in_flight;
    size_t abandoned;
    size_t waiting; /* in the queue or held */
    size_t waiting_bytes;

    size_t server_request_count;    /* requests of its own child that it has open */
    uint64_t clock_paused_ms;       /* how long its clocks have stood still, up to clock_paused_since_ms */
    uint64_t clock_paused_since_ms; /* valid while server_request_count > 0 */
    uint64_t requests;
    uint64_t dropped;
    uint64_t ignored;                  /* malformed notifications */
    struct session_protocol *protocol; /* in the same block, behind this struct */
};

static inline bool upstream_is_shared(const struct upstream *upstream)
{
    return upstream->sharing == SHARING_SHARED;
}

#endif

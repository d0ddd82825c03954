/* The router's own structures, for the files of route/ alone. What each means to others is in router.h.
 *
 * Who owns what: the router owns servers and sessions; a server its upstreams (a session upstream outlives its server
 * and its session until upstream_free); an upstream its calls, subscriptions, tasks and questions.
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
#include "route/router.h"
#include "route/scheduler.h"

#define PROTOCOL_MAX 32 /* bytes of a protocol version that is kept, with its NUL */

struct router {
    struct router_options options;
    struct list servers;
    struct list sessions;
    struct map client_ids;  /* call.by_client_id, of all sessions */
    struct heap deadlines;  /* struct deadline.node */
    struct list free_calls; /* call.upstream_node */
    size_t free_call_count;
    struct block_pool blocks;
    size_t max_held_bytes; /* of the store's blocks in use; 0: no limit */
    struct buf scratch;    /* texts that the relay itself writes; nothing lives there between calls */
    struct buf message;    /* an error's message, escaped; likewise */
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

/* A shared child's answer to initialize. */
struct init_cache {
    char *result; /* owned; NULL: never had one */
    size_t len;
    struct span version;      /* the protocolVersion string, quotes included */
    struct span capabilities; /* len 0: none given */
    char protocol[PROTOCOL_MAX];
    bool resources_changed; /* listChanged was advertised */
    bool tools_changed;
    bool prompts_changed;
};

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
    bool released; /* session sharing: takes no frames any more */
    struct list sessions;

    struct map calls; /* call.by_relay_id */
    struct list in_flight;
    struct list abandoned;     /* oldest first */
    struct list tasks_running; /* calls in state TASK */
    struct list own;
    uint64_t last_id;
    struct scheduler scheduler;

    uint64_t handshake_id; /* relay id of the initialize under way; 0: none */
    struct init_cache cache;
    struct list init_held;  /* initialize calls that wait for the cache */
    size_t init_held_count; /* they take no waiting place: a crowd may come while a child starts */
    int sent_level;         /* the log level the child was told, or LEVEL_NONE */

    struct list outbox; /* messages that the child's link had no room for (outbox.c), oldest first */
    size_t outbox_bytes;
    struct list deferred_sends; /* deferred_send.node, first come first sent, behind the outbox */
    struct map subs;
    struct map tasks;
    struct list early_statuses; /* notifications about tasks not known yet, oldest first */
    size_t early_status_count;
    struct deadline early_status_deadline;
    struct map server_requests; /* requests of the child to its client, by the id given to the client */
    struct list server_request_list;
    uint64_t last_server_request;
    struct map elicitations;
    struct list elicitation_list; /* oldest first */

    struct buf outage;    /* inside of the data object of SERVER_UNAVAILABLE */
    char *outage_message; /* owned; NULL: the code's own */
    uint64_t retry_at_ms;
    struct upstream_stats stats;
};

struct route_session {
    struct list router_node;
    struct list upstream_node;
    struct router *router;
    struct upstream *upstream; /* NULL once its server was removed */
    struct link *link;
    void *user;
    uint64_t serial;
    bool dead;                /* its link was told to close: nothing is sent or taken any more */
    bool initialized;         /* sent notifications/initialized */
    bool initialize_answered; /* its initialize was answered */
    bool paused;
    int level;                            /* what it asked for with logging/setLevel, or LEVEL_NONE */
    char requested_version[PROTOCOL_MAX]; /* the revision its initialize named */
    char protocol[PROTOCOL_MAX];          /* the one it was given */
    char *client_name;                    /* owned; NULL: not told */
    char *client_version;

    struct list queue; /* waiting calls, oldest first */
    struct list held;  /* held calls */
    struct list calls; /* all its others */
    struct scheduler_entry queued;
    size_t in_flight;
    size_t abandoned;
    size_t waiting; /* in the queue or held */
    size_t waiting_bytes;

    struct list subscriptions; /* subscriber.session_node */
    size_t subscription_count;
    struct list tasks; /* task.session_node, least recently used first */
    size_t task_count;
    size_t server_request_count;
    uint64_t clock_paused_ms;       /* how long its clocks have stood still, up to clock_paused_since_ms */
    uint64_t clock_paused_since_ms; /* valid while server_request_count > 0 */
    uint64_t requests;
    uint64_t dropped;
};

static inline bool upstream_is_shared(const struct upstream *upstream)
{
    return upstream->sharing == SHARING_SHARED;
}

#endif

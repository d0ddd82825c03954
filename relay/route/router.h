/* The router: which frame goes where. Pure: no I/O, no clock (time comes in as now_ms), one thread.
 *
 *   route_server    a named entry of the configuration, as the router knows it
 *   upstream        the routing state of one child slot: the shared child of a server, or the own child of one
 *                   session. It outlives the processes that fill it, and owns its identifier spaces
 *   route_session   who asks: bound to one server, and through it to one upstream
 *   route_protocol  what the messages mean: answered here, passed, refused (protocol.h; mcp/ implements it)
 *
 * A request:   route_session_frame -> protocol -> (answered here | call_open -> scheduler_submit -> the child's link,
 *              now or when the scheduler has a slot)
 * An answer:   upstream_frame -> protocol -> call found by relay id -> the client's link, with the client's own id
 *
 * Re-entrancy: the router calls link ops and server ops from inside its functions. Those must not call back
 * into the router, with one exception: server_ops.start may call upstream_starting, upstream_attach or upstream_down on
 * the upstream it got. The router frees nothing that a caller up the stack still uses: session and upstream memory
 * goes at the end of the function that closed them, and close functions are only called from the top.
 */
#ifndef ROUTE_ROUTER_H
#define ROUTE_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "route/link.h"
#include "route/protocol.h"
#include "wire/frame.h"

struct peer_key;

struct router;
struct route_server;
struct upstream;
struct route_session;

#define ROUTE_NEVER UINT64_MAX

/* ---- the router ---- */

struct router_options {
    const struct route_protocol *protocol; /* what its messages mean; static */
    const char *relay_name;                /* clientInfo towards shared children; borrowed */
    const char *relay_version;             /* borrowed */
    size_t max_id_bytes;                   /* a client's id may be this long (16 KiB) */
    size_t max_frame_bytes;                /* the frame readers' limit, only to be named in errors */
    /* A relay/ method, request or notification. A request is answered with route_reply_result or
     * route_reply_error, in this call; one that was not is answered -32601 afterwards, as all are when this
     * is NULL. */
    void (*on_control)(void *data, struct route_session *s, const struct frame *frame, uint64_t now_ms);
    /* A malformed notification of a client was ignored: nobody waits for an answer to it. `reason` is for people,
     * `count` how many of this session's there were. May be NULL. Only to be noted: it calls nothing of the router. */
    void (*on_ignored)(void *data, const struct route_session *s, const char *reason, uint64_t count);
    void *data;
};

MUSTCHECK int router_new(const struct router_options *options, struct router **ret_router);
/* Every session and server must be gone. */
void router_free(struct router *r);

/* The next point in time at which router_tick has work, or ROUTE_NEVER. */
uint64_t router_next_deadline(const struct router *r);
/* Expires calls, tasks, abandoned shares. */
void router_tick(struct router *r, uint64_t now_ms);
/* From now on new requests get DRAINING; what is in flight or waiting goes on. */
void router_drain(struct router *r);
/* What waits in the router (frames above all) may take this much memory over all upstreams; above it a request
 * that would have to wait gets OVERLOADED. 0: no limit, as at first. */
void router_set_max_held(struct router *r, size_t bytes);
/* Answers that are due may take this much memory in all clients' queues, as far as it can be guessed. 0: no limit. */
void router_set_max_expected(struct router *r, size_t bytes);
/* What it takes now, storage kept for reuse included. */
size_t router_held_bytes(const struct router *r);
/* Requests in flight or waiting, over all upstreams: 0 means drained. */
size_t router_pending(const struct router *r);

/* ---- servers and upstreams: called by server/ ---- */

enum sharing { SHARING_SHARED, SHARING_PER_SESSION };
enum log_policy { LOG_MESSAGES_DROP, LOG_MESSAGES_BROADCAST };

struct server_limits {
    enum sharing sharing;
    enum log_policy log_messages;
    unsigned max_in_flight;       /* slots of a child (512) */
    unsigned max_waiting;         /* requests that may wait per child (4096) */
    size_t session_waiting_bytes; /* then the session's reading pauses (1 MiB) */
    uint64_t timeout_ms;          /* of a request, from its arrival (60 s); 0: none */
    uint64_t timeout_max_ms;      /* hard cap, progress or not (600 s); 0: none */
    /* Of a start, which the server ends with upstream_down: a request that waits for one does not expire before, and
     * its time-outs begin when the child is ready. 0: a start may last for ever, and requests expire as always. */
    uint64_t start_timeout_ms;
};

/* Implemented by server/. `upstream_data` is what upstream_set_data stored (NULL at first). */
struct server_ops {
    /* Somebody needs a child on this upstream and there is none: nothing was started yet, or after upstream_idle, or
     * after a upstream_down without retry_at_ms (one with it promises that the server starts again by itself).
     * Called again only after another upstream_down or upstream_idle. upstream_idle calls it from inside when requests
     * wait. */
    void (*start)(void *server_data, struct upstream *upstream);
    /* The child has proved itself: shared, its initialize succeeded; session, its first valid message
     * arrived. */
    void (*ready)(void *server_data, struct upstream *upstream);
    /* shared: the child refused initialize or answered nonsense. `reason` is borrowed. The server ends the
     * child and reports upstream_down. */
    void (*handshake_failed)(void *server_data, struct upstream *upstream, const char *reason);
    /* perSession: the session is gone; stop the child, then upstream_free (from inside this call, if there
     * was no child). The upstream takes no frames any more. */
    void (*release)(void *server_data, struct upstream *upstream);
    /* The child wrote a line that is no message: one of the first few, to be logged. `looks_like` is a word, `line`
     * may be shown as it is. NULL: nobody wants to know. */
    void (*stray)(void *server_data, struct upstream *upstream, const char *looks_like, const char *line);
};

/* Why there is no child; becomes the data of SERVER_UNAVAILABLE. Borrowed by the call it is passed to, copied
 * where it must be kept. */
struct outage {
    int code;           /* of the error; 0: SERVER_UNAVAILABLE. OVERLOADED closes no session */
    const char *state;  /* "down", "backing-off", "crash-loop", "stopping", ... */
    const char *detail; /* one sentence for a human, or NULL: "remote servers are not built in yet" */
    bool exited;        /* exit_status or term_signal tell how the last child ended */
    int exit_status;
    int term_signal;         /* 0: exited by itself */
    const char *stderr_tail; /* valid UTF-8, or NULL; given when the child was never ready */
    size_t stderr_len;
    uint64_t retry_at_ms;    /* when the next start is planned; 0: none is, the next request asks for one */
    uint64_t retry_after_ms; /* without a plan: when asking again may help; 0: nobody knows */
};

/* `name` is copied. ERR_FULL when the name is taken, -ENOMEM. A shared server's upstream exists from here on. */
MUSTCHECK int route_server_add(struct router *r, const char *name, const struct server_limits *limits,
                               const struct server_ops *ops, void *server_data,
                               struct route_server **ret_server);
/* Closes its sessions with the reason and answers what they had; frees the server (shared: its upstream too, so
 * the child must be detached; session upstreams get release first and live until upstream_free). */
void route_server_remove(struct route_server *s, const char *reason, uint64_t now_ms);
/* Takes effect for what comes next, and what waits takes the slots that there are more of; sharing must not change
 * (remove and add instead). */
void route_server_set_limits(struct route_server *s, const struct server_limits *limits, uint64_t now_ms);
struct route_server *route_server_find(struct router *r, const char *name);
const char *route_server_name(const struct route_server *s);
/* The shared upstream; NULL for perSession. */
struct upstream *route_server_upstream(struct route_server *s);

void upstream_set_data(struct upstream *upstream, void *data);
void *upstream_data(const struct upstream *upstream);

/* A child is being started: requests wait. */
void upstream_starting(struct upstream *upstream);
/* A child's pipes are open: shared upstreams begin the handshake now, session upstreams pass on what waited. */
void upstream_attach(struct upstream *upstream, struct link *child, uint64_t now_ms);
/* One line from the child, an oversize one too. Behind the last line of a chunk
 * call upstream_writable: what answers have freed is given away there, together, so that a session's requests,
 * and then its answers, travel in one write. */
void upstream_frame(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
/* perSession: the peer of the session that it is for. */
const struct peer_key *upstream_own_peer(const struct upstream *upstream);
/* The child's out queue shrank, or lines of it were taken: more may be dispatched. */
void upstream_writable(struct upstream *upstream, uint64_t now_ms);
/* The child is gone (or its start failed). What is in flight is answered SERVER_UNAVAILABLE in this call;
 * what waits is too, unless the child had been ready and a retry comes within a second. The link is not
 * touched any more. perSession: its connection is closed with the reason once everything is answered.
 * Allowed in every state, again too (a later retry_at_ms, the breaker); ignored after release, as everything
 * about the upstream is. */
void upstream_down(struct upstream *upstream, const struct outage *why, uint64_t now_ms);
/* The child was stopped on purpose (idle stop): no outage; the next request starts one. Nothing may be in
 * flight. Requests that came while it stopped start one from inside this call, unless the upstream drains (then
 * the server does). */
void upstream_idle(struct upstream *upstream);
/* New requests wait, what is in flight goes on (notifications are passed), until upstream_undrain (or the next upstream_attach). For a reload
 * that changes the server: drain, stats.in_flight == 0, stop, upstream_down or upstream_idle, start. */
void upstream_drain(struct upstream *upstream, uint64_t now_ms);
void upstream_undrain(struct upstream *upstream, uint64_t now_ms);
/* perSession: the last word, after release. */
void upstream_free(struct upstream *upstream);

struct upstream_stats {
    size_t in_flight; /* dispatched and unanswered */
    size_t abandoned; /* cancelled, timed out or orphaned at the child, still counted against a share */
    size_t waiting;
    size_t waiting_bytes;
    size_t sessions;
    size_t subscriptions; /* URIs that somebody is subscribed to: an idle stop would silence them */
    size_t tasks;         /* tasks with an owner: an idle stop would lose them */
    bool ready;
    uint64_t requests; /* dispatched, ever */
    uint64_t answers;
    uint64_t late;          /* answers to calls already settled: dropped */
    uint64_t invalid_lines; /* lines that were no JSON objects: dropped */
    uint64_t dropped_notifications;
    uint64_t refused; /* server->client requests answered for a shared child */
    uint64_t bad_replies;
    uint64_t last_used_ms; /* last request or answer; 0: never */
};
void upstream_get_stats(const struct upstream *upstream, struct upstream_stats *ret_stats);

/* ---- sessions: called by session/ ---- */

/* Binds a link to a server. ERR_NOT_FOUND: no such server. -ENOMEM. `peer` is who shares its part of the server with
 * this session's; copied; NULL: nobody. `user` is the session layer's own pointer. */
MUSTCHECK int route_session_open(struct router *r, const char *server_name, struct link *client,
                                 const struct peer_key *peer, void *user, uint64_t now_ms,
                                 struct route_session **ret_session);
void *route_session_user(const struct route_session *s);
/* One line from the client. Every request gets exactly one answer, now or later, unless it is cancelled or
 * the session is closed. Refusals (bad JSON, bad id, too large) are answered here too. */
void route_session_frame(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* Cancels the request that the session has under this raw id, as its notifications/cancelled would; one that is
 * not there, or an initialize, is left alone. */
void route_session_cancel(struct route_session *s, const char *id, size_t id_len, uint64_t now_ms);
/* The client's out queue was above its high mark and has fallen to half of it: the scheduler may pick it again. */
void route_session_writable(struct route_session *s, uint64_t now_ms);
/* The client's out queue got shorter; to be called while link.holds_back. */
void route_session_sent(struct route_session *s);
/* The client is gone: what it had waiting is removed, what it had in flight is cancelled at the child, its
 * subscriptions, tasks and tokens are purged, the session is freed. Its link is not touched any more. */
void route_session_close(struct route_session *s, uint64_t now_ms);

struct route_session_stats {
    const char *server; /* borrowed */
    bool initialized;
    const char *protocol;    /* negotiated revision, or "" */
    const char *client_name; /* clientInfo of its initialize, or "" */
    const char *client_version;
    size_t in_flight;
    size_t waiting;
    size_t waiting_bytes;
    bool paused;
    uint64_t requests;
    uint64_t dropped; /* progress and log notifications not queued because it reads too slowly */
};
void route_session_get_stats(const struct route_session *s, struct route_session_stats *ret_stats);

/* Answers the request in `frame` (its id is spliced in raw). `result` is JSON text. */
void route_reply_result(struct route_session *s, const struct frame *frame, const char *result, size_t len);
/* `data_members` is the inside of an object without braces, or NULL; relay, code, retryable and sent are
 * added. */
void route_reply_error(struct route_session *s, const struct frame *frame, int code, const char *message,
                       const char *data_members);

/* ---- looking in: called by ops/ ---- */

struct call_view {
    struct route_session *session; /* NULL: abandoned, or the relay's own (handshake) */
    const char *server;
    uint64_t relay_id;     /* 0 while waiting */
    const char *client_id; /* raw JSON */
    size_t client_id_len;
    const char *method; /* raw JSON string; may be cut to 64 bytes */
    size_t method_len;
    const char *state; /* "waiting", "in-flight", "abandoned" */
    uint64_t age_ms;
    uint64_t deadline_in_ms; /* ROUTE_NEVER: none */
};
typedef void call_view_cb(void *data, const struct call_view *view);
/* Every call of every upstream; the callback must not call into the router. */
void router_each_call(const struct router *r, uint64_t now_ms, call_view_cb *on_call, void *data);

typedef void server_view_cb(void *data, struct route_server *s);
void router_each_server(const struct router *r, server_view_cb *on_server, void *data);
/* The upstreams of a server: one if shared, one per session else. */
typedef void upstream_view_cb(void *data, struct upstream *upstream);
void route_server_each_upstream(const struct route_server *s, upstream_view_cb *on_upstream, void *data);

#endif

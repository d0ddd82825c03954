/* A client's identity and state in the relay: an id, where it comes from, what it may do, the server that it
 * is bound to, and the link through which the router speaks to it.
 *
 *   router <-> session.link <-> transport (session/transport.h) <-> connection
 *
 * A protocol opens a session on its transport once it knows what a connection speaks. In: session_frame is
 * the only way from a transport to the router. Out: the router sends to session.link, and the session hands
 * the message to the transport that is attached, or keeps it first (session_keep) when the session may
 * outlive the connection.
 *
 *   attached  <->  detached  ->  closed (freed)
 *
 * Without session_keep there is no detached state: session_close ends the session with its connection. A
 * detached session looks to the router like a client that reads too slowly: its queue is above the high mark,
 * so that it gets no new calls, and no progress or log notifications; answers to calls in flight gather in
 * the out queue.
 *
 * Kept frames are in the memory budget. A client that lets too many of them pile up is not read, as one with a full
 * queue is not; when memory is short, one that acknowledges nothing for a second, or that is away, loses its session.
 *
 * Failure modes: a message that cannot be kept (no memory, or the bound of the out queue) -> the router
 * closes the link; a detached session is then ended: it cannot be attached again, and its holder closes it.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "io/memory.h"
#include "route/link.h"
#include "route/peer.h"
#include "route/router.h"
#include "session/out_queue.h"
#include "session/transport.h"

/* The longest is "[ffff:...:ffff]:65535"; a Unix peer is named by its process. */
#define SESSION_PEER_BYTES 64

/* A session's queue is above its high mark with more than this: its calls wait, and progress and log messages
 * are dropped. Its connection is not read then. */
#define SESSION_HIGH_BYTES ((size_t)1 << 20)

/* The kind of socket that a connection came over. */
enum session_family { SESSION_TCP, SESSION_UNIX };

/* Each level includes those before it. Without keys, who comes over a Unix socket or from the machine itself
 * is an admin, and everybody else may read. */
enum session_permission { SESSION_READ, SESSION_ADMIN };

/* Where a connection comes from, as its front saw it. Filled once, at accept. */
struct session_origin {
    enum session_family family;
    bool local;          /* a Unix socket, or a loopback peer address */
    struct peer_key key; /* the same for all connections of a host, or of a user over Unix sockets */
    uint64_t since_ms;   /* loop_real_ms's clock */
    char peer[SESSION_PEER_BYTES]; /* "127.0.0.1:51412", "[::1]:51412", "unix:pid=12,uid=1000" */
};

struct session {
    struct link link; /* what the router sees; queued_bytes as the transport or the out queue has it */
    struct transport *transport; /* borrowed; NULL: detached */
    struct out_queue out;        /* used when `kept` */
    struct memory_user memory;   /* what `out` holds; joined when `kept`, left when `ended` by the budget */
    uint64_t received_at_ms;     /* kept: when the peer last acknowledged something, came back or went */
    struct list node;            /* in session_set.sessions */
    struct session_set *set;     /* borrowed */
    struct route_session *route; /* owned */
    struct session_origin origin;
    enum session_permission permission;
    uint64_t id;            /* from 1, never reused */
    uint64_t frames_in;     /* handed to the router, good or refused */
    uint64_t bytes_in_gone; /* carried by the connections that it was detached from */
    uint64_t bytes_out_gone;
    bool kept;       /* frames stay in `out` until they are acknowledged */
    bool paused;     /* by the router; a new transport begins so */
    bool above_high; /* kept: `out` was above the high mark and has not fallen to half of it since */
    bool backed_up;  /* kept: its transport is not read, since `out` was above the high mark */
    bool ended;      /* the router closed the link: no transport is attached any more */
};

/* Every session of the relay, and what those that ended have left in the sums. */
struct session_set {
    struct router *router; /* borrowed */
    struct memory *memory; /* borrowed; set by the owner; NULL: kept frames are not counted */
    struct list sessions;  /* oldest first */
    size_t count;
    uint64_t next_id;
    uint64_t closed_bytes_in; /* of the sessions that are gone */
    uint64_t closed_bytes_out;
    /* Kept by the fronts: connections, including those that have not said yet what they speak. */
    size_t connections;
    size_t max_connections;
    size_t max_out_bytes;  /* of a client's out queue, for sessions to come; 0: not known */
    size_t full_out_bytes; /* from where on its child is not read; 0: it always is */
    uint64_t accepted;     /* ever */
    uint64_t refused;      /* over the limit, or for want of descriptors */
};

void session_set_init(struct session_set *set, struct router *router);
/* Every session must be closed. */
void session_set_done(struct session_set *set);
/* Of the open and the closed sessions together. */
void session_set_traffic(const struct session_set *set, uint64_t *ret_bytes_in, uint64_t *ret_bytes_out);

/* Binds a new session to `server` (route_session_open), attached to `t`, and adds it to the set. `origin` is
 * copied. ERR_NOT_FOUND: no such server; -ENOMEM. On failure nothing is kept. */
MUSTCHECK int session_open(struct session_set *set, const struct session_origin *origin, struct transport *t,
                           const char *server, uint64_t now_ms, struct session **ret_session);
/* Cancels what it had in flight (route_session_close) and frees the session; its transport, if it has one, is
 * not touched any more. Called from the top of a callback, never from inside the router. */
void session_close(struct session *s, uint64_t now_ms);

/* ---- called by the transport that is attached ---- */

/* One frame, handed to the router. */
void session_frame(struct session *s, const struct frame *frame, uint64_t now_ms);
/* t->queued_bytes got smaller. */
void session_sent(struct session *s);
/* t->queued_bytes fell below the low mark after it had been above the high one: the router may send more. */
void session_writable(struct session *s, uint64_t now_ms);

/* ---- outliving a connection ---- */

/* How many bytes a transport may have queued before the session waits with the next kept frame: enough to
 * keep a socket busy, little beside what the out queue itself may hold. */
#define SESSION_WINDOW_BYTES ((size_t)256 << 10)

/* From the next message on, frames stay in the out queue (at most `max_bytes`) until they are acknowledged,
 * and the session may be detached. Before it, a message goes to the transport without a copy of its own. */
void session_keep(struct session *s, size_t max_bytes, uint64_t now_ms);
/* The connection is gone, the session stays: only after session_keep. */
void session_detach(struct session *s);
/* The peer is back on `t`, and has `received` frames in all: the rest is sent again. ERR_CLOSING: the session
 * has ended; ERR_RANGE: `received` cannot be; nothing has changed then. */
MUSTCHECK int session_attach(struct session *s, struct transport *t, uint64_t received, uint64_t now_ms);
/* The peer has `received` frames in all; they are dropped. ERR_RANGE: it cannot, nothing has changed. */
MUSTCHECK int session_acknowledge(struct session *s, uint64_t received, uint64_t now_ms);

/* ---- looking in ---- */

/* Bytes carried by all its connections. */
void session_get_traffic(const struct session *s, uint64_t *ret_bytes_in, uint64_t *ret_bytes_out);
bool session_may(const struct session *s, enum session_permission needed);
const char *session_family_name(enum session_family family);
const char *session_permission_name(enum session_permission permission);

#endif

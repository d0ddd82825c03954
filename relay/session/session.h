/* Who is behind a connection: an id, where it comes from, what it may do, and the server it is bound to.
 *
 * A front opens a session once it knows what a connection speaks, and closes it when the connection is gone.
 * The session owns its place in the router (struct route_session, whose user pointer is the session); it
 * never owns the link. It is an object of its own, apart from the connection, because the two need not live
 * equally long.
 */
#ifndef SESSION_SESSION_H
#define SESSION_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "route/link.h"
#include "route/router.h"

/* The longest is "[ffff:...:ffff]:65535"; a Unix peer is named by its process. */
#define SESSION_PEER_BYTES 64

enum session_transport { SESSION_TCP, SESSION_UNIX };

/* Each level includes those before it. Without keys, who comes over a Unix socket or from the machine itself
 * is an admin, and everybody else may read. */
enum session_permission { SESSION_READ, SESSION_ADMIN };

/* Where a connection comes from, as its front saw it. Filled once, at accept. */
struct session_origin {
    enum session_transport transport;
    bool local;                    /* a Unix socket, or a loopback peer address */
    char peer[SESSION_PEER_BYTES]; /* "127.0.0.1:51412", "[::1]:51412", "unix:pid=12,uid=1000" */
};

/* What a connection has carried: kept by the front, read here for views. */
struct session_traffic {
    const uint64_t *bytes_in; /* borrowed, valid while the session is open */
    const uint64_t *bytes_out;
};

struct session {
    struct list node; /* in session_set.sessions */
    struct session_set *set;
    struct route_session *route; /* owned */
    const struct link *link;     /* borrowed: for its queue length */
    struct session_traffic traffic;
    struct session_origin origin;
    enum session_permission permission;
    uint64_t id; /* from 1, never reused */
    uint64_t since_ms;
};

/* Every session of the relay, and what those that ended have left in the sums. */
struct session_set {
    struct router *router; /* borrowed */
    struct list sessions;  /* oldest first */
    size_t count;
    uint64_t next_id;
    uint64_t closed_bytes_in; /* of the sessions that are gone */
    uint64_t closed_bytes_out;
    /* Kept by the fronts: connections, including those that have not said yet what they speak. */
    size_t connections;
    size_t max_connections;
    uint64_t accepted; /* ever */
    uint64_t refused;  /* over the limit, or for want of descriptors */
};

void session_set_init(struct session_set *set, struct router *router);
/* Every session must be closed. */
void session_set_done(struct session_set *set);
/* Of the open and the closed sessions together. */
void session_set_traffic(const struct session_set *set, uint64_t *ret_bytes_in, uint64_t *ret_bytes_out);

/* Binds a link to `server` (route_session_open) and adds the session to the set. `origin` is copied.
 * ERR_NOT_FOUND: no such server; -ENOMEM. On failure nothing is kept. */
MUSTCHECK int session_open(struct session_set *set, const struct session_origin *origin,
                           const struct session_traffic *traffic, const char *server, struct link *link,
                           uint64_t now_ms, struct session **ret_session);
/* The connection is gone: cancels what it had in flight (route_session_close) and frees the session. Called
 * from the top of a callback, never from inside the router. */
void session_close(struct session *s, uint64_t now_ms);

bool session_may(const struct session *s, enum session_permission needed);
const char *session_transport_name(enum session_transport transport);
const char *session_permission_name(enum session_permission permission);

#endif

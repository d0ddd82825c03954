/* The rules of the protocol that the messages belong to, as the router calls them; mcp/ implements them. The router
 * itself knows requests, answers, ids and queues.
 */
#ifndef ROUTE_PROTOCOL_H
#define ROUTE_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

struct frame;
struct route_session;
struct upstream;

struct route_protocol {
    /* Of struct upstream_protocol and struct session_protocol; zeroed before init. */
    size_t upstream_bytes;
    size_t session_bytes;
    void (*upstream_init)(struct upstream *upstream);
    void (*upstream_done)(struct upstream *upstream); /* behind on_detached */
    void (*session_init)(struct route_session *s);

    /* One frame of a client, oversize or malformed ones too. Every request in it gets its answer, now or later. */
    void (*on_client_frame)(struct route_session *s, const struct frame *frame, uint64_t now_ms);
    /* One frame of a child that is attached. */
    void (*on_upstream_frame)(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);

    /* A shared child's link is there, in state HANDSHAKE: upstream_move to READY when the child is. */
    void (*on_attached)(struct upstream *upstream, uint64_t now_ms);
    /* The child is gone, and what was in flight is answered. Also before upstream_done. */
    void (*on_detached)(struct upstream *upstream, uint64_t now_ms);
    /* The session leaves its upstream: before and after its calls are cancelled. */
    void (*on_session_leaving)(struct route_session *s, uint64_t now_ms);
    void (*on_session_left)(struct route_session *s, uint64_t now_ms);
};

#endif

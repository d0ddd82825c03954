/* A link: the one meeting point of fronts (clients) and servers (children). Both implement it; the router
 * writes to it and never knows what is behind. Tests fake it.
 *
 * The router owns frames that are queued; a link owns the bytes handed to it.
 */
#ifndef ROUTE_LINK_H
#define ROUTE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "route/message.h"

struct link;

/* How far a link's other side has read, in bytes since the link came. */
struct link_progress {
    uint64_t sent_bytes; /* accepted by send so far */
    uint64_t read_bytes; /* of those, read by the other side */
};

struct link_ops {
    /* Copies the message and adds the transport's own end (the newline). All or nothing. Never calls back. Links
     * are flushed once, at the end of the loop iteration; an implementation may write earlier where that gets the
     * other side going. A droppable message may be dropped: that is 0. -ENOMEM, ERR_TOO_LARGE, ERR_CLOSING. */
    int (*send)(struct link *link, const struct message *message);
    /* Stop, or go on, handing in frames. Idempotent. A frame whose bytes were read already may still come. */
    void (*pause)(struct link *link);
    void (*resume)(struct link *link);
    /* Flushes what is queued, then closes; asynchronous, idempotent. `code` is one of wire/rpc_error.h or 0
     * (a normal end); `reason` is copied, and logged. After it, send gives ERR_CLOSING. */
    void (*close)(struct link *link, int code, const char *reason);
    /* A child's link: how far the child has read. false: it cannot be known. NULL: neither for any such link. */
    bool (*get_progress)(const struct link *link, struct link_progress *ret_progress);
};

struct link {
    const struct link_ops *ops; /* static */
    size_t queued_bytes; /* kept by the implementation: accepted by send and not yet taken by the kernel */
    /* Set by the implementation before the router sees the link. A client's link above it has no request dispatched
     * and gets no droppable message. A child's link that has reached it gets no request; below it a frame of any
     * size may follow, so that it holds at most this and one frame. When a client's queue has fallen
     * well below it again (to half of it), route_session_writable is called; when a child's falls below it,
     * upstream_writable. */
    size_t high_bytes;
    size_t max_bytes;  /* a client's link: what its queue may hold; 0: not known */
    size_t full_bytes; /* a client's link: its child is not read from here on (hold.h); 0: it always is */
    bool holds_back; /* the router's: that is so now. route_session_sent must be called as the queue falls */
};

/* The client reads too slowly. */
static inline bool link_is_slow(const struct link *link)
{
    return link->queued_bytes > link->high_bytes;
}

static inline bool link_get_progress(const struct link *link, struct link_progress *ret_progress)
{
    return link->ops->get_progress && link->ops->get_progress(link, ret_progress);
}

#endif

/* A link: the one meeting point of fronts (clients) and servers (children). Both implement it; the router
 * writes to it and never knows what is behind. Tests fake it.
 *
 * The router owns frames that wait for a turn; a link owns the bytes handed to it.
 */
#ifndef ROUTE_LINK_H
#define ROUTE_LINK_H

#include <stddef.h>

#include "base/err.h"

struct link;

/* A run of bytes of a message. A message is sent as a list of parts, so that a replaced id costs no copy of
 * the rest. */
struct link_part {
    const char *bytes;
    size_t len;
};

struct link_ops {
    /* Copies the parts, one whole message, and adds the transport's own end (the newline). All or nothing.
     * Never calls back. Links are flushed once, at the end of the loop iteration; an implementation may write
     * earlier where that gets the other side going. -ENOMEM, ERR_CLOSING. */
    int (*send)(struct link *link, const struct link_part *parts, size_t count);
    /* Stop, or go on, handing in frames. Idempotent. A frame whose bytes were read already may still come. */
    void (*pause)(struct link *link);
    void (*resume)(struct link *link);
    /* Flushes what is queued, then closes; asynchronous, idempotent. `code` is one of wire/rpc_error.h or 0
     * (a normal end); `reason` is copied, and logged. After it, send gives ERR_CLOSING. */
    void (*close)(struct link *link, int code, const char *reason);
};

struct link {
    const struct link_ops *ops; /* static */
    size_t queued_bytes; /* kept by the implementation: accepted by send and not yet taken by the kernel */
};

/* A client's out queue above this gets no turn and no progress or log notifications (DESIGN 7). */
#define LINK_CLIENT_HIGH_BYTES ((size_t)1 << 20)
/* The router hands a child's link no more once this many bytes are queued; below it a frame of any size may
 * follow, so a link holds at most this and one frame. When the queue falls from above it, upstream_writable is
 * called. */
#define LINK_CHILD_HIGH_BYTES ((size_t)1 << 20)

#endif

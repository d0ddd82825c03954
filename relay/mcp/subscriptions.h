/* Resource subscriptions of a shared child: per URI (compared decoded) who wants it. The child sees the first
 * subscribe and the last unsubscribe; the others are answered here.
 *
 * At most one request per URI is under way; what comes meanwhile waits for its outcome, in order. A failed
 * subscribe is undone and settles those that waited for the same; one whose asker is gone is taken over by
 * the next.
 */
#ifndef MCP_SUBSCRIPTIONS_H
#define MCP_SUBSCRIPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "mcp/state.h"
#include "wire/frame.h"

/* Bytes of a URI, decoded. */
#define SUB_URI_MAX ((size_t)4 << 10)
/* Parts of an updated URI whose prefixes are looked up, from its end: a URI of slashes alone must not cost a look-up for
 * each of them. */
#define SUB_PARTS_MAX 128
/* Subscriptions of one session. */
#define SUBS_PER_SESSION 1024

/* resources/subscribe and resources/unsubscribe from a client. */
void subscriptions_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                           uint64_t now_ms);
/* notifications/resources/updated: to the subscribers of the URI, else to those of the longest one that it
 * lies under. */
void subscriptions_updated(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                           uint64_t now_ms);
/* A new child: subscribes again to all that is wanted, as soon as there is room. */
void subscriptions_restore(struct upstream *upstream);
/* The session goes (its calls have gone already). */
void subscriptions_leave(struct route_session *s);

#endif

/* Upstreams, as the other files of route/ use them; what server/ calls is in router.h. */
#ifndef ROUTE_UPSTREAM_H
#define ROUTE_UPSTREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "route/state.h"

/* NULL: out of memory. Linked into the server's list. */
struct upstream *upstream_new(struct route_server *server);
/* The one mover; asserts that the move is allowed. */
void upstream_move(struct upstream *upstream, enum upstream_state to);
/* ops->ready, once per child. */
void upstream_report_ready(struct upstream *upstream, uint64_t now_ms);
/* perSession: the one session; NULL when it is gone. */
static inline struct route_session *upstream_own_session(const struct upstream *upstream)
{
    if (list_empty(&upstream->sessions))
        return NULL;
    return CONTAINER_OF(upstream->sessions.next, struct route_session, upstream_node);
}
/* Somebody has a request: is there, or will there soon be, a child to give it to? Asks the server to start
 * one. */
MUSTCHECK bool upstream_wanted(struct upstream *upstream, uint64_t now_ms);
/* Answers and forgets everything that went to the child which is gone. */
void upstream_forget_link(struct upstream *upstream, const struct refusal *why, uint64_t now_ms);
/* Answers all that waits in this upstream. */
void upstream_fail_waiting(struct upstream *upstream, const struct refusal *why);
/* perSession: the session is gone; the server is asked to stop the child. `server_goes`: and is itself
 * removed, so that the upstream belongs to none. The upstream may be gone afterwards. */
void upstream_release(struct upstream *upstream, bool server_goes, uint64_t now_ms);

#endif

/* Sessions, as the other files of route/ and mcp/ use them; what the session layer calls is in router.h. */
#ifndef ROUTE_SESSION_H
#define ROUTE_SESSION_H

#include <stddef.h>
#include <stdint.h>

#include "route/state.h"

/* Cancels the request that the session has under this raw id; one that is not there, or an initialize, is left
 * alone. `frame`: the client's notification, or NULL. */
void session_cancel(struct route_session *s, const char *id, size_t id_len, const struct frame *frame,
                    uint64_t now_ms);
/* Takes the session out of its upstream: waiting calls are removed, calls in flight cancelled and abandoned,
 * everything that it owned purged. Answers nobody. */
void session_leave_upstream(struct route_session *s, uint64_t now_ms);

#endif

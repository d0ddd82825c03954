/* The last resort of back-pressure: a client's queue is nearly full, answers for it come all the same, and the child is
 * not read until the client has taken some of it.
 *
 * That holds up everybody who shares the child, so it is for clients that read, and not for long: one that takes less
 * than HOLD_MIN_BYTES within HOLD_CHECK_MS, or that has held its child back for HOLD_MAX_MS altogether since its queue
 * was last short, is closed and told why.
 */
#ifndef ROUTE_HOLD_H
#define ROUTE_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "route/deadline.h"

#define HOLD_CHECK_MS  UINT64_C(1000)
#define HOLD_MAX_MS    UINT64_C(60000)
#define HOLD_MIN_BYTES ((size_t)512 << 10)

struct route_session;
struct upstream;

/* Of an upstream. */
struct hold {
    struct list
        full; /* route_session.hold.node: whose queues are nearly full; the child is not read meanwhile */
    struct deadline check;
};

/* Of a session. */
struct hold_session {
    struct list node;
    size_t mark_bytes;   /* queued at the last check; 0: there was none yet */
    uint64_t checked_ms; /* when that was */
    uint64_t sum_ms;     /* so long has it held its child back, since its queue was last short */
};

void hold_init(struct upstream *upstream);
void hold_session_init(struct route_session *s);

/* A message was sent to the session's link. */
void hold_check_link(struct route_session *s);
/* The session's queue got shorter: the child is read again when nobody else holds it back. */
void hold_relieve(struct route_session *s);
/* The session goes. */
void hold_leave(struct route_session *s);
/* The child is gone. */
void hold_clear(struct upstream *upstream);

#endif

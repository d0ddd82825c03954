/* The fair queue of one upstream: which session may send its next request.
 *
 * A session's waiting requests stand in its own queue; sessions that have some stand in rings, by their load
 * (requests in flight, plus those abandoned less than five seconds ago). A session may take a slot only while
 * its load is less than the free slots, so only the rings below that number are looked at: the choice costs
 * the same with ten sessions and with ten thousand. Among the eligible, the one that has waited longest sends
 * up to SCHEDULER_BURST requests in a row, as far as its byte quantum pays for them (deficit round robin); a
 * request larger than the quantum waits for as many rounds as it has quanta.
 *
 * A session leaves its ring when nothing waits, when its link reads too slowly (until scheduler_link_writable), or
 * when its link was given up.
 */
#ifndef ROUTE_SCHEDULER_H
#define ROUTE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

/* Loads below this have a ring of their own; above, one ring per doubling. */
#define SCHEDULER_EXACT 32
#define SCHEDULER_RINGS 48
/* 64 KiB: as much as a pipe takes at once. */
#define SCHEDULER_QUANTUM_BYTES ((size_t)64 << 10)
/* Requests that a session may send in a row: enough that a client with a few in flight gets
 * its answers in one write and not in as many (which costs three times as much with 1,000 clients), few
 * enough that nobody waits long. */
#define SCHEDULER_BURST 16

struct upstream;
struct route_session;
struct call;
struct frame;

struct scheduler {
    struct list rings[SCHEDULER_RINGS]; /* of route_session.queued.node, each in the order of queued.stamp */
    uint64_t busy;                      /* one bit per ring that is not empty */
    uint64_t stamp;                     /* the last one given out */
};

struct scheduler_entry {
    struct list node;
    uint64_t stamp;
    unsigned ring; /* valid while the node is linked */
    size_t deficit_bytes;
    bool slow; /* left its ring because its link is above the high mark */
};

void scheduler_init(struct scheduler *t);
void scheduler_entry_init(struct scheduler_entry *t);

/* The session's load, its queue or its link changed: puts it where it belongs. */
void scheduler_refresh(struct route_session *s);
/* The session's link may be written again. */
void scheduler_link_writable(struct route_session *s);
/* May a new call of this session go to the child now? Only if all of this holds: the upstream is READY and not
 * draining; its outbox is empty, and no deferred message waits; the child's link is below its high mark; the session
 * has nothing queued, its own link is not above its high mark, and its load is less than the free slots; and no other
 * session is eligible, which would have waited longer. */
bool scheduler_is_free(const struct route_session *s);
/* Dispatches all that may be. */
void scheduler_run(struct upstream *upstream, uint64_t now_ms);

/* Sends a new call's request now, or gives it a copy of its frame and queues it. -ENOMEM, ERR_FULL (the router
 * holds all it may): neither. */
MUSTCHECK int scheduler_submit(struct call *c, const struct frame *frame, uint64_t now_ms);
/* Gives the call its own copy of its frame. -ENOMEM, ERR_FULL (the router holds all it may): nothing changed.
 */
MUSTCHECK int scheduler_keep(struct call *c, const struct frame *frame);
/* Puts a new or held call, which has its copy, at the end of its session's queue. */
void scheduler_enqueue(struct call *c);
/* A call of the session has moved: scheduler_refresh and scheduler_flow_control. */
void scheduler_update(struct route_session *s);
/* Pauses or resumes the session's reading by what it has waiting. */
void scheduler_flow_control(struct route_session *s);
/* A session that cannot be paused has twice as much waiting as would pause it. */
bool scheduler_is_flooded(const struct route_session *s);

#endif

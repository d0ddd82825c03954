/* Dispatch on one upstream: gives the messages that wait to the child, in the order of the fair queue (fair_queue.h).
 *
 * The peer and the session that are next send up to SCHEDULER_BURST messages in a row, as far as the byte quanta of both
 * pay for them (deficit round robin); a message larger than the quantum waits for as many rounds as it has quanta.
 *
 * Notifications have no answer that would show when the child has taken them. So at most a window of them is sent at a
 * time, and the next when the child has read the last one: a flood of them never stands ahead of requests.
 *
 * An upstream that drains gets no request, but the notifications, ahead of the requests that wait: what it has in flight
 * may need them to end.
 */
#ifndef ROUTE_SCHEDULER_H
#define ROUTE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "route/deadline.h"
#include "route/fair_queue.h"

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

/* Notifications that a child may have unread beside its requests: some hundred of the usual length. */
#define SCHEDULER_WINDOW_BYTES ((size_t)16 << 10)
/* While the window is full nothing else may happen that would show that the child has read on: it is looked at after
 * this time, then after twice as long, up to the second one. */
#define SCHEDULER_RETRY_MIN_MS 1
#define SCHEDULER_RETRY_MAX_MS 64

struct scheduler {
    struct fair_queue queue;
    size_t window_bytes;   /* of notifications, since the child had read all of them */
    uint64_t window_end;   /* valid while the window is full: bytes that the child reads until it is empty */
    uint64_t retry_ms;     /* the last one; 0: the window was open */
    struct deadline retry; /* while the window is full */
};

void scheduler_init(struct upstream *upstream);
/* The child is gone. */
void scheduler_reset(struct upstream *upstream);

/* The session's link may be written again. */
void scheduler_link_writable(struct route_session *s);
/* May a new call of this session go to the child now? Only if all of this holds: the upstream is READY and not
 * draining; its outbox is empty, and no deferred message waits; the child's link is below its high mark; the session
 * has nothing queued, its own link is not above its high mark, and it and its peer may take a slot; and no other session
 * is eligible, which would have waited longer. */
bool scheduler_is_free(const struct route_session *s);
/* Dispatches all that may be. */
void scheduler_run(struct upstream *upstream, uint64_t now_ms);

/* Sends a new call's request now, or gives it a copy of its frame and queues it. -ENOMEM, ERR_FULL (the router
 * holds all it may): neither. */
MUSTCHECK int scheduler_submit(struct call *c, const struct frame *frame, uint64_t now_ms);
/* Would a notification of the session go to the child now? */
bool scheduler_takes_notification(const struct route_session *s);
/* shared: the same for a notification; it waits behind the session's requests, unless the upstream drains. Also ERR_CLOSING: the child takes
 * nothing. */
MUSTCHECK int scheduler_submit_notification(struct route_session *s, const struct frame *frame,
                                            uint64_t now_ms);
/* Gives the call its own copy of its frame. -ENOMEM, ERR_FULL (the router holds all it may, or all
 * that it may for this peer): nothing changed. */
MUSTCHECK int scheduler_keep(struct call *c, const struct frame *frame);
/* Puts a new or held call, which has its copy, at the end of its session's queue; a notification ahead of its requests
 * while the upstream drains. */
void scheduler_enqueue(struct call *c);
/* The upstream has begun to drain: its child gets the notifications that wait behind requests. */
void scheduler_drain(struct upstream *upstream, uint64_t now_ms);
/* A call of the session has moved: its place and its reading may change. */
void scheduler_update(struct route_session *s);
/* Pauses or resumes the session's reading by what it has waiting. */
void scheduler_flow_control(struct route_session *s);
/* A session that cannot be paused has twice as much waiting as would pause it. */
bool scheduler_is_flooded(const struct route_session *s);

#endif

/* The fair queue of one upstream: who may send next. A session's waiting messages stand in its own queue; sessions
 * that have some stand with their peer, and peers with the upstream.
 *
 * A session whose next message is a request waits for a slot, in the rings of its peer by its load (requests in flight,
 * plus those abandoned less than five seconds ago). A session may take a slot only while its load is less than the free
 * slots, and only while its peer may take one (peer_may_take; a peer that is alone, any of fewer than eight slots). A peer stands in the rings of the upstream by its rank:
 * the number of free slots that it needs more of. So only the rings below the free slots are looked at. Among the
 * eligible peers, the one that has waited longest is next, and of its eligible sessions the one that has.
 *
 * A session of a shared child, or of one that drains, whose next message is a notification needs no slot; it and its
 * peer stand in plain lists, served in rotation.
 *
 * A session leaves its place when nothing waits, when a request is next and its link reads too slowly (until
 * scheduler_link_writable), or when its link was given up.
 */
#ifndef ROUTE_FAIR_QUEUE_H
#define ROUTE_FAIR_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "route/load_rings.h"

struct upstream;
struct route_peer;
struct route_session;

struct fair_queue {
    struct load_rings peers; /* route_peer.queued.entry: with a request that waits for a slot */
    struct list notifiers;   /* route_peer.queued.notifier_node: with a notification that waits */
    uint64_t stamp;          /* the last one given out */
};

struct fair_queue_peer {
    struct ring_entry entry;
    struct load_rings sessions; /* route_session.queued.entry: whose next message is a request */
    struct list notifier_node;
    struct list notifiers; /* route_session.queued.entry.node: whose next message is a notification */
    size_t deficit_bytes;
};

struct fair_queue_session {
    struct ring_entry entry; /* its ring is LOAD_RINGS among the notifiers */
    size_t deficit_bytes;
    bool slow;               /* left its place because its link is above the high mark */
    bool out_of_credit;      /* left it because of the answers that are due, until one of its calls moves */
    struct list credit_node; /* router.credit_waiters, while it is so for the sake of others' answers */
};

void fair_queue_init(struct fair_queue *q);
void fair_queue_peer_init(struct fair_queue_peer *p);
void fair_queue_session_init(struct fair_queue_session *s);

/* The session's load, its queue or its link changed: puts it, and its peer, where they belong. */
void fair_queue_refresh(struct route_session *s);
/* The peer's load changed. */
void fair_queue_refresh_peer(struct route_peer *p);
/* A peer has come or gone, or the number of slots changed. */
void fair_queue_refresh_peers(struct upstream *upstream);
/* It was served, or cannot pay yet: behind all others of its ring or list. */
void fair_queue_rotate(struct route_session *s);
void fair_queue_rotate_peer(struct route_peer *p);

/* Slots that no request has taken. */
size_t fair_queue_free_slots(const struct upstream *upstream);
/* May this session take one of so many free slots? */
bool fair_queue_may_take(const struct route_session *s, size_t slots);
/* The session whose request is next; NULL: none waits, or none of those that do may take a slot. */
struct route_session *fair_queue_next(struct upstream *upstream);
/* The session whose notification is next; NULL: none waits. */
struct route_session *fair_queue_next_notifier(struct upstream *upstream);

static inline bool fair_queue_is_linked(const struct fair_queue_session *s)
{
    return list_linked(&s->entry.node);
}
static inline bool fair_queue_is_notifier(const struct fair_queue_session *s)
{
    return fair_queue_is_linked(s) && s->entry.ring == LOAD_RINGS;
}

#endif

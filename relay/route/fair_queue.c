/* Places in the fair queue, and the choice. Nothing here fails.
 *
 * Invariant after every entry into the router: a session that has something in its queue (a notification, or a request
 * that neither its slow link nor its credit forbids), and is not dead, stands with its peer, one with an empty queue nowhere; a peer stands in the upstream's rings, or among its notifiers,
 * exactly while one of its sessions stands in its own. A session whose link was given up is only marked dead: the next
 * choice that meets it takes it out.
 */
#include "route/fair_queue.h"

#include <string.h>

#include "route/calls.h"
#include "route/peer.h"
#include "route/state.h"

#define NOTIFIER_RING LOAD_RINGS
#define NO_RING       (LOAD_RINGS + 1)

void fair_queue_init(struct fair_queue *q)
{
    load_rings_init(&q->peers);
    list_init(&q->notifiers);
    q->stamp = 0;
}

void fair_queue_peer_init(struct fair_queue_peer *p)
{
    ring_entry_init(&p->entry);
    load_rings_init(&p->sessions);
    list_init(&p->notifier_node);
    list_init(&p->notifiers);
    p->deficit_bytes = 0;
}

void fair_queue_session_init(struct fair_queue_session *s)
{
    memset(s, 0, sizeof(*s));
    ring_entry_init(&s->entry);
    list_init(&s->credit_node);
}

/* ---- loads ---- */

static size_t load_of(const struct route_session *s)
{
    return s->in_flight + s->abandoned;
}

static size_t peer_load(const struct route_peer *p)
{
    return p->in_flight + p->abandoned;
}

/* Where an eighth of the slots is less than one, a slot is left free only while there is somebody to leave it to: one of
 * two would be half of the server. */
static bool leaves_nothing(const struct route_peer *p)
{
    const struct upstream *upstream = p->upstream;
    return upstream->peers.count == 1 && upstream->server->limits.max_in_flight <= PEER_SHARE;
}

/* The peer may take a slot exactly while its rank is less than the free slots: its part by peer_may_take, or the load of
 * its least busy session that waits. In the rings of several loads it may be more. */
static size_t rank_of(const struct route_peer *p)
{
    size_t part = leaves_nothing(p) ? 0 : (peer_load(p) + PEER_SHARE - 1) / PEER_SHARE;
    size_t least = load_rings_least(load_rings_lowest(p->queued.sessions.busy));
    return part > least ? part : least;
}

size_t fair_queue_free_slots(const struct upstream *upstream)
{
    size_t slots = upstream->server->limits.max_in_flight;
    return upstream->stats.in_flight < slots ? slots - upstream->stats.in_flight : 0;
}

/* An own child has nobody to leave room for. */
bool fair_queue_may_take(const struct route_session *s, size_t slots)
{
    if (!upstream_is_shared(s->upstream))
        return slots > 0;
    return load_of(s) < slots && (leaves_nothing(s->peer) || peer_may_take(peer_load(s->peer), slots));
}

/* ---- places ---- */

static uint64_t next_stamp(struct upstream *upstream)
{
    return ++upstream->scheduler.queue.stamp;
}

void fair_queue_refresh_peer(struct route_peer *p)
{
    struct fair_queue *q = &p->upstream->scheduler.queue;
    struct fair_queue_peer *own = &p->queued;
    if (own->sessions.busy == 0) {
        load_rings_leave(&q->peers, &own->entry);
    } else {
        unsigned ring = load_rings_of(rank_of(p));
        bool is_new = !list_linked(&own->entry.node);
        if (is_new)
            own->entry.stamp = next_stamp(p->upstream);
        if (is_new || own->entry.ring != ring)
            load_rings_place(&q->peers, &own->entry, ring);
    }
    if (list_empty(&own->notifiers))
        list_remove(&own->notifier_node);
    else if (!list_linked(&own->notifier_node))
        list_push_back(&q->notifiers, &own->notifier_node);
    if (own->sessions.busy == 0 && list_empty(&own->notifiers))
        own->deficit_bytes = 0;
}

void fair_queue_refresh_peers(struct upstream *upstream)
{
    for (struct map_node *node = map_next(&upstream->peers, NULL); node;
         node = map_next(&upstream->peers, node))
        fair_queue_refresh_peer(CONTAINER_OF(node, struct route_peer, node));
}

static void leave(struct route_session *s)
{
    if (fair_queue_is_notifier(&s->queued))
        list_remove(&s->queued.entry.node);
    else
        load_rings_leave(&s->peer->queued.sessions, &s->queued.entry);
}

/* NOTIFIER_RING, or the ring of its load. */
static unsigned place_of(const struct route_session *s)
{
    const struct call *next = CONTAINER_OF(s->queue.next, struct call, session_node);
    if (next->notification && (upstream_is_shared(s->upstream) || s->upstream->draining))
        return NOTIFIER_RING;
    return load_rings_of(load_of(s));
}

static void enter(struct route_session *s, unsigned ring)
{
    struct ring_entry *e = &s->queued.entry;
    if (!list_linked(&e->node))
        e->stamp = next_stamp(s->upstream);
    leave(s);
    if (ring == NOTIFIER_RING) {
        e->ring = ring;
        list_push_back(&s->peer->queued.notifiers, &e->node);
    } else {
        load_rings_place(&s->peer->queued.sessions, e, ring);
    }
}

void fair_queue_refresh(struct route_session *s)
{
    if (!s->upstream)
        return;
    unsigned ring = list_empty(&s->queue) || s->dead ? NO_RING : place_of(s);
    if (ring == NO_RING || (ring != NOTIFIER_RING && (s->queued.slow || s->queued.out_of_credit))) {
        leave(s);
        if (ring == NO_RING)
            list_remove(&s->queued.credit_node);
        if (list_empty(&s->queue))
            s->queued.deficit_bytes = 0;
    } else {
        if (!fair_queue_is_linked(&s->queued) || s->queued.entry.ring != ring)
            enter(s, ring);
    }
    fair_queue_refresh_peer(s->peer);
}

void fair_queue_rotate(struct route_session *s)
{
    struct ring_entry *e = &s->queued.entry;
    if (fair_queue_is_notifier(&s->queued)) {
        list_remove(&e->node);
        list_push_back(&s->peer->queued.notifiers, &e->node);
    } else if (fair_queue_is_linked(&s->queued)) {
        load_rings_rotate(&s->peer->queued.sessions, e, next_stamp(s->upstream));
    }
}

void fair_queue_rotate_peer(struct route_peer *p)
{
    struct fair_queue *q = &p->upstream->scheduler.queue;
    if (list_linked(&p->queued.entry.node))
        load_rings_rotate(&q->peers, &p->queued.entry, next_stamp(p->upstream));
    if (list_linked(&p->queued.notifier_node)) {
        list_remove(&p->queued.notifier_node);
        list_push_back(&q->notifiers, &p->queued.notifier_node);
    }
}

/* ---- who is next ---- */

static struct route_session *session_at(struct list *node)
{
    return CONTAINER_OF(node, struct route_session, queued.entry.node);
}

/* The first session of the ring that may take a slot. Only a ring of several loads has to be walked; no more than
 * slots / 32 sessions can stand in those. */
static struct route_session *first_session(struct route_peer *p, unsigned ring, size_t slots)
{
    LIST_EACH(node, next, &p->queued.sessions.rings[ring])
    {
        struct route_session *s = session_at(node);
        if (s->dead) {
            leave(s);
            continue;
        }
        if (fair_queue_may_take(s, slots))
            return s;
        if (ring < LOAD_RINGS_EXACT)
            break;
    }
    return NULL;
}

/* Of this peer, the one that has waited longest. */
static struct route_session *next_of(struct route_peer *p, size_t slots)
{
    struct route_session *best = NULL;
    for (uint64_t busy = p->queued.sessions.busy; busy; busy &= busy - 1) {
        unsigned ring = load_rings_lowest(busy);
        if (upstream_is_shared(p->upstream) && load_rings_least(ring) >= slots)
            break;
        struct route_session *s = first_session(p, ring, slots);
        if (s && (!best || s->queued.entry.stamp < best->queued.entry.stamp))
            best = s;
    }
    fair_queue_refresh_peer(p); /* dead sessions may have left it */
    return best;
}

/* The session of the first peer of the ring that may take a slot. In a ring of one rank the first one may, or none. */
static struct route_session *first_of(struct upstream *upstream, unsigned ring, size_t slots, uint64_t before)
{
    LIST_EACH(node, next, &upstream->scheduler.queue.peers.rings[ring])
    {
        struct route_peer *p = CONTAINER_OF(node, struct route_peer, queued.entry.node);
        if (p->queued.entry.stamp >= before)
            return NULL;
        struct route_session *s = next_of(p, slots);
        if (s)
            return s;
    }
    return NULL;
}

struct route_session *fair_queue_next(struct upstream *upstream)
{
    struct route_session *best = NULL;
    size_t slots = fair_queue_free_slots(upstream);
    if (slots == 0)
        return NULL;
    for (uint64_t busy = upstream->scheduler.queue.peers.busy; busy; busy &= busy - 1) {
        unsigned ring = load_rings_lowest(busy);
        if (upstream_is_shared(upstream) && load_rings_least(ring) >= slots)
            break;
        struct route_session *s =
            first_of(upstream, ring, slots, best ? best->peer->queued.entry.stamp : UINT64_MAX);
        if (s)
            best = s;
    }
    return best;
}

struct route_session *fair_queue_next_notifier(struct upstream *upstream)
{
    struct fair_queue *q = &upstream->scheduler.queue;
    while (!list_empty(&q->notifiers)) {
        struct route_peer *p = CONTAINER_OF(q->notifiers.next, struct route_peer, queued.notifier_node);
        struct route_session *s = session_at(p->queued.notifiers.next);
        if (!s->dead)
            return s;
        leave(s);
        fair_queue_refresh_peer(p);
    }
    return NULL;
}

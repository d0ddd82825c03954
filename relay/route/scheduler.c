/* The fair queue. Nothing here fails except scheduler_enqueue, for memory.
 *
 * Invariant after every entry into the router: a session that has something in its queue, is not slow and not
 * dead stands in a ring, one with an empty queue in none; and no session in a ring could be served (or
 * scheduler_run would have). A session whose link was given up is only marked dead: the next pick that meets it
 * takes it out of its ring.
 */
#include "route/scheduler.h"

#include <errno.h>
#include <string.h>

#include "route/calls.h"
#include "route/outbox.h"
#include "route/replies.h"
#include "route/splice.h"
#include "route/state.h"
#include "wire/rpc_error.h"

/* Reading pauses also at a quarter of the upstream's waiting places, so that one pipelining session does not take
 * them all; never below this many. */
#define PAUSE_CALLS_MIN 64

void scheduler_init(struct scheduler *t)
{
    memset(t, 0, sizeof(*t));
    for (size_t i = 0; i < SCHEDULER_RINGS; i++)
        list_init(&t->rings[i]);
}

void scheduler_entry_init(struct scheduler_entry *t)
{
    memset(t, 0, sizeof(*t));
    list_init(&t->node);
}

static size_t load_of(const struct route_session *s)
{
    return s->in_flight + s->abandoned;
}

static unsigned ring_of(size_t load)
{
    if (load < SCHEDULER_EXACT)
        return (unsigned)load;
    unsigned ring = SCHEDULER_EXACT;
    for (load /= 2 * (size_t)SCHEDULER_EXACT; load > 0 && ring < SCHEDULER_RINGS - 1; load /= 2)
        ring++;
    return ring;
}

static size_t least_load(unsigned ring)
{
    return ring <= SCHEDULER_EXACT ? ring : (size_t)SCHEDULER_EXACT << (ring - SCHEDULER_EXACT);
}

static void leave(struct route_session *s)
{
    struct scheduler *t = &s->upstream->scheduler;
    if (!list_linked(&s->queued.node))
        return;
    list_remove(&s->queued.node);
    if (list_empty(&t->rings[s->queued.ring]))
        t->busy &= ~(UINT64_C(1) << s->queued.ring);
}

static void enter(struct route_session *s, unsigned ring)
{
    struct scheduler *t = &s->upstream->scheduler;
    leave(s);
    s->queued.ring = ring;
    s->queued.stamp = ++t->stamp;
    list_push_back(&t->rings[ring], &s->queued.node);
    t->busy |= UINT64_C(1) << ring;
}

void scheduler_refresh(struct route_session *s)
{
    if (!s->upstream)
        return;
    if (list_empty(&s->queue) || s->dead || s->queued.slow) {
        leave(s);
        if (list_empty(&s->queue))
            s->queued.deficit_bytes = 0;
        return;
    }
    unsigned ring = ring_of(load_of(s));
    if (!list_linked(&s->queued.node) || s->queued.ring != ring)
        enter(s, ring);
}

void scheduler_link_writable(struct route_session *s)
{
    s->queued.slow = false;
    scheduler_refresh(s);
}

/* ---- who is next ---- */

static size_t free_slots(const struct upstream *upstream)
{
    size_t slots = upstream->server->limits.max_in_flight;
    return upstream->stats.in_flight < slots ? slots - upstream->stats.in_flight : 0;
}

/* An own child has nobody to leave room for. */
static bool may_take(const struct route_session *s, size_t slots)
{
    return upstream_is_shared(s->upstream) ? load_of(s) < slots : slots > 0;
}

static bool is_open(const struct upstream *upstream)
{
    return upstream->state == UPSTREAM_READY && !upstream->draining && !upstream->link_closing &&
           upstream->link;
}

/* The first session of the ring that may take a slot. Only a ring of several loads has to be walked; no more
 * than slots / 32 sessions can stand in those. */
static struct route_session *first_in(struct scheduler *t, unsigned ring, size_t slots)
{
    LIST_EACH(node, next, &t->rings[ring])
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, queued.node);
        if (s->dead) {
            leave(s);
            continue;
        }
        if (may_take(s, slots))
            return s;
        if (ring < SCHEDULER_EXACT)
            break;
    }
    return NULL;
}

static struct route_session *pick(struct upstream *upstream)
{
    struct scheduler *t = &upstream->scheduler;
    struct route_session *best = NULL;
    size_t slots = free_slots(upstream);
    if (slots == 0)
        return NULL;
    for (uint64_t busy = t->busy; busy; busy &= busy - 1) {
        unsigned ring = (unsigned)__builtin_ctzll(busy);
        if (upstream_is_shared(upstream) && least_load(ring) >= slots)
            break;
        struct route_session *s = first_in(t, ring, slots);
        if (s && (!best || s->queued.stamp < best->queued.stamp))
            best = s;
    }
    return best;
}

bool scheduler_is_free(const struct route_session *s)
{
    struct upstream *upstream = s->upstream;
    return is_open(upstream) && list_empty(&s->queue) && !link_is_slow(s->link) &&
           may_take(s, free_slots(upstream)) && upstream_has_room(upstream) && outbox_is_empty(upstream) &&
           (upstream->scheduler.busy == 0 || !pick(upstream));
}

/* ---- sending ---- */

/* Hands the call's request to the child. `text` is its frame (borrowed). 0: in flight. ERR_CLOSING, -ENOMEM:
 * nothing changed. */
static int dispatch(struct call *c, const char *text, size_t len, uint64_t now_ms)
{
    char id[ID_TEXT_MAX];
    int rc = call_take_relay_id(c);
    if (rc)
        return rc;
    size_t id_len = id_print(c->relay_id, id);
    struct splice splices[] = {{c->id_at, id, id_len}, {c->token_at, id, id_len}};
    struct part parts[SPLICE_PARTS_MAX];
    size_t count = splice_parts(text, len, splices, 2, parts);
    rc = upstream_send(c->upstream, &(struct message){.parts = parts,
                                                      .part_count = count,
                                                      .kind = MESSAGE_REQUEST,
                                                      .about = c->id,
                                                      .about_len = c->id_len});
    if (rc) {
        call_drop_relay_id(c);
        return rc;
    }
    call_move(c, CALL_IN_FLIGHT);
    c->upstream->stats.requests++;
    c->upstream->stats.last_used_ms = now_ms;
    return 0;
}

static int send_waiting(struct call *c, uint64_t now_ms)
{
    if (!c->notification)
        return dispatch(c, c->frame->bytes, c->frame_len, now_ms);
    int rc = upstream_send_text(c->upstream, MESSAGE_NOTIFICATION, c->frame->bytes, c->frame_len);
    if (rc == 0)
        call_close(c);
    return rc;
}

/* false: the child takes no more now. */
static bool send_next(struct route_session *s, uint64_t now_ms)
{
    struct upstream *upstream = s->upstream;
    struct call *c = CONTAINER_OF(s->queue.next, struct call, session_node);
    if (link_is_slow(s->link)) {
        s->queued.slow = true;
        leave(s);
        return true;
    }
    if (s->queued.deficit_bytes < c->frame_len) {
        s->queued.deficit_bytes += SCHEDULER_QUANTUM_BYTES;
        if (s->queued.deficit_bytes < c->frame_len) {
            enter(s, s->queued.ring);
            return true;
        }
    }
    if (!upstream_has_room(upstream))
        return false;
    size_t frame_len = c->frame_len;
    int rc = send_waiting(c, now_ms);
    if (rc == ERR_CLOSING)
        return false;
    if (rc) {
        call_fail(c, &(struct refusal){.code = RPC_E_OVERLOADED});
        return true;
    }
    s->queued.deficit_bytes = s->queued.deficit_bytes > frame_len ? s->queued.deficit_bytes - frame_len : 0;
    if (list_linked(&s->queued.node))
        enter(s, s->queued.ring);
    return true;
}

/* What is left of its quantum pays for the next request, too. */
static bool may_go_on(const struct route_session *s)
{
    if (s->dead || !list_linked(&s->queued.node) || !is_open(s->upstream) ||
        !may_take(s, free_slots(s->upstream)))
        return false;
    const struct call *next = CONTAINER_OF(s->queue.next, struct call, session_node);
    return s->queued.deficit_bytes >= next->frame_len;
}

/* Up to SCHEDULER_BURST requests in a row. false: the child takes no more. */
static bool send_burst(struct route_session *s, uint64_t now_ms)
{
    for (unsigned n = 0; n < SCHEDULER_BURST; n++) {
        if (!send_next(s, now_ms))
            return false;
        if (!may_go_on(s))
            break;
    }
    return true;
}

void scheduler_run(struct upstream *upstream, uint64_t now_ms)
{
    if (!outbox_is_empty(upstream) && !outbox_flush(upstream, now_ms))
        return;
    while (upstream->scheduler.busy && is_open(upstream)) {
        struct route_session *s = pick(upstream);
        if (!s || !send_burst(s, now_ms))
            break;
    }
}

/* ---- waiting ---- */

int scheduler_keep(struct call *c, const struct frame *frame)
{
    struct router *r = c->router;
    if (r->max_held_bytes && r->blocks.used_bytes + frame->len > r->max_held_bytes)
        return ERR_FULL;
    c->frame = block_pool_get(&r->blocks, frame->len);
    if (!c->frame)
        return -ENOMEM;
    memcpy(c->frame->bytes, frame->bytes, frame->len);
    c->frame_len = frame->len;
    return 0;
}

void scheduler_enqueue(struct call *c)
{
    call_move(c, CALL_WAITING);
}

int scheduler_submit(struct call *c, const struct frame *frame, uint64_t now_ms)
{
    if (scheduler_is_free(c->session)) {
        int rc = dispatch(c, frame->bytes, frame->len, now_ms);
        if (rc != ERR_CLOSING)
            return rc;
    }
    int rc = scheduler_keep(c, frame);
    if (rc == 0)
        scheduler_enqueue(c);
    return rc;
}

/* From how many waiting requests on a session's reading pauses. */
static size_t pause_calls(const struct server_limits *limits)
{
    size_t calls = limits->max_waiting / 4;
    return calls < PAUSE_CALLS_MIN ? PAUSE_CALLS_MIN : calls;
}

/* A session that its child has asked something is read on, whatever it has waiting: its answer stands behind
 * that, and nothing moves before the answer does. request_admit bounds it then. */
void scheduler_flow_control(struct route_session *s)
{
    if (!s->upstream || !s->upstream->server || s->dead)
        return;
    const struct server_limits *limits = &s->upstream->server->limits;
    size_t calls = pause_calls(limits);
    bool over = s->waiting_bytes > limits->session_waiting_bytes || s->waiting > calls;
    bool under = s->waiting_bytes <= limits->session_waiting_bytes / 2 && s->waiting <= calls / 2;
    if (!s->paused && over && s->server_request_count == 0) {
        s->paused = true;
        s->link->ops->pause(s->link);
    } else if (s->paused && (under || s->server_request_count > 0)) {
        s->paused = false;
        s->link->ops->resume(s->link);
    }
}

/* Nearly always nothing waits: then there is no place to change and no reading to pause. */
void scheduler_update(struct route_session *s)
{
    if (s->waiting == 0 && !s->paused && !list_linked(&s->queued.node)) {
        s->queued.deficit_bytes = 0;
        return;
    }
    scheduler_refresh(s);
    scheduler_flow_control(s);
}

bool scheduler_is_flooded(const struct route_session *s)
{
    const struct server_limits *limits = &s->upstream->server->limits;
    return s->server_request_count > 0 &&
           (s->waiting_bytes > 2 * limits->session_waiting_bytes || s->waiting > 2 * pause_calls(limits));
}

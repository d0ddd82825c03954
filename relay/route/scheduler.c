/* Sending what waits, and letting wait what cannot be sent. Nothing here fails except for memory.
 *
 * Invariant after every entry into the router: nobody in the fair queue could be served (or scheduler_run would have),
 * but for notifications that wait for the window; their deadline runs scheduler_run again.
 */
#include "route/scheduler.h"

#include <errno.h>
#include <string.h>

#include "route/calls.h"
#include "route/credit.h"
#include "route/outbox.h"
#include "route/peer.h"
#include "route/replies.h"
#include "route/splice.h"
#include "route/state.h"
#include "wire/rpc_error.h"

/* Reading pauses also at a quarter of the upstream's waiting places, so that one pipelining session does not take
 * them all; never below this many. */
#define PAUSE_CALLS_MIN 64

static void on_retry(struct deadline *d, uint64_t now_ms);

void scheduler_init(struct upstream *upstream)
{
    struct scheduler *t = &upstream->scheduler;
    memset(t, 0, sizeof(*t));
    fair_queue_init(&t->queue);
    heap_node_init(&t->retry.node);
    t->retry.expire = on_retry;
}

void scheduler_reset(struct upstream *upstream)
{
    upstream->scheduler.window_bytes = 0;
    upstream->scheduler.retry_ms = 0;
    deadline_clear(upstream->router, &upstream->scheduler.retry);
}

void scheduler_link_writable(struct route_session *s)
{
    s->queued.slow = false;
    fair_queue_refresh(s);
}

static struct call *next_call(const struct route_session *s)
{
    return CONTAINER_OF(s->queue.next, struct call, session_node);
}

/* One that drains gets notifications, and no requests. */
static bool is_up(const struct upstream *upstream)
{
    return upstream->state == UPSTREAM_READY && !upstream->link_closing && upstream->link;
}

static bool is_open(const struct upstream *upstream)
{
    return is_up(upstream) && !upstream->draining;
}

/* Its client reads what it gets, and the answers that are due leave room for another one. */
static bool may_dispatch_to(const struct route_session *s)
{
    return !link_is_slow(s->link) && credit_allows(s);
}

bool scheduler_is_free(const struct route_session *s)
{
    struct upstream *upstream = s->upstream;
    return is_open(upstream) && list_empty(&s->queue) && may_dispatch_to(s) &&
           fair_queue_may_take(s, fair_queue_free_slots(upstream)) && upstream_has_room(upstream) &&
           outbox_is_empty(upstream) &&
           (upstream->scheduler.queue.peers.busy == 0 || !fair_queue_next(upstream));
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

/* One more quantum for who cannot pay. false: it still cannot. */
static bool can_pay(size_t *deficit_bytes, size_t bytes)
{
    if (*deficit_bytes < bytes)
        *deficit_bytes += SCHEDULER_QUANTUM_BYTES;
    return *deficit_bytes >= bytes;
}

static void pay(size_t *deficit_bytes, size_t bytes)
{
    *deficit_bytes = *deficit_bytes > bytes ? *deficit_bytes - bytes : 0;
}

enum sent {
    SENT,
    PASSED_OVER, /* another one is next */
    CHILD_FULL
};

static enum sent send_next(struct route_session *s, uint64_t now_ms)
{
    struct call *c = next_call(s);
    struct route_peer *peer = s->peer;
    size_t frame_len = c->frame_len;
    if (!can_pay(&s->queued.deficit_bytes, frame_len)) {
        fair_queue_rotate(s);
        return PASSED_OVER;
    }
    if (!can_pay(&peer->queued.deficit_bytes, frame_len)) {
        fair_queue_rotate_peer(peer);
        return PASSED_OVER;
    }
    if (!upstream_has_room(s->upstream))
        return CHILD_FULL;
    int rc = send_waiting(c, now_ms);
    if (rc == ERR_CLOSING)
        return CHILD_FULL;
    if (rc) {
        call_fail(c, &(struct refusal){.code = RPC_E_OVERLOADED});
        return PASSED_OVER;
    }
    pay(&s->queued.deficit_bytes, frame_len);
    pay(&peer->queued.deficit_bytes, frame_len);
    fair_queue_rotate(s);
    fair_queue_rotate_peer(peer);
    return SENT;
}

/* What is left of both quanta pays for the next message, too. */
static bool may_go_on(const struct route_session *s, bool notifier)
{
    if (s->dead || !fair_queue_is_linked(&s->queued) || fair_queue_is_notifier(&s->queued) != notifier)
        return false;
    if (notifier ? !is_up(s->upstream) : !is_open(s->upstream))
        return false;
    size_t len = next_call(s)->frame_len;
    return s->queued.deficit_bytes >= len && s->peer->queued.deficit_bytes >= len;
}

/* ---- requests ---- */

/* The next session's burst. false: nobody may send, or the child takes no more. */
static bool serve_request(struct upstream *upstream, uint64_t now_ms)
{
    if (upstream->scheduler.queue.peers.busy == 0)
        return false;
    struct route_session *s = fair_queue_next(upstream);
    if (!s)
        return false;
    for (unsigned n = 0; n < SCHEDULER_BURST; n++) {
        if (!may_dispatch_to(s)) {
            s->queued.slow = link_is_slow(s->link);
            s->queued.out_of_credit = !s->queued.slow;
            if (s->queued.out_of_credit && credit_waits_for_others(s))
                list_push_back(&s->router->credit_waiters, &s->queued.credit_node);
            fair_queue_refresh(s);
            break;
        }
        enum sent sent = send_next(s, now_ms);
        if (sent == CHILD_FULL)
            return false;
        if (sent == PASSED_OVER || !may_go_on(s, false) ||
            !fair_queue_may_take(s, fair_queue_free_slots(upstream)))
            break;
    }
    return true;
}

/* ---- notifications ---- */

/* How far the child has read is asked once when the window is full and then at each retry: it is a system call. */
static bool window_is_open(const struct upstream *upstream)
{
    return upstream->scheduler.window_bytes < SCHEDULER_WINDOW_BYTES;
}

/* Without memory for the deadline nobody would come back: then the window counts as read. */
static void wait_for_window(struct upstream *upstream, uint64_t now_ms)
{
    struct scheduler *t = &upstream->scheduler;
    if (heap_has(&t->retry.node))
        return;
    t->retry_ms = t->retry_ms == 0                       ? SCHEDULER_RETRY_MIN_MS
                  : t->retry_ms < SCHEDULER_RETRY_MAX_MS ? 2 * t->retry_ms
                                                         : SCHEDULER_RETRY_MAX_MS;
    if (deadline_set(upstream->router, &t->retry, now_ms + t->retry_ms))
        t->window_bytes = 0;
}

static void on_retry(struct deadline *d, uint64_t now_ms)
{
    struct scheduler *t = CONTAINER_OF(d, struct scheduler, retry);
    struct upstream *upstream = CONTAINER_OF(t, struct upstream, scheduler);
    struct link_progress progress;
    if (!upstream->link || !link_get_progress(upstream->link, &progress) ||
        progress.read_bytes >= t->window_end) {
        t->window_bytes = 0;
        t->retry_ms = 0;
    }
    scheduler_run(upstream, now_ms);
}

static void fill_window(struct upstream *upstream, size_t bytes, uint64_t now_ms)
{
    struct scheduler *t = &upstream->scheduler;
    struct link_progress progress;
    t->window_bytes += bytes;
    if (window_is_open(upstream))
        return;
    if (upstream->link && link_get_progress(upstream->link, &progress)) {
        t->window_end = progress.sent_bytes;
        wait_for_window(upstream, now_ms);
    } else {
        t->window_bytes = 0;
    }
}

/* The next session's burst. false: none waits, the window is full, or the child takes no more. */
static bool serve_notification(struct upstream *upstream, uint64_t now_ms)
{
    struct route_session *s = fair_queue_next_notifier(upstream);
    if (!s)
        return false;
    for (unsigned n = 0; n < SCHEDULER_BURST; n++) {
        if (!window_is_open(upstream)) {
            wait_for_window(upstream, now_ms);
            return false;
        }
        size_t len = next_call(s)->frame_len;
        enum sent sent = send_next(s, now_ms);
        if (sent == CHILD_FULL)
            return false;
        if (sent == SENT)
            fill_window(upstream, len, now_ms);
        if (sent == PASSED_OVER || !may_go_on(s, true))
            break;
    }
    return true;
}

static void run(struct upstream *upstream, uint64_t now_ms)
{
    if (!outbox_is_empty(upstream) && !outbox_flush(upstream, now_ms))
        return;
    const struct fair_queue *q = &upstream->scheduler.queue;
    while ((q->peers.busy || !list_empty(&q->notifiers)) && is_up(upstream)) {
        bool request = !upstream->draining && serve_request(upstream, now_ms);
        bool notification = serve_notification(upstream, now_ms);
        if (!request && !notification)
            break;
    }
}

/* What others had on their way has come: the first that waited for that goes on, at whatever upstream it is. */
static void serve_credit_waiters(struct router *r, uint64_t now_ms)
{
    while (!list_empty(&r->credit_waiters)) {
        struct route_session *s =
            CONTAINER_OF(r->credit_waiters.next, struct route_session, queued.credit_node);
        if (credit_waits_for_others(s))
            return;
        list_remove(&s->queued.credit_node);
        scheduler_update(s);
        run(s->upstream, now_ms);
    }
}

void scheduler_run(struct upstream *upstream, uint64_t now_ms)
{
    struct router *r = upstream->router;
    run(upstream, now_ms);
    if (!list_empty(&r->credit_waiters))
        serve_credit_waiters(r, now_ms);
}

/* ---- waiting ---- */

/* A peer leaves others some of what the router may hold, as it does of the slots. */
static bool may_hold(const struct router *r, const struct route_peer *peer, size_t bytes)
{
    size_t used = r->blocks.used_bytes;
    if (used > r->max_held_bytes || bytes > r->max_held_bytes - used)
        return false;
    return peer->waiting_bytes <= PEER_SHARE * (r->max_held_bytes - used);
}

int scheduler_keep(struct call *c, const struct frame *frame)
{
    struct router *r = c->router;
    if (r->max_held_bytes && !may_hold(r, c->peer, frame->len))
        return ERR_FULL;
    c->frame = block_pool_get(&r->blocks, frame->len);
    if (!c->frame)
        return -ENOMEM;
    memcpy(c->frame->bytes, frame->bytes, frame->len);
    c->frame_len = frame->len;
    return 0;
}

/* The requests go to the next child; what runs at this one may wait for the notifications. */
static void put_notifications_first(struct route_session *s)
{
    struct list *last = &s->queue;
    LIST_EACH(node, next, &s->queue)
    {
        if (!CONTAINER_OF(node, struct call, session_node)->notification)
            continue;
        list_remove(node);
        list_push_front(last, node);
        last = node;
    }
    fair_queue_refresh(s);
}

void scheduler_enqueue(struct call *c)
{
    call_move(c, CALL_WAITING);
    if (c->notification && c->upstream->draining)
        put_notifications_first(c->session);
}

void scheduler_drain(struct upstream *upstream, uint64_t now_ms)
{
    LIST_EACH(node, next, &upstream->sessions)
    {
        put_notifications_first(CONTAINER_OF(node, struct route_session, upstream_node));
    }
    scheduler_run(upstream, now_ms);
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

bool scheduler_takes_notification(const struct route_session *s)
{
    const struct upstream *upstream = s->upstream;
    bool is_next = list_empty(&s->queue) || (upstream->draining && !next_call(s)->notification);
    return is_next && list_empty(&upstream->scheduler.queue.notifiers) && is_up(upstream) &&
           upstream_has_room(upstream) && outbox_is_empty(upstream) && window_is_open(upstream);
}

int scheduler_submit_notification(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    struct call *c;
    struct upstream *upstream = s->upstream;
    if (scheduler_takes_notification(s)) {
        int rc = upstream_send_text(upstream, MESSAGE_NOTIFICATION, frame->bytes, frame->len);
        if (rc == 0)
            fill_window(upstream, frame->len, now_ms);
        return rc;
    }
    int rc = call_open(s, frame, RPC_M_OTHER, now_ms, &c);
    if (rc)
        return rc;
    rc = scheduler_keep(c, frame);
    if (rc)
        call_close(c);
    else
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
    if (s->waiting == 0 && !s->paused && !fair_queue_is_linked(&s->queued)) {
        s->queued.deficit_bytes = 0;
        if (s->peer && s->peer->queued.sessions.busy)
            fair_queue_refresh_peer(s->peer);
        return;
    }
    if (s->queued.out_of_credit && credit_allows(s)) {
        s->queued.out_of_credit = false;
        list_remove(&s->queued.credit_node);
    }
    fair_queue_refresh(s);
    scheduler_flow_control(s);
}

bool scheduler_is_flooded(const struct route_session *s)
{
    const struct server_limits *limits = &s->upstream->server->limits;
    return s->server_request_count > 0 &&
           (s->waiting_bytes > 2 * limits->session_waiting_bytes || s->waiting > 2 * pause_calls(limits));
}

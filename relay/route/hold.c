/* Who holds a child back, and for how long. A client's link says from where on it is nearly full (link.full_bytes), and
 * goes on below seven eighths of that.
 *
 * Failure mode: no memory for the check's deadline -> the child is read on, and the client's own bound ends it.
 */
#include "route/hold.h"

#include <stdio.h>

#include "route/state.h"
#include "wire/rpc_error.h"

static void on_check(struct deadline *d, uint64_t now_ms);

void hold_init(struct upstream *upstream)
{
    list_init(&upstream->hold.full);
    heap_node_init(&upstream->hold.check.node);
    upstream->hold.check.expire = on_check;
}

void hold_session_init(struct route_session *s)
{
    list_init(&s->hold.node);
}

static void release(struct route_session *s)
{
    struct upstream *upstream = s->upstream;
    list_remove(&s->hold.node);
    s->link->holds_back = false;
    if (!list_empty(&upstream->hold.full))
        return;
    deadline_clear(upstream->router, &upstream->hold.check);
    if (upstream->link)
        upstream->link->ops->resume(upstream->link);
}

void hold_check_link(struct route_session *s)
{
    struct link *link = s->link;
    struct upstream *upstream = s->upstream;
    if (link->full_bytes == 0 || link->queued_bytes < link->full_bytes || link->holds_back)
        return;
    if (!upstream || !upstream->link)
        return;
    if (list_empty(&upstream->hold.full)) {
        if (deadline_set(upstream->router, &upstream->hold.check, 0) !=
            0) /* at the next tick, for its time */
            return;
        upstream->link->ops->pause(upstream->link);
    }
    link->holds_back = true;
    s->hold.mark_bytes = 0;
    list_push_back(&upstream->hold.full, &s->hold.node);
}

void hold_relieve(struct route_session *s)
{
    const struct link *link = s->link;
    if (link->queued_bytes <= link->high_bytes)
        s->hold.sum_ms = 0;
    if (link->holds_back && link->queued_bytes <= link->full_bytes - link->full_bytes / 8)
        release(s);
}

void hold_leave(struct route_session *s)
{
    if (list_linked(&s->hold.node))
        release(s);
}

void hold_clear(struct upstream *upstream)
{
    LIST_EACH(node, next, &upstream->hold.full)
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, hold.node);
        list_remove(node);
        s->link->holds_back = false;
    }
    deadline_clear(upstream->router, &upstream->hold.check);
}

/* ---- for how long ---- */

static void give_up(struct route_session *s)
{
    char reason[160];
    (void)snprintf(reason, sizeof(reason),
                   "%zu bytes of answers wait to be read, more come, and they are read too slowly",
                   s->link->queued_bytes);
    release(s);
    if (s->dead)
        return;
    s->dead = true;
    s->link->ops->close(s->link, RPC_E_OVERLOADED, reason);
}

static void check_session(struct route_session *s, uint64_t now_ms)
{
    struct hold_session *h = &s->hold;
    size_t queued = s->link->queued_bytes;
    bool first = h->mark_bytes == 0;
    if (first || now_ms - h->checked_ms >= HOLD_CHECK_MS) {
        bool too_slow = !first && (h->mark_bytes < HOLD_MIN_BYTES || queued > h->mark_bytes - HOLD_MIN_BYTES);
        h->sum_ms += first ? 0 : now_ms - h->checked_ms;
        h->mark_bytes = queued;
        h->checked_ms = now_ms;
        if (too_slow || h->sum_ms >= HOLD_MAX_MS || s->dead)
            give_up(s);
    }
}

static void on_check(struct deadline *d, uint64_t now_ms)
{
    struct hold *h = CONTAINER_OF(d, struct hold, check);
    struct upstream *upstream = CONTAINER_OF(h, struct upstream, hold);
    LIST_EACH(node, next, &h->full)
    {
        check_session(CONTAINER_OF(node, struct route_session, hold.node), now_ms);
    }
    if (list_empty(&h->full) || deadline_set(upstream->router, d, now_ms + HOLD_CHECK_MS) == 0)
        return;
    while (!list_empty(&h->full))
        release(CONTAINER_OF(h->full.next, struct route_session, hold.node));
}

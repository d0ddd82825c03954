/* Deadlines in the router's one heap, and the clock of a call: it starts on arrival, is reset by progress,
 * and stands still while its session has an unanswered request of its child. Progress and
 * those requests touch no heap; when a
 * deadline comes up that has moved on, it is put in again.
 */
#include "route/deadline.h"

#include "route/calls.h"
#include "route/state.h"

int deadline_set(struct router *r, struct deadline *d, uint64_t at_ms)
{
    if (!heap_has(&d->node))
        return heap_add(&r->deadlines, &d->node, at_ms);
    heap_rekey(&r->deadlines, &d->node, at_ms);
    return 0;
}

void deadline_clear(struct router *r, struct deadline *d)
{
    heap_remove(&r->deadlines, &d->node);
}

static uint64_t clock_paused_ms(const struct route_session *s, uint64_t now_ms)
{
    return s->clock_paused_ms + (s->server_request_count > 0 ? now_ms - s->clock_paused_since_ms : 0);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The call waits for a child that has a deadline of its own, and fails with the start's reason if that passes. A child
 * of one session has its requests at once, and has not proved itself before it answered the first. */
static bool waits_for_start(const struct call *c)
{
    const struct upstream *upstream = c->upstream;
    if (upstream->server->limits.start_timeout_ms == 0 || c->state == CALL_ABANDONED)
        return false;
    bool unproven =
        upstream->state == UPSTREAM_READY && !upstream_is_shared(upstream) && !upstream->ready_reported;
    return unproven || upstream->state == UPSTREAM_STARTING || upstream->state == UPSTREAM_HANDSHAKE;
}

/* While a start lasts, a call is looked at again when its time-out would have been over once more. */
uint64_t call_expires_at(const struct call *c, uint64_t now_ms)
{
    const struct server_limits *limits = &c->upstream->server->limits;
    uint64_t up_ms = waits_for_start(c) ? now_ms : c->upstream->ready_at_ms;
    uint64_t at = ROUTE_NEVER;
    if (limits->timeout_ms > 0 && c->method != RPC_M_TASKS_RESULT)
        at = later(c->clock_ms, up_ms) + limits->timeout_ms +
             (clock_paused_ms(c->session, now_ms) - c->clock_paused_ms);
    if (limits->timeout_max_ms > 0)
        at = earlier(at, later(c->arrived_ms, up_ms) + limits->timeout_max_ms);
    return at;
}

int call_start_deadline(struct call *c, uint64_t now_ms)
{
    c->arrived_ms = now_ms;
    c->clock_ms = now_ms;
    c->clock_paused_ms = clock_paused_ms(c->session, now_ms);
    uint64_t at = call_expires_at(c, now_ms);
    return at == ROUTE_NEVER ? 0 : deadline_set(c->router, &c->deadline, at);
}

void call_progress(struct call *c, uint64_t now_ms)
{
    if (c->state != CALL_IN_FLIGHT)
        return;
    c->clock_ms = now_ms;
    c->clock_paused_ms = clock_paused_ms(c->session, now_ms);
}

/* Calls, from engine_submit to their one completion.
 *
 * Happy path: submitted while live -> written at once, in flight -> answered (engine_answers.c) -> completed.
 * Where it cannot be written now, the policy says whether it waits, is mocked or fails; what waits is written
 * by engine_dispatch, in order, as soon as it may be.
 *
 * Failure modes: deadline and cancel end a call wherever it is, and the server gets a cancel for one in flight; a
 * link that goes settles what was in flight by whether it had left and whether it may run twice; a full queue
 * refuses; without memory the one call fails. Every way out goes through engine_complete.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "engine_internal.h"

static struct call *call_of(struct list *node)
{
    return CONTAINER_OF(node, struct call, node);
}

/* The last fault's text, for a call that fails because of it. */
static const char *fault_text(const struct engine *e)
{
    return e->fault.text[0] ? e->fault.text : NULL;
}

/* Of a call in flight: have all of its bytes left? */
static bool was_sent(const struct engine *e, const struct call *c)
{
    return c->sent_end <= e->sent_total;
}

/* ---- where it goes ---- */

static bool can_send(const struct engine *e, const struct call *c)
{
    return c->to_relay ? engine_has_link(e) : engine_is_live(e) && e->link == ENGINE_READY;
}

static struct list *queue_of(struct engine *e, const struct call *c)
{
    return c->to_relay ? &e->to_relay : &e->waiting;
}

/* Where the last call went that went back to its queue; at first the queues themselves. */
struct requeue_hints {
    struct list *server;
    struct list *relay;
};

/* Many, more or less in the order of their ids. */
static void requeue(struct engine *e, struct call *c, struct requeue_hints *last)
{
    struct list **near = c->to_relay ? &last->relay : &last->server;
    engine_call_unlist(e, c);
    engine_call_wait(e, c, queue_of(e, c), *near);
    *near = &c->node;
}

static void send(struct engine *e, struct call *c, uint64_t now_ms)
{
    size_t before = buf_len(&e->out);
    int rc = call_write(c, &e->out);
    if (rc != 0) {
        engine_fail(e, c, rc == ERR_TOO_LARGE ? AR_E_TOO_LARGE : AR_E_NO_MEMORY, false, NULL, now_ms);
        return;
    }
    e->queued_total += buf_len(&e->out) - before;
    c->sent_end = e->queued_total;
    e->sent_id = later(e->sent_id, c->id);
    engine_call_set_in_flight(e, c);
}

void engine_dispatch(struct engine *e, uint64_t now_ms)
{
    while (engine_may_write(e)) {
        struct call *c = engine_call_next(e);
        if (!c)
            break;
        engine_call_unlist(e, c);
        send(e, c, now_ms);
    }
    engine_watch_writes(e, now_ms);
}

/* It cannot go now: what its policy says. */
static void apply_policy(struct engine *e, struct call *c, uint64_t now_ms)
{
    if (c->policy == AR_WAIT)
        return;
    if (c->policy == AR_MOCK)
        engine_call_mocked(e, c, now_ms);
    else
        engine_fail(e, c, AR_E_DEGRADED, false, fault_text(e), now_ms);
}

/* `c` is with the engine, and in no list. */
static void dispatch_or_queue(struct engine *e, struct call *c, uint64_t now_ms)
{
    bool goes = can_send(e, c);
    if (!goes && c->policy != AR_WAIT)
        apply_policy(e, c, now_ms);
    else if (goes && engine_may_write(e) && !engine_call_next(e))
        send(e, c, now_ms);
    else if (engine_queue_has_room(e, c))
        engine_call_wait(e, c, queue_of(e, c), queue_of(e, c)->prev);
    else
        engine_fail(e, c, AR_E_QUEUE_FULL, false, NULL, now_ms);
}

/* A call that was never admitted. */
static void refuse(struct engine *e, struct call *c, int code, uint64_t now_ms)
{
    engine_call_refuse(e, c);
    engine_fail(e, c, code, false, NULL, now_ms);
}

void engine_submit(struct engine *e, struct call *c, uint64_t now_ms)
{
    assert(c->state == CALL_UNQUEUED && !list_linked(&c->node));
    e->counters.calls++;
    if (e->link == ENGINE_CLOSED)
        refuse(e, c, AR_E_CLOSED, now_ms);
    else if (now_ms >= c->deadline_at_ms)
        refuse(e, c, AR_E_TIMEOUT, now_ms);
    else if (engine_call_admit(e, c) != 0)
        refuse(e, c, AR_E_NO_MEMORY, now_ms);
    else
        dispatch_or_queue(e, c, now_ms);
    engine_watch_writes(e, now_ms);
}

/* ---- given up ---- */

/* Of a call in flight the bytes can be taken back no more: even where they have not left, they will. */
static void abandon(struct engine *e, struct call *c, int code, const char *message, uint64_t now_ms)
{
    bool in_flight = c->state == CALL_IN_FLIGHT;
    if (in_flight)
        e->abandoned++;
    if (in_flight && !c->to_relay) {
        char id[24];
        (void)snprintf(id, sizeof(id), "%" PRIu64, c->id);
        engine_send_cancelled(e, id);
    }
    engine_fail(e, c, code, in_flight, message, now_ms);
}

/* How long it had, and what it waited for in vain. */
static void expire(struct engine *e, struct call *c, uint64_t now_ms)
{
    char text[sizeof(e->fault.text) + 80];
    bool in_vain = c->state == CALL_WAITING && !can_send(e, c) && e->fault.text[0] != '\0';
    (void)snprintf(text, sizeof(text), "no answer within the deadline of %" PRIu64 " ms%s%s",
                   c->deadline_at_ms - c->began_at_ms, in_vain ? ": " : "", in_vain ? e->fault.text : "");
    abandon(e, c, AR_E_TIMEOUT, text, now_ms);
}

void engine_cancel(struct engine *e, uint64_t id, uint64_t now_ms)
{
    struct call *c = engine_call_find(e, id);
    if (!c)
        return;
    abandon(e, c, AR_E_CANCELLED, NULL, now_ms);
    engine_dispatch(e, now_ms);
}

void engine_calls_expire(struct engine *e, uint64_t now_ms)
{
    struct heap_node *node;
    while ((node = heap_first(&e->deadlines)) && node->key <= now_ms)
        expire(e, CONTAINER_OF(node, struct call, deadline), now_ms);
}

/* ---- refused for the moment: retried later ---- */

void engine_call_retry_later(struct engine *e, struct call *c, uint64_t retry_after_ms, uint64_t now_ms)
{
    bool poll_decides = !c->to_relay && engine_polls(e) && e->list != ENGINE_LIST_NONE;
    engine_call_unlist(e, c);
    if (!engine_queue_has_room(e, c)) { /* else a relay that refuses all would fill it without end */
        engine_fail(e, c, AR_E_QUEUE_FULL, false, NULL, now_ms);
        return;
    }
    c->retry_after_poll = poll_decides ? e->good_polls + 1 : 0;
    c->not_before_ms = now_ms + (poll_decides ? retry_after_ms : later(retry_after_ms, ENGINE_RETRY_MS));
    if (c->not_before_ms > now_ms)
        e->retry_at_ms = earlier(e->retry_at_ms, c->not_before_ms);
    engine_call_wait(e, c, &e->retry_later, e->retry_later.prev);
}

void engine_calls_retry(struct engine *e, uint64_t now_ms)
{
    struct requeue_hints last = {&e->waiting, &e->to_relay};
    e->retry_at_ms = UINT64_MAX;
    LIST_EACH(node, safe, &e->retry_later)
    {
        struct call *c = call_of(node);
        if (c->not_before_ms <= now_ms && c->retry_after_poll <= e->good_polls)
            requeue(e, c, &last);
        else if (c->not_before_ms > now_ms)
            e->retry_at_ms = earlier(e->retry_at_ms, c->not_before_ms);
    }
}

/* ---- the link goes, or the server ---- */

static void settle(struct engine *e, struct call *c, struct requeue_hints *last, uint64_t now_ms)
{
    bool left = was_sent(e, c);
    bool again = c->policy == AR_WAIT && (!left || c->idempotent);
    if (again) {
        c->may_have_run = c->may_have_run || left;
        requeue(e, c, last);
    } else if (!left && c->policy == AR_MOCK) {
        engine_call_mocked(e, c, now_ms);
    } else {
        engine_fail(e, c, AR_E_CONNECTION_LOST, left, fault_text(e), now_ms);
    }
}

void engine_calls_link_lost(struct engine *e, uint64_t now_ms)
{
    struct requeue_hints last = {&e->waiting, &e->to_relay};
    LIST_EACH(node, safe, &e->in_flight)
    settle(e, call_of(node), &last, now_ms);
    LIST_EACH(node, safe, &e->to_relay)
    apply_policy(e, call_of(node), now_ms);
    engine_calls_not_live(e, now_ms);
}

void engine_calls_not_live(struct engine *e, uint64_t now_ms)
{
    LIST_EACH(node, safe, &e->waiting)
    apply_policy(e, call_of(node), now_ms);
}

static void close_list(struct engine *e, struct list *list, uint64_t now_ms)
{
    LIST_EACH(node, safe, list)
    {
        struct call *c = call_of(node);
        bool ran = c->state == CALL_IN_FLIGHT && was_sent(e, c);
        engine_fail(e, c, AR_E_CLOSED, ran, NULL, now_ms);
    }
}

void engine_calls_close(struct engine *e, uint64_t now_ms)
{
    close_list(e, &e->in_flight, now_ms);
    close_list(e, &e->waiting, now_ms);
    close_list(e, &e->to_relay, now_ms);
    close_list(e, &e->retry_later, now_ms);
    e->retry_at_ms = UINT64_MAX;
}

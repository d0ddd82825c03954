/* Which call stands where: the table of all calls, their deadlines, and the lists they wait in.
 *
 * Happy path: engine_call_admit puts a call into the table and the heap; engine_call_wait or _fly puts it
 * into one list and counts it; engine_call_remove takes it out of everything. What waits is in the order of
 * the ids, which is the order of the callers. A new call belongs at the back; where many go back at once,
 * each is looked for from where the last one went, so that all of them cost one walk and not one each.
 *
 * Failure modes: no memory for the table or the heap: the call is not admitted, and its owner says so.
 */
#include <assert.h>

#include "base/alloc.h"
#include "engine_internal.h"

static struct call *call_of(struct list *node)
{
    return CONTAINER_OF(node, struct call, node);
}

static bool same_id(const struct map_node *node, const void *key)
{
    const char *at = (const char *)node - offsetof(struct call, by_id);
    return ((const struct call *)(const void *)at)->id == *(const uint64_t *)key;
}

struct call *engine_call_find(const struct engine *e, uint64_t id)
{
    struct map_node *node = map_find(&e->calls, hash_u64(id), same_id, &id);
    return node ? CONTAINER_OF(node, struct call, by_id) : NULL;
}

/* ---- the state ---- */

#define BIT(state) (1u << (state))

static const unsigned moves[] = {
    [CALL_UNQUEUED] = BIT(CALL_WAITING) | BIT(CALL_IN_FLIGHT) | BIT(CALL_DONE),
    [CALL_WAITING] = BIT(CALL_UNQUEUED),
    [CALL_IN_FLIGHT] = BIT(CALL_UNQUEUED),
    [CALL_DONE] = 0,
};

/* The counts follow the state, so that they cannot differ from the lists. */
static void move(struct engine *e, struct call *c, enum call_state to)
{
    assert((moves[c->state] & BIT(to)) != 0);
    (void)moves;
    e->waiting_count = e->waiting_count - (c->state == CALL_WAITING) + (to == CALL_WAITING);
    e->in_flight_count = e->in_flight_count - (c->state == CALL_IN_FLIGHT) + (to == CALL_IN_FLIGHT);
    if (c->state == CALL_WAITING)
        e->waiting_bytes -= c->bytes;
    if (to == CALL_WAITING)
        e->waiting_bytes += c->bytes;
    c->state = to;
}

int engine_call_admit(struct engine *e, struct call *c)
{
    int rc = map_add(&e->calls, &c->by_id, hash_u64(c->id));
    if (rc != 0 || c->deadline_at_ms == UINT64_MAX)
        return rc;
    rc = heap_add(&e->deadlines, &c->deadline, c->deadline_at_ms);
    if (rc != 0)
        map_remove(&e->calls, &c->by_id);
    return rc;
}

void engine_call_unlist(struct engine *e, struct call *c)
{
    if (c->state == CALL_UNQUEUED)
        return;
    list_remove(&c->node);
    move(e, c, CALL_UNQUEUED);
}

void engine_call_remove(struct engine *e, struct call *c)
{
    engine_call_unlist(e, c);
    map_remove(&e->calls, &c->by_id);
    heap_remove(&e->deadlines, &c->deadline);
    move(e, c, CALL_DONE);
}

void engine_call_refuse(struct engine *e, struct call *c)
{
    move(e, c, CALL_DONE);
}

/* The node of the list (the list itself: before all) behind which `id` belongs, looked for from `near`. */
static struct list *place_of(struct list *list, struct list *near, uint64_t id)
{
    while (near != list && call_of(near)->id > id)
        near = near->prev;
    while (near->next != list && call_of(near->next)->id < id)
        near = near->next;
    return near;
}

void engine_call_wait(struct engine *e, struct call *c, struct list *list, struct list *near)
{
    move(e, c, CALL_WAITING);
    list_push_front(place_of(list, near, c->id), &c->node);
}

void engine_call_set_in_flight(struct engine *e, struct call *c)
{
    move(e, c, CALL_IN_FLIGHT);
    list_push_back(&e->in_flight, &c->node);
}

bool engine_queue_has_room(const struct engine *e, const struct call *c)
{
    size_t bytes;
    return e->waiting_count < e->options.queue_max_calls && size_add(e->waiting_bytes, c->bytes, &bytes) &&
           bytes <= e->options.queue_max_bytes;
}

bool engine_may_write(const struct engine *e)
{
    size_t most = e->options.in_flight_max > 0 ? e->options.in_flight_max : 1;
    return e->in_flight_count < most && buf_len(&e->out) < ENGINE_OUT_HIGH_BYTES;
}

static struct call *first(const struct list *list)
{
    return list_empty(list) ? NULL : call_of(list->next);
}

struct call *engine_call_next(const struct engine *e)
{
    struct call *to_server = engine_is_live(e) && e->link == ENGINE_READY ? first(&e->waiting) : NULL;
    struct call *to_relay = engine_has_link(e) ? first(&e->to_relay) : NULL;
    if (!to_server || !to_relay)
        return to_server ? to_server : to_relay;
    return to_server->id < to_relay->id ? to_server : to_relay;
}

/* The router itself: what all upstreams and sessions share, and time. */
#include <assert.h>
#include <errno.h>

#include "base/alloc.h"
#include "route/state.h"

/* What the relay writes itself: an initialize, a subscribe with its URI, an outage; and an error's message.
 * Far above what any of them needs. */
#define SCRATCH_BYTES_MAX ((size_t)1 << 20)

int router_new(const struct router_options *options, struct router **ret_router)
{
    struct router *r = mem_zalloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->options = *options;
    list_init(&r->servers);
    list_init(&r->sessions);
    list_init(&r->free_calls);
    list_init(&r->credit_waiters);
    map_init(&r->client_ids);
    heap_init(&r->deadlines);
    block_pool_init(&r->blocks);
    buf_init(&r->scratch, SCRATCH_BYTES_MAX);
    buf_init(&r->message, SCRATCH_BYTES_MAX);
    *ret_router = r;
    return 0;
}

void router_free(struct router *r)
{
    if (!r)
        return;
    assert(list_empty(&r->servers) && list_empty(&r->sessions));
    assert(r->pending == 0 && r->client_ids.count == 0);
    calls_done(r);
    map_done(&r->client_ids);
    heap_done(&r->deadlines);
    block_pool_done(&r->blocks);
    buf_done(&r->scratch);
    buf_done(&r->message);
    mem_free(r);
}

uint64_t router_next_deadline(const struct router *r)
{
    const struct heap_node *first = heap_first(&r->deadlines);
    return first ? first->key : ROUTE_NEVER;
}

/* Whatever expires sets itself again only for later than now, so this ends. */
void router_tick(struct router *r, uint64_t now_ms)
{
    struct heap_node *first;
    while ((first = heap_first(&r->deadlines)) && first->key <= now_ms) {
        struct deadline *d = CONTAINER_OF(first, struct deadline, node);
        heap_remove(&r->deadlines, first);
        d->expire(d, now_ms);
    }
}

void router_set_max_held(struct router *r, size_t bytes)
{
    r->max_held_bytes = bytes;
}

void router_set_max_expected(struct router *r, size_t bytes)
{
    r->max_expected_bytes = bytes;
}

size_t router_held_bytes(const struct router *r)
{
    return r->blocks.used_bytes + r->blocks.kept_bytes;
}

void router_drain(struct router *r)
{
    r->draining = true;
}

size_t router_pending(const struct router *r)
{
    return r->pending;
}

/* A bounded list, oldest first, with one deadline for its head. */
#include "route/parked.h"

#include <string.h>

#include "route/field.h"
#include "route/replies.h"
#include "route/tasks.h"

struct parked {
    struct list node;
    struct block *block; /* holds this struct, and the frame behind it */
    uint64_t until_ms;
    struct frame frame;
};

static void drop(struct upstream *upstream, struct parked *p)
{
    list_remove(&p->node);
    upstream->parked_count--;
    store_put(&upstream->router->store, p->block);
}

static struct parked *oldest(struct upstream *upstream)
{
    return list_empty(&upstream->parked) ? NULL : CONTAINER_OF(upstream->parked.next, struct parked, node);
}

static void on_over(struct deadline *d, uint64_t now_ms)
{
    struct upstream *upstream = CONTAINER_OF(d, struct upstream, park);
    struct parked *p;
    while ((p = oldest(upstream))) {
        if (p->until_ms > now_ms && deadline_set(upstream->router, d, p->until_ms) == 0)
            return;
        drop(upstream, p);
        upstream->stats.dropped_notifications++;
    }
}

void parked_init(struct upstream *upstream)
{
    list_init(&upstream->parked);
    heap_node_init(&upstream->park.node);
    upstream->park.expire = on_over;
}

void parked_keep(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct block *block = NULL;
    struct parked *first = oldest(upstream);
    if (first && upstream->parked_count >= PARKED_MAX) {
        drop(upstream, first);
        upstream->stats.dropped_notifications++;
    }
    if (frame->len <= PARKED_BYTES_MAX)
        block = store_get(&upstream->router->store, sizeof(struct parked) + frame->len);
    if (block && list_empty(&upstream->parked) &&
        deadline_set(upstream->router, &upstream->park, now_ms + PARKED_MS)) {
        store_put(&upstream->router->store, block);
        block = NULL;
    }
    if (!block) {
        upstream->stats.dropped_notifications++;
        return;
    }
    struct parked *p = (struct parked *)(void *)block->bytes;
    char *bytes = block->bytes + sizeof(*p);
    memcpy(bytes, frame->bytes, frame->len);
    *p = (struct parked){.block = block, .until_ms = now_ms + PARKED_MS, .frame = *frame};
    p->frame.bytes = bytes;
    list_push_back(&upstream->parked, &p->node);
    upstream->parked_count++;
}

static bool is_about(const struct parked *p, const char *id, size_t id_len)
{
    char bytes[TASK_ID_MAX];
    const struct span at = p->frame.env.task_id;
    size_t len = rpc_decode_string(p->frame.bytes + at.off, at.len, bytes, sizeof(bytes));
    return len == id_len && memcmp(bytes, id, len) == 0;
}

void parked_deliver(struct upstream *upstream, const char *id, size_t id_len, uint64_t now_ms)
{
    LIST_EACH(node, next, &upstream->parked)
    {
        struct parked *p = CONTAINER_OF(node, struct parked, node);
        if (!is_about(p, id, id_len))
            continue;
        const struct link_part part = {p->frame.bytes, p->frame.len};
        struct route_session *owner = tasks_status(upstream, &p->frame, now_ms);
        if (owner)
            session_send(owner, &part, 1);
        drop(upstream, p);
    }
}

void parked_forget(struct upstream *upstream)
{
    struct parked *p;
    while ((p = oldest(upstream)))
        drop(upstream, p);
    deadline_clear(upstream->router, &upstream->park);
}

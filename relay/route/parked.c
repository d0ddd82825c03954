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

static void drop(struct lane *lane, struct parked *p)
{
    list_remove(&p->node);
    lane->parked_count--;
    store_put(&lane->router->store, p->block);
}

static struct parked *oldest(struct lane *lane)
{
    return list_empty(&lane->parked) ? NULL : CONTAINER_OF(lane->parked.next, struct parked, node);
}

static void on_over(struct deadline *d, uint64_t now_ms)
{
    struct lane *lane = CONTAINER_OF(d, struct lane, park);
    struct parked *p;
    while ((p = oldest(lane))) {
        if (p->until_ms > now_ms && deadline_set(lane->router, d, p->until_ms) == 0)
            return;
        drop(lane, p);
        lane->stats.dropped_notifications++;
    }
}

void parked_init(struct lane *lane)
{
    list_init(&lane->parked);
    heap_node_init(&lane->park.node);
    lane->park.expire = on_over;
}

void parked_keep(struct lane *lane, const struct frame *frame, uint64_t now_ms)
{
    struct block *block = NULL;
    struct parked *first = oldest(lane);
    if (first && lane->parked_count >= PARKED_MAX) {
        drop(lane, first);
        lane->stats.dropped_notifications++;
    }
    if (frame->len <= PARKED_BYTES_MAX)
        block = store_get(&lane->router->store, sizeof(struct parked) + frame->len);
    if (block && list_empty(&lane->parked) && deadline_set(lane->router, &lane->park, now_ms + PARKED_MS)) {
        store_put(&lane->router->store, block);
        block = NULL;
    }
    if (!block) {
        lane->stats.dropped_notifications++;
        return;
    }
    struct parked *p = (struct parked *)(void *)block->bytes;
    char *bytes = block->bytes + sizeof(*p);
    memcpy(bytes, frame->bytes, frame->len);
    *p = (struct parked){.block = block, .until_ms = now_ms + PARKED_MS, .frame = *frame};
    p->frame.bytes = bytes;
    list_push_back(&lane->parked, &p->node);
    lane->parked_count++;
}

static bool is_about(const struct parked *p, const char *id, size_t id_len)
{
    char bytes[TASK_ID_MAX];
    const struct span at = p->frame.env.task_id;
    size_t len = rpc_decode_string(p->frame.bytes + at.off, at.len, bytes, sizeof(bytes));
    return len == id_len && memcmp(bytes, id, len) == 0;
}

void parked_deliver(struct lane *lane, const char *id, size_t id_len, uint64_t now_ms)
{
    LIST_EACH(node, next, &lane->parked)
    {
        struct parked *p = CONTAINER_OF(node, struct parked, node);
        if (!is_about(p, id, id_len))
            continue;
        const struct link_part part = {p->frame.bytes, p->frame.len};
        struct route_session *owner = tasks_status(lane, &p->frame, now_ms);
        if (owner)
            session_send(owner, &part, 1);
        drop(lane, p);
    }
}

void parked_forget(struct lane *lane)
{
    struct parked *p;
    while ((p = oldest(lane)))
        drop(lane, p);
    deadline_clear(lane->router, &lane->park);
}

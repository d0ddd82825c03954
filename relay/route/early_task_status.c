/* A bounded list, oldest first, with one deadline for its head. */
#include "route/early_task_status.h"

#include <string.h>

#include "route/replies.h"
#include "route/tasks.h"

struct early_status {
    struct list node;
    struct block *block; /* holds this struct, and the frame behind it */
    uint64_t until_ms;
    struct frame frame;
};

static void drop(struct upstream *upstream, struct early_status *p)
{
    list_remove(&p->node);
    upstream->early_status_count--;
    block_pool_put(&upstream->router->blocks, p->block);
}

static struct early_status *oldest(struct upstream *upstream)
{
    return list_empty(&upstream->early_statuses)
               ? NULL
               : CONTAINER_OF(upstream->early_statuses.next, struct early_status, node);
}

static void on_over(struct deadline *d, uint64_t now_ms)
{
    struct upstream *upstream = CONTAINER_OF(d, struct upstream, early_status_deadline);
    struct early_status *p;
    while ((p = oldest(upstream))) {
        if (p->until_ms > now_ms && deadline_set(upstream->router, d, p->until_ms) == 0)
            return;
        drop(upstream, p);
        upstream->stats.dropped_notifications++;
    }
}

void early_status_init(struct upstream *upstream)
{
    list_init(&upstream->early_statuses);
    heap_node_init(&upstream->early_status_deadline.node);
    upstream->early_status_deadline.expire = on_over;
}

void early_status_keep(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    struct block *block = NULL;
    struct early_status *first = oldest(upstream);
    if (first && upstream->early_status_count >= EARLY_STATUS_MAX) {
        drop(upstream, first);
        upstream->stats.dropped_notifications++;
    }
    if (frame->len <= EARLY_STATUS_BYTES_MAX)
        block = block_pool_get(&upstream->router->blocks, sizeof(struct early_status) + frame->len);
    if (block && list_empty(&upstream->early_statuses) &&
        deadline_set(upstream->router, &upstream->early_status_deadline, now_ms + EARLY_STATUS_MS)) {
        block_pool_put(&upstream->router->blocks, block);
        block = NULL;
    }
    if (!block) {
        upstream->stats.dropped_notifications++;
        return;
    }
    struct early_status *p = (struct early_status *)(void *)block->bytes;
    char *bytes = block->bytes + sizeof(*p);
    memcpy(bytes, frame->bytes, frame->len);
    *p = (struct early_status){.block = block, .until_ms = now_ms + EARLY_STATUS_MS, .frame = *frame};
    p->frame.bytes = bytes;
    list_push_back(&upstream->early_statuses, &p->node);
    upstream->early_status_count++;
}

static bool is_about(const struct early_status *p, const char *id, size_t id_len)
{
    char bytes[TASK_ID_MAX];
    const struct span at = p->frame.env.task_id;
    size_t len = rpc_decode_string(p->frame.bytes + at.off, at.len, bytes, sizeof(bytes));
    return len == id_len && memcmp(bytes, id, len) == 0;
}

void early_status_deliver(struct upstream *upstream, const char *id, size_t id_len, uint64_t now_ms)
{
    LIST_EACH(node, next, &upstream->early_statuses)
    {
        struct early_status *p = CONTAINER_OF(node, struct early_status, node);
        if (!is_about(p, id, id_len))
            continue;
        struct route_session *owner = tasks_status(upstream, &p->frame, now_ms);
        if (owner)
            session_pass(owner, &p->frame, false);
        drop(upstream, p);
    }
}

void early_status_forget(struct upstream *upstream)
{
    struct early_status *p;
    while ((p = oldest(upstream)))
        drop(upstream, p);
    deadline_clear(upstream->router, &upstream->early_status_deadline);
}

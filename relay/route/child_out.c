/* Messages to the child's link, and the list of those that found no room.
 *
 * Failure modes: the link closes (lane_down will follow: everything is dropped then); no memory to keep a
 * message: the caller decides; too much is owed already: ERR_FULL, which only a child that reads nothing can
 * bring about.
 */
#include "route/child_out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "route/replies.h"
#include "route/subscriptions.h"
#include "wire/rpc_error.h"

struct owed {
    struct list node;
    struct block *block; /* holds this struct, and the text behind it */
    size_t len;
    char text[];
};

static int note(struct lane *lane, int rc)
{
    if (rc == ERR_CLOSING)
        lane->child_closing = true;
    return rc;
}

static int send_parts(struct lane *lane, const struct link_part *parts, size_t count)
{
    if (!lane->child)
        return ERR_CLOSING;
    return note(lane, lane->child->ops->send(lane->child, parts, count));
}

int child_send(struct lane *lane, const char *text, size_t len)
{
    const struct link_part part = {text, len};
    return send_parts(lane, &part, 1);
}

int child_send_spliced(struct lane *lane, const char *text, size_t len, struct splice *splices, size_t count)
{
    if (!lane->child)
        return ERR_CLOSING;
    return note(lane, splice_send(lane->child, text, len, splices, count));
}

/* ---- what is owed ---- */

static int keep(struct lane *lane, const struct link_part *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    if (lane->owed_bytes >= OWED_BYTES_MAX)
        return ERR_FULL;
    struct block *block = store_get(&lane->router->store, sizeof(struct owed) + len);
    if (!block)
        return -ENOMEM;
    struct owed *o = (struct owed *)(void *)block->bytes;
    o->block = block;
    o->len = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0)
            memcpy(o->text + o->len, parts[i].bytes, parts[i].len);
        o->len += parts[i].len;
    }
    list_push_back(&lane->owed, &o->node);
    lane->owed_bytes += o->len;
    return 0;
}

int child_owe(struct lane *lane, const struct link_part *parts, size_t count)
{
    if (!lane->child || lane->child_closing)
        return ERR_CLOSING;
    if (list_empty(&lane->owed) && child_has_room(lane)) {
        int rc = send_parts(lane, parts, count);
        if (rc == 0 || rc == ERR_CLOSING)
            return rc;
    }
    return keep(lane, parts, count);
}

static void drop(struct lane *lane, struct owed *o)
{
    list_remove(&o->node);
    lane->owed_bytes -= o->len;
    store_put(&lane->router->store, o->block);
}

bool child_pay(struct lane *lane, uint64_t now_ms)
{
    while (!list_empty(&lane->owed)) {
        struct owed *o = CONTAINER_OF(lane->owed.next, struct owed, node);
        if (lane->child_closing || !child_has_room(lane) || child_send(lane, o->text, o->len))
            return false;
        drop(lane, o);
    }
    return subscriptions_pay(lane, now_ms);
}

void child_forget_owed(struct lane *lane)
{
    while (!list_empty(&lane->owed))
        drop(lane, CONTAINER_OF(lane->owed.next, struct owed, node));
    subscriptions_forget_owed(lane);
}

/* ---- answers ---- */

void child_give_up(struct lane *lane, const char *reason)
{
    if (!lane->child)
        return;
    lane->child_closing = true;
    lane->child->ops->close(lane->child, RPC_E_OVERLOADED, reason);
}

static void answer(struct lane *lane, const struct link_part *parts, size_t count)
{
    if (child_owe(lane, parts, count) == ERR_FULL)
        child_give_up(lane, "it asks and does not read the answers");
}

void child_error(struct lane *lane, const char *id, size_t id_len, int code, const char *message)
{
    char head[64];
    char room[ERROR_MESSAGE_ROOM];
    int len = snprintf(head, sizeof(head), ",\"error\":{\"code\":%d,\"message\":", code);
    const struct link_part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        {head, (size_t)len},
        error_message(lane->router, code, message, room),
        PART("}}"),
    };
    answer(lane, parts, sizeof(parts) / sizeof(parts[0]));
}

void child_result(struct lane *lane, const char *id, size_t id_len)
{
    const struct link_part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        PART(",\"result\":{}}"),
    };
    answer(lane, parts, sizeof(parts) / sizeof(parts[0]));
}

/* Messages to the child's link, and the list of those that found no room.
 *
 * Failure modes: the link closes (upstream_down will follow: everything is dropped then); no memory to keep a
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

static int note(struct upstream *upstream, int rc)
{
    if (rc == ERR_CLOSING)
        upstream->child_closing = true;
    return rc;
}

static int send_parts(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    if (!upstream->child)
        return ERR_CLOSING;
    return note(upstream, upstream->child->ops->send(upstream->child, parts, count));
}

int child_send(struct upstream *upstream, const char *text, size_t len)
{
    const struct link_part part = {text, len};
    return send_parts(upstream, &part, 1);
}

int child_send_spliced(struct upstream *upstream, const char *text, size_t len, struct splice *splices,
                       size_t count)
{
    if (!upstream->child)
        return ERR_CLOSING;
    return note(upstream, splice_send(upstream->child, text, len, splices, count));
}

/* ---- what is owed ---- */

static int keep(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    if (upstream->owed_bytes >= OWED_BYTES_MAX)
        return ERR_FULL;
    struct block *block = store_get(&upstream->router->store, sizeof(struct owed) + len);
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
    list_push_back(&upstream->owed, &o->node);
    upstream->owed_bytes += o->len;
    return 0;
}

int child_owe(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    if (!upstream->child || upstream->child_closing)
        return ERR_CLOSING;
    if (list_empty(&upstream->owed) && child_has_room(upstream)) {
        int rc = send_parts(upstream, parts, count);
        if (rc == 0 || rc == ERR_CLOSING)
            return rc;
    }
    return keep(upstream, parts, count);
}

static void drop(struct upstream *upstream, struct owed *o)
{
    list_remove(&o->node);
    upstream->owed_bytes -= o->len;
    store_put(&upstream->router->store, o->block);
}

bool child_pay(struct upstream *upstream, uint64_t now_ms)
{
    while (!list_empty(&upstream->owed)) {
        struct owed *o = CONTAINER_OF(upstream->owed.next, struct owed, node);
        if (upstream->child_closing || !child_has_room(upstream) || child_send(upstream, o->text, o->len))
            return false;
        drop(upstream, o);
    }
    return subscriptions_pay(upstream, now_ms);
}

void child_forget_owed(struct upstream *upstream)
{
    while (!list_empty(&upstream->owed))
        drop(upstream, CONTAINER_OF(upstream->owed.next, struct owed, node));
    subscriptions_forget_owed(upstream);
}

/* ---- answers ---- */

void child_give_up(struct upstream *upstream, const char *reason)
{
    if (!upstream->child)
        return;
    upstream->child_closing = true;
    upstream->child->ops->close(upstream->child, RPC_E_OVERLOADED, reason);
}

static void answer(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    if (child_owe(upstream, parts, count) == ERR_FULL)
        child_give_up(upstream, "it asks and does not read the answers");
}

void child_error(struct upstream *upstream, const char *id, size_t id_len, int code, const char *message)
{
    char head[64];
    char room[ERROR_MESSAGE_ROOM];
    int len = snprintf(head, sizeof(head), ",\"error\":{\"code\":%d,\"message\":", code);
    const struct link_part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        {head, (size_t)len},
        error_message(upstream->router, code, message, room),
        PART("}}"),
    };
    answer(upstream, parts, sizeof(parts) / sizeof(parts[0]));
}

void child_result(struct upstream *upstream, const char *id, size_t id_len)
{
    const struct link_part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        PART(",\"result\":{}}"),
    };
    answer(upstream, parts, sizeof(parts) / sizeof(parts[0]));
}

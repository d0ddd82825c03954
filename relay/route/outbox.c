/* Messages to the child's link, and the list of those that found no room.
 *
 * Failure modes: the link closes (upstream_down will follow: everything is dropped then); no memory to keep a
 * message: the caller decides; too much is owed already: ERR_FULL, which only a child that reads nothing can
 * bring about.
 */
#include "route/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "route/replies.h"
#include "route/subscriptions.h"
#include "wire/rpc_error.h"

struct outbox_message {
    struct list node;
    struct block *block; /* holds this struct, and the text behind it */
    size_t len;
    char text[];
};

static int note(struct upstream *upstream, int rc)
{
    if (rc == ERR_CLOSING)
        upstream->link_closing = true;
    return rc;
}

static int send_parts(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    if (!upstream->link)
        return ERR_CLOSING;
    return note(upstream, upstream->link->ops->send(upstream->link, parts, count));
}

int upstream_send(struct upstream *upstream, const char *text, size_t len)
{
    const struct link_part part = {text, len};
    return send_parts(upstream, &part, 1);
}

int upstream_send_spliced(struct upstream *upstream, const char *text, size_t len, struct splice *splices,
                          size_t count)
{
    if (!upstream->link)
        return ERR_CLOSING;
    return note(upstream, splice_send(upstream->link, text, len, splices, count));
}

/* ---- what is owed ---- */

static int keep(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    if (upstream->outbox_bytes >= OUTBOX_BYTES_MAX)
        return ERR_FULL;
    struct block *block = block_pool_get(&upstream->router->blocks, sizeof(struct outbox_message) + len);
    if (!block)
        return -ENOMEM;
    struct outbox_message *o = (struct outbox_message *)(void *)block->bytes;
    o->block = block;
    o->len = 0;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].len > 0)
            memcpy(o->text + o->len, parts[i].bytes, parts[i].len);
        o->len += parts[i].len;
    }
    list_push_back(&upstream->outbox, &o->node);
    upstream->outbox_bytes += o->len;
    return 0;
}

int outbox_enqueue(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    if (!upstream->link || upstream->link_closing)
        return ERR_CLOSING;
    if (list_empty(&upstream->outbox) && upstream_has_room(upstream)) {
        int rc = send_parts(upstream, parts, count);
        if (rc == 0 || rc == ERR_CLOSING)
            return rc;
    }
    return keep(upstream, parts, count);
}

static void drop(struct upstream *upstream, struct outbox_message *o)
{
    list_remove(&o->node);
    upstream->outbox_bytes -= o->len;
    block_pool_put(&upstream->router->blocks, o->block);
}

bool outbox_flush(struct upstream *upstream, uint64_t now_ms)
{
    while (!list_empty(&upstream->outbox)) {
        struct outbox_message *o = CONTAINER_OF(upstream->outbox.next, struct outbox_message, node);
        if (upstream->link_closing || !upstream_has_room(upstream) ||
            upstream_send(upstream, o->text, o->len))
            return false;
        drop(upstream, o);
    }
    return subscriptions_pay(upstream, now_ms);
}

void outbox_clear(struct upstream *upstream)
{
    while (!list_empty(&upstream->outbox))
        drop(upstream, CONTAINER_OF(upstream->outbox.next, struct outbox_message, node));
    subscriptions_forget_pending(upstream);
}

/* ---- answers ---- */

void upstream_give_up(struct upstream *upstream, const char *reason)
{
    if (!upstream->link)
        return;
    upstream->link_closing = true;
    upstream->link->ops->close(upstream->link, RPC_E_OVERLOADED, reason);
}

static void answer(struct upstream *upstream, const struct link_part *parts, size_t count)
{
    if (outbox_enqueue(upstream, parts, count) == ERR_FULL)
        upstream_give_up(upstream, "it asks and does not read the answers");
}

void upstream_reply_error(struct upstream *upstream, const char *id, size_t id_len, int code,
                          const char *message)
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

void upstream_reply_result(struct upstream *upstream, const char *id, size_t id_len)
{
    const struct link_part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        PART(",\"result\":{}}"),
    };
    answer(upstream, parts, sizeof(parts) / sizeof(parts[0]));
}

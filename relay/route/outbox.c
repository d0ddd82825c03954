/* Messages to the child's link, and the list of those that found no room.
 *
 * Failure modes: the link closes (upstream_down will follow: everything is dropped then); no memory to keep a
 * message: the caller decides; too much waits already: ERR_FULL, which only a child that reads nothing can
 * bring about.
 */
#include "route/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "route/replies.h"
#include "wire/rpc_error.h"

struct outbox_message {
    struct list node;
    struct block *block; /* holds this struct, the text behind it, and then `about` */
    enum message_kind kind;
    size_t len;
    size_t about_len;
    char text[];
};

int upstream_send(struct upstream *upstream, const struct message *message)
{
    if (!upstream->link)
        return ERR_CLOSING;
    int rc = upstream->link->ops->send(upstream->link, message);
    if (rc == ERR_CLOSING)
        upstream->link_closing = true;
    return rc;
}

int upstream_send_text(struct upstream *upstream, enum message_kind kind, const char *text, size_t len)
{
    const struct part part = {text, len};
    return upstream_send(upstream, &(struct message){.parts = &part, .part_count = 1, .kind = kind});
}

/* ---- what waits for room ---- */

static int keep(struct upstream *upstream, const struct message *message)
{
    size_t len = 0;
    for (size_t i = 0; i < message->part_count; i++)
        len += message->parts[i].len;
    if (upstream->outbox_bytes >= OUTBOX_BYTES_MAX)
        return ERR_FULL;
    struct block *block =
        block_pool_get(&upstream->router->blocks, sizeof(struct outbox_message) + len + message->about_len);
    if (!block)
        return -ENOMEM;
    struct outbox_message *o = (struct outbox_message *)(void *)block->bytes;
    char *to = o->text;
    o->block = block;
    o->kind = message->kind;
    o->len = len;
    o->about_len = message->about_len;
    for (size_t i = 0; i < message->part_count; i++) {
        if (message->parts[i].len > 0)
            memcpy(to, message->parts[i].bytes, message->parts[i].len);
        to += message->parts[i].len;
    }
    if (message->about)
        memcpy(to, message->about, message->about_len);
    list_push_back(&upstream->outbox, &o->node);
    upstream->outbox_bytes += o->len;
    return 0;
}

static int send_kept(struct upstream *upstream, const struct outbox_message *o)
{
    const struct part part = {o->text, o->len};
    return upstream_send(upstream, &(struct message){.parts = &part,
                                                     .part_count = 1,
                                                     .kind = o->kind,
                                                     .about = o->about_len > 0 ? o->text + o->len : NULL,
                                                     .about_len = o->about_len});
}

int outbox_enqueue(struct upstream *upstream, const struct message *message)
{
    if (!upstream->link || upstream->link_closing)
        return ERR_CLOSING;
    if (list_empty(&upstream->outbox) && upstream_has_room(upstream)) {
        int rc = upstream_send(upstream, message);
        if (rc == 0 || rc == ERR_CLOSING)
            return rc;
    }
    return keep(upstream, message);
}

int outbox_enqueue_text(struct upstream *upstream, enum message_kind kind, const char *text, size_t len)
{
    const struct part part = {text, len};
    return outbox_enqueue(upstream, &(struct message){.parts = &part, .part_count = 1, .kind = kind});
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
        if (upstream->link_closing || !upstream_has_room(upstream) || send_kept(upstream, o))
            return false;
        drop(upstream, o);
    }
    while (!list_empty(&upstream->deferred_sends)) {
        struct deferred_send *d = CONTAINER_OF(upstream->deferred_sends.next, struct deferred_send, node);
        if (upstream->link_closing || !upstream_has_room(upstream) || !d->send(d, now_ms))
            return false;
    }
    return true;
}

void outbox_clear(struct upstream *upstream)
{
    while (!list_empty(&upstream->outbox))
        drop(upstream, CONTAINER_OF(upstream->outbox.next, struct outbox_message, node));
    while (!list_empty(&upstream->deferred_sends)) {
        struct deferred_send *d = CONTAINER_OF(upstream->deferred_sends.next, struct deferred_send, node);
        d->forget(d);
    }
}

/* ---- answers ---- */

void upstream_give_up(struct upstream *upstream, const char *reason)
{
    if (!upstream->link)
        return;
    upstream->link_closing = true;
    upstream->link->ops->close(upstream->link, RPC_E_OVERLOADED, reason);
}

static void answer(struct upstream *upstream, enum message_kind kind, const struct part *parts, size_t count)
{
    const struct message message = {.parts = parts, .part_count = count, .kind = kind};
    if (outbox_enqueue(upstream, &message) == ERR_FULL)
        upstream_give_up(upstream, "it asks and does not read the answers");
}

void upstream_reply_error(struct upstream *upstream, const char *id, size_t id_len, int code,
                          const char *message)
{
    char head[64];
    char room[ERROR_MESSAGE_ROOM];
    int len = snprintf(head, sizeof(head), ",\"error\":{\"code\":%d,\"message\":", code);
    const struct part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        {head, (size_t)len},
        error_message(upstream->router, code, message, room),
        PART("}}"),
    };
    answer(upstream, MESSAGE_ERROR, parts, sizeof(parts) / sizeof(parts[0]));
}

void upstream_reply_result(struct upstream *upstream, const char *id, size_t id_len)
{
    const struct part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        PART(",\"result\":{}}"),
    };
    answer(upstream, MESSAGE_RESULT, parts, sizeof(parts) / sizeof(parts[0]));
}

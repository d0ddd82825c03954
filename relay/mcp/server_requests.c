/* The fourth identifier space. Out of memory: the child gets an error at once. A client's answer that cannot be
 * passed on costs the child its link, since a child that waits for ever is worse than one that starts afresh.
 */
#include "mcp/server_requests.h"

#include <stdio.h>
#include <string.h>

#include "route/outbox.h"
#include "route/replies.h"
#include "wire/rpc_error.h"

struct server_request {
    struct map_node node;      /* in upstream->protocol->server_requests, by id */
    struct list upstream_node; /* upstream->protocol->server_request_list */
    struct deadline deadline;
    struct upstream *upstream;
    struct block *block; /* holds this struct, and the child's raw id and token behind it */
    uint64_t id;         /* what the client sees */
    size_t id_len;       /* of the child's id */
    size_t token_len;
    char text[];
};

static bool is_server_request(const struct map_node *node, const void *key)
{
    const uint64_t *want = key;
    return CONST_CONTAINER_OF(node, struct server_request, node)->id == *want;
}

static struct server_request *find(const struct upstream *upstream, const char *text, struct span at)
{
    uint64_t id;
    if (!span_found(at) || !rpc_parse_id(text + at.off, at.len, &id))
        return NULL;
    struct map_node *node = map_find(&upstream->protocol->server_requests, id, is_server_request, &id);
    return node ? CONTAINER_OF(node, struct server_request, node) : NULL;
}

static struct route_session *asked(const struct upstream *upstream)
{
    if (list_empty(&upstream->sessions))
        return NULL;
    struct route_session *s = CONTAINER_OF(upstream->sessions.next, struct route_session, upstream_node);
    return s->dead ? NULL : s;
}

static void settle(struct server_request *q, uint64_t now_ms)
{
    struct upstream *upstream = q->upstream;
    map_remove(&upstream->protocol->server_requests, &q->node);
    list_remove(&q->upstream_node);
    deadline_clear(upstream->router, &q->deadline);
    block_pool_put(&upstream->router->blocks, q->block);
    if (list_empty(&upstream->sessions))
        return;
    struct route_session *s = CONTAINER_OF(upstream->sessions.next, struct route_session, upstream_node);
    if (--s->server_request_count == 0 && now_ms > s->clock_paused_since_ms)
        s->clock_paused_ms += now_ms - s->clock_paused_since_ms;
    scheduler_flow_control(s);
}

static void tell_cancelled(const struct server_request *q)
{
    char text[160];
    struct route_session *s = asked(q->upstream);
    int n = snprintf(
        text, sizeof(text),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%llu}}",
        (unsigned long long)q->id);
    const struct part part = {text, (size_t)n};
    if (s)
        session_send(s, &(struct message){.parts = &part, .part_count = 1, .kind = MESSAGE_NOTIFICATION});
}

static void on_unanswered(struct deadline *d, uint64_t now_ms)
{
    struct server_request *q = CONTAINER_OF(d, struct server_request, deadline);
    upstream_reply_error(q->upstream, q->text, q->id_len, RPC_E_TIMEOUT, "The client did not answer in time");
    tell_cancelled(q);
    settle(q, now_ms);
}

static struct server_request *server_request_new(struct upstream *upstream, const struct frame *frame)
{
    const struct rpc_envelope *env = &frame->env;
    struct block *block = block_pool_get(&upstream->router->blocks,
                                         sizeof(struct server_request) + env->id.len + env->meta_token.len);
    if (!block)
        return NULL;
    struct server_request *q = (struct server_request *)(void *)block->bytes;
    memset(q, 0, sizeof(*q));
    q->upstream = upstream;
    q->block = block;
    q->id = ++upstream->protocol->last_server_request;
    q->id_len = env->id.len;
    q->token_len = env->meta_token.len;
    memcpy(q->text, frame->bytes + env->id.off, q->id_len);
    memcpy(q->text + q->id_len, frame->bytes + env->meta_token.off, q->token_len);
    heap_node_init(&q->deadline.node);
    q->deadline.expire = on_unanswered;
    if (map_add(&upstream->protocol->server_requests, &q->node, q->id)) {
        block_pool_put(&upstream->router->blocks, block);
        return NULL;
    }
    list_push_back(&upstream->protocol->server_request_list, &q->upstream_node);
    return q;
}

/* The call in flight during which the child asks: known where there is one alone. */
static const struct call *only_call(const struct route_session *s)
{
    if (s->in_flight != 1)
        return NULL;
    for (const struct list *node = s->calls.next; node != &s->calls; node = node->next) {
        const struct call *c = CONST_CONTAINER_OF(node, struct call, session_node);
        if (c->state == CALL_IN_FLIGHT)
            return c;
    }
    return NULL;
}

void server_requests_forward(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                             uint64_t now_ms)
{
    (void)method;
    const struct rpc_envelope *env = &frame->env;
    const char *child_id = frame->bytes + env->id.off;
    struct route_session *s = asked(upstream);
    if (!s) {
        upstream_reply_error(upstream, child_id, env->id.len, RPC_E_CONNECTION_LOST, "The client is gone");
        return;
    }
    if (env->meta_token.len > upstream->router->options.max_id_bytes) {
        upstream_reply_error(upstream, child_id, env->id.len, RPC_E_INVALID_REQUEST,
                             "The progress token is too long");
        return;
    }
    struct server_request *q = upstream->protocol->server_requests.count < SERVER_REQUESTS_MAX
                                   ? server_request_new(upstream, frame)
                                   : NULL;
    if (!q) {
        upstream_reply_error(upstream, child_id, env->id.len, RPC_E_OVERLOADED,
                             "Too many requests to the client");
        return;
    }
    if (s->server_request_count++ == 0)
        s->clock_paused_since_ms = now_ms;
    scheduler_flow_control(s);
    if (deadline_set(upstream->router, &q->deadline, now_ms + SERVER_REQUEST_MS)) {
        upstream_reply_error(upstream, child_id, env->id.len, RPC_E_OVERLOADED, "Out of memory");
        settle(q, now_ms);
        return;
    }
    char id[ID_TEXT_MAX];
    size_t id_len = id_print(q->id, id);
    struct splice splices[] = {{env->id, id, id_len}, {env->meta_token, id, id_len}};
    struct part parts[SPLICE_PARTS_MAX];
    struct message message = {.parts = parts, .kind = MESSAGE_REQUEST};
    message.part_count = splice_parts(frame->bytes, frame->len, splices, 2, parts);
    const struct call *during = only_call(s);
    if (during) {
        message.about = during->id;
        message.about_len = during->id_len;
    }
    session_send(s, &message);
}

void server_requests_answer(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    struct part parts[SPLICE_PARTS_MAX];
    struct upstream *upstream = s->upstream;
    struct server_request *q = find(upstream, frame->bytes, frame->env.id);
    if (!q)
        return;
    struct splice splice = {frame->env.id, q->text, q->id_len};
    size_t count = splice_parts(frame->bytes, frame->len, &splice, 1, parts);
    const enum message_kind kind = frame->env.kind == RPC_ERROR ? MESSAGE_ERROR : MESSAGE_RESULT;
    int rc = outbox_enqueue(upstream, &(struct message){.parts = parts, .part_count = count, .kind = kind});
    if (rc && rc != ERR_CLOSING)
        upstream_give_up(upstream, "an answer to it could not be queued");
    settle(q, now_ms);
}

bool server_requests_malformed(struct route_session *s, const struct frame *frame, int code,
                               const char *message, uint64_t now_ms)
{
    struct server_request *q = frame->env.has_method ? NULL : find(s->upstream, frame->bytes, frame->env.id);
    if (!q)
        return false;
    upstream_reply_error(s->upstream, q->text, q->id_len, code, message);
    settle(q, now_ms);
    return true;
}

void server_requests_progress(struct route_session *s, const struct frame *frame, enum rpc_method method,
                              uint64_t now_ms)
{
    (void)method;
    (void)now_ms;
    struct server_request *q = find(s->upstream, frame->bytes, frame->env.param_token);
    if (!q || q->token_len == 0 || !upstream_has_room(s->upstream))
        return;
    struct splice splice = {frame->env.param_token, q->text + q->id_len, q->token_len};
    struct part parts[SPLICE_PARTS_MAX];
    const struct message message = {
        .parts = parts,
        .part_count = splice_parts(frame->bytes, frame->len, &splice, 1, parts),
        .kind = MESSAGE_NOTIFICATION,
        .droppable = true,
    };
    s->upstream->stats.dropped_notifications += upstream_send(s->upstream, &message) != 0;
}

void server_requests_cancelled(struct upstream *upstream, const struct frame *frame, enum rpc_method method,
                               uint64_t now_ms)
{
    (void)method;
    const struct span at = frame->env.request_id;
    LIST_EACH(node, next, &upstream->protocol->server_request_list)
    {
        struct server_request *q = CONTAINER_OF(node, struct server_request, upstream_node);
        if (!span_found(at) || q->id_len != at.len || memcmp(q->text, frame->bytes + at.off, at.len) != 0)
            continue;
        char id[ID_TEXT_MAX];
        struct splice splice = {at, id, id_print(q->id, id)};
        struct part parts[SPLICE_PARTS_MAX];
        struct route_session *s = asked(upstream);
        size_t count = splice_parts(frame->bytes, frame->len, &splice, 1, parts);
        if (s)
            session_send(
                s, &(struct message){.parts = parts, .part_count = count, .kind = MESSAGE_NOTIFICATION});
        settle(q, now_ms);
        return;
    }
    upstream->stats.dropped_notifications++;
}

void server_requests_leave(struct upstream *upstream, uint64_t now_ms)
{
    while (!list_empty(&upstream->protocol->server_request_list)) {
        struct server_request *q =
            CONTAINER_OF(upstream->protocol->server_request_list.next, struct server_request, upstream_node);
        upstream_reply_error(upstream, q->text, q->id_len, RPC_E_CONNECTION_LOST, "The client is gone");
        settle(q, now_ms);
    }
}

void server_requests_forget(struct upstream *upstream, uint64_t now_ms)
{
    while (!list_empty(&upstream->protocol->server_request_list)) {
        struct server_request *q =
            CONTAINER_OF(upstream->protocol->server_request_list.next, struct server_request, upstream_node);
        tell_cancelled(q);
        settle(q, now_ms);
    }
}

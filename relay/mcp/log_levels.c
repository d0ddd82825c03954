/* A message of a shared child names no client, so that by default nobody gets it. With "broadcast" the child
 * gets the most verbose level that any session asked for, and each session gets its own share.
 */
#include "mcp/log_levels.h"

#include <stdio.h>

#include "route/outbox.h"
#include "route/replies.h"
#include "wire/rpc_error.h"

static const char *const names[] = {"debug", "info",     "notice", "warning",
                                    "error", "critical", "alert",  "emergency"};

int log_level_parse(const char *text, struct span quoted)
{
    for (int i = 0; i < LEVEL_NONE; i++) {
        if (span_found(quoted) && rpc_string_is(text + quoted.off, quoted.len, names[i]))
            return i;
    }
    return LEVEL_NONE;
}

static void send_level(struct upstream *upstream, int level, uint64_t now_ms)
{
    char text[160];
    struct call *c = call_open_own(upstream, RPC_M_SET_LEVEL, now_ms);
    uint64_t id = c ? c->relay_id : calls_next_id(upstream);
    int n = snprintf(
        text, sizeof(text),
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"logging/setLevel\",\"params\":{\"level\":\"%s\"}}",
        (unsigned long long)id, names[level]);
    if (outbox_enqueue_text(upstream, MESSAGE_REQUEST, text, (size_t)n) == 0)
        upstream->protocol->sent_level = level;
    else if (c)
        call_close(c);
}

static bool is_broadcast(const struct upstream *upstream)
{
    return upstream->server->limits.log_messages == LOG_MESSAGES_BROADCAST;
}

static int most_verbose(const struct upstream *upstream)
{
    int level = LEVEL_NONE;
    for (const struct list *node = upstream->sessions.next; node != &upstream->sessions; node = node->next) {
        const struct route_session *s = CONST_CONTAINER_OF(node, struct route_session, upstream_node);
        if (s->protocol->level < level)
            level = s->protocol->level;
    }
    return level;
}

void log_levels_restore(struct upstream *upstream, uint64_t now_ms)
{
    upstream->protocol->sent_level = LEVEL_NONE;
    int level = is_broadcast(upstream) ? most_verbose(upstream) : LEVEL_NONE;
    if (level != LEVEL_NONE)
        send_level(upstream, level, now_ms);
}

void log_levels_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms)
{
    (void)method;
    const char *id = frame->bytes + frame->env.id.off;
    struct upstream *upstream = s->upstream;
    int level = log_level_parse(frame->bytes, frame->env.level);
    if (level == LEVEL_NONE) {
        const struct refusal why = {.code = RPC_E_INVALID_PARAMS,
                                    .message = "level is not one of the eight log levels"};
        reply_error(s, id, frame->env.id.len, &why);
        return;
    }
    s->protocol->level = level;
    if (is_broadcast(upstream) && upstream->state == UPSTREAM_READY && level < upstream->protocol->sent_level)
        send_level(upstream, level, now_ms);
    reply_raw(s, id, frame->env.id.len, MESSAGE_RESULT, "{}", 2);
}

void log_levels_message(struct upstream *upstream, const struct frame *frame)
{
    int level = log_level_parse(frame->bytes, frame->env.level);
    if (!is_broadcast(upstream)) {
        upstream->stats.dropped_notifications++;
        return;
    }
    LIST_EACH(node, next, &upstream->sessions)
    {
        struct route_session *s = CONTAINER_OF(node, struct route_session, upstream_node);
        if (!s->initialized || s->protocol->level == LEVEL_NONE || level < s->protocol->level || s->dead)
            continue;
        if (link_is_slow(s->link))
            s->dropped++;
        else
            session_pass(s, frame, true);
    }
}

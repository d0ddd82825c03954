/* A message of a shared child names no client, so that by default nobody gets it: then logging is not offered, and
 * refused. With "broadcast" the child gets the most verbose level that any session asked for, and each session gets its
 * own share; one that asked for no level gets all that comes, as from a child of its own.
 */
#include "mcp/log_levels.h"

#include <stdio.h>

#include "mcp/admission.h"
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

bool log_levels_are_offered(const struct upstream *upstream)
{
    return is_broadcast(upstream) && span_found(upstream->protocol->cache.logging);
}

void log_levels_restore(struct upstream *upstream, uint64_t now_ms)
{
    upstream->protocol->sent_level = LEVEL_NONE;
    int level = log_levels_are_offered(upstream) ? most_verbose(upstream) : LEVEL_NONE;
    if (level != LEVEL_NONE)
        send_level(upstream, level, now_ms);
}

/* Before the first handshake nobody knows whether the child has logging: the request waits for it. */
static void hold(struct route_session *s, const struct frame *frame, enum rpc_method method, uint64_t now_ms)
{
    struct call *c;
    if (!request_admit(s, frame, now_ms))
        return;
    if (call_open(s, frame, method, now_ms, &c)) {
        request_no_memory(s, frame);
        return;
    }
    call_move(c, CALL_HELD);
    list_push_back(&s->upstream->protocol->init_held, &c->upstream_node);
}

void log_levels_answer_held(struct call *c)
{
    static const struct refusal why = {.code = RPC_E_METHOD_NOT_FOUND};
    if (log_levels_are_offered(c->upstream)) {
        call_reply_raw(c, MESSAGE_RESULT, "{}", 2);
        return;
    }
    c->session->protocol->level = LEVEL_NONE;
    call_reply_error(c, &why);
}

void log_levels_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms)
{
    struct upstream *upstream = s->upstream;
    bool is_known = upstream->protocol->cache.result;
    if (!is_broadcast(upstream) || (is_known && !log_levels_are_offered(upstream))) {
        request_refuse(s, frame, RPC_E_METHOD_NOT_FOUND, NULL);
        return;
    }
    int level = log_level_parse(frame->bytes, frame->env.level);
    if (level == LEVEL_NONE) {
        request_refuse(s, frame, RPC_E_INVALID_PARAMS, "level is not one of the eight log levels");
        return;
    }
    s->protocol->level = level;
    if (!is_known) {
        hold(s, frame, method, now_ms);
        return;
    }
    if (upstream->state == UPSTREAM_READY && level < upstream->protocol->sent_level)
        send_level(upstream, level, now_ms);
    reply_raw(s, frame_id(frame), frame->env.id.len, MESSAGE_RESULT, "{}", 2);
}

/* A level that is none of the eight passes every filter. */
static bool is_wanted(const struct route_session *s, int level)
{
    return s->protocol->level == LEVEL_NONE || level >= s->protocol->level;
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
        if (!s->initialized || !is_wanted(s, level) || s->dead)
            continue;
        if (link_is_slow(s->link))
            s->dropped++;
        else
            session_pass(s, frame, true);
    }
}

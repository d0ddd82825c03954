/* Sorts a client's frames by kind, refuses those that are none, and looks up the rule of the others' method.
 *
 * Every request ends in one answer. A notification ends in none, however malformed: an error with id null would be an
 * answer that nobody asked for, and some clients drop their link for it. An answer to a request of the child (perSession) that cannot be read
 * becomes an error for the child, which would wait for it.
 */
#include "mcp/client_messages.h"

#include <stdio.h>

#include "mcp/initialize.h"
#include "mcp/methods.h"
#include "mcp/server_requests.h"
#include "mcp/tasks.h"
#include "route/replies.h"
#include "wire/json_member.h"
#include "wire/rpc_error.h"

/* Elements of a batch: ten times what the SDKs accept. */
#define BATCH_MAX 1000

/* Refuses a frame under its own id, or, where that would settle another request, under id null with data.id. */
static void refuse_frame(struct route_session *s, const struct frame *frame, bool was_answer,
                         struct refusal *why)
{
    const struct span at = frame->env.id;
    const char *id = frame->bytes + at.off;
    bool spoilt = frame->env.fault != RPC_OK && rpc_fault_code(frame->env.fault) == RPC_E_PARSE_ERROR;
    if (!span_found(at) || at.len > s->router->options.max_id_bytes || !frame_id_is_sound(frame)) {
        reply_error(s, NULL, 0, why);
    } else if (frame->env.id_null || was_answer || spoilt || calls_find_client(s, id, at.len)) {
        why->data_id = id;
        why->data_id_len = at.len;
        reply_error(s, NULL, 0, why);
    } else {
        reply_error(s, id, at.len, why);
    }
}

/* What answered a request of the child (perSession): the child gets an error, and the client one under no id,
 * since the number is not one of its own. */
static bool spoils(struct route_session *s, const struct frame *frame, const struct refusal *why,
                   const char *reason, uint64_t now_ms)
{
    return !upstream_is_shared(s->upstream) && server_requests_malformed(s, frame, why->code, reason, now_ms);
}

static void ignore(struct route_session *s, const char *reason)
{
    const struct router_options *options = &s->router->options;
    s->upstream->stats.dropped_notifications++;
    s->ignored++;
    if (options->on_ignored)
        options->on_ignored(options->data, s, reason, s->ignored);
}

static void refuse_invalid(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    char message[160];
    const char *reason = rpc_fault_text(frame->env.fault);
    if (frame->env.is_notice) {
        ignore(s, reason);
        return;
    }
    struct refusal why = {.code = rpc_fault_code(frame->env.fault), .message = message};
    bool was_answer = spoils(s, frame, &why, reason, now_ms);
    (void)snprintf(message, sizeof(message), "%s: %s", rpc_error_message(why.code), reason);
    refusal_reason(s->router, &why, reason, frame->env.fault_at);
    refuse_frame(s, frame, was_answer, &why);
}

static void refuse_too_large(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    char members[96];
    if (frame->env.kind == RPC_NOTIFICATION || frame->env.is_notice) {
        ignore(s, rpc_error_message(RPC_E_TOO_LARGE));
        return;
    }
    int n = snprintf(members, sizeof(members), "\"bytes\":%zu,\"limit\":%zu", frame->len,
                     s->router->options.max_frame_bytes);
    struct refusal why = {.code = RPC_E_TOO_LARGE, .members = members, .members_len = (size_t)n};
    bool was_answer = spoils(s, frame, &why, rpc_error_message(why.code), now_ms);
    refuse_frame(s, frame, was_answer, &why);
}

/* ---- requests and notifications ---- */

static void refuse_id(struct route_session *s, const struct frame *frame, const char *reason)
{
    char message[96];
    (void)snprintf(message, sizeof(message), "Invalid request: %s", reason);
    struct refusal why = {.code = RPC_E_INVALID_REQUEST, .message = message};
    refuse_frame(s, frame, false, &why);
}

static void on_request(struct route_session *s, const struct frame *frame, enum rpc_method method,
                       uint64_t now_ms)
{
    char reason[64];
    const struct span id = frame->env.id;
    size_t max = s->router->options.max_id_bytes;
    if (id.len > max) {
        (void)snprintf(reason, sizeof(reason), "the id is longer than %zu bytes", max);
        refuse_id(s, frame, reason);
    } else if (frame->env.id_null) {
        refuse_id(s, frame, "the id is null");
    } else if (calls_find_client(s, frame->bytes + id.off, id.len)) {
        refuse_id(s, frame, "the id is in flight already");
    } else if (frame->env.meta_token.len > max) {
        (void)snprintf(reason, sizeof(reason), "the progress token is longer than %zu bytes", max);
        refuse_id(s, frame, reason);
    } else if (upstream_is_shared(s->upstream) && tasks_name_anothers(s, frame)) {
        tasks_refuse(s, frame);
    } else {
        s->requests++;
        method_client_request(s, method)(s, frame, method, now_ms);
    }
}

static void on_notification(struct route_session *s, const struct frame *frame, enum rpc_method method,
                            uint64_t now_ms)
{
    method_client_notification(s, method)(s, frame, method, now_ms);
}

static void on_null_notification(struct route_session *s, const struct frame *frame, enum rpc_method method,
                                 uint64_t now_ms)
{
    struct buf text;
    struct frame notification;
    buf_init(&text, frame->len);
    if (frame_drop_null_id(frame, &text, &notification) == 0)
        on_notification(s, &notification, method, now_ms);
    else
        ignore(s, "out of memory");
    buf_done(&text);
}

static enum rpc_method method_of(const struct frame *frame)
{
    return rpc_method(frame->bytes + frame->env.method.off, frame->env.method.len);
}

/* ---- batches ---- */

static bool is_notification(const struct frame *frame)
{
    return frame->env.kind == RPC_NOTIFICATION || frame->env.is_notice || frame_is_null_notification(frame);
}

/* Notifications alone: a batch of them gets no answer, refused or not. */
static bool asks_nothing(const struct frame *batch)
{
    struct span element;
    size_t pos = 0;
    bool any = false;
    while (json_element_next(batch->bytes, batch->len, &pos, &element)) {
        struct frame one = {.bytes = batch->bytes + element.off, .len = element.len};
        rpc_scan_line(one.bytes, one.len, &one.env);
        if (!is_notification(&one))
            return false;
        any = true;
    }
    return any;
}

static void refuse_batch(struct route_session *s, const struct frame *frame, const char *message)
{
    const struct refusal why = {.code = RPC_E_INVALID_REQUEST, .message = message};
    if (asks_nothing(frame))
        ignore(s, message);
    else
        reply_error(s, NULL, 0, &why);
}

static size_t count_elements(const struct frame *frame)
{
    struct span element;
    size_t pos = 0;
    size_t count = 0;
    while (count <= BATCH_MAX && json_element_next(frame->bytes, frame->len, &pos, &element))
        count++;
    return count;
}

static void one_frame(struct route_session *s, const struct frame *frame, bool in_batch, uint64_t now_ms);

static void batch(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    struct span element;
    size_t pos = 0;
    size_t count = count_elements(frame);
    if (count == 0 || count > BATCH_MAX) {
        refuse_batch(s, frame,
                     count ? "Invalid request: more than 1000 messages in a batch"
                           : "Invalid request: an empty batch");
        return;
    }
    while (!s->dead && json_element_next(frame->bytes, frame->len, &pos, &element)) {
        struct frame one = {.bytes = frame->bytes + element.off, .len = element.len};
        rpc_scan_line(one.bytes, one.len, &one.env);
        one_frame(s, &one, true, now_ms);
    }
}

/* ---- the entry ---- */

static void one_frame(struct route_session *s, const struct frame *frame, bool in_batch, uint64_t now_ms)
{
    switch (frame->env.kind) {
    case RPC_REQUEST:
        if (frame_is_null_notification(frame))
            on_null_notification(s, frame, method_of(frame), now_ms);
        else
            on_request(s, frame, method_of(frame), now_ms);
        break;
    case RPC_NOTIFICATION:
        on_notification(s, frame, method_of(frame), now_ms);
        break;
    case RPC_RESULT:
    case RPC_ERROR:
        if (!upstream_is_shared(s->upstream))
            server_requests_answer(s, frame, now_ms);
        break;
    case RPC_BATCH:
        if (in_batch || !initialize_has_batches(s))
            refuse_batch(s, frame, "Invalid request: batches belong to revision 2025-03-26 alone");
        else
            batch(s, frame, now_ms);
        break;
    case RPC_INVALID:
        refuse_invalid(s, frame, now_ms);
        break;
    }
}

void client_message(struct route_session *s, const struct frame *frame, uint64_t now_ms)
{
    if (frame->oversize)
        refuse_too_large(s, frame, now_ms);
    else
        one_frame(s, frame, false, now_ms);
}

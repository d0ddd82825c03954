/* Errors and answers, composed of parts on the stack. Only a message that is not one of ours needs memory (to
 * be escaped); without it, the code's own message stands in.
 */
#include "route/replies.h"

#include <stdio.h>
#include <string.h>

#include "route/credit.h"
#include "route/hold.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

void session_hang_up(struct route_session *s, int code, const char *reason)
{
    if (s->dead)
        return;
    s->dead = true;
    s->link->ops->close(s->link, code, reason);
}

/* A link that closes already has its own reason. */
static void give_up(struct route_session *s, int rc)
{
    char reason[128];
    if (rc == ERR_CLOSING) {
        s->dead = true;
        return;
    }
    (void)snprintf(reason, sizeof(reason), "a message could not be queued: %s", err_text(rc));
    session_hang_up(s, RPC_E_OVERLOADED, reason);
}

static void send_on(struct route_session *s, struct link *link, const struct message *message)
{
    if (s->dead)
        return;
    int rc = link->ops->send(link, message);
    if (rc)
        give_up(s, rc);
    else
        hold_check_link(s);
}

void session_send(struct route_session *s, const struct message *message)
{
    send_on(s, s->link, message);
}

static size_t message_bytes(const struct message *message)
{
    size_t sum = 0;
    for (size_t i = 0; i < message->part_count; i++)
        sum += message->parts[i].len;
    return sum;
}

void call_send(struct call *c, const struct message *message)
{
    if (message->kind == MESSAGE_RESULT)
        credit_note_answer(c, message_bytes(message));
    send_on(c->session, c->link, message);
}

void session_pass(struct route_session *s, const struct frame *frame, bool droppable)
{
    const struct part part = {frame->bytes, frame->len};
    session_send(s,
                 &(struct message){
                     .parts = &part, .part_count = 1, .kind = MESSAGE_NOTIFICATION, .droppable = droppable});
}

struct part error_message(struct router *r, int code, const char *message, char room[ERROR_MESSAGE_ROOM])
{
    if (message) {
        struct writer w;
        buf_clear(&r->message);
        writer_init(&w, &r->message);
        write_cstring(&w, message);
        if (writer_end(&w) == 0)
            return (struct part){buf_data(&r->message), buf_len(&r->message)};
    }
    const char *own = rpc_error_message(code);
    int n = snprintf(room, ERROR_MESSAGE_ROOM, "\"%s\"", own ? own : "Error");
    return (struct part){room, (size_t)n};
}

void refusal_reason(struct router *r, struct refusal *why, const char *reason, size_t at)
{
    struct writer w;
    buf_clear(&r->scratch);
    writer_init(&w, &r->scratch);
    write_object(&w);
    write_member_string(&w, "reason", reason);
    write_member_uint(&w, "at", at);
    write_object_end(&w);
    if (writer_end(&w) == 0) {
        why->members = buf_data(&r->scratch) + 1;
        why->members_len = buf_len(&r->scratch) - 2;
    }
}

static void error_on(struct route_session *s, struct link *link, const char *id, size_t id_len,
                     const struct refusal *why)
{
    struct part parts[10];
    size_t n = 0;
    char code[64];
    char message[ERROR_MESSAGE_ROOM];
    char data[128];
    const char *name = rpc_error_name(why->code);

    parts[n++] = PART("{\"jsonrpc\":\"2.0\",\"id\":");
    parts[n++] = id ? (struct part){id, id_len} : PART("null");
    int len = snprintf(code, sizeof(code), ",\"error\":{\"code\":%d,\"message\":", why->code);
    parts[n++] = (struct part){code, (size_t)len};
    parts[n++] = error_message(s->router, why->code, why->message, message);
    len =
        snprintf(data, sizeof(data), ",\"data\":{\"relay\":true,\"code\":\"%s\",\"retryable\":%s,\"sent\":%s",
                 name ? name : "ERROR", rpc_error_is_retryable(why->code, why->sent) ? "true" : "false",
                 why->sent ? "true" : "false");
    parts[n++] = (struct part){data, (size_t)len};
    if (why->data_id) {
        parts[n++] = PART(",\"id\":");
        parts[n++] = (struct part){why->data_id, why->data_id_len};
    }
    if (why->members && why->members_len > 0) {
        parts[n++] = PART(",");
        parts[n++] = (struct part){why->members, why->members_len};
    }
    parts[n++] = PART("}}}");
    send_on(s, link,
            &(struct message){
                .parts = parts, .part_count = n, .kind = MESSAGE_ERROR, .about = id, .about_len = id_len});
}

void reply_error(struct route_session *s, const char *id, size_t id_len, const struct refusal *why)
{
    error_on(s, s->link, id, id_len, why);
}

void call_reply_error(struct call *c, const struct refusal *why)
{
    error_on(c->session, c->link, c->id, c->id_len, why);
}

static void raw_on(struct route_session *s, struct link *link, const char *id, size_t id_len,
                   enum message_kind kind, const char *json, size_t len)
{
    const struct part parts[] = {
        PART("{\"jsonrpc\":\"2.0\",\"id\":"),
        {id, id_len},
        kind == MESSAGE_RESULT ? PART(",\"result\":") : PART(",\"error\":"),
        {json, len},
        PART("}"),
    };
    send_on(s, link,
            &(struct message){.parts = parts,
                              .part_count = sizeof(parts) / sizeof(parts[0]),
                              .kind = kind,
                              .about = id,
                              .about_len = id_len});
}

void reply_raw(struct route_session *s, const char *id, size_t id_len, enum message_kind kind,
               const char *json, size_t len)
{
    raw_on(s, s->link, id, id_len, kind, json, len);
}

void call_reply_raw(struct call *c, enum message_kind kind, const char *json, size_t len)
{
    raw_on(c->session, c->link, c->id, c->id_len, kind, json, len);
}

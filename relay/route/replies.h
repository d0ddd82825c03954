/* What the relay itself says: errors and answers to clients. Nothing here fails: a client
 * that cannot be sent it loses its link instead, so that no request is ever left without either.
 */
#ifndef ROUTE_REPLIES_H
#define ROUTE_REPLIES_H

#include <stdbool.h>
#include <stddef.h>

#include "route/link.h"
#include "route/splice.h"
#include "route/state.h"
#include "wire/frame.h"

struct refusal {
    int code;
    bool sent;           /* the request had left the relay */
    const char *message; /* any text; NULL: the code's own */
    const char *members; /* inside of an object, no braces; NULL: none */
    size_t members_len;
    const char *data_id; /* the raw id, as data.id of an answer whose id is null; NULL: none */
    size_t data_id_len;
};

/* Gives the message to the client's link; when that fails, the link is closed. */
void session_send(struct route_session *s, const struct message *message);
/* The same to the link that the call's answers go to. */
void call_send(struct call *c, const struct message *message);
/* A frame as it stands, about no request. */
void session_pass(struct route_session *s, const struct frame *frame, bool droppable);
/* Closes the link with a reason; nothing is sent to, or taken from, the session from then on. */
void session_hang_up(struct route_session *s, int code, const char *reason);

/* Says in data what is wrong, and at which byte. The text lies in the router's scratch buffer: use the
 * refusal before anything else is written there. Without memory data says less. */
void refusal_reason(struct router *r, struct refusal *why, const char *reason, size_t at);
/* id NULL: null. */
void reply_error(struct route_session *s, const char *id, size_t id_len, const struct refusal *why);
/* `kind` is MESSAGE_RESULT or MESSAGE_ERROR, `json` its value. */
void reply_raw(struct route_session *s, const char *id, size_t id_len, enum message_kind kind,
               const char *json, size_t len);
/* The same for a call, whose answers go to the link that it came from. */
void call_reply_error(struct call *c, const struct refusal *why);
void call_reply_raw(struct call *c, enum message_kind kind, const char *json, size_t len);

#define ERROR_MESSAGE_ROOM 64
/* An error's message as a JSON string, in the router's message buffer or in `room`. NULL: the code's own. */
struct part error_message(struct router *r, int code, const char *message, char room[ERROR_MESSAGE_ROOM]);

#endif

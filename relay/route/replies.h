/* What the relay itself says: errors and answers to clients. Nothing here fails: a client
 * that cannot be told loses its link instead, so that no request is ever left without either.
 */
#ifndef ROUTE_REPLIES_H
#define ROUTE_REPLIES_H

#include <stdbool.h>
#include <stddef.h>

#include "route/link.h"
#include "route/splice.h"
#include "route/state.h"
#include "wire/frame.h"

/* A literal as a part of a message. */
#define PART(text) ((struct link_part){(text), sizeof(text) - 1})

struct refusal {
    int code;
    bool sent;           /* the request had left the relay */
    const char *message; /* any text; NULL: the code's own */
    const char *members; /* inside of an object, no braces; NULL: none */
    size_t members_len;
    const char *data_id; /* the raw id, as data.id of an answer whose id is null; NULL: none */
    size_t data_id_len;
};

/* Gives the parts to the client's link; when that fails, the link is closed. */
void session_send(struct route_session *s, const struct link_part *parts, size_t count);
void session_send_spliced(struct route_session *s, const char *text, size_t len, struct splice *splices,
                          size_t count);
/* Closes the link with a reason; nothing is sent to, or taken from, the session from then on. */
void session_hang_up(struct route_session *s, int code, const char *reason);

/* Says in data what is wrong, and at which byte. The text lies in the router's scratch buffer: use the
 * refusal before anything else is written there. Without memory data says less. */
void refusal_reason(struct router *r, struct refusal *why, const char *reason, size_t at);
/* id NULL: null. */
void reply_error(struct route_session *s, const char *id, size_t id_len, const struct refusal *why);
/* `key` is "result" or "error", `json` its value. */
void reply_raw(struct route_session *s, const char *id, size_t id_len, const char *key, const char *json,
               size_t len);

#define ERROR_MESSAGE_ROOM 64
/* An error's message as a JSON string, in the router's message buffer or in `room`. NULL: the code's own. */
struct link_part error_message(struct router *r, int code, const char *message,
                               char room[ERROR_MESSAGE_ROOM]);

#endif

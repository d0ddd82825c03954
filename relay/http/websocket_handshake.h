/* The handshake of WebSocket (RFC 6455 4), of either role. Pure. Extensions are not taken, so an offer of
 * permessage-deflate is declined by saying nothing. Host and Origin are http_guard.h's.
 *
 *   server: websocket_offer_read, then websocket_append_accept (now the connection speaks frames) or
 *           websocket_append_refusal
 *   client: websocket_append_request, then, with the response's head, websocket_check_response
 */
#ifndef HTTP_WEBSOCKET_HANDSHAKE_H
#define HTTP_WEBSOCKET_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http_head.h"
#include "http/http_response.h"

#define WEBSOCKET_KEY_LEN     24
#define WEBSOCKET_ACCEPT_SIZE 29 /* 28 characters and a NUL */

struct websocket_offer {
    char accept[WEBSOCKET_ACCEPT_SIZE]; /* Sec-WebSocket-Accept */
    /* The subprotocol that both know, out of `protocols`; NULL: none is named in the answer. */
    const char *protocol;
};

/* Reads a request for an upgrade. `protocols`: those that we speak, NULL-terminated, the preferred one
 * first; NULL: none. A client that offers only others is accepted without one. false: *ret_refusal says
 * why: 405 (not GET), 426 (no upgrade asked for, another version), 400 (the key, a body). */
bool websocket_offer_read(const struct http_head *head, const char *const *protocols,
                          struct websocket_offer *ret_offer, struct http_refusal *ret_refusal);
/* 101. ERR_TOO_LARGE, -ENOMEM. */
MUSTCHECK int websocket_append_accept(struct buf *out, const struct websocket_offer *offer);
/* The refusal as an answer, with what the client needs to do better: Sec-WebSocket-Version, or Allow. */
MUSTCHECK int websocket_append_refusal(struct buf *out, struct http_terms terms,
                                       const struct http_refusal *refusal);

/* The accept value for a key of WEBSOCKET_KEY_LEN characters. */
void websocket_accept_of(const char *key, char out[WEBSOCKET_ACCEPT_SIZE]);

/* ---- client ---- */

/* A key from 16 random bytes, with a NUL. */
void websocket_make_key(const uint8_t random[16], char out[WEBSOCKET_KEY_LEN + 1]);
/* The request. `host`: HOST[:PORT]; `path`: percent-encoded, with its query; `protocol`: NULL: none;
 * `authorization`: the field's value, NULL: none. ERR_SYNTAX: one of them has a control byte or a blank
 * where none may be; ERR_TOO_LARGE, -ENOMEM. */
MUSTCHECK int websocket_append_request(struct buf *out, const char *host, const char *path, const char *key,
                                       const char *protocol, const char *authorization);
/* The response (http_head_reader of HTTP_RESPONSE) agrees to the request with this key and protocol; else a
 * static sentence that says why not. *ret_protocol: whether the server chose the protocol. */
const char *websocket_check_response(const struct http_head *head, const char *key, const char *protocol,
                                     bool *ret_protocol);

#endif

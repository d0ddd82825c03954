/* The head of a response, and its body where that is at hand. Pure; appends to a buffer that the caller
 * keeps, so that an answer allocates nothing in steady state.
 *
 *   struct http_response r;
 *   http_response_begin(&r, &out, terms, 200);
 *   http_response_field(&r, "Cache-Control", "no-store");
 *   rc = http_response_end(&r, "application/json", body, len);
 *
 * Each http_response_end* writes what frames the body (Content-Length, Transfer-Encoding, Connection) and
 * the empty line. The first error sticks and is returned there; the buffer then holds what it held before.
 * Nothing else writes these fields: naming one of them is our bug and asserts.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "http/http_head.h"

/* Sent before a body that waits for it (http_head.expects_continue), when that body is wanted. */
#define HTTP_CONTINUE "HTTP/1.1 100 Continue\r\n\r\n"

/* What the request asks of its answer; outlives the head. */
struct http_terms {
    bool head_only;  /* HEAD: no body, though its length is named */
    bool keep_alive; /* else the answer says Connection: close, and the caller closes behind it */
    bool is_old;     /* HTTP/1.0: keep-alive is said, and a stream ends with the connection */
};

/* Of a request whose head was read. A caller that closes for another reason clears keep_alive. */
struct http_terms http_terms_of(const struct http_head *head);
/* Of one that was refused: nothing is known, and the connection closes. */
struct http_terms http_terms_of_refused(void);

struct http_response {
    struct buf *out; /* borrowed */
    size_t before;   /* bytes in it at the beginning */
    int error;       /* 0, or the first failure */
    unsigned status;
    struct http_terms terms;
};

void http_response_begin(struct http_response *r, struct buf *out, struct http_terms terms, unsigned status);
/* ERR_SYNTAX at the end for a value with a control byte: nothing that a peer chose can end the field. */
void http_response_field(struct http_response *r, const char *name, const char *value);
void http_response_field_part(struct http_response *r, const char *name, struct part value);
void http_response_field_uint(struct http_response *r, const char *name, uint64_t value);

/* All of these: ERR_SYNTAX, ERR_TOO_LARGE, -ENOMEM. `type` is the Content-Type. */

/* With the body, which is left out for HEAD. Not for a status without one (http_status_is_bodiless). */
MUSTCHECK int http_response_end(struct http_response *r, const char *type, const char *body, size_t len);
/* The caller sends the body itself: `len` bytes, none for HEAD. */
MUSTCHECK int http_response_end_head(struct http_response *r, const char *type, uint64_t len);
/* Without a body: Content-Length: 0 where the status could have one. */
MUSTCHECK int http_response_end_empty(struct http_response *r);
/* The body has no length yet. *ret_chunked: it is to be sent in chunks, each within http_chunk_begin and
 * HTTP_CHUNK_END, and HTTP_LAST_CHUNK at its end (http_sse.h writes events so by itself); else (HTTP/1.0)
 * as it is, and the connection's close ends it: its terms have keep_alive cleared. For HEAD nothing is to
 * be sent. */
MUSTCHECK int http_response_end_stream(struct http_response *r, const char *type, bool *ret_chunked);
/* 101: the connection speaks what the Upgrade field named; the caller's fields say what. */
MUSTCHECK int http_response_end_upgrade(struct http_response *r, const char *protocol);

/* ---- chunks of a body ---- */

#define HTTP_CHUNK_HEAD_MAX 18 /* 16 digits, CRLF */
#define HTTP_CHUNK_END      "\r\n"
#define HTTP_LAST_CHUNK     "0\r\n\r\n"

/* The bytes before a chunk of `len`, 1 or more; returns how many. No NUL. */
size_t http_chunk_begin(uint64_t len, char out[HTTP_CHUNK_HEAD_MAX]);

#endif

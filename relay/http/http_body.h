/* The body of a request, by Content-Length or chunked. Pure; nothing is copied, nothing allocated.
 *
 *   http_body_begin -> http_body_next until HTTP_BODY_END or HTTP_BODY_REFUSED; then the next request's head
 *
 * The pieces are pieces of the chunk that came in. They suit frame_feed_chunk (wire/frame.h) as they are,
 * HTTP_BODY_END being the last: a body that came whole, in one chunk, is one piece. Where the pieces are
 * cut depends on the chunks; what they are together, and the verdict, do not.
 *
 * An answer may be ready before the body is over. The rest of the body must then still be taken off the
 * connection (its pieces are thrown away) before the next head is read, or the connection be closed.
 *
 * Refused, with the connection to be closed behind the answer: a body over the limit (413, at its
 * announcement, before any of the bytes beyond it); in a chunked body (400) a size that is no hexadecimal
 * number of 1 to 8 digits, an extension, a trailer, a line end that is not CRLF.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/part.h"
#include "http/http_head.h"

enum http_body_result {
    HTTP_BODY_MORE, /* the chunk is used up */
    HTTP_BODY_DATA, /* *ret_data is a piece, of 1 byte or more; not known to be the last */
    HTTP_BODY_END,  /* *ret_data is the last piece, and may be empty; the chunk's rest is the next request */
    HTTP_BODY_REFUSED, /* body->refusal says why; so does every later call */
};

struct http_body {
    uint64_t left;     /* bytes to come: of the body, or of the chunk under way */
    uint64_t received; /* of the body, those of the chunk under way that are to come included */
    uint64_t max_bytes;
    struct http_refusal refusal; /* status 0 until HTTP_BODY_REFUSED */
    uint8_t state;
    uint8_t digits; /* of the chunk's size */
};

/* For any request: one that announces no body has an empty one, and the first http_body_next, with `len` 0
 * too, returns HTTP_BODY_END. */
void http_body_begin(struct http_body *b, const struct http_head *head, uint64_t max_bytes);
/* Takes bytes of the body, moving *bytes and *len over them. To be called with `len` 0 as well: see above.
 * Not after HTTP_BODY_END. */
enum http_body_result http_body_next(struct http_body *b, const char **bytes, size_t *len,
                                     struct part *ret_data);
/* Nothing of the body is to come: it is over, or there is none. */
bool http_body_is_over(const struct http_body *b);

#endif

/* An answer that says what was wrong: a JSON object {"error":"There is nothing at /x."}. Pure. */
#ifndef HTTP_ERROR_H
#define HTTP_ERROR_H

#include "base/buf.h"
#include "http/http_response.h"

/* Ends a response that the caller began, with fields of its own, on a status of 400 or above. The sentence
 * may be untrusted text: what is not valid UTF-8 in it becomes U+FFFD. ERR_SYNTAX, ERR_TOO_LARGE, -ENOMEM as
 * http_response_end. */
MUSTCHECK int http_error_end(struct http_response *r, const char *sentence);

/* A whole answer. */
MUSTCHECK int http_error_append(struct buf *out, struct http_terms terms, unsigned status,
                                const char *sentence);
/* To a request that was refused (http_head.h, http_body.h); the connection closes behind it. */
MUSTCHECK int http_error_append_refusal(struct buf *out, const struct http_refusal *refusal);
/* 404, naming the path as the request wrote it. */
MUSTCHECK int http_error_append_not_found(struct buf *out, struct http_terms terms, struct part path);
/* 405 with Allow, naming the method; `allowed` is a set of methods (http_route_match). */
MUSTCHECK int http_error_append_method(struct buf *out, struct http_terms terms, struct part method,
                                       unsigned allowed);

#endif

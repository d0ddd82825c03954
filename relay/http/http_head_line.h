/* The first line of a head, without its CRLF. Internal to http_head.c. */
#ifndef HTTP_HEAD_LINE_H
#define HTTP_HEAD_LINE_H

#include "http/http_head.h"

/* The line is [off, off + len) of `bytes`, into which the spans point. false: *ret_refusal says why;
 * *ret_line is then not to be used. */
bool http_head_line_request(const char *bytes, size_t off, size_t len, struct http_line *ret_line,
                            struct http_refusal *ret_refusal);
/* HTTP/1.x SP three digits SP anything. */
bool http_head_line_status(const char *bytes, size_t off, size_t len, struct http_line *ret_line,
                           struct http_refusal *ret_refusal);

#endif

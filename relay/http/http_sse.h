/* Server-sent events (the WHATWG HTML standard, 9.2), of one line of data each. Pure.
 *
 * The data is JSON, whose raw line ends are white space between values: an event's data has none, since a
 * line end would end the line, so each becomes a space. Data that has none can be sent from where it stands:
 *
 *   struct http_sse_frame f;
 *   if (http_sse_open(&f, &event, len, chunked) == 0)  send f.head, the data's parts, f.tail
 *
 * http_sse_append copies it, and replaces line ends.
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/part.h"
#include "http/http_response.h"

#define HTTP_SSE_TYPE "text/event-stream"
/* Longest id and name of an event: ids of ours are a stream's number and a count. */
#define HTTP_SSE_WORD_MAX 128

/* What an event says beside its data. All zero: data alone. */
struct http_sse_event {
    const char *id;    /* NULL: none; what Last-Event-ID brings back. No control characters, like `name` */
    const char *name;  /* NULL: "message" */
    uint32_t retry_ms; /* 0: none; how long a client waits before it connects again */
};

/* The bytes around an event's data, within its chunk where the stream is chunked. */
struct http_sse_frame {
    char head[2 * HTTP_SSE_WORD_MAX + 80];
    size_t head_len;
    struct part tail; /* static */
};

/* For data of `data_len` bytes (may be 0: a client then keeps the id and fires nothing). ERR_TOO_LARGE,
 * ERR_SYNTAX: id or name are too long, or have a control character. */
MUSTCHECK int http_sse_open(struct http_sse_frame *f, const struct http_sse_event *event, size_t data_len,
                            bool chunked);
/* Some part has a CR or LF. */
bool http_sse_has_line_end(const struct part *parts, size_t count);
/* A whole event. `out` holds all of it or nothing: ERR_TOO_LARGE, -ENOMEM, ERR_SYNTAX. */
MUSTCHECK int http_sse_append(struct buf *out, const struct http_sse_event *event, const struct part *parts,
                              size_t count, bool chunked);

/* A comment, which clients skip: keeps proxies from closing a quiet stream. Static. */
struct part http_sse_keep_alive(bool chunked);

/* Ends a response that the caller began, with fields of its own, as a stream of events: Content-Type, no
 * caching, no buffering by proxies. *ret_chunked as http_response_end_stream, for all the events that
 * follow. */
MUSTCHECK int http_sse_end_head(struct http_response *r, bool *ret_chunked);

#endif

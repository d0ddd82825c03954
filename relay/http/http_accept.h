/* Media types: what a body is, and what a client accepts (RFC 9110 8.3.1, 12.5.1). Pure. */
#ifndef HTTP_ACCEPT_H
#define HTTP_ACCEPT_H

#include <stdbool.h>

#include "base/part.h"
#include "http/http_head.h"

/* The media type is `type` ("application/json"), whatever its letter case and parameters (; charset=utf-8).
 * */
bool http_media_type_is(struct part value, const char *type);
/* The Content-Type field names `type`; false where it is absent. */
bool http_head_has_type(const struct http_head *head, const char *type);

/* How much the client wants `type`, in thousandths: of its Accept fields the most specific range decides,
 * type/subtype before type / * before * / *; 0: not at all. Without an Accept field everything is accepted,
 * 1000. A range that is malformed accepts nothing. */
unsigned http_accept_quality(const struct http_head *head, const char *type);
/* The Accept fields name `type` itself, not only by a range, with a quality above 0: what MCP asks for. */
bool http_accept_names(const struct http_head *head, const char *type);

#endif

/* Which route a request takes: a table of methods and path patterns. Pure; the table is the caller's, and
 * static.
 *
 *   static const struct http_route routes[] = {
 *       {HTTP_GET, "/health", PAGE_HEALTH},
 *       {HTTP_GET, "/api/v1/servers/{name}/tools", PAGE_TOOLS},
 *       {HTTP_POST, "/api/v1/servers/{name}/tools/{tool}", PAGE_TOOL},
 *   };
 *   switch (http_route_find(routes, COUNT, head.line.method, http_head_path(&head), &match)) ...
 *
 * A pattern is a path of segments; {x} takes one segment that is not empty. Segments are compared
 * percent-decoded, each by itself: an encoded slash does not divide, so that "a%2fb" is one parameter.
 * Nothing is normalised: a path with an empty segment, a dot segment or a slash more at its end is another
 * path. The first row that fits wins, so that a literal one stands before one with a parameter in that place.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include <stddef.h>

#include "base/part.h"
#include "http/http_method.h"

#define HTTP_ROUTE_MAX_PARAMS 4
/* Of all parameters of a path, decoded, a NUL behind each. */
#define HTTP_ROUTE_PARAM_BYTES 1024

struct http_route {
    unsigned methods;    /* HTTP_GET | HTTP_POST ...; HTTP_GET takes HEAD too */
    const char *pattern; /* static; at most HTTP_ROUTE_MAX_PARAMS parameters */
    int id;              /* the caller's */
};

enum http_route_result {
    HTTP_ROUTE_FOUND,
    HTTP_ROUTE_NOT_FOUND, /* 404: no pattern fits the path */
    HTTP_ROUTE_METHOD,    /* 405: `allowed` says what this path takes */
    HTTP_ROUTE_OPTIONS,   /* OPTIONS of a path without a row for it, or of *: 204 with Allow */
    HTTP_ROUTE_BAD, /* 400: a parameter that is not valid UTF-8, has a control character, or is too long */
};

struct http_route_match {
    const struct http_route *route; /* of HTTP_ROUTE_FOUND */
    unsigned allowed;               /* methods of this path, HEAD and OPTIONS included: for Allow */
    unsigned count;                 /* of parameters, in the order of the pattern */
    struct part
        params[HTTP_ROUTE_MAX_PARAMS]; /* decoded, NUL-terminated, in `text`; moving the match breaks them */
    char text[HTTP_ROUTE_PARAM_BYTES];
};

/* `path`: http_head_path. *ret_match is scratch but for what the result says. */
enum http_route_result http_route_find(const struct http_route *routes, size_t count, enum http_method method,
                                       struct part path, struct http_route_match *ret_match);

#endif

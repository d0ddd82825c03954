/* Which requests a page in a browser could have caused, and must not (403). Pure.
 *
 * A page of another origin can send requests here, and open WebSockets: its Origin field reveals it. A page
 * whose own name was made to point here (DNS rebinding) has this origin for its browser, and could read
 * every answer: the Host field, which has that name, reveals it. So, on every path, the events and
 * WebSockets included:
 *
 *   Host     loopback, an address, a name of one label (no public name is one: relay, as Compose and
 *            Kubernetes call it), or one of `hosts`; HTTP/1.0 without Host is no browser
 *   Origin   absent (no page of another origin), loopback's, one of `origins`, or, where `own_origin` is
 *            set, the host that the request was sent to; "null" is none of them
 *
 * And a POST must be application/json (415, http_head_has_type), for which a browser asks first (OPTIONS),
 * and gets no leave.
 */
#ifndef HTTP_GUARD_H
#define HTTP_GUARD_H

#include <stdbool.h>

#include "base/part.h"
#include "http/http_head.h"

struct http_guard {
    const char *const
        *hosts; /* NULL-terminated, or NULL: NAME (any port), NAME:PORT, *.NAME (names below it) */
    const char *const *origins; /* NULL-terminated, or NULL: scheme://HOST[:PORT], or * (any, "null" too) */
    bool own_origin;            /* pages that this service serves may command it */
};

/* What may stand in the lists. */
bool http_guard_is_host(const char *text);
bool http_guard_is_origin(const char *text);

/* Both rules; false: *ret_refusal is 403 with its reason. */
bool http_guard_check(const struct http_guard *g, const struct http_head *head,
                      struct http_refusal *ret_refusal);

/* The rules one by one. `host`: http_head_host, may be empty. */
bool http_guard_allows_host(const struct http_guard *g, struct part host);
bool http_guard_allows_origin(const struct http_guard *g, struct part origin, struct part host);

#endif

/* Admission of requests. A page of another origin in a browser can send "simple" requests anywhere; it must
 * not command agents. So a POST needs Content-Type application/json (for which a browser sends a preflight
 * request, which this service refuses), and an Origin header, where there is one, that is this service's own.
 *
 * A page whose own name was made to point here (DNS rebinding) has this origin for its browser, and could
 * read every answer: the Host header, which has that name, reveals it. Pure.
 */
#ifndef SERVICE_GUARD_H
#define SERVICE_GUARD_H

#include <stdbool.h>

#define GUARD_HOST_MAX 264 /* a name of 255, a port */

/* "application/json", parameters allowed. NULL: false. */
bool guard_is_json(const char *content_type);

/* scheme://host[:port], as browsers write it: http or https, nothing behind it, the scheme's own port left
 * away. */
bool guard_is_origin(const char *text);

/* `host`: whom the request was sent to, NULL where it does not say (no browser: true). True when it is an
 * address, "localhost", a name without a dot (a public name always has one), or the host of the origin
 * `allowed` (may be NULL). */
bool guard_host(const char *host, const char *allowed);

/* `origin`: the header, NULL where absent (no browser: true). True when it is `allowed` (may be NULL), or
 * names the host that the request was sent to, and that is not a name that could have been made to point
 * here. */
bool guard_origin(const char *origin, const char *host, const char *allowed);

#endif

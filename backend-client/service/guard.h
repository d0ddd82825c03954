/* Who may ask. A page of another origin that a browser shows can send "simple" requests anywhere; it must
 * not command agents. So a POST needs Content-Type application/json (which makes a browser ask first, and
 * nobody answers yes), and an Origin header, where there is one, that is this service's own.
 *
 * A page whose own name was made to point here (DNS rebinding) is of this origin for its browser, and would
 * read everything: what gives it away is the Host header, which has that name. Pure.
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

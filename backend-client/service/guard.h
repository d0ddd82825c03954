/* Who may POST. A page of another origin that a browser shows can send "simple" requests anywhere; it must
 * not command agents. So a POST needs Content-Type application/json (which makes a browser ask first, and
 * nobody answers yes), and an Origin header, where there is one, that is this service's own. Pure.
 */
#ifndef SERVICE_GUARD_H
#define SERVICE_GUARD_H

#include <stdbool.h>

/* "application/json", parameters allowed. NULL: false. */
bool guard_is_json(const char *content_type);

/* `origin`: the header, NULL where absent (no browser: true). True when it is `allowed` (may be NULL), or
 * names the host that the request was sent to, and that host is an address, "localhost", or a name without a
 * dot: a public name that was made to point here (DNS rebinding) always has one. */
bool guard_origin(const char *origin, const char *host, const char *allowed);

#endif

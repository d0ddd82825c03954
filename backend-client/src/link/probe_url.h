/* The health address, checked: http or https, a host, a port. Pure.
 *
 * Stricter than a browser: printable ASCII, no user or password, a host of the letters that host names have,
 * so that what is resolved and pinned here is what libcurl will look for.
 */
#ifndef CLIENT_PROBE_URL_H
#define CLIENT_PROBE_URL_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define PROBE_HOST_MAX 253 /* RFC 1035 */

struct probe_url {
    char host[PROBE_HOST_MAX + 1]; /* without brackets; a dot at its end, if any, is a part of it: such a name
                                      is another one to resolvers */
    uint16_t port;
};

/* ERR_SYNTAX: problem says what is wrong and what to write. */
MUSTCHECK int probe_url_parse(const char *url, struct probe_url *ret_url, char *problem, size_t problem_size);

#endif

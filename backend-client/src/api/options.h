/* ar_options checked and completed: what was not set takes its default, strings are copied, so that the
 * engine and the I/O driver never look at the caller's memory after ar_open. */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stddef.h>

#include "backend-client/src/link/address.h"
#include "agent_relay.h"
#include "base/err.h"

struct options {
    struct ar_options values; /* every member set, its strings in `strings`; health_url NULL: none. mock_cast
                                 is still the caller's, borrowed for ar_open */
    struct address address;
    const char *health_source; /* where health_url came from, for its problems; static */
    char *strings;             /* owned */
};

/* `o` may be NULL (all defaults) or of an older, smaller size. AR_OK, or AR_E_INVALID or AR_E_NO_MEMORY with
 * their problem; nothing is left then. Reads AGENT_CONTROL_URL and AGENT_HEALTH_URL (empty: not set). */
MUSTCHECK int options_take(struct options *ret_options, const struct ar_options *o, char *problem,
                           size_t problem_size);
void options_done(struct options *o);

#endif

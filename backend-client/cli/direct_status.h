/* status --no-start: one request to the relay itself, without the library.
 *
 * The library's client begins every link with initialize, and that makes a relay start its server. A status
 * request must not start it: this sends relay/status alone and reads the one line that answers it.
 */
#ifndef CTL_DIRECT_STATUS_H
#define CTL_DIRECT_STATUS_H

#include <stddef.h>

#include "backend-client/cli/ctl.h"

#define DIRECT_STATUS_MAX_BYTES ((size_t)8 << 20)

struct direct_status {
    enum ctl_exit code; /* OK: `line` is what came */
    char *line;         /* owned by this struct, which lives as long as the process */
    size_t len;
    char problem[600]; /* not OK: the address tried, and the refusal */
    char address[272];
    char peer[80];
    double round_trip_ms;
};

/* Bounded by ctl's deadline. NULL: interrupted. ctl_start was called before. */
const struct direct_status *direct_status_ask(struct ctl *ctl);

#endif

/* Why an upstream has no child, kept as the text of the error it becomes. */
#ifndef ROUTE_OUTAGE_H
#define ROUTE_OUTAGE_H

#include <stdint.h>

#include "route/replies.h"
#include "route/router.h"

/* A planned restart this close is waited for. */
#define OUTAGE_WAIT_MS 1000

/* Copies what `why` says. Out of memory: what is known becomes less. */
void outage_note(struct upstream *upstream, const struct outage *why);
/* The error for a request now. It borrows from the upstream and from the router's scratch buffer: use it before
 * either changes. */
struct refusal outage_refusal(struct upstream *upstream, uint64_t now_ms);
/* Is the next start so near that requests wait for it? */
bool outage_is_short(const struct upstream *upstream, uint64_t now_ms);
void outage_done(struct upstream *upstream);

#endif

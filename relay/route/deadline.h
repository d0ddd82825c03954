/* The clock of a call. */
#ifndef ROUTE_DEADLINE_H
#define ROUTE_DEADLINE_H

#include <stdint.h>

#include "route/calls.h"

/* Starts the clock of a call that has arrived. -ENOMEM. */
MUSTCHECK int call_start_deadline(struct call *c, uint64_t now_ms);
/* struct deadline's expire, for calls: answers the client and cancels at the child, or forgets what was
 * abandoned. */
void call_expired(struct deadline *d, uint64_t now_ms);

#endif

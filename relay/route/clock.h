/* The clock of a call. */
#ifndef ROUTE_CLOCK_H
#define ROUTE_CLOCK_H

#include <stdint.h>

#include "route/calls.h"

/* Starts the clock of a call that has arrived. -ENOMEM. */
MUSTCHECK int clock_start(struct call *c, uint64_t now_ms);
/* struct deadline's expire, for calls: answers the client and cancels at the child, or forgets what was
 * abandoned. */
void clock_expired(struct deadline *d, uint64_t now_ms);

#endif

/* What to check while the relay does not answer. Pure. */
#ifndef SERVICE_OUTAGE_HINT_H
#define SERVICE_OUTAGE_HINT_H

#include "agent_relay.h"

#define OUTAGE_HINT_SIZE 512

/* The library's suggestion; before it, what is likelier where the relay did answer before: a stopped container has
 * no name any more, so that a name which nobody misspelt is not found. "": none. */
void outage_hint(const struct ar_health *health, char hint[OUTAGE_HINT_SIZE]);

#endif

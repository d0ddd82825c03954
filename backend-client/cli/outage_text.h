/* Why the client is not live, for people. Pure. */
#ifndef CTL_OUTAGE_TEXT_H
#define CTL_OUTAGE_TEXT_H

#include <stddef.h>

#include "agent_relay.h"

/* What was tried, what refused it, what to do. Not sanitized yet. */
void outage_text(const struct ar_health *health, unsigned waited_ms, char *out, size_t size);

#endif

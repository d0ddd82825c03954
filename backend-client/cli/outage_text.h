/* Why the client is not live, for people. Pure. */
#ifndef CTL_OUTAGE_TEXT_H
#define CTL_OUTAGE_TEXT_H

#include <stddef.h>

#include "agent_relay.h"

/* The address tried, the refusal, and a suggestion. Not sanitized yet. */
void outage_text(const struct ar_health *health, unsigned waited_ms, char *out, size_t size);

#endif

/* The fallback policy: which agents are published (live, stale, mock), and the client's state. Pure: time
 * comes in.
 *
 *   state    connecting -> live <-> degraded; connecting -> degraded; any -> closed
 *   source   live while live; else the last live snapshot as stale until it is stale_max_ms old; else mock
 *
 * Each function returns what changed (FALLBACK_* bits, 0: nothing), and is legal in every state; closed is the
 * last one, in which nothing changes any more. Closing while live is also the end of live: what was shown
 * becomes stale (or mock, with stale_max_ms 0), since no server confirms it any longer.
 */
#ifndef CLIENT_FALLBACK_H
#define CLIENT_FALLBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_relay.h"

#define FALLBACK_STATE  1u
#define FALLBACK_SOURCE 2u

struct fallback {
    enum ar_state state;
    enum ar_source source;
    uint64_t state_at_ms;  /* when this state began */
    uint64_t taken_at_ms;  /* the last live snapshot's time; UINT64_MAX: there was none */
    uint64_t stale_max_ms; /* 0: never stale; AR_NEVER or more: stale for ever */
};

void fallback_init(struct fallback *l, uint64_t stale_max_ms, uint64_t now_ms);
/* The server has listed its agents (or has no list), at now_ms. While live, it renews taken_at_ms
 * and nothing else. */
unsigned fallback_live(struct fallback *l, uint64_t now_ms);
/* The link, or the server behind it, does not answer. Again while degraded: as fallback_tick. */
unsigned fallback_degraded(struct fallback *l, uint64_t now_ms);
/* Time has passed: stale may become mock. */
unsigned fallback_tick(struct fallback *l, uint64_t now_ms);
/* When fallback_tick has something to do; UINT64_MAX: never. */
uint64_t fallback_due_ms(const struct fallback *l);
unsigned fallback_close(struct fallback *l, uint64_t now_ms);

#endif

/* The ladder: what is shown, and what the client says of itself. Pure: time comes in.
 *
 *   state    connecting -> live <-> degraded; connecting -> degraded; any -> closed
 *   source   live while live; else the last live snapshot as stale until it is stale_max_ms old; else mock
 *
 * Each function returns what changed (LADDER_* bits, 0: nothing), and is legal in every state; closed is the
 * last one, in which nothing changes any more. Closing while live is also the end of live: what was shown
 * becomes stale (or mock, with stale_max_ms 0), since nobody vouches for it any longer.
 */
#ifndef CLIENT_LADDER_H
#define CLIENT_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_relay.h"

#define LADDER_STATE  1u
#define LADDER_SOURCE 2u

struct ladder {
    enum ar_state state;
    enum ar_source source;
    uint64_t state_at_ms;  /* when this state began */
    uint64_t taken_at_ms;  /* the last live snapshot's time; UINT64_MAX: there was none */
    uint64_t stale_max_ms; /* 0: never stale; AR_NEVER or more: stale for ever */
};

void ladder_init(struct ladder *l, uint64_t stale_max_ms, uint64_t now_ms);
/* The server has told its agents (or that it has none to tell), at now_ms. While live, it renews taken_at_ms
 * and nothing else. */
unsigned ladder_up(struct ladder *l, uint64_t now_ms);
/* The link, or the server behind it, does not answer. Again while degraded: as ladder_tick. */
unsigned ladder_down(struct ladder *l, uint64_t now_ms);
/* Time has passed: stale may become mock. */
unsigned ladder_tick(struct ladder *l, uint64_t now_ms);
/* When ladder_tick has something to do; UINT64_MAX: never. */
uint64_t ladder_due_ms(const struct ladder *l);
unsigned ladder_close(struct ladder *l, uint64_t now_ms);

#endif

/* When to try the next connection: exponential back-off with full jitter. Pure: time and seed come in.
 *
 * The nth wait since the last good time is drawn evenly from 0 .. min(cap_ms, base_ms * factor^n), both ends
 * included, so that clients that lost the same relay at once do not come back at once. Live for stable_ms,
 * and it starts over.
 */
#ifndef CLIENT_RECONNECT_H
#define CLIENT_RECONNECT_H

#include <stdint.h>

struct reconnect_options {
    uint64_t base_ms;
    double factor; /* 1 or more; anything else counts as 1 */
    uint64_t cap_ms;
    uint64_t stable_ms;
};

struct reconnect {
    struct reconnect_options options;
    double step_ms;      /* the next wait's upper bound; finite, and never above the cap once it grew */
    uint64_t live_at_ms; /* since when it is live; UINT64_MAX: it is not */
    uint64_t random;
};

void reconnect_init(struct reconnect *r, const struct reconnect_options *options, uint64_t seed);
/* Everything answers. Again while it does: nothing. */
void reconnect_note_live(struct reconnect *r, uint64_t now_ms);
/* It does not, any more; starts over when it was live for stable_ms. Again while it does not: nothing. */
void reconnect_note_down(struct reconnect *r, uint64_t now_ms);
/* The upper bound of the next wait. */
uint64_t reconnect_bound_ms(const struct reconnect *r);
/* How long to wait before the next attempt; each call is one step. */
uint64_t reconnect_next_ms(struct reconnect *r);

#endif

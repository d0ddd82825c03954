/* Back-off for a client that reconnects for ever.
 *
 * Happy path: down -> reconnect_next_ms, an attempt, reconnect_next_ms, an attempt ... live; when it was live
 * for stable_ms, the next loss begins at the base again, else it goes on where it was.
 *
 * Failure modes: a long outage would let base * factor^n grow past every number, so a step never passes the
 * cap, which also keeps infinities and NaNs out; options that make no sense (a factor below 1) count as the
 * nearest that do; a clock that stands or goes back counts as no time passed. Nothing here can fail.
 */
#include "reconnect.h"

void reconnect_init(struct reconnect *r, const struct reconnect_options *options, uint64_t seed)
{
    *r = (struct reconnect){.options = *options, .live_at_ms = UINT64_MAX, .random = seed};
    r->step_ms = (double)options->base_ms;
    if (!(options->factor >= 1)) /* NaN included */
        r->options.factor = 1;
}

/* splitmix64: any seed will do, and neighbouring seeds (clients started one after the other) have nothing in
 * common from the first number on. It spreads attempts, and guards nothing. */
static uint64_t next_random(struct reconnect *r)
{
    uint64_t z = r->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void reconnect_note_live(struct reconnect *r, uint64_t now_ms)
{
    if (r->live_at_ms == UINT64_MAX)
        r->live_at_ms = now_ms;
}

void reconnect_note_down(struct reconnect *r, uint64_t now_ms)
{
    if (r->live_at_ms == UINT64_MAX)
        return;
    uint64_t live_ms = now_ms > r->live_at_ms ? now_ms - r->live_at_ms : 0;
    if (live_ms >= r->options.stable_ms)
        r->step_ms = (double)r->options.base_ms;
    r->live_at_ms = UINT64_MAX;
}

uint64_t reconnect_bound_ms(const struct reconnect *r)
{
    /* Compared as doubles first: a step that is not below the cap may not fit an integer. */
    return r->step_ms < (double)r->options.cap_ms ? (uint64_t)r->step_ms : r->options.cap_ms;
}

uint64_t reconnect_next_ms(struct reconnect *r)
{
    uint64_t bound_ms = reconnect_bound_ms(r);
    uint64_t drawn = next_random(r);
    double longer_ms = r->step_ms * r->options.factor;
    double cap_ms = (double)r->options.cap_ms;
    r->step_ms = longer_ms < cap_ms ? longer_ms : cap_ms; /* the cap also for an infinity or a NaN */
    /* The remainder favours small numbers by bound / 2^64: nothing at any wait that makes sense. */
    return bound_ms == UINT64_MAX ? drawn : drawn % (bound_ms + 1);
}

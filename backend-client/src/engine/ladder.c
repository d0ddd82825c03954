/* The ladder live -> stale -> mock -> live.
 *
 * Happy path: ladder_up with each answer. On a failure ladder_down, which shows the last live snapshot as
 * stale; then ladder_tick at ladder_due_ms, which shows the mock; ladder_up again when it is back.
 *
 * Failure modes: there never was a live snapshot, or it is too old already when the failure is noticed: mock
 * at once. A clock that stands or goes back makes nothing older. Sums past the end of time mean never.
 * Nothing here can fail.
 */
#include "ladder.h"

void ladder_init(struct ladder *l, uint64_t stale_max_ms, uint64_t now_ms)
{
    *l = (struct ladder){
        .state = AR_CONNECTING,
        .source = AR_SOURCE_MOCK,
        .state_at_ms = now_ms,
        .taken_at_ms = UINT64_MAX,
        .stale_max_ms = stale_max_ms,
    };
}

static bool never_ends(const struct ladder *l)
{
    return l->stale_max_ms >= AR_NEVER;
}

/* May the last live snapshot still be shown? */
static bool is_fresh(const struct ladder *l, uint64_t now_ms)
{
    if (l->taken_at_ms == UINT64_MAX)
        return false;
    uint64_t age_ms = now_ms > l->taken_at_ms ? now_ms - l->taken_at_ms : 0;
    return never_ends(l) || age_ms < l->stale_max_ms;
}

static unsigned enter(struct ladder *l, enum ar_state state, uint64_t now_ms)
{
    if (l->state == state)
        return 0;
    l->state = state;
    l->state_at_ms = now_ms;
    return LADDER_STATE;
}

static unsigned show(struct ladder *l, enum ar_source source)
{
    if (l->source == source)
        return 0;
    l->source = source;
    return LADDER_SOURCE;
}

/* What can be shown while nobody answers. Mock stays mock: only a new answer leads up again. */
static unsigned show_what_is_left(struct ladder *l, uint64_t now_ms)
{
    bool keep = l->source != AR_SOURCE_MOCK && is_fresh(l, now_ms);
    return show(l, keep ? AR_SOURCE_STALE : AR_SOURCE_MOCK);
}

unsigned ladder_up(struct ladder *l, uint64_t now_ms)
{
    if (l->state == AR_CLOSED)
        return 0;
    l->taken_at_ms = now_ms;
    return enter(l, AR_LIVE, now_ms) | show(l, AR_SOURCE_LIVE);
}

unsigned ladder_down(struct ladder *l, uint64_t now_ms)
{
    if (l->state == AR_CLOSED)
        return 0;
    return enter(l, AR_DEGRADED, now_ms) | show_what_is_left(l, now_ms);
}

unsigned ladder_tick(struct ladder *l, uint64_t now_ms)
{
    return l->state == AR_DEGRADED ? show_what_is_left(l, now_ms) : 0;
}

uint64_t ladder_due_ms(const struct ladder *l)
{
    uint64_t end_ms;
    bool waits = l->state == AR_DEGRADED && l->source == AR_SOURCE_STALE && !never_ends(l);
    if (!waits || __builtin_add_overflow(l->taken_at_ms, l->stale_max_ms, &end_ms))
        return UINT64_MAX;
    return end_ms;
}

unsigned ladder_close(struct ladder *l, uint64_t now_ms)
{
    if (l->state == AR_CLOSED)
        return 0;
    return show_what_is_left(l, now_ms) | enter(l, AR_CLOSED, now_ms);
}

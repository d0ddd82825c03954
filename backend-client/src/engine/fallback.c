/* The fallback policy: live -> stale -> mock -> live.
 *
 * Happy path: fallback_live with each answer. On a failure fallback_degraded, which falls back to the last
 * live snapshot as stale; then fallback_tick at fallback_due_ms, which falls back to the mock; fallback_live
 * when the server answers again.
 *
 * Failure modes: there never was a live snapshot, or it is too old already when the failure is noticed: mock
 * at once. A clock that stands or goes back makes nothing older. Sums past the end of time mean never.
 * Nothing here can fail.
 */
#include "fallback.h"

#include <assert.h>

void fallback_init(struct fallback *l, uint64_t stale_max_ms, uint64_t now_ms)
{
    *l = (struct fallback){
        .state = AR_CONNECTING,
        .source = AR_SOURCE_MOCK,
        .state_at_ms = now_ms,
        .taken_at_ms = UINT64_MAX,
        .stale_max_ms = stale_max_ms,
    };
}

static bool never_ends(const struct fallback *l)
{
    return l->stale_max_ms >= AR_NEVER;
}

#define BIT(state) (1u << (state))

static const unsigned moves[] = {
    [AR_CONNECTING] = BIT(AR_LIVE) | BIT(AR_DEGRADED) | BIT(AR_CLOSED),
    [AR_LIVE] = BIT(AR_DEGRADED) | BIT(AR_CLOSED),
    [AR_DEGRADED] = BIT(AR_LIVE) | BIT(AR_CLOSED),
    [AR_CLOSED] = 0,
};

static unsigned enter(struct fallback *l, enum ar_state state, uint64_t now_ms)
{
    if (l->state == state)
        return 0;
    assert((moves[l->state] & BIT(state)) != 0);
    (void)moves;
    l->state = state;
    l->state_at_ms = now_ms;
    return FALLBACK_STATE;
}

static unsigned set_source(struct fallback *l, enum ar_source source)
{
    if (l->source == source)
        return 0;
    l->source = source;
    return FALLBACK_SOURCE;
}

/* The best source left while the server does not answer. Mock stays mock: only a new answer makes it live. */
static unsigned fall_back(struct fallback *l, uint64_t now_ms)
{
    bool had_live = l->source != AR_SOURCE_MOCK && l->taken_at_ms != UINT64_MAX;
    uint64_t age_ms = now_ms > l->taken_at_ms ? now_ms - l->taken_at_ms : 0;
    bool keep = had_live && (never_ends(l) || age_ms < l->stale_max_ms);
    return set_source(l, keep ? AR_SOURCE_STALE : AR_SOURCE_MOCK);
}

unsigned fallback_live(struct fallback *l, uint64_t now_ms)
{
    if (l->state == AR_CLOSED)
        return 0;
    l->taken_at_ms = now_ms;
    return enter(l, AR_LIVE, now_ms) | set_source(l, AR_SOURCE_LIVE);
}

unsigned fallback_degraded(struct fallback *l, uint64_t now_ms)
{
    if (l->state == AR_CLOSED)
        return 0;
    return enter(l, AR_DEGRADED, now_ms) | fall_back(l, now_ms);
}

unsigned fallback_tick(struct fallback *l, uint64_t now_ms)
{
    return l->state == AR_DEGRADED ? fall_back(l, now_ms) : 0;
}

uint64_t fallback_due_ms(const struct fallback *l)
{
    uint64_t end_ms;
    bool waits = l->state == AR_DEGRADED && l->source == AR_SOURCE_STALE && !never_ends(l);
    if (!waits || __builtin_add_overflow(l->taken_at_ms, l->stale_max_ms, &end_ms))
        return UINT64_MAX;
    return end_ms;
}

unsigned fallback_close(struct fallback *l, uint64_t now_ms)
{
    if (l->state == AR_CLOSED)
        return 0;
    return fall_back(l, now_ms) | enter(l, AR_CLOSED, now_ms);
}

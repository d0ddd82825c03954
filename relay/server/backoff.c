/* Back-off and breaker: arithmetic over the times of the last exits. Nothing here can fail. */
#include "server/backoff.h"

void backoff_init(struct backoff *b, const struct backoff_options *options, uint64_t seed)
{
    *b = (struct backoff){.options = *options, .random = seed | 1};
}

void backoff_reset(struct backoff *b)
{
    backoff_init(b, &b->options, b->random);
}

/* xorshift64: it spreads restarts, and guards nothing. */
static uint64_t next_random(struct backoff *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

static size_t exits_within(const struct backoff *b, uint64_t now_ms)
{
    size_t kept = b->exits < BACKOFF_EXITS_MAX ? b->exits : BACKOFF_EXITS_MAX;
    size_t count = 0;
    for (size_t i = 0; i < kept; i++)
        count += now_ms - b->exits_at_ms[i] <= b->options.breaker_window_ms;
    return count;
}

static bool breaker_opens(const struct backoff *b, uint64_t now_ms)
{
    uint64_t limit = b->options.breaker_exits;
    if (limit > BACKOFF_EXITS_MAX)
        limit = BACKOFF_EXITS_MAX;
    return limit > 0 && exits_within(b, now_ms) >= limit;
}

static uint64_t next_wait(struct backoff *b, uint64_t up_ms)
{
    const struct backoff_options *o = &b->options;
    if (b->wait_ms == 0 || up_ms >= o->reset_ms)
        b->wait_ms = o->min_ms;
    else
        b->wait_ms = b->wait_ms > o->max_ms / 2 ? o->max_ms : b->wait_ms * 2;
    if (b->wait_ms > o->max_ms)
        b->wait_ms = o->max_ms;
    return b->wait_ms - next_random(b) % (b->wait_ms / 4 + 1);
}

void backoff_note_exit(struct backoff *b, uint64_t up_ms, uint64_t now_ms)
{
    b->exits_at_ms[b->exits++ % BACKOFF_EXITS_MAX] = now_ms;
    uint64_t wait_ms = next_wait(b, up_ms);
    b->open = b->open || breaker_opens(b, now_ms);
    b->next_at_ms = now_ms + (b->open ? b->options.breaker_probe_ms : wait_ms);
}

void backoff_note_ready(struct backoff *b)
{
    b->open = false;
}

uint64_t backoff_take(struct backoff *b, uint64_t now_ms)
{
    if (now_ms < b->next_at_ms)
        return b->next_at_ms - now_ms;
    if (b->open)
        b->next_at_ms = now_ms + b->options.breaker_probe_ms;
    return 0;
}

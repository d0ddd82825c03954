/* When may a server's next child be started: back-off and breaker. Pure: time and the random seed come in.
 *
 * Each unasked exit doubles the wait (min_ms to max_ms, less up to a quarter of it at random, so that relays
 * that lost the same thing at once do not come back at once); a child that was up for reset_ms starts it
 * anew. `exits` unasked exits within window_ms open the breaker: then one start per probe_ms, until one
 * succeeds.
 */
#ifndef SERVER_BACKOFF_H
#define SERVER_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More exits than this are not remembered, so the breaker cannot ask for more; the option breakerExits ends
 * here. */
#define BACKOFF_EXITS_MAX 1000

struct backoff_options {
    uint64_t min_ms;
    uint64_t max_ms;
    uint64_t reset_ms;
    uint64_t breaker_exits; /* 0: no breaker; at most BACKOFF_EXITS_MAX are looked for */
    uint64_t breaker_window_ms;
    uint64_t breaker_probe_ms;
};

struct backoff {
    struct backoff_options options;
    uint64_t wait_ms;    /* the last one, before the random part; 0: none yet */
    uint64_t next_at_ms; /* no start before */
    uint64_t exits_at_ms[BACKOFF_EXITS_MAX];
    size_t exits; /* ever; the newest BACKOFF_EXITS_MAX are kept */
    uint64_t random;
    bool open; /* the breaker */
};

void backoff_init(struct backoff *b, const struct backoff_options *options, uint64_t seed);
/* Forgets what was (a changed configuration deserves a fresh start). */
void backoff_reset(struct backoff *b);
/* A child has gone that was not asked to, `up_ms` after it became ready (0: it never did). Sets next_at_ms.
 */
void backoff_note_exit(struct backoff *b, uint64_t up_ms, uint64_t now_ms);
/* A child became ready: the breaker closes. Its exits still count until they are out of the window. */
void backoff_note_ready(struct backoff *b);
/* 0: start now (with an open breaker, this takes the probe: nobody else gets one for probe_ms). Else how long
 * to wait. */
uint64_t backoff_take(struct backoff *b, uint64_t now_ms);

#endif

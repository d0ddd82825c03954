/* When may a server's next instance be started: back-off and breaker. Pure: time and the random seed come in.
 *
 * Each unexpected exit doubles the wait (min_ms to max_ms, less up to a quarter of it at random, so that
 * relays that lost the same server at once do not return at once); an instance that was up for reset_ms
 * resets it. `breaker_exits` unexpected exits within breaker_window_ms open the breaker: then one start per
 * breaker_probe_ms, until one succeeds.
 */
#ifndef SERVER_BACKOFF_H
#define SERVER_BACKOFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The times of so many exits are kept, so the breaker cannot need more: the upper limit of the option
 * breakerExits. */
#define BACKOFF_EXITS_MAX 1000

struct backoff_options {
    uint64_t min_ms;
    uint64_t max_ms;
    uint64_t reset_ms;
    uint64_t breaker_exits; /* 0: no breaker; at most BACKOFF_EXITS_MAX count */
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
/* Forgets every exit: the configuration changed. */
void backoff_reset(struct backoff *b);
/* An unexpected exit, `up_ms` after the instance became ready (0: it never did). Sets next_at_ms. */
void backoff_note_exit(struct backoff *b, uint64_t up_ms, uint64_t now_ms);
/* An instance became ready: the breaker closes. Exits count until they are out of the window. */
void backoff_note_ready(struct backoff *b);
/* 0: start now (with an open breaker this takes the probe: there is no other one for breaker_probe_ms).
 * Else how long to wait. */
uint64_t backoff_take(struct backoff *b, uint64_t now_ms);

#endif

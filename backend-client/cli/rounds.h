/* Round trips, as ping counts them. Pure. */
#ifndef CTL_ROUNDS_H
#define CTL_ROUNDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct rounds {
    uint64_t *ns; /* owned; in the order they came until rounds_sum sorts them */
    size_t count;
    size_t cap;
    size_t lost;
};

struct rounds_sum {
    double min_ms;
    double p50_ms; /* nearest rank */
    double p99_ms;
    double max_ms;
};

/* -ENOMEM. Adding up to `cap` then cannot fail; more are not kept. */
MUSTCHECK int rounds_init(struct rounds *r, size_t cap);
void rounds_done(struct rounds *r);
void rounds_add(struct rounds *r, uint64_t ns);
/* Zeroes where nothing was counted. */
struct rounds_sum rounds_sum(struct rounds *r);

#endif

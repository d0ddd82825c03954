/* Round trips, as ping counts them. Pure. */
#ifndef CTL_PING_STATS_H
#define CTL_PING_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ping_stats {
    uint64_t *ns; /* owned; in the order they came until ping_stats_sum sorts them */
    size_t count;
    size_t cap;
    size_t lost;
};

struct ping_summary {
    double min_ms;
    double p50_ms; /* nearest rank */
    double p99_ms;
    double max_ms;
};

/* -ENOMEM. Adding up to `cap` then cannot fail; more are not kept. */
MUSTCHECK int ping_stats_init(struct ping_stats *r, size_t cap);
void ping_stats_done(struct ping_stats *r);
void ping_stats_add(struct ping_stats *r, uint64_t ns);
/* Zeroes where nothing was counted. */
struct ping_summary ping_stats_sum(struct ping_stats *r);

#endif

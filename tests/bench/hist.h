/* A histogram of durations: fixed memory, about 1.6 % resolution from 1 ns to 500 years. */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define HIST_SUB_BITS 6U
#define HIST_BUCKETS  ((64U - HIST_SUB_BITS + 1U) << HIST_SUB_BITS)

struct hist {
    uint64_t count;
    uint64_t max_ns;
    uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);
/* The duration that `permille` of a thousand (500: the median, 999: p99.9) do not exceed; 0 when empty. */
uint64_t hist_at_ns(const struct hist *h, unsigned permille);

#endif

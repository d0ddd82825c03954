/* Buckets are linear below 2^HIST_SUB_BITS, and above it each power of two is cut into as many. */
#include "hist.h"

static unsigned bucket_of(uint64_t ns)
{
    if (ns < 1U << HIST_SUB_BITS)
        return (unsigned)ns;
    unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - HIST_SUB_BITS;
    return (shift << HIST_SUB_BITS) + (unsigned)(ns >> shift);
}

/* The largest duration of a bucket. */
static uint64_t bucket_top_ns(unsigned bucket)
{
    if (bucket < 1U << HIST_SUB_BITS)
        return bucket;
    unsigned shift = (bucket >> HIST_SUB_BITS) - 1;
    uint64_t base = bucket - (shift << HIST_SUB_BITS);
    return ((base + 1) << shift) - 1;
}

void hist_add(struct hist *h, uint64_t ns)
{
    h->count++;
    h->bucket[bucket_of(ns)]++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

uint64_t hist_at_ns(const struct hist *h, unsigned permille)
{
    uint64_t rank = (h->count * permille + 999) / 1000, seen = 0;
    for (unsigned i = 0; i < HIST_BUCKETS && h->count != 0; i++) {
        seen += h->bucket[i];
        if (seen >= rank)
            return bucket_top_ns(i) < h->max_ns ? bucket_top_ns(i) : h->max_ns;
    }
    return h->max_ns;
}

/* Round trips: all are kept, since exact percentiles need every value. A million take 8 MB. */
#include "backend-client/cli/ping_stats.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

int ping_stats_init(struct ping_stats *r, size_t cap)
{
    size_t bytes;
    *r = (struct ping_stats){.cap = cap};
    if (!size_mul(cap, sizeof(*r->ns), &bytes))
        return -ENOMEM;
    r->ns = mem_alloc(bytes);
    return r->ns ? 0 : -ENOMEM;
}

void ping_stats_done(struct ping_stats *r)
{
    mem_free(r->ns);
    r->ns = NULL;
}

void ping_stats_add(struct ping_stats *r, uint64_t ns)
{
    if (r->count < r->cap)
        r->ns[r->count++] = ns;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The smallest value that at least `percent` of all do not exceed. */
static double rank_ms(const struct ping_stats *r, size_t percent)
{
    size_t rank = (r->count * percent + 99) / 100;
    return (double)r->ns[rank > 0 ? rank - 1 : 0] / 1e6;
}

struct ping_summary ping_stats_sum(struct ping_stats *r)
{
    struct ping_summary sum = {0};
    if (r->count == 0)
        return sum;
    qsort(r->ns, r->count, sizeof(*r->ns), compare);
    sum.min_ms = (double)r->ns[0] / 1e6;
    sum.p50_ms = rank_ms(r, 50);
    sum.p99_ms = rank_ms(r, 99);
    sum.max_ms = (double)r->ns[r->count - 1] / 1e6;
    return sum;
}

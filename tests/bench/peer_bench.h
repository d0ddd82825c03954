/* What the benches of the client library and of its peer share: the command line, the clock, the one line of
 * JSON that they print. */
#ifndef BENCH_PEER_BENCH_H
#define BENCH_PEER_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hist.h"

struct bench_args {
    const char *mode;
    const char *target; /* HOST:PORT or a URL */
    unsigned count;     /* in flight, readers or clients: the mode says */
    uint64_t warmup_ns;
    uint64_t duration_ns;
};

static inline uint64_t bench_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* Exits with 2 and the usage text when there are not exactly the arguments MODE TARGET COUNT WARMUP_MS
 * RUN_MS. */
static inline struct bench_args bench_args(int argc, char **argv, const char *modes)
{
    if (argc != 6) {
        fprintf(stderr, "usage: %s %s TARGET COUNT WARMUP_MS RUN_MS\n", argv[0], modes);
        exit(2);
    }
    return (struct bench_args){
        .mode = argv[1],
        .target = argv[2],
        .count = (unsigned)strtoul(argv[3], NULL, 10),
        .warmup_ns = strtoull(argv[4], NULL, 10) * 1000000U,
        .duration_ns = strtoull(argv[5], NULL, 10) * 1000000U,
    };
}

static inline _Noreturn void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static inline void bench_print(const struct hist *h, uint64_t elapsed_ns, uint64_t errors)
{
    printf(
        "{\"answers\":%llu,\"errors\":%llu,\"perSecond\":%.1f,\"latencyUs\":{\"p50\":%.2f,\"p99\":%.2f}}\n",
        (unsigned long long)h->count, (unsigned long long)errors, (double)h->count * 1e9 / (double)elapsed_ns,
        (double)hist_at_ns(h, 500) / 1000.0, (double)hist_at_ns(h, 990) / 1000.0);
}

/* Resident bytes of this process. */
static inline uint64_t bench_resident(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    unsigned long long pages[2] = {0};
    if (!f || fscanf(f, "%llu %llu", &pages[0], &pages[1]) != 2)
        bench_die("/proc/self/statm", "cannot be read");
    fclose(f);
    return (uint64_t)pages[1] * 4096U;
}

#endif

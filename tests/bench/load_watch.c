/* Processor time: of the load generator itself, and of a watched process's main thread (where a relay does
 * its work). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "load.h"

uint64_t watch_self_ns(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0)
        load_die("clock_gettime");
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

/* The first figure of schedstat is the time on a processor, in ns. */
uint64_t watch_ns(unsigned pid)
{
    char path[64], text[96];
    if (pid == 0)
        return 0;
    (void)snprintf(path, sizeof(path), "/proc/%u/schedstat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    uint64_t ns = fgets(text, sizeof(text), f) ? strtoull(text, NULL, 10) : 0;
    fclose(f);
    return ns;
}

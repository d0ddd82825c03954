/* Two places are enough to know what is meant; --json has the exact figures. */
#include "backend-client/cli/units.h"

#include <inttypes.h>
#include <stdio.h>

const char *units_span(uint64_t ms, char *out)
{
    uint64_t s = ms / 1000;
    if (ms < 1000)
        snprintf(out, UNITS_SIZE, "%" PRIu64 " ms", ms);
    else if (s < 60)
        snprintf(out, UNITS_SIZE, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    else if (s < 3600)
        snprintf(out, UNITS_SIZE, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(out, UNITS_SIZE, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
    else
        snprintf(out, UNITS_SIZE, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s % 86400 / 3600);
    return out;
}

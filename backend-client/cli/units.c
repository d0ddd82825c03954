/* A few digits suffice for people; --json has the exact figures. */
#include "backend-client/cli/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *units_span(uint64_t ms, char *out)
{
    uint64_t s = ms / 1000;
    if (ms < 1000)
        (void)snprintf(out, UNITS_SIZE, "%" PRIu64 " ms", ms);
    else if (s < 60)
        (void)snprintf(out, UNITS_SIZE, "%" PRIu64 ".%" PRIu64 " s", s, ms % 1000 / 100);
    else if (s < 3600)
        (void)snprintf(out, UNITS_SIZE, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
    else if (s < 86400)
        (void)snprintf(out, UNITS_SIZE, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
    else
        (void)snprintf(out, UNITS_SIZE, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s % 86400 / 3600);
    return out;
}

const char *units_ms(double ms, char *out)
{
    int places = ms < 10 ? 3 : ms < 100 ? 1 : 0;
    int len = snprintf(out, UNITS_SIZE - 3, "%.*f", places, ms); /* room for the unit */
    size_t end = len > 0 ? strlen(out) : 0;
    while (places > 0 && end > 0 && out[end - 1] == '0')
        end--;
    if (end > 0 && out[end - 1] == '.')
        end--;
    (void)snprintf(out + end, UNITS_SIZE - end, " ms");
    return out;
}

double units_round_ms(double ms)
{
    return (double)(int64_t)(ms * 1000 + 0.5) / 1000;
}

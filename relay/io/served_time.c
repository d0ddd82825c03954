/* Each look takes what has passed out of the phase's allowance, and counts the rest as standstill. Nothing here can
 * fail.
 */
#include "io/served_time.h"

#include <assert.h>

void served_time_init(struct served_time *t, uint64_t real_ms)
{
    *t = (struct served_time){.seen_ms = real_ms, .allowed_ms = SERVED_ANY};
}

void served_time_allow(struct served_time *t, uint64_t ms)
{
    t->allowed_ms = ms;
}

uint64_t served_time_look(struct served_time *t, uint64_t real_ms)
{
    assert(real_ms >= t->seen_ms);
    uint64_t passed_ms = real_ms - t->seen_ms;
    t->seen_ms = real_ms;
    if (t->allowed_ms == SERVED_ANY)
        return 0;
    uint64_t served_ms = passed_ms < t->allowed_ms ? passed_ms : t->allowed_ms;
    t->allowed_ms -= served_ms;
    if (passed_ms == served_ms)
        return 0;
    t->standstill_ms += passed_ms - served_ms;
    t->standstills++;
    return passed_ms - served_ms;
}

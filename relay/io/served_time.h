/* Served time: the monotonic clock less the time in which nobody ran. Pure: the real time comes in.
 *
 * The loop says, phase by phase, how much real time may pass and still be served (the poll: until its next wake-up;
 * the work: what an iteration may take). What passes beyond that is standstill: the process was stopped, its machine or
 * container paused, or it waited for a processor. Served time does not move meanwhile, so that every deadline expressed
 * in it moves by just as much. A standstill costs a deadline no more than the allowance of the phase that it fell into.
 */
#ifndef IO_SERVED_TIME_H
#define IO_SERVED_TIME_H

#include <stdint.h>

/* No deadline waits: all time that passes is served. */
#define SERVED_ANY UINT64_MAX

struct served_time {
    uint64_t seen_ms;       /* real, at the last look */
    uint64_t allowed_ms;    /* of real time from then on */
    uint64_t standstill_ms; /* the sum, since the beginning */
    uint64_t standstills;   /* how many */
};

void served_time_init(struct served_time *t, uint64_t real_ms);
/* A phase begins: as much real time may pass in it. Look first. */
void served_time_allow(struct served_time *t, uint64_t ms);
/* Takes notice of the real time, which never goes back. Gives the length of the standstill that it shows, usually 0. */
uint64_t served_time_look(struct served_time *t, uint64_t real_ms);
/* At the last look. */
static inline uint64_t served_time_now(const struct served_time *t)
{
    return t->seen_ms - t->standstill_ms;
}

#endif

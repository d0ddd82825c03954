/* How long the relay works in one loop iteration for what it answers itself: refusals, pings, relay/ methods. One host
 * may ask for them as fast as it can write, on as many connections as it likes; all of them together get WORK_NS, and
 * what else they sent is taken in the next iteration. What is passed to a child is not counted.
 */
#ifndef FRONT_WORK_H
#define FRONT_WORK_H

#include <stdbool.h>
#include <stdint.h>

#define WORK_NS UINT64_C(1000000)

struct work {
    uint64_t iteration; /* that spent_ns belongs to */
    uint64_t spent_ns;
};

/* Some more was done, in this iteration. */
static inline void work_note(struct work *w, uint64_t iteration, uint64_t ns)
{
    if (w->iteration != iteration)
        w->spent_ns = 0;
    w->iteration = iteration;
    w->spent_ns += ns;
}
static inline bool work_is_done(const struct work *w, uint64_t iteration)
{
    return w->iteration == iteration && w->spent_ns >= WORK_NS;
}

#endif

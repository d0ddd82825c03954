/* The budget of all links together (maxMemoryBytes). Each link says how many bytes it holds and how many of
 * those are a frame that has begun and not ended. Above the limit, links with a partial frame over 64 KiB
 * stop reading, largest first, all but one: that one ends its frame, and memory falls. Below seven eighths of
 * the limit they read again, smallest first, a few at a time.
 *
 * Happy path: memory_join -> memory_set at every change -> memory_leave. The decision is made once per iteration,
 * at its end. A link that is stopped here keeps its deadline for a frame once begun: that is what ends a
 * budget filled by peers that never finish.
 */
#ifndef IO_MEMORY_H
#define IO_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "io/loop.h"

/* Smaller partial frames are never stopped: ordinary traffic must flow whoever floods. */
#define MEMORY_PARTIAL_MIN_BYTES ((uint64_t)64 << 10)

struct memory {
    struct loop *loop; /* borrowed */
    uint64_t limit_bytes;
    uint64_t held_bytes; /* of all users */
    uint64_t pauses;     /* how often a user was stopped, for status */
    struct heap reading; /* users with a partial frame over the minimum, largest first */
    struct heap paused;  /* stopped users, smallest first */
    struct loop_task decide;
};

struct memory_user {
    struct heap_node node; /* in `reading`, in `paused`, or in none */
    uint64_t held_bytes;
    uint64_t partial_bytes;
    bool stopped;
    /* Run at the end of the iteration, from no caller's stack; they may call memory_set and memory_leave for their own
     * user. */
    void (*pause)(struct memory_user *u);
    void (*resume)(struct memory_user *u);
};

void memory_init(struct memory *m, struct loop *loop, uint64_t limit_bytes);
/* No user may be left. */
void memory_done(struct memory *m);
/* For a reload. */
void memory_set_limit(struct memory *m, uint64_t limit_bytes);

/* `u` is borrowed until memory_leave. Both callbacks NULL: a user that holds memory and has no frame to stop.
 */
void memory_join(struct memory *m, struct memory_user *u, void (*pause)(struct memory_user *u),
                 void (*resume)(struct memory_user *u));
/* No callback comes after it. Idempotent after memory_join. */
void memory_leave(struct memory *m, struct memory_user *u);
/* `held_bytes` is everything the user holds, its partial frame (`partial_bytes`) included. Cheap when nothing
 * changed and while the sum is below the limit. */
void memory_set(struct memory *m, struct memory_user *u, size_t partial_bytes, size_t held_bytes);
/* More than half of the budget is used: storage that is only kept for what may come next should be given back
 * now. */
static inline bool memory_is_tight(const struct memory *m)
{
    return m->held_bytes > m->limit_bytes / 2;
}

#endif

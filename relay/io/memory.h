/* The budget of all links together (maxMemoryBytes). Each user says how many bytes it holds, how many of those are a
 * frame that has begun and not ended, and how many its peer has not read yet.
 *
 * Happy path: memory_join -> memory_set at every change -> memory_leave. Decisions are made once per iteration, at its
 * end, and by memory_review as time passes:
 *
 *   above half of the limit   reads get shorter (read_bytes), and who keeps storage for later gives it back
 *   above the limit           links with a partial frame over 64 KiB stop reading, largest first, all but one: that one
 *                             ends its frame, and memory falls. Clients that have stalled are closed, largest first
 *   above it by a quarter     links with smaller partial frames stop reading as well, and the clients with the largest
 *                             unread queues are closed, stalled or not
 *
 * Below seven eighths of the limit those that were stopped read again, smallest first, a few at a time. A link that is
 * stopped here keeps its deadline for a frame once begun. A vital user (a child, whose frame many wait for) is the last
 * to be stopped and the first to go on.
 */
#ifndef IO_MEMORY_H
#define IO_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/heap.h"
#include "base/list.h"
#include "io/loop.h"

/* Smaller partial frames are stopped only a quarter above the limit: ordinary traffic must flow whoever floods. */
#define MEMORY_PARTIAL_MIN_BYTES ((uint64_t)64 << 10)
/* The longest read above half of the limit, and above the limit: a thousand sockets that become readable in one
 * iteration bring no more than 4 MiB then. */
#define MEMORY_TIGHT_READ_BYTES ((size_t)64 << 10)
#define MEMORY_FULL_READ_BYTES  ((size_t)4 << 10)
/* How often memory_review is due while memory_is_over. */
#define MEMORY_REVIEW_MS UINT64_C(250)

struct memory_user;

struct memory_ops {
    /* Stop, and go on, reading. Both NULL: the user has no frame to stop. */
    void (*pause)(struct memory_user *u);
    void (*resume)(struct memory_user *u);
    /* Close the client and give back what it holds; memory_leave, or a memory_set of much less, has come when it
     * returns. NULL: the user is never closed. */
    void (*evict)(struct memory_user *u);
    /* The peer neither takes what is queued for it nor goes on with the frame that it began. NULL if `evict` is. */
    bool (*is_stalled)(struct memory_user *u);
    bool vital;
};

struct memory {
    struct loop *loop; /* borrowed */
    uint64_t limit_bytes;
    uint64_t held_bytes;      /* of all users */
    uint64_t queued_bytes;    /* of those, what waits for peers to read it */
    uint64_t pauses;          /* how often a user was stopped, for status */
    uint64_t evictions;       /* how many clients were closed, for status */
    size_t read_bytes;        /* the longest read that clients may be given now; see stream_limit_reads */
    struct heap reading;      /* users with a partial frame over the minimum; the first to be stopped first */
    struct heap paused;       /* of those, the stopped ones; the first to go on first */
    struct list small;        /* users with a smaller partial frame, memory_user.small */
    struct list small_paused; /* of those, the stopped ones, longest first */
    struct heap largest;      /* users that may be closed, largest first, memory_user.eviction */
    struct loop_task decide;
};

struct memory_usage {
    size_t partial_bytes; /* of a frame that has begun and not ended */
    size_t queued_bytes;  /* storage of what the peer has not read yet */
    size_t held_bytes;    /* all of it, storage kept for later included */
};

struct memory_user {
    const struct memory_ops *ops; /* static */
    struct heap_node node;        /* in `reading`, in `paused`, or in none */
    struct heap_node eviction;
    struct list small;
    struct list passed; /* while it is decided who is closed: asked, and stays */
    struct memory_usage usage;
    bool stopped;
};

void memory_init(struct memory *m, struct loop *loop, uint64_t limit_bytes);
/* No user may be left. */
void memory_done(struct memory *m);
/* For a reload. */
void memory_set_limit(struct memory *m, uint64_t limit_bytes);

/* `u` is borrowed until memory_leave. The callbacks run at the end of the iteration or inside memory_review, from no
 * other caller's stack; they may call memory_set and memory_leave for their own user. */
void memory_join(struct memory *m, struct memory_user *u, const struct memory_ops *ops);
/* No callback comes after it. Idempotent after memory_join. */
void memory_leave(struct memory *m, struct memory_user *u);
/* Cheap when nothing changed and while the sum is below the limit. */
void memory_set(struct memory *m, struct memory_user *u, const struct memory_usage *usage);
/* Looks at all users for those that have stalled, and decides: to be called every MEMORY_REVIEW_MS while
 * memory_is_over, since nobody reports that nothing happens. */
void memory_review(struct memory *m);

/* More than half of the budget is used: storage that is only kept for what may come next should be given back
 * now. */
static inline bool memory_is_tight(const struct memory *m)
{
    return m->held_bytes > m->limit_bytes / 2;
}

/* Somebody is stopped, or has to be, or has to go. */
static inline bool memory_is_over(const struct memory *m)
{
    return m->held_bytes > m->limit_bytes || m->paused.count > 0 || !list_empty(&m->small_paused);
}

#endif

/* The memory budget: two heaps, one of who could be stopped (largest first), one of who is (smallest first).
 *
 * Above the limit all but the smallest are stopped, or the others would grow to the limit in turn; so the sum
 * is bounded by the limit, one frame, and what each can bring in one iteration before it is stopped. Stopping
 * everybody would be a deadlock: no frame could end, and nothing would fall. The one that reads ends its
 * frame, or its deadline ends it, and the next one goes on.
 *
 * Failure mode: no memory for a heap's place -> that user is not stopped this time; its next change tries
 * again.
 */
#include "io/memory.h"

#include <assert.h>

static struct memory_user *user_of(struct heap_node *node)
{
    return CONTAINER_OF(node, struct memory_user, node);
}

/* The heap gives the smallest key first. */
static uint64_t largest_first(uint64_t bytes)
{
    return UINT64_MAX - bytes;
}

static bool is_candidate(const struct memory_user *u)
{
    return u->pause && u->partial_bytes > MEMORY_PARTIAL_MIN_BYTES;
}

/* Keeps a user that reads among the candidates, or not, as its partial frame says. */
static void place_reading(struct memory *m, struct memory_user *u)
{
    if (!is_candidate(u))
        heap_remove(&m->reading, &u->node);
    else if (heap_has(&u->node))
        heap_rekey(&m->reading, &u->node, largest_first(u->partial_bytes));
    else if (heap_add(&m->reading, &u->node, largest_first(u->partial_bytes)) != 0)
        heap_node_init(&u->node); /* no candidate until its next change */
}

static void pause_largest(struct memory *m)
{
    struct memory_user *u = user_of(heap_first(&m->reading));
    heap_remove(&m->reading, &u->node);
    if (heap_add(&m->paused, &u->node, u->partial_bytes) != 0)
        return; /* out of the candidates, so the loop over them ends */
    u->stopped = true;
    m->pauses++;
    u->pause(u);
}

static void resume_user(struct memory *m, struct memory_user *u)
{
    heap_remove(&m->paused, &u->node);
    u->stopped = false;
    place_reading(m, u);
    u->resume(u);
}

/* As many more as may bring a whole read each before the limit is reached. */
static void resume_some(struct memory *m)
{
    uint64_t until = m->limit_bytes - m->limit_bytes / 8;
    uint64_t places = m->held_bytes < until ? (until - m->held_bytes) / LOOP_READ_BYTES : 0;
    struct heap_node *node;
    while ((node = heap_first(&m->paused)) && (m->reading.count == 0 || places-- > 0))
        resume_user(m, user_of(node));
}

static void decide(struct loop_task *task)
{
    struct memory *m = CONTAINER_OF(task, struct memory, decide);
    while (m->held_bytes > m->limit_bytes && m->reading.count > 1)
        pause_largest(m);
    resume_some(m);
}

static void decide_later(struct memory *m)
{
    if (m->held_bytes > m->limit_bytes || heap_first(&m->paused))
        loop_mark(m->loop, &m->decide);
}

void memory_init(struct memory *m, struct loop *loop, uint64_t limit_bytes)
{
    *m = (struct memory){.loop = loop, .limit_bytes = limit_bytes};
    heap_init(&m->reading);
    heap_init(&m->paused);
    loop_task_init(&m->decide, decide);
}

void memory_done(struct memory *m)
{
    assert(m->held_bytes == 0);
    loop_unmark(&m->decide);
    heap_done(&m->reading);
    heap_done(&m->paused);
}

void memory_set_limit(struct memory *m, uint64_t limit_bytes)
{
    m->limit_bytes = limit_bytes;
    decide_later(m);
}

void memory_join(struct memory *m, struct memory_user *u, void (*pause)(struct memory_user *u),
                 void (*resume)(struct memory_user *u))
{
    (void)m;
    assert((!pause) == (!resume));
    *u = (struct memory_user){.pause = pause, .resume = resume};
    heap_node_init(&u->node);
}

void memory_leave(struct memory *m, struct memory_user *u)
{
    heap_remove(u->stopped ? &m->paused : &m->reading, &u->node);
    m->held_bytes -= u->held_bytes;
    u->held_bytes = 0;
    u->partial_bytes = 0;
    u->stopped = false;
    decide_later(m);
}

void memory_set(struct memory *m, struct memory_user *u, size_t partial_bytes, size_t held_bytes)
{
    if (u->partial_bytes == partial_bytes && u->held_bytes == held_bytes)
        return;
    m->held_bytes = m->held_bytes - u->held_bytes + held_bytes;
    u->partial_bytes = partial_bytes;
    u->held_bytes = held_bytes;
    if (u->stopped)
        heap_rekey(&m->paused, &u->node, partial_bytes);
    else
        place_reading(m, u);
    decide_later(m);
}

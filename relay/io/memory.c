/* The memory budget. Three questions, each with its own order: who stops reading (`reading`, largest first; then
 * `small`), who goes on (`paused`, smallest first; then `small_paused`), who is closed (`largest`).
 *
 * Above the limit all large partial frames but the smallest are stopped, or the others would grow to the limit in turn.
 * Stopping everybody would be a deadlock: no frame could end, and nothing would fall. The one that reads ends its
 * frame, or its deadline ends it, and the next one goes on.
 *
 * Stopping bounds what comes; only closing brings back what is there already. Who has stalled goes first: a peer that
 * reads, or sends, frees its memory by itself. A burst for clients that do not read fills memory sooner than anybody can
 * be seen to stall: that is what the quarter above the limit is for, from where on the largest unread queues go at once.
 * So the sum is bounded by the limit, a quarter of it, and what comes in one iteration.
 *
 * Failure mode: no memory for a heap's place -> that user is not stopped, or not closed, this time; its next change
 * tries again.
 */
#include "io/memory.h"

#include <assert.h>

/* At most so many of the largest are asked in one iteration; memory_review asks all. */
#define LOOK_MAX 64
/* Behind every ordinary user's key. */
#define LATER (UINT64_C(1) << 62)

static struct memory_user *user_of(struct heap_node *node)
{
    return CONTAINER_OF(node, struct memory_user, node);
}

static struct memory_user *evictable_of(struct heap_node *node)
{
    return CONTAINER_OF(node, struct memory_user, eviction);
}

/* The heap gives the smallest key first. */
static uint64_t largest_first(uint64_t bytes)
{
    return LATER - bytes;
}

static uint64_t pause_key(const struct memory_user *u)
{
    return largest_first(u->usage.partial_bytes) + (u->ops->vital ? LATER : 0);
}

static uint64_t resume_key(const struct memory_user *u)
{
    return u->usage.partial_bytes + (u->ops->vital ? 0 : LATER);
}

static uint64_t hard_limit(const struct memory *m)
{
    uint64_t hard = m->limit_bytes + m->limit_bytes / 4;
    return hard < m->limit_bytes ? UINT64_MAX : hard;
}

static bool is_large(const struct memory_user *u)
{
    return u->usage.partial_bytes > MEMORY_PARTIAL_MIN_BYTES;
}

/* ---- where a user stands ---- */

static void place_in(struct heap *h, struct heap_node *node, bool belongs, uint64_t key)
{
    if (!belongs)
        heap_remove(h, node);
    else if (heap_has(node))
        heap_rekey(h, node, key);
    else if (heap_add(h, node, key) != 0)
        heap_node_init(node); /* no candidate until its next change */
}

static void place_reading(struct memory *m, struct memory_user *u)
{
    if (!u->ops->pause)
        return;
    place_in(&m->reading, &u->node, is_large(u), pause_key(u));
    bool small = u->usage.partial_bytes > 0 && !is_large(u);
    if (!small)
        list_remove(&u->small);
    else if (!list_linked(&u->small))
        list_push_back(&m->small, &u->small);
}

/* One that is stopped does not change between large and small: it may only be told to go on. */
static void place_stopped(struct memory *m, struct memory_user *u)
{
    if (heap_has(&u->node))
        heap_rekey(&m->paused, &u->node, resume_key(u));
}

static void place(struct memory *m, struct memory_user *u)
{
    if (u->stopped)
        place_stopped(m, u);
    else
        place_reading(m, u);
    uint64_t gain = u->usage.queued_bytes + u->usage.partial_bytes;
    if (u->ops->evict)
        place_in(&m->largest, &u->eviction, gain > 0, largest_first(gain));
}

/* ---- stopping and going on ---- */

static void pause_user(struct memory *m, struct memory_user *u)
{
    u->stopped = true;
    m->pauses++;
    u->ops->pause(u);
}

static void pause_first_large(struct memory *m)
{
    struct memory_user *u = user_of(heap_first(&m->reading));
    heap_remove(&m->reading, &u->node);
    if (heap_add(&m->paused, &u->node, resume_key(u)) == 0)
        pause_user(m, u);
    /* else it is out of the candidates, so the loop over them ends */
}

static void pause_small(struct memory *m)
{
    for (struct list *node; (node = list_pop_front(&m->small));) {
        list_push_back(&m->small_paused, node);
        pause_user(m, CONTAINER_OF(node, struct memory_user, small));
    }
}

static void resume_user(struct memory *m, struct memory_user *u)
{
    heap_remove(&m->paused, &u->node);
    list_remove(&u->small);
    u->stopped = false;
    place_reading(m, u);
    u->ops->resume(u);
}

/* As many more as may bring a whole read each before the limit is reached. */
static void resume_some(struct memory *m, bool is_review)
{
    uint64_t until = m->limit_bytes - m->limit_bytes / 8;
    uint64_t room = m->held_bytes < until ? until - m->held_bytes : 0;
    uint64_t small_places = room / MEMORY_PARTIAL_MIN_BYTES;
    uint64_t places = room / LOOP_READ_BYTES;
    struct heap_node *node;
    if (small_places == 0 && (m->held_bytes <= m->limit_bytes || is_review))
        small_places = 1; /* each after the other, and whatever the others hold */
    while (!list_empty(&m->small_paused) && small_places-- > 0)
        resume_user(m, CONTAINER_OF(m->small_paused.next, struct memory_user, small));
    while ((node = heap_first(&m->paused)) && (m->reading.count == 0 || places-- > 0))
        resume_user(m, user_of(node));
}

/* ---- closing ---- */

static bool is_stalled(struct memory_user *u)
{
    return u->ops->is_stalled(u);
}

static bool does_not_read(struct memory_user *u)
{
    return u->usage.queued_bytes > 0;
}

static void evict(struct memory *m, struct memory_user *u)
{
    uint64_t before = u->usage.held_bytes;
    m->evictions++;
    u->ops->evict(u);
    assert(u->usage.held_bytes < before);
    (void)before;
}

/* One step: the largest user that was not asked yet. It stands in `passed` unless it is gone. */
static void ask_largest(struct memory *m, struct list *passed, bool (*may_go)(struct memory_user *u))
{
    struct memory_user *u = evictable_of(heap_first(&m->largest));
    heap_remove(&m->largest, &u->eviction);
    if (may_go(u))
        evict(m, u);
    else if (!list_linked(&u->passed))
        list_push_back(passed, &u->passed);
}

static void put_back(struct memory *m, struct list *passed)
{
    for (struct list *node; (node = list_pop_front(passed));)
        place(m, CONTAINER_OF(node, struct memory_user, passed));
}

static void evict_stalled(struct memory *m, size_t look)
{
    struct list passed;
    list_init(&passed);
    for (; m->held_bytes > m->limit_bytes && m->largest.count > 0 && look > 0; look--)
        ask_largest(m, &passed, is_stalled);
    put_back(m, &passed);
}

/* Only as far as queues are to blame: what partial frames hold is stopped, and clients must not go for it. */
static void evict_unread(struct memory *m)
{
    struct list passed;
    list_init(&passed);
    while (m->held_bytes > hard_limit(m) && m->queued_bytes > m->limit_bytes / 4 && m->largest.count > 0)
        ask_largest(m, &passed, does_not_read);
    put_back(m, &passed);
}

/* ---- the decision ---- */

static void set_read_bytes(struct memory *m)
{
    m->read_bytes = m->held_bytes > m->limit_bytes ? MEMORY_FULL_READ_BYTES
                    : memory_is_tight(m)           ? MEMORY_TIGHT_READ_BYTES
                                                   : LOOP_READ_BYTES;
}

static void decide(struct memory *m, bool is_review)
{
    while (m->held_bytes > m->limit_bytes && m->reading.count > 1)
        pause_first_large(m);
    if (m->held_bytes > hard_limit(m))
        pause_small(m);
    evict_stalled(m, is_review ? SIZE_MAX : LOOK_MAX);
    evict_unread(m);
    resume_some(m, is_review);
}

static void on_decide(struct loop_task *task)
{
    decide(CONTAINER_OF(task, struct memory, decide), false);
}

void memory_review(struct memory *m)
{
    if (memory_is_over(m))
        decide(m, true);
}

static void decide_later(struct memory *m)
{
    set_read_bytes(m);
    if (memory_is_over(m))
        loop_mark(m->loop, &m->decide);
}

/* ---- life ---- */

void memory_init(struct memory *m, struct loop *loop, uint64_t limit_bytes)
{
    *m = (struct memory){.loop = loop, .limit_bytes = limit_bytes, .read_bytes = LOOP_READ_BYTES};
    heap_init(&m->reading);
    heap_init(&m->paused);
    heap_init(&m->largest);
    list_init(&m->small);
    list_init(&m->small_paused);
    loop_task_init(&m->decide, on_decide);
}

void memory_done(struct memory *m)
{
    assert(m->held_bytes == 0);
    loop_unmark(&m->decide);
    heap_done(&m->reading);
    heap_done(&m->paused);
    heap_done(&m->largest);
}

void memory_set_limit(struct memory *m, uint64_t limit_bytes)
{
    m->limit_bytes = limit_bytes;
    decide_later(m);
}

void memory_join(struct memory *m, struct memory_user *u, const struct memory_ops *ops)
{
    (void)m;
    assert(!ops->pause == !ops->resume && !ops->evict == !ops->is_stalled);
    *u = (struct memory_user){.ops = ops};
    heap_node_init(&u->node);
    heap_node_init(&u->eviction);
    list_init(&u->small);
    list_init(&u->passed);
}

void memory_leave(struct memory *m, struct memory_user *u)
{
    heap_remove(u->stopped ? &m->paused : &m->reading, &u->node);
    heap_remove(&m->largest, &u->eviction);
    list_remove(&u->small);
    list_remove(&u->passed);
    m->held_bytes -= u->usage.held_bytes;
    m->queued_bytes -= u->usage.queued_bytes;
    u->usage = (struct memory_usage){0};
    u->stopped = false;
    decide_later(m);
}

void memory_set(struct memory *m, struct memory_user *u, const struct memory_usage *usage)
{
    if (u->usage.partial_bytes == usage->partial_bytes && u->usage.queued_bytes == usage->queued_bytes &&
        u->usage.held_bytes == usage->held_bytes)
        return;
    m->held_bytes = m->held_bytes - u->usage.held_bytes + usage->held_bytes;
    m->queued_bytes = m->queued_bytes - u->usage.queued_bytes + usage->queued_bytes;
    u->usage = *usage;
    place(m, u);
    decide_later(m);
}

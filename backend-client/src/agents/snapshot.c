/* Snapshots: a set of agents, and what it is at a moment.
 *
 * Purpose: the object that ar_agents hands out. Happy path: the engine makes one over a set (snapshot_new),
 * readers on any thread retain it, read it, release it; the last release frees it and lets go of the set.
 * Nothing but the count is ever written after it was made, so reading needs no lock and no order beyond the
 * one that handed it over.
 *
 * Failure modes: no memory for a new one: a static snapshot stands in, empty and mock, one for each state.
 * Those are not counted and never freed.
 */
#include <assert.h>
#include <stdatomic.h>
#include <time.h>

#include "base/alloc.h"
#include "snapshot.h"

struct ar_snapshot {
    atomic_size_t references; /* of the static ones: not used */
    bool is_static;
    struct agent_set *set; /* owned reference; NULL: no agents */
    struct snapshot_facts facts;
};

#define STAND_IN(of_state)                                                                                   \
    [of_state] = {.is_static = true, .facts = {.source = AR_SOURCE_MOCK, .state = (of_state)}}

static struct ar_snapshot stand_ins[] = {
    STAND_IN(AR_CONNECTING),
    STAND_IN(AR_LIVE),
    STAND_IN(AR_DEGRADED),
    STAND_IN(AR_CLOSED),
};

const struct ar_snapshot *snapshot_new(struct agent_set *set, const struct snapshot_facts *facts,
                                       bool *ret_short)
{
    struct ar_snapshot *s = mem_alloc(sizeof(*s));
    if (ret_short)
        *ret_short = !s;
    if (!s)
        return &stand_ins[facts->state];
    atomic_init(&s->references, 1);
    s->is_static = false;
    s->set = set ? agent_set_retain(set) : NULL;
    s->facts = *facts;
    return s;
}

struct agent_set *snapshot_set(const struct ar_snapshot *s)
{
    return s->set;
}

/* The count is the one member that changes while everybody holds the snapshot as const. */
static struct ar_snapshot *counted(const struct ar_snapshot *s)
{
    return (struct ar_snapshot *)(uintptr_t)s;
}

const struct ar_snapshot *ar_snapshot_retain(const struct ar_snapshot *snapshot)
{
    if (snapshot && !snapshot->is_static) {
        size_t before = atomic_fetch_add_explicit(&counted(snapshot)->references, 1, memory_order_relaxed);
        assert(before > 0);
        (void)before;
    }
    return snapshot;
}

void ar_snapshot_release(const struct ar_snapshot *snapshot)
{
    if (!snapshot || snapshot->is_static)
        return;
    size_t before = atomic_fetch_sub_explicit(&counted(snapshot)->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) {
        agent_set_release(snapshot->set);
        mem_free(counted(snapshot));
    }
}

size_t ar_snapshot_count(const struct ar_snapshot *snapshot)
{
    return snapshot->set ? agent_set_count(snapshot->set) : 0;
}

bool ar_snapshot_is_cut(const struct ar_snapshot *snapshot)
{
    return snapshot->set && agent_set_is_cut(snapshot->set);
}

const struct ar_agent *ar_snapshot_agent(const struct ar_snapshot *snapshot, size_t index)
{
    return snapshot->set ? agent_set_get(snapshot->set, index) : NULL;
}

const struct ar_agent *ar_snapshot_find(const struct ar_snapshot *snapshot, const char *id)
{
    return snapshot->set && id ? agent_set_find(snapshot->set, id) : NULL;
}

enum ar_source ar_snapshot_source(const struct ar_snapshot *snapshot)
{
    return snapshot->facts.source;
}

enum ar_state ar_snapshot_state(const struct ar_snapshot *snapshot)
{
    return snapshot->facts.state;
}

uint64_t snapshot_age_at(const struct ar_snapshot *s, uint64_t now_ms)
{
    if (s->is_static || now_ms < s->facts.taken_at_ms)
        return 0;
    return now_ms - s->facts.taken_at_ms;
}

uint64_t ar_snapshot_age_ms(const struct ar_snapshot *snapshot)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return snapshot_age_at(snapshot, (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000);
}

int64_t ar_snapshot_taken_at_ms(const struct ar_snapshot *snapshot)
{
    return snapshot->facts.taken_at_unix_ms;
}

uint64_t ar_snapshot_version(const struct ar_snapshot *snapshot)
{
    return snapshot->facts.version;
}

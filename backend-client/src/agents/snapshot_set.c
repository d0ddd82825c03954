/* Sets of agents, their use: counted, read, compared.
 *
 * Purpose: what readers on any thread do with a set. After snapshot_build.c has made it only the count is
 * written, so nothing here locks. Happy path: retain, read, release; the last release frees the one block.
 * Failure modes: none; what is not there is NULL.
 */
#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "snapshot_set.h"

struct agent_set *agent_set_retain(struct agent_set *set)
{
    size_t before = atomic_fetch_add_explicit(&set->references, 1, memory_order_relaxed);
    assert(before > 0);
    (void)before;
    return set;
}

void agent_set_release(struct agent_set *set)
{
    if (!set)
        return;
    /* Release: our reads are over. Acquire, for the last one: so are everybody's. */
    size_t before = atomic_fetch_sub_explicit(&set->references, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1)
        mem_free(set);
}

size_t agent_set_count(const struct agent_set *set)
{
    return set->count;
}

const struct ar_agent *agent_set_get(const struct agent_set *set, size_t index)
{
    return index < set->count ? &set->agents[index] : NULL;
}

const struct ar_agent *agent_set_find(const struct agent_set *set, const char *id)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ar_agent *agent = &set->agents[set->by_id[middle]];
        int compared = strcmp(agent->id, id);
        if (compared == 0)
            return agent;
        if (compared < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

bool agent_set_any_mock(const struct agent_set *set)
{
    return set->any_mock;
}

bool agent_set_is_cut(const struct agent_set *set)
{
    return set->cut;
}

static bool same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_agent(const struct ar_agent *a, const struct ar_agent *b)
{
    bool same = same_text(a->id, b->id) && same_text(a->name, b->name) && same_text(a->type, b->type) &&
                same_text(a->status, b->status) && same_text(a->swarm_id, b->swarm_id) &&
                same_text(a->activity, b->activity) && a->capability_count == b->capability_count &&
                a->health == b->health && a->cpu == b->cpu && a->memory == b->memory &&
                a->workload == b->workload && a->success_rate == b->success_rate &&
                a->tasks_active == b->tasks_active && a->tasks_completed == b->tasks_completed &&
                a->tasks_failed == b->tasks_failed && a->tokens == b->tokens &&
                a->created_at_ms == b->created_at_ms && a->last_activity_ms == b->last_activity_ms &&
                a->mock == b->mock;
    for (size_t i = 0; same && i < a->capability_count; i++)
        same = same_text(a->capabilities[i], b->capabilities[i]);
    return same;
}

bool agent_set_equal(const struct agent_set *a, const struct agent_set *b)
{
    bool same = a->count == b->count && a->cut == b->cut;
    for (size_t i = 0; a != b && same && i < a->count; i++)
        same = same_agent(&a->agents[i], &b->agents[i]);
    return same;
}

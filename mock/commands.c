/* The commands that change the mock world: swarms, spawned agents, tasks.
 *
 * Purpose: each command checks its arguments, makes the object, and links it as its last step, so that a
 * command that fails changes nothing. Later events (a task that starts and ends) are fixed here as points in
 * time; no call makes them happen. Failure modes: listed in mock.h for each command.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "mock/world.h"

/* How long a task waits and lasts: long enough for a viewer to see it in progress, short enough to wait for. */
#define PENDING_MIN_MS    1000
#define PENDING_SPREAD_MS 1000
#define WORK_MIN_MS       4000
#define WORK_SPREAD_MS    8000

static bool too_long(const char *word)
{
    return strlen(word) > MOCK_MAX_WORD_BYTES;
}

/* ---- swarms ---- */

static void draw_swarm_id(struct mock *m, enum mock_id_style style, uint64_t now_ms, char id[ID_SIZE])
{
    if (style == MOCK_ID_LONG) {
        world_draw_id(m, "swarm_", now_ms, 9, id);
        return;
    }
    do
        (void)snprintf(id, ID_SIZE, "swarm-%" PRIu64, now_ms++);
    while (world_find_swarm(m, id));
}

int mock_swarm_init(struct mock *m, const char *topology, const char *strategy, uint64_t max_agents,
                    enum mock_id_style style, uint64_t now_ms, const char **ret_id)
{
    char id[ID_SIZE];
    if (too_long(topology) || too_long(strategy))
        return ERR_TOO_LARGE;
    draw_swarm_id(m, style, now_ms, id);
    int rc = world_add_swarm(m, id, topology, strategy, max_agents, now_ms);
    if (rc != 0)
        return rc;
    *ret_id = world_find_swarm(m, NULL)->id;
    return 0;
}

int mock_swarm_destroy(struct mock *m, const char *id, size_t *ret_agents_ended)
{
    const struct swarm *swarm = world_find_swarm(m, id);
    if (!swarm)
        return ERR_NOT_FOUND;
    *ret_agents_ended = world_end_swarm(m, swarm);
    return 0;
}

/* ---- agents ---- */

static size_t agents_in(const struct mock *m, const struct swarm *swarm)
{
    size_t count = 0;
    for (size_t i = 0; i < m->agent_count; i++)
        count += m->agents[i]->swarm == swarm;
    return count;
}

/* "coder" → "Coder 6": the number is its place in the list. */
static char *name_from_type(const struct mock *m, const char *type)
{
    char name[MOCK_MAX_WORD_BYTES + 32];
    (void)snprintf(name, sizeof(name), "%c%s %zu", toupper((unsigned char)type[0]), type + 1,
                   m->agent_count + 1);
    return mem_strdup(name);
}

static int fill_spawned(struct mock *m, struct agent *a, const struct mock_spawn *spawn, uint64_t now_ms)
{
    char id[ID_SIZE];
    world_draw_id(m, "agent_", now_ms, 6, id);
    a->id = mem_strdup(id);
    a->type = mem_strdup(spawn->type);
    a->name = spawn->name ? mem_strdup(spawn->name) : name_from_type(m, spawn->type);
    if (!a->id || !a->type || !a->name)
        return -ENOMEM;
    a->active = true;
    a->spawned = true;
    a->created_at_ms = now_ms;
    a->stream = world_stream(id);
    return words_copy(spawn->capabilities, spawn->capability_count, &a->capabilities, &a->capability_count);
}

int mock_spawn(struct mock *m, const struct mock_spawn *spawn, uint64_t now_ms, size_t *ret_index)
{
    const struct swarm *swarm = world_find_swarm(m, spawn->swarm_id);
    if (!swarm)
        return ERR_NOT_FOUND;
    if (spawn->type[0] == '\0')
        return ERR_RANGE;
    if (too_long(spawn->type) || (spawn->name && too_long(spawn->name)))
        return ERR_TOO_LARGE;
    if (agents_in(m, swarm) >= swarm->max_agents)
        return ERR_FULL;
    struct agent *a = agent_new();
    if (!a)
        return -ENOMEM;
    a->swarm = swarm;
    int rc = fill_spawned(m, a, spawn, now_ms);
    if (rc == 0)
        rc = world_add_agent(m, a);
    if (rc != 0) {
        agent_free(a);
        return rc;
    }
    *ret_index = m->agent_count - 1;
    return 0;
}

/* ---- tasks ---- */

/* The agent of the swarm with the fewest tasks, the first of equals; an initial agent when the swarm has none.
 */
static const struct agent *choose_agent(const struct mock *m, const struct swarm *swarm)
{
    const struct swarm *from = agents_in(m, swarm) > 0 ? swarm : m->swarms[0];
    const struct agent *best = NULL;
    size_t best_tasks = 0;
    for (size_t i = 0; i < m->agent_count; i++) {
        const struct agent *a = m->agents[i];
        if (a->swarm != from)
            continue;
        size_t tasks = 0;
        for (size_t t = 0; t < m->task_count; t++)
            tasks += m->tasks[t]->agent == a;
        if (!best || tasks < best_tasks) {
            best = a;
            best_tasks = tasks;
        }
    }
    return best;
}

/* Room for one more: by growing, or by forgetting the oldest task that is done. */
static int make_task_room(struct mock *m, uint64_t now_ms)
{
    if (m->task_count < m->task_cap)
        return 0;
    if (m->task_cap < MOCK_MAX_TASKS) {
        size_t cap = m->task_cap ? m->task_cap * 2 : 8;
        cap = cap > MOCK_MAX_TASKS ? MOCK_MAX_TASKS : cap;
        struct task **tasks = mem_realloc(m->tasks, cap * sizeof(struct task *));
        if (!tasks)
            return -ENOMEM;
        m->tasks = tasks;
        m->task_cap = cap;
        return 0;
    }
    for (size_t i = 0; i < m->task_count; i++) {
        if (m->tasks[i]->completed_at_ms > now_ms)
            continue;
        task_free(m->tasks[i]);
        memmove(&m->tasks[i], &m->tasks[i + 1], (m->task_count - i - 1) * sizeof(struct task *));
        m->task_count--;
        return 0;
    }
    return ERR_FULL;
}

static void plan_task(const struct mock *m, struct task *t, uint64_t now_ms)
{
    uint64_t stream = world_stream(t->id);
    t->created_at_ms = now_ms;
    t->started_at_ms = now_ms + PENDING_MIN_MS + world_draw(m, stream, 0, 0) % PENDING_SPREAD_MS;
    t->completed_at_ms = t->started_at_ms + WORK_MIN_MS + world_draw(m, stream, 1, 0) % WORK_SPREAD_MS;
}

static struct task *task_new(struct mock *m, const char *text, const char *strategy, const char *priority,
                             uint64_t now_ms)
{
    char id[ID_SIZE];
    world_draw_id(m, "task_", now_ms, 9, id);
    struct task *t = mem_zalloc(sizeof(*t));
    if (!t)
        return NULL;
    t->id = mem_strdup(id);
    t->text = mem_strdup(text);
    t->strategy = mem_strdup(strategy);
    t->priority = mem_strdup(priority);
    if (!t->id || !t->text || !t->strategy || !t->priority) {
        task_free(t);
        return NULL;
    }
    plan_task(m, t, now_ms);
    return t;
}

int mock_task_add(struct mock *m, const char *text, const char *strategy, const char *priority,
                  const char *swarm_id, uint64_t now_ms, const char **ret_id)
{
    const struct swarm *swarm = world_find_swarm(m, swarm_id);
    if (!swarm)
        return ERR_NOT_FOUND;
    if (strlen(text) > MOCK_MAX_TASK_BYTES || too_long(strategy) || too_long(priority))
        return ERR_TOO_LARGE;
    struct task *t = task_new(m, text, strategy, priority, now_ms);
    if (!t)
        return -ENOMEM;
    int rc = make_task_room(m, now_ms);
    if (rc != 0) {
        task_free(t);
        return rc;
    }
    t->swarm = swarm;
    t->agent = choose_agent(m, swarm);
    m->tasks[m->task_count++] = t;
    *ret_id = t->id;
    return 0;
}

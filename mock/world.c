/* The objects of the mock world and their ownership.
 *
 * Purpose: own every object, and keep the invariants: swarms[0] is that of the initial agents and is never
 * removed; there is at least one initial agent; an agent's swarm and a task's swarm and agent exist as long
 * as it does, because ending a swarm ends its tasks and its spawned agents with it. Failure modes: no memory:
 * -ENOMEM and nothing changed; a full world: ERR_FULL.
 */
#include "mock/world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* The swarm of the initial agents is unlimited; only a swarm made by a command has a limit. */
#define DEFAULT_SWARM_AGENTS MOCK_MAX_AGENTS

/* ---- numbers ---- */

/* The finaliser of splitmix64: every bit of the input reaches every bit of the output. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint64_t world_draw(const struct mock *m, uint64_t stream, uint64_t channel, uint64_t step)
{
    return mix(mix(mix(mix(m->seed) ^ stream) ^ channel) ^ step);
}

uint64_t world_stream(const char *name)
{
    uint64_t stream = 0;
    for (; *name; name++)
        stream = mix(stream ^ (unsigned char)*name);
    return stream;
}

void world_draw_id(struct mock *m, const char *prefix, uint64_t now_ms, unsigned letters, char text[ID_SIZE])
{
    static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    uint64_t bits = world_draw(m, world_stream("id"), m->drawn++, 0);
    int len = snprintf(text, ID_SIZE - letters - 1, "%s%" PRIu64 "_", prefix, now_ms);
    for (unsigned i = 0; i < letters; i++, bits /= 36)
        text[len++] = alphabet[bits % 36];
    text[len] = '\0';
}

/* ---- objects ---- */

static void words_free(char **words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        mem_free(words[i]);
    mem_free(words);
}

int words_copy(const char *const *words, size_t count, char ***ret_list, size_t *ret_count)
{
    *ret_list = NULL;
    *ret_count = 0;
    if (count > MOCK_MAX_CAPABILITIES)
        return ERR_TOO_LARGE;
    *ret_list = mem_zalloc(count * sizeof(**ret_list));
    if (!*ret_list)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) > MOCK_MAX_WORD_BYTES)
            return ERR_TOO_LARGE;
        (*ret_list)[i] = mem_strdup(words[i]);
        if (!(*ret_list)[i])
            return -ENOMEM;
        *ret_count = i + 1;
    }
    return 0;
}

struct agent *agent_new(void)
{
    return mem_zalloc(sizeof(struct agent));
}

void agent_free(struct agent *a)
{
    if (!a)
        return;
    mem_free(a->id);
    mem_free(a->name);
    mem_free(a->type);
    words_free(a->capabilities, a->capability_count);
    words_free(a->activities, a->activity_count);
    mem_free(a);
}

void swarm_free(struct swarm *s)
{
    if (!s)
        return;
    mem_free(s->id);
    mem_free(s->topology);
    mem_free(s->strategy);
    mem_free(s);
}

void task_free(struct task *t)
{
    if (!t)
        return;
    mem_free(t->id);
    mem_free(t->text);
    mem_free(t->strategy);
    mem_free(t->priority);
    mem_free(t);
}

/* ---- the world ---- */

int world_add_agent(struct mock *m, struct agent *a)
{
    if (m->agent_count == MOCK_MAX_AGENTS)
        return ERR_FULL;
    if (m->agent_count == m->agent_cap) {
        size_t cap = m->agent_cap ? m->agent_cap * 2 : 8;
        struct agent **agents = mem_realloc(m->agents, cap * sizeof(struct agent *));
        if (!agents)
            return -ENOMEM;
        m->agents = agents;
        m->agent_cap = cap;
    }
    m->agents[m->agent_count++] = a;
    return 0;
}

int world_add_swarm(struct mock *m, const char *id, const char *topology, const char *strategy,
                    uint64_t max_agents, uint64_t now_ms)
{
    struct swarm *s = mem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->id = mem_strdup(id);
    s->topology = mem_strdup(topology);
    s->strategy = mem_strdup(strategy);
    s->max_agents = max_agents;
    s->created_at_ms = now_ms;
    if (!s->id || !s->topology || !s->strategy) {
        swarm_free(s);
        return -ENOMEM;
    }
    if (m->swarm_count == MOCK_MAX_SWARMS)
        world_end_swarm(m, m->swarms[1]);
    m->swarms[m->swarm_count++] = s;
    return 0;
}

const struct swarm *world_find_swarm(const struct mock *m, const char *id)
{
    if (!id)
        return m->swarms[m->swarm_count - 1];
    for (size_t i = 0; i < m->swarm_count; i++) {
        if (strcmp(m->swarms[i]->id, id) == 0)
            return m->swarms[i];
    }
    return NULL;
}

static void end_tasks(struct mock *m, const struct swarm *swarm)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->task_count; i++) {
        if (m->tasks[i]->swarm == swarm)
            task_free(m->tasks[i]);
        else
            m->tasks[kept++] = m->tasks[i];
    }
    m->task_count = kept;
}

static size_t end_agents(struct mock *m, const struct swarm *swarm)
{
    size_t kept = 0, ended = 0;
    for (size_t i = 0; i < m->agent_count; i++) {
        if (m->agents[i]->spawned && m->agents[i]->swarm == swarm) {
            agent_free(m->agents[i]);
            ended++;
        } else {
            m->agents[kept++] = m->agents[i];
        }
    }
    m->agent_count = kept;
    return ended;
}

size_t world_end_swarm(struct mock *m, const struct swarm *swarm)
{
    end_tasks(m, swarm);
    size_t ended = end_agents(m, swarm);
    size_t kept = 1;
    for (size_t i = 1; i < m->swarm_count; i++) {
        if (m->swarms[i] == swarm)
            swarm_free(m->swarms[i]);
        else
            m->swarms[kept++] = m->swarms[i];
    }
    m->swarm_count = kept;
    return ended;
}

const struct agent *world_leader(const struct mock *m)
{
    for (size_t i = 0; i < m->agent_count; i++) {
        const char *type = m->agents[i]->type;
        if (strcmp(type, "coordinator") == 0 || strcmp(type, "queen") == 0)
            return m->agents[i];
    }
    return m->agents[0];
}

static int make_default_swarm(struct mock *m)
{
    char id[ID_SIZE];
    m->swarms = mem_zalloc(MOCK_MAX_SWARMS * sizeof(struct swarm *));
    if (!m->swarms)
        return -ENOMEM;
    world_draw_id(m, "swarm_", m->start_ms, 9, id);
    return world_add_swarm(m, id, "hierarchical", "adaptive", DEFAULT_SWARM_AGENTS, m->start_ms);
}

int mock_new(const struct mock_options *options, struct mock **ret_mock, char *ret_problem,
             size_t problem_size)
{
    if (problem_size > 0)
        ret_problem[0] = '\0';
    struct mock *m = mem_zalloc(sizeof(*m));
    if (!m)
        return -ENOMEM;
    m->seed = options->seed;
    m->start_ms = options->start_ms;
    int rc = make_default_swarm(m);
    if (rc == 0 && options->agents)
        rc = initial_agents_read(m, options->agents, options->agents_len, ret_problem, problem_size);
    else if (rc == 0)
        rc = initial_agents_read(m, mock_agents_json, mock_agents_json_len, ret_problem, problem_size);
    if (rc != 0) {
        mock_free(m);
        return rc;
    }
    *ret_mock = m;
    return 0;
}

void mock_free(struct mock *m)
{
    if (!m)
        return;
    for (size_t i = 0; i < m->task_count; i++)
        task_free(m->tasks[i]);
    for (size_t i = 0; i < m->agent_count; i++)
        agent_free(m->agents[i]);
    for (size_t i = 0; i < m->swarm_count; i++)
        swarm_free(m->swarms[i]);
    mem_free(m->tasks);
    mem_free(m->agents);
    mem_free(m->swarms);
    mem_free(m);
}

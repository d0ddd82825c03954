/* The state of the mock world at a moment.
 *
 * Purpose: turn (seed, start, objects, now_ms) into numbers that move as those of a working swarm do: loads
 * that wander, counters that only grow, tasks that begin and end. These functions do not change the world:
 * the same call gives the same result, and second 300 is computed without the 299 before it.
 *
 * All of it is integer arithmetic, so every compiler and machine gives the same bytes. A load moves between
 * targets drawn for each period; at the very start the counters are exactly those of the initial agents.
 * Failure modes: none.
 */
#include <string.h>

#include "mock/world.h"

enum channel {
    CH_CPU,
    CH_MEMORY,
    CH_HEALTH,
    CH_WORKLOAD,
    CH_ACTIVE,
    CH_PACE,
    CH_TOKENS,
    CH_ACTIVITY,
    CH_PULSE
};

/* How often a load gets a new target. */
#define CPU_PERIOD_MS      7000
#define MEMORY_PERIOD_MS   45000
#define HEALTH_PERIOD_MS   30000
#define WORKLOAD_PERIOD_MS 20000
#define ACTIVE_PERIOD_MS   15000
#define ACTIVITY_PERIOD_MS 25000
/* A working agent ends a task of its own every 20 to 60 seconds; one in 17 fails. */
#define PACE_MIN_MS    20000
#define PACE_SPREAD_MS 40000
#define FAILS_ONE_IN   17
#define PULSE_MS       3000

unsigned world_wave(const struct mock *m, uint64_t stream, uint64_t channel, uint64_t period_ms,
                    uint64_t now_ms)
{
    uint64_t t = since_ms(m->start_ms, now_ms);
    int64_t from = (int64_t)(world_draw(m, stream, channel, t / period_ms) % 1001);
    int64_t to = (int64_t)(world_draw(m, stream, channel, t / period_ms + 1) % 1001);
    int64_t way = (int64_t)(t % period_ms * 1000 / period_ms);
    int64_t eased = way * way * (3000 - 2 * way) / 1000000; /* slow at both ends */
    return (unsigned)(from + (to - from) * eased / 1000);
}

/* The load in thousandths: low + wave × spread. */
static double load(const struct mock *m, const struct agent *a, enum channel channel, uint64_t period_ms,
                   unsigned low, unsigned spread, uint64_t now_ms)
{
    unsigned wave = world_wave(m, a->stream, channel, period_ms, now_ms);
    unsigned thousandths = low + spread * wave / 1000;
    return thousandths / 1000.0;
}

struct given { /* tasks that commands gave to the agent */
    uint64_t active;
    uint64_t completed;
    uint64_t last_ms;
    const char *text; /* of the one in progress; NULL: none */
};

static struct given given_tasks(const struct mock *m, const struct agent *a, uint64_t now_ms)
{
    struct given g = {0};
    for (size_t i = 0; i < m->task_count; i++) {
        const struct task *t = m->tasks[i];
        if (t->agent != a || t->started_at_ms > now_ms)
            continue;
        if (t->completed_at_ms <= now_ms) {
            g.completed++;
            g.last_ms = t->completed_at_ms > g.last_ms ? t->completed_at_ms : g.last_ms;
        } else {
            g.active++;
            g.text = t->text;
        }
    }
    return g;
}

static void set_loads(const struct mock *m, const struct agent *a, bool active, uint64_t now_ms,
                      struct mock_agent *ret)
{
    unsigned health = 86 + world_wave(m, a->stream, CH_HEALTH, HEALTH_PERIOD_MS, now_ms) * 14 / 1000;
    ret->health = health;
    ret->cpu = load(m, a, CH_CPU, CPU_PERIOD_MS, active ? 250 : 20, active ? 650 : 130, now_ms);
    ret->memory = load(m, a, CH_MEMORY, MEMORY_PERIOD_MS, active ? 300 : 150, active ? 500 : 200, now_ms);
    ret->workload = load(m, a, CH_WORKLOAD, WORKLOAD_PERIOD_MS, active ? 400 : 0, active ? 550 : 100, now_ms);
}

/* The tasks of its own that an agent has begun: those it was created with, one more or one less from time to
 * time. */
static uint64_t own_active(const struct mock *m, const struct agent *a, uint64_t now_ms)
{
    uint64_t step = since_ms(a->created_at_ms, now_ms) / ACTIVE_PERIOD_MS;
    if (!a->active || step == 0)
        return a->base_active;
    uint64_t wanders = a->base_active + world_draw(m, a->stream, CH_ACTIVE, step) % 3;
    return wanders > 0 ? wanders - 1 : 0;
}

static void set_counters(const struct mock *m, const struct agent *a, const struct given *given,
                         uint64_t now_ms, struct mock_agent *ret)
{
    uint64_t age_ms = since_ms(a->created_at_ms, now_ms);
    uint64_t pace_ms = PACE_MIN_MS + world_draw(m, a->stream, CH_PACE, 0) % PACE_SPREAD_MS;
    uint64_t ended = a->active ? age_ms / pace_ms : 0;
    ret->tasks_active = own_active(m, a, now_ms) + given->active;
    ret->tasks_completed = a->base_completed + ended - ended / FAILS_ONE_IN + given->completed;
    ret->tasks_failed = a->base_failed + ended / FAILS_ONE_IN;
    uint64_t all = ret->tasks_completed + ret->tasks_failed;
    uint64_t thousandths = all > 0 ? (ret->tasks_completed * 1000 + all / 2) / all : 1000;
    ret->success_rate = (double)thousandths / 1000.0;

    uint64_t draw = world_draw(m, a->stream, CH_TOKENS, 0);
    ret->tokens_per_minute = a->active || given->active ? 400 + draw % 1600 : 0;
    ret->tokens = a->spawned ? 0 : 10000 + draw % 90000;
    if (a->active)
        ret->tokens += age_ms / 1000 * ret->tokens_per_minute / 60;
}

static const char *activity_of(const struct mock *m, const struct agent *a, const struct given *given,
                               uint64_t now_ms)
{
    if (given->text)
        return given->text;
    if (a->activity_count == 0)
        return a->active ? "Waiting for a task" : "Idle";
    uint64_t step = since_ms(a->created_at_ms, now_ms) / ACTIVITY_PERIOD_MS;
    return a->activities[(world_draw(m, a->stream, CH_ACTIVITY, 0) + step) % a->activity_count];
}

/* The last-seen time: a working agent reports every three seconds, each at its own phase; an idle one last
 * reported when it ended its last task. */
static uint64_t last_active(const struct mock *m, const struct agent *a, const struct given *given,
                            bool active, uint64_t now_ms)
{
    uint64_t last = given->last_ms;
    uint64_t quiet_ms = (now_ms + world_draw(m, a->stream, CH_PULSE, 0) % PULSE_MS) % PULSE_MS;
    if (active)
        last = since_ms(quiet_ms, now_ms);
    return last > a->created_at_ms ? last : a->created_at_ms;
}

size_t mock_agent_count(const struct mock *m)
{
    return m->agent_count;
}

bool mock_agent_get(const struct mock *m, size_t index, uint64_t now_ms, struct mock_agent *ret_agent)
{
    if (index >= m->agent_count)
        return false;
    const struct agent *a = m->agents[index];
    struct given given = given_tasks(m, a, now_ms);
    bool active = a->active || given.active > 0;
    *ret_agent = (struct mock_agent){
        .id = a->id,
        .name = a->name,
        .type = a->type,
        .status = active ? "active" : "idle",
        .swarm_id = a->swarm->id,
        .activity = activity_of(m, a, &given, now_ms),
        .capabilities = (const char *const *)a->capabilities,
        .capability_count = a->capability_count,
        .created_at_ms = a->created_at_ms,
        .last_active_ms = last_active(m, a, &given, active, now_ms),
        .spawned = a->spawned,
    };
    set_loads(m, a, active, now_ms, ret_agent);
    set_counters(m, a, &given, now_ms, ret_agent);
    return true;
}

/* ---- tasks and swarms ---- */

const char *mock_task_status_text(enum mock_task_status status)
{
    static const char *const texts[] = {"pending", "in_progress", "completed"};
    return texts[status];
}

static void show_task(const struct task *t, uint64_t now_ms, struct mock_task *ret)
{
    *ret = (struct mock_task){
        .id = t->id,
        .text = t->text,
        .strategy = t->strategy,
        .priority = t->priority,
        .swarm_id = t->swarm->id,
        .agent_id = t->agent->id,
        .created_at_ms = t->created_at_ms,
        .started_at_ms = t->started_at_ms,
        .completed_at_ms = t->completed_at_ms,
    };
    if (now_ms >= t->completed_at_ms) {
        ret->status = MOCK_TASK_COMPLETED;
        ret->progress = 100;
    } else if (now_ms >= t->started_at_ms) {
        ret->status = MOCK_TASK_IN_PROGRESS;
        ret->progress =
            (unsigned)((now_ms - t->started_at_ms) * 100 / (t->completed_at_ms - t->started_at_ms));
    }
}

size_t mock_task_count(const struct mock *m)
{
    return m->task_count;
}

bool mock_task_get(const struct mock *m, size_t index, uint64_t now_ms, struct mock_task *ret_task)
{
    if (index >= m->task_count)
        return false;
    show_task(m->tasks[index], now_ms, ret_task);
    return true;
}

bool mock_task_find(const struct mock *m, const char *id, uint64_t now_ms, struct mock_task *ret_task)
{
    for (size_t i = 0; i < m->task_count; i++) {
        if (strcmp(m->tasks[i]->id, id) == 0) {
            show_task(m->tasks[i], now_ms, ret_task);
            return true;
        }
    }
    return false;
}

bool mock_swarm_get(const struct mock *m, const char *id, struct mock_swarm *ret_swarm)
{
    const struct swarm *s = world_find_swarm(m, id);
    if (!s)
        return false;
    *ret_swarm = (struct mock_swarm){.id = s->id,
                                     .topology = s->topology,
                                     .strategy = s->strategy,
                                     .max_agents = s->max_agents,
                                     .created_at_ms = s->created_at_ms};
    return true;
}

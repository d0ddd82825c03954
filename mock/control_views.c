/* The mock world in the format of the agent control system: agents/list, visualization.snapshot, metrics.get.
 *
 * Purpose: the shapes that its clients read with strict decoders, so every field is always present: positions
 * and connections are empty, not absent, when the request does not want them, and metrics have both the field
 * names that servers sent and those that clients expected. Loads and rates are shares (0..1), health is
 * 0..100. Failure modes: none of its own; the writer keeps the first error.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "mock/views.h"
#include "mock/world.h"

enum channel { CH_X = 100, CH_Y, CH_Z, CH_STRENGTH, CH_MESSAGES, CH_RSS, CH_HEAP, CH_UPDATE };

#define DRIFT_PERIOD_MS  12000
#define MEMORY_PERIOD_MS 60000

static void write_control_agent(const struct mock_agent *a, struct writer *w)
{
    write_object(w);
    write_member_string(w, "id", a->id);
    write_member_string(w, "type", a->type);
    write_member_string(w, "name", a->name);
    write_member_string(w, "status", a->status);
    write_member_string(w, "activity", a->activity);
    write_member_double(w, "health", a->health);
    write_member_words(w, "capabilities", a->capabilities, a->capability_count);
    write_member_string(w, "swarmId", a->swarm_id);
    write_member_time(w, "createdAt", a->created_at_ms);
    write_member_time(w, "lastActivity", a->last_active_ms);
    write_key(w, "metrics");
    write_object(w);
    write_member_uint(w, "tasksCompleted", a->tasks_completed);
    write_member_uint(w, "tasksActive", a->tasks_active);
    write_member_uint(w, "tasksFailed", a->tasks_failed);
    write_member_double(w, "successRate", a->success_rate);
    write_member_double(w, "cpuUsage", a->cpu);
    write_member_double(w, "memoryUsage", a->memory);
    write_member_double(w, "workload", a->workload);
    write_member_uint(w, "tokens", a->tokens);
    write_object_end(w);
    write_member_string(w, "source", "mock");
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

static bool matches(const char *filter, const char *value)
{
    return !filter || strcmp(filter, value) == 0;
}

static void write_agents(const struct mock *m, const char *type, const char *status, const char *source,
                         uint64_t now_ms, struct writer *w)
{
    struct mock_agent agent;
    write_key(w, "agents");
    write_array(w);
    for (size_t i = 0; mock_agent_get(m, i, now_ms, &agent); i++) {
        if (matches(type, agent.type) && matches(status, agent.status) && matches(source, "mock"))
            write_control_agent(&agent, w);
    }
    write_array_end(w);
}

void mock_write_control_agents(const struct mock *m, const char *type, const char *status, const char *source,
                               uint64_t now_ms, struct writer *w)
{
    write_object(w);
    write_agents(m, type, status, source, now_ms, w);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

/* ---- snapshot ---- */

/* The leader is connected to every agent. */
static void write_connection(const struct mock *m, const struct agent *from, const struct agent *to,
                             size_t number, uint64_t now_ms, struct writer *w)
{
    char id[32];
    (void)snprintf(id, sizeof(id), "conn-%03zu", number);
    uint64_t born_ms = from->created_at_ms > to->created_at_ms ? from->created_at_ms : to->created_at_ms;
    uint64_t draw = world_draw(m, to->stream, CH_MESSAGES, 0);
    uint64_t pace_ms = 2000 + draw % 3000;
    uint64_t since_last_ms = since_ms(born_ms, now_ms) % pace_ms;
    uint64_t last_ms = since_ms(since_last_ms, now_ms);
    unsigned strength = 500 + world_wave(m, to->stream, CH_STRENGTH, DRIFT_PERIOD_MS, now_ms) / 2;
    write_object(w);
    write_member_string(w, "id", id);
    write_member_string(w, "from", from->id);
    write_member_string(w, "to", to->id);
    write_member_uint(w, "messageCount", draw % 50 + since_ms(born_ms, now_ms) / pace_ms);
    write_member_time(w, "lastActivity", last_ms > born_ms ? last_ms : born_ms);
    write_member_double(w, "strength", strength / 1000.0);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

static void write_connections(const struct mock *m, bool wanted, uint64_t now_ms, struct writer *w)
{
    const struct agent *leader = world_leader(m);
    size_t number = 0;
    write_key(w, "connections");
    write_array(w);
    for (size_t i = 0; wanted && i < m->agent_count; i++) {
        if (m->agents[i] != leader)
            write_connection(m, leader, m->agents[i], ++number, now_ms, w);
    }
    write_array_end(w);
}

/* A fixed position per agent in a cube of ±40, and a drift of ±5 around it. */
static double coordinate(const struct mock *m, const struct agent *a, enum channel axis, uint64_t now_ms)
{
    int64_t home = (int64_t)(world_draw(m, a->stream, axis, UINT64_MAX) % 801) - 400;
    int64_t drift = (int64_t)world_wave(m, a->stream, axis, DRIFT_PERIOD_MS, now_ms) / 10 - 50;
    return (double)(home + drift) / 10.0;
}

static void write_positions(const struct mock *m, bool wanted, uint64_t now_ms, struct writer *w)
{
    write_key(w, "positions");
    write_object(w);
    for (size_t i = 0; wanted && i < m->agent_count; i++) {
        const struct agent *a = m->agents[i];
        write_key(w, a->id);
        write_object(w);
        write_member_double(w, "x", coordinate(m, a, CH_X, now_ms));
        write_member_double(w, "y", coordinate(m, a, CH_Y, now_ms));
        write_member_double(w, "z", coordinate(m, a, CH_Z, now_ms));
        write_object_end(w);
    }
    write_object_end(w);
}

/* ---- figures ---- */

struct sums {
    uint64_t total;
    uint64_t active;
    double health, cpu, memory; /* of all agents */
};

static struct sums sum_up(const struct mock *m, uint64_t now_ms)
{
    struct sums s = {0};
    struct mock_agent agent;
    for (size_t i = 0; mock_agent_get(m, i, now_ms, &agent); i++) {
        s.total++;
        s.active += strcmp(agent.status, "active") == 0;
        s.health += agent.health;
        s.cpu += agent.cpu;
        s.memory += agent.memory;
    }
    return s;
}

/* The mean in thousandths, so that it prints short. */
static double mean(double sum, uint64_t count)
{
    return count > 0 ? (double)(uint64_t)(sum * 1000 / (double)count + 0.5) / 1000.0 : 0;
}

static uint64_t of_type(const struct mock *m, const char *type)
{
    uint64_t count = 0;
    for (size_t i = 0; i < m->agent_count; i++)
        count += strcmp(m->agents[i]->type, type) == 0;
    return count;
}

static bool is_first_of_type(const struct mock *m, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(m->agents[i]->type, m->agents[index]->type) == 0)
            return false;
    }
    return true;
}

static void write_agent_stats(const struct mock *m, uint64_t now_ms, struct writer *w)
{
    struct sums s = sum_up(m, now_ms);
    write_object(w);
    write_member_uint(w, "total", s.total);
    write_member_uint(w, "totalAgents", s.total);
    write_key(w, "byType");
    write_object(w);
    for (size_t i = 0; i < m->agent_count; i++) {
        if (is_first_of_type(m, i))
            write_member_uint(w, m->agents[i]->type, of_type(m, m->agents[i]->type));
    }
    write_object_end(w);
    write_key(w, "byStatus");
    write_object(w);
    write_member_uint(w, "active", s.active);
    write_member_uint(w, "idle", s.total - s.active);
    write_object_end(w);
    write_key(w, "bySource");
    write_object(w);
    write_member_uint(w, "mock", s.total);
    write_object_end(w);
    write_member_double(w, "avgHealth", mean(s.health, s.total));
    write_member_double(w, "avgCpuUsage", mean(s.cpu, s.total));
    write_member_double(w, "avgMemoryUsage", mean(s.memory, s.total));
    write_object_end(w);
}

static void write_performance(const struct mock *m, uint64_t now_ms, struct writer *w)
{
    write_object(w);
    write_member_uint(w, "fps", 60);
    write_member_double(w, "updateTime",
                        (8000 + world_wave(m, 0, CH_UPDATE, DRIFT_PERIOD_MS, now_ms) * 8) / 1000.0);
    write_member_uint(w, "nodeCount", m->agent_count);
    write_member_uint(w, "cacheAge", since_ms(m->start_ms, now_ms) % 1000);
    write_member_uint(w, "updateInterval", 1000);
    write_member_uint(w, "sourcesAvailable", 1);
    write_object_end(w);
}

/* Of a process that does not exist: about 60 MB, a tenth of one processor. */
static void write_system(const struct mock *m, uint64_t now_ms, struct writer *w)
{
    uint64_t up_ms = since_ms(m->start_ms, now_ms);
    uint64_t rss = 55000000 + world_wave(m, 0, CH_RSS, MEMORY_PERIOD_MS, now_ms) * UINT64_C(10000);
    uint64_t heap = 20000000 + world_wave(m, 0, CH_HEAP, MEMORY_PERIOD_MS, now_ms) * UINT64_C(8000);
    write_object(w);
    write_member_double(w, "uptime", (double)up_ms / 1000.0);
    write_key(w, "memoryUsage");
    write_object(w);
    write_member_uint(w, "rss", rss);
    write_member_uint(w, "heapTotal", UINT64_C(32000000));
    write_member_uint(w, "heapUsed", heap);
    write_member_uint(w, "external", UINT64_C(1500000));
    write_object_end(w);
    write_key(w, "cpuUsage");
    write_object(w);
    write_member_uint(w, "user", up_ms * 80);
    write_member_uint(w, "system", up_ms * 20);
    write_object_end(w);
    write_object_end(w);
}

void mock_write_snapshot(const struct mock *m, bool positions, bool connections, uint64_t now_ms,
                         struct writer *w)
{
    write_object(w);
    write_member_time(w, "timestamp", now_ms);
    write_member_uint(w, "agentCount", m->agent_count);
    write_agents(m, NULL, NULL, NULL, now_ms, w);
    write_connections(m, connections, now_ms, w);
    write_key(w, "metrics");
    write_agent_stats(m, now_ms, w);
    write_positions(m, positions, now_ms, w);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

void mock_write_metrics(const struct mock *m, uint64_t now_ms, struct writer *w)
{
    write_object(w);
    write_member_time(w, "timestamp", now_ms);
    write_key(w, "system");
    write_system(m, now_ms, w);
    write_key(w, "agents");
    write_agent_stats(m, now_ms, w);
    write_key(w, "performance");
    write_performance(m, now_ms, w);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

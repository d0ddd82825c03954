/* The mock world in the format of claude-flow 2 and its clients.
 *
 * Purpose: agent lists, swarm status and tasks. An agent object has the fields of that server (camel case,
 * metadata as a JSON string) and in addition the snake-case ones that its known clients read: loads and rates
 * in percent, workload 0..1. Every object that represents invented data has "mock":true. Failure modes: none
 * of its own; the writer keeps the first error.
 */
#include <string.h>

#include "mock/iso_time.h"
#include "mock/views.h"
#include "mock/world.h"

void write_member_time(struct writer *w, const char *key, uint64_t unix_ms)
{
    char text[ISO_TIME_SIZE];
    iso_time_format(unix_ms, text);
    write_member_string(w, key, text);
}

void write_member_words(struct writer *w, const char *key, const char *const *words, size_t count)
{
    write_key(w, key);
    write_array(w);
    for (size_t i = 0; i < count; i++)
        write_cstring(w, words[i]);
    write_array_end(w);
}

/* Shares to percent with one decimal, exactly: 0.456 → 45.6. */
static double percent(double share)
{
    return (double)(long)(share * 1000 + 0.5) / 10;
}

static void write_client_fields(const struct mock *m, const struct mock_agent *a, uint64_t now_ms,
                                struct writer *w)
{
    const char *leader = world_leader(m)->id;
    const struct swarm *swarm = world_find_swarm(m, a->swarm_id);
    write_member_double(w, "health", a->health);
    write_member_double(w, "cpu_usage", percent(a->cpu));
    write_member_double(w, "memory_usage", percent(a->memory));
    write_member_double(w, "workload", a->workload);
    write_member_string(w, "current_task", strcmp(a->status, "active") == 0 ? a->activity : NULL);
    write_member_string(w, "activity", a->activity);
    write_member_uint(w, "tasks_active", a->tasks_active);
    write_member_uint(w, "tasks_completed", a->tasks_completed);
    write_member_uint(w, "tasks_failed", a->tasks_failed);
    write_member_double(w, "success_rate", percent(a->success_rate));
    write_member_uint(w, "tokens", a->tokens);
    write_member_uint(w, "token_rate", a->tokens_per_minute);
    write_member_string(w, "swarm_id", a->swarm_id);
    write_member_string(w, "agent_mode", swarm ? swarm->topology : NULL);
    write_member_string(w, "parent_queen_id", strcmp(leader, a->id) == 0 ? NULL : leader);
    write_member_time(w, "created_at", a->created_at_ms);
    write_member_uint(w, "age", since_ms(a->created_at_ms, now_ms));
}

void mock_write_agent(const struct mock *m, const struct mock_agent *agent, uint64_t now_ms, struct writer *w)
{
    write_object(w);
    write_member_string(w, "id", agent->id);
    write_member_string(w, "swarmId", agent->swarm_id);
    write_member_string(w, "name", agent->name);
    write_member_string(w, "type", agent->type);
    write_member_string(w, "status", agent->status);
    write_member_words(w, "capabilities", agent->capabilities, agent->capability_count);
    write_member_string(w, "metadata", "{\"mock\":true}");
    write_member_time(w, "createdAt", agent->created_at_ms);
    write_member_time(w, "lastActive", agent->last_active_ms);
    write_client_fields(m, agent, now_ms, w);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

static bool wanted(const struct mock_agent *a, const char *status, const char *swarm_id)
{
    return (!status || strcmp(status, a->status) == 0) && (!swarm_id || strcmp(swarm_id, a->swarm_id) == 0);
}

void mock_write_agent_list(const struct mock *m, const char *status, const char *swarm_id, uint64_t now_ms,
                           struct writer *w)
{
    struct mock_agent agent;
    uint64_t count = 0;
    const struct swarm *swarm = world_find_swarm(m, swarm_id);
    write_object(w);
    write_member_bool(w, "success", true);
    write_member_string(w, "swarmId", swarm ? swarm->id : swarm_id);
    write_key(w, "agents");
    write_array(w);
    for (size_t i = 0; mock_agent_get(m, i, now_ms, &agent); i++) {
        if (!wanted(&agent, status, swarm_id))
            continue;
        mock_write_agent(m, &agent, now_ms, w);
        count++;
    }
    write_array_end(w);
    write_member_uint(w, "count", count);
    write_member_time(w, "timestamp", now_ms);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

void mock_write_swarm_status(const struct mock *m, const struct mock_swarm *swarm, uint64_t now_ms,
                             struct writer *w)
{
    struct mock_agent agent;
    struct mock_task task;
    uint64_t agents = 0, active = 0, tasks = 0, of_status[3] = {0};
    for (size_t i = 0; mock_agent_get(m, i, now_ms, &agent); i++) {
        agents += wanted(&agent, NULL, swarm->id);
        active += wanted(&agent, "active", swarm->id);
    }
    for (size_t i = 0; mock_task_get(m, i, now_ms, &task); i++) {
        if (strcmp(task.swarm_id, swarm->id) != 0)
            continue;
        tasks++;
        of_status[task.status]++;
    }
    write_object(w);
    write_member_bool(w, "success", true);
    write_member_string(w, "swarmId", swarm->id);
    write_member_string(w, "topology", swarm->topology);
    write_member_string(w, "strategy", swarm->strategy);
    write_member_uint(w, "maxAgents", swarm->max_agents);
    write_member_uint(w, "agentCount", agents);
    write_member_uint(w, "activeAgents", active);
    write_member_uint(w, "taskCount", tasks);
    write_member_uint(w, "pendingTasks", of_status[MOCK_TASK_PENDING]);
    write_member_uint(w, "inProgressTasks", of_status[MOCK_TASK_IN_PROGRESS]);
    write_member_uint(w, "completedTasks", of_status[MOCK_TASK_COMPLETED]);
    write_member_time(w, "timestamp", now_ms);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

void mock_write_task_members(const struct mock_task *task, struct writer *w)
{
    write_member_string(w, "taskId", task->id);
    write_member_string(w, "task", task->text);
    write_member_string(w, "strategy", task->strategy);
    write_member_string(w, "priority", task->priority);
    write_member_string(w, "status", mock_task_status_text(task->status));
    write_member_uint(w, "progress", task->progress);
    write_member_string(w, "swarmId", task->swarm_id);
    write_member_words(w, "assignedAgents", &task->agent_id, 1);
    write_member_time(w, "createdAt", task->created_at_ms);
    write_key(w, "startedAt");
    write_time_or_null(w, task->started_at_ms, task->status != MOCK_TASK_PENDING);
    write_key(w, "completedAt");
    write_time_or_null(w, task->completed_at_ms, task->status == MOCK_TASK_COMPLETED);
}

void mock_write_task(const struct mock_task *task, struct writer *w)
{
    write_object(w);
    mock_write_task_members(task, w);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

void write_time_or_null(struct writer *w, uint64_t unix_ms, bool has_come)
{
    char text[ISO_TIME_SIZE];
    iso_time_format(unix_ms, text);
    if (has_come)
        write_cstring(w, text);
    else
        write_null(w);
}

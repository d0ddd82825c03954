/* Which key of an agent means what, as servers really write them.
 *
 * Purpose: to be read, by people and by normalise_agent.c; there is no other list of keys. A new server's
 * word for something is one more line here and one more test.
 *
 * Not read, because what they say has no member, or is not sure: claude-flow 3's taskCount (tasks ever given,
 * whatever became of them), age (of what moment?), token rates.
 */
#include "normalise_rules.h"

#include "agent_relay.h"

const char *const normalise_groups[GROUP_COUNT] = {
    [METRICS] = "metrics",
    [PERFORMANCE] = "performanceMetrics",
    [TOKEN_USAGE] = "tokenUsage",
    [PROFILE] = "profile",
    [TASKS] = "tasks",
    [TASK] = "currentTask",
};

#define TO(member) offsetof(struct ar_agent, member)

/* Control: the agent control system. CF2, CF3, RS: claude-flow 2 and 3, ruv-swarm. Snake case: what
 * VisionFlow's backend reads. Status: its AgentStatus. */
const struct rule normalise_rules[] = {
    {"id", OWN, TEXT, TO(id)},      /* Control, CF2, RS */
    {"agentId", OWN, TEXT, TO(id)}, /* CF3, Status */
    {"agent_id", OWN, TEXT, TO(id)},

    {"name", OWN, TEXT, TO(name)},
    {"name", PROFILE, TEXT, TO(name)}, /* Status */

    {"type", OWN, TEXT, TO(type)},
    {"agentType", OWN, TEXT, TO(type)}, /* CF3 */
    {"agent_type", OWN, TEXT, TO(type)},
    {"type", PROFILE, TEXT, TO(type)},

    {"status", OWN, TEXT, TO(status)},
    {"state", OWN, TEXT, TO(status)},

    {"swarmId", OWN, TEXT, TO(swarm_id)},
    {"swarm_id", OWN, TEXT, TO(swarm_id)},

    {"activity", OWN, TEXT, TO(activity)},
    {"currentTask", OWN, TEXT, TO(activity)},
    {"current_task", OWN, TEXT, TO(activity)},
    {"description", TASK, TEXT, TO(activity)}, /* Status */

    {"capabilities", OWN, WORDS, TO(capabilities)},
    {"capabilities", PROFILE, WORDS, TO(capabilities)},

    {"health", OWN, HEALTH, TO(health)},
    {"health", METRICS, HEALTH, TO(health)},

    {"cpu", OWN, SHARE, TO(cpu)},
    {"cpuUsage", OWN, SHARE, TO(cpu)},
    {"cpu_usage", OWN, SHARE, TO(cpu)},
    {"cpuUsage", METRICS, SHARE, TO(cpu)}, /* Control */
    {"cpu_usage", METRICS, SHARE, TO(cpu)},

    {"memory", OWN, SHARE, TO(memory)},
    {"memoryUsage", OWN, SHARE, TO(memory)},
    {"memory_usage", OWN, SHARE, TO(memory)},
    {"memoryUsage", METRICS, SHARE, TO(memory)}, /* Control */
    {"memory_usage", METRICS, SHARE, TO(memory)},

    {"workload", OWN, SHARE, TO(workload)},
    {"workload", METRICS, SHARE, TO(workload)},

    {"successRate", OWN, SHARE, TO(success_rate)},
    {"success_rate", OWN, SHARE, TO(success_rate)},
    {"successRate", METRICS, SHARE, TO(success_rate)}, /* Control */
    {"success_rate", METRICS, SHARE, TO(success_rate)},
    {"successRate", PERFORMANCE, SHARE, TO(success_rate)}, /* Status */

    {"tasksActive", OWN, COUNT, TO(tasks_active)},
    {"tasks_active", OWN, COUNT, TO(tasks_active)},
    {"activeTasksCount", OWN, COUNT, TO(tasks_active)}, /* Status */
    {"tasksActive", METRICS, COUNT, TO(tasks_active)},  /* Control */
    {"tasks_active", METRICS, COUNT, TO(tasks_active)},
    {"active", TASKS, COUNT, TO(tasks_active)}, /* CF3 agent_health */

    {"tasksCompleted", OWN, COUNT, TO(tasks_completed)},
    {"tasks_completed", OWN, COUNT, TO(tasks_completed)},
    {"completedTasksCount", OWN, COUNT, TO(tasks_completed)},
    {"tasksCompleted", METRICS, COUNT, TO(tasks_completed)},
    {"tasks_completed", METRICS, COUNT, TO(tasks_completed)},
    {"tasksCompleted", PERFORMANCE, COUNT, TO(tasks_completed)},
    {"completed", TASKS, COUNT, TO(tasks_completed)},

    {"tasksFailed", OWN, COUNT, TO(tasks_failed)},
    {"tasks_failed", OWN, COUNT, TO(tasks_failed)},
    {"failedTasksCount", OWN, COUNT, TO(tasks_failed)},
    {"tasksFailed", METRICS, COUNT, TO(tasks_failed)},
    {"tasks_failed", METRICS, COUNT, TO(tasks_failed)},
    {"failed", TASKS, COUNT, TO(tasks_failed)},

    {"tokens", OWN, COUNT, TO(tokens)},
    {"total", TOKEN_USAGE, COUNT, TO(tokens)}, /* Status */
    {"tokens", METRICS, COUNT, TO(tokens)},

    {"createdAt", OWN, TIME, TO(created_at_ms)},
    {"created_at", OWN, TIME, TO(created_at_ms)},
    {"created", OWN, TIME, TO(created_at_ms)}, /* CF2 with its database */
    {"spawnedAt", OWN, TIME, TO(created_at_ms)},
    {"spawned_at", OWN, TIME, TO(created_at_ms)},

    {"lastActivity", OWN, TIME, TO(last_activity_ms)}, /* Control */
    {"lastActive", OWN, TIME, TO(last_activity_ms)},   /* CF2 */
    {"last_activity", OWN, TIME, TO(last_activity_ms)},
    {"last_active", OWN, TIME, TO(last_activity_ms)},

    {"mock", OWN, FLAG, TO(mock)},
    {"source", OWN, IS_MOCK, TO(mock)},
    {"swarmId", OWN, IS_SWARM, TO(mock)},
    {"swarm_id", OWN, IS_SWARM, TO(mock)},
};

_Static_assert(sizeof(normalise_rules) / sizeof(normalise_rules[0]) == NORMALISE_RULES,
               "the header counts them");

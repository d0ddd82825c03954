/* Mock agents: a small simulated world, for demonstrations, for tests, and for a client that has lost its
 * server. All of its data is invented, and every object that it writes is marked ("mock":true).
 *
 * Pure: no clock, no files, no randomness of its own. The state of the world at `now_ms` follows from the
 * seed, the start, the commands given so far, and now_ms; reading changes nothing. Times are Unix
 * milliseconds; a now_ms before the start counts as the start.
 *
 * Returned strings are borrowed from the world, valid until the next command (a function without const) or
 * mock_free. Not thread-safe.
 */
#ifndef MOCK_MOCK_H
#define MOCK_MOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/writer.h"

/* Far above the needs of a demonstration; they bound the memory that a caller can make the world use. */
#define MOCK_MAX_AGENTS       1000
#define MOCK_MAX_TASKS        1000
#define MOCK_MAX_SWARMS       8 /* beyond it, the oldest one made by a command ends */
#define MOCK_MAX_CAPABILITIES 32
#define MOCK_MAX_WORD_BYTES   128   /* a type, a name, a capability, an id */
#define MOCK_MAX_TASK_BYTES   16384 /* a task's description; agent-backend takes as much */

struct mock;

struct mock_options {
    uint64_t seed;
    uint64_t start_ms;
    /* The initial agents, JSON in the form of agents.json; NULL: the built-in ones. Read during mock_new only. */
    const char *agents;
    size_t agents_len;
};

/* ERR_SYNTAX, ERR_TYPE, ERR_RANGE or ERR_TOO_LARGE for initial agents that cannot be used (ret_problem,
 * which may be NULL with size 0, then has the place and the reason), -ENOMEM. */
MUSTCHECK int mock_new(const struct mock_options *options, struct mock **ret_mock, char *ret_problem,
                       size_t problem_size);
void mock_free(struct mock *m);

/* ---- reading ---- */

struct mock_agent {
    const char *id;
    const char *name;
    const char *type;
    const char *status; /* "active" or "idle" */
    const char *swarm_id;
    const char *activity; /* its current activity, as text */
    const char *const *capabilities;
    size_t capability_count;
    double health;       /* 0..100, whole */
    double cpu;          /* 0..1 */
    double memory;       /* 0..1 */
    double workload;     /* 0..1 */
    double success_rate; /* 0..1 */
    uint64_t tasks_active;
    uint64_t tasks_completed;
    uint64_t tasks_failed;
    uint64_t tokens;
    uint64_t tokens_per_minute;
    uint64_t created_at_ms;
    uint64_t last_active_ms;
    bool spawned; /* made by a command; not an initial agent */
};

/* The initial agents first, then the spawned ones in the order of their creation. */
size_t mock_agent_count(const struct mock *m);
/* false when there is no such index. */
bool mock_agent_get(const struct mock *m, size_t index, uint64_t now_ms, struct mock_agent *ret_agent);

enum mock_task_status { MOCK_TASK_PENDING, MOCK_TASK_IN_PROGRESS, MOCK_TASK_COMPLETED };
/* "pending", "in_progress", "completed" */
const char *mock_task_status_text(enum mock_task_status status);

struct mock_task {
    const char *id;
    const char *text;
    const char *strategy;
    const char *priority;
    const char *swarm_id;
    const char *agent_id;
    enum mock_task_status status;
    unsigned progress; /* percent */
    uint64_t created_at_ms;
    uint64_t started_at_ms;   /* when it starts or started */
    uint64_t completed_at_ms; /* when it will be or was done */
};

size_t mock_task_count(const struct mock *m);
bool mock_task_get(const struct mock *m, size_t index, uint64_t now_ms, struct mock_task *ret_task);
/* false: no task of that id. */
bool mock_task_find(const struct mock *m, const char *id, uint64_t now_ms, struct mock_task *ret_task);

struct mock_swarm {
    const char *id;
    const char *topology;
    const char *strategy;
    uint64_t max_agents;
    uint64_t created_at_ms;
};

/* NULL: the newest one (there always is one: that of the initial agents). false: no swarm of that id. */
bool mock_swarm_get(const struct mock *m, const char *id, struct mock_swarm *ret_swarm);

/* ---- commands ---- */

enum mock_id_style {
    MOCK_ID_LONG,  /* swarm_<ms>_<nine letters or digits> */
    MOCK_ID_SHORT, /* swarm-<ms> */
};

/* Makes a swarm, which becomes the newest. Strings are copied. ERR_TOO_LARGE for a word that is too long,
 * -ENOMEM. */
MUSTCHECK int mock_swarm_init(struct mock *m, const char *topology, const char *strategy, uint64_t max_agents,
                              enum mock_id_style style, uint64_t now_ms, const char **ret_id);
/* Ends a swarm with its spawned agents and its tasks; the first swarm keeps its initial agents.
 * ERR_NOT_FOUND. */
MUSTCHECK int mock_swarm_destroy(struct mock *m, const char *id, size_t *ret_agents_ended);

struct mock_spawn {
    const char *type;
    const char *name; /* NULL: made from the type */
    const char *const *capabilities;
    size_t capability_count;
    const char *swarm_id; /* NULL: the newest */
};

/* ERR_NOT_FOUND: no such swarm. ERR_FULL: the swarm has max_agents, or the world MOCK_MAX_AGENTS.
 * ERR_TOO_LARGE, ERR_RANGE (an empty type), -ENOMEM. */
MUSTCHECK int mock_spawn(struct mock *m, const struct mock_spawn *spawn, uint64_t now_ms, size_t *ret_index);

/* Gives the task to an agent of the swarm (an initial agent, when it has none). It is pending for a second or
 * two,
 * then in progress, and completed after some seconds more. ERR_NOT_FOUND, ERR_FULL (MOCK_MAX_TASKS unfinished
 * ones: a completed one would make room), ERR_TOO_LARGE, -ENOMEM. */
MUSTCHECK int mock_task_add(struct mock *m, const char *text, const char *strategy, const char *priority,
                            const char *swarm_id, uint64_t now_ms, const char **ret_id);

/* ---- writing: each writes one JSON value ---- */

/* The agents as claude-flow 2 lists them, with the fields that its clients read beside it. status, swarm_id:
 * NULL for any. */
void mock_write_agent_list(const struct mock *m, const char *status, const char *swarm_id, uint64_t now_ms,
                           struct writer *w);
/* The same agent object alone. */
void mock_write_agent(const struct mock *m, const struct mock_agent *agent, uint64_t now_ms,
                      struct writer *w);
void mock_write_swarm_status(const struct mock *m, const struct mock_swarm *swarm, uint64_t now_ms,
                             struct writer *w);
void mock_write_task(const struct mock_task *task, struct writer *w);
/* The members alone; the caller opens and closes the object. */
void mock_write_task_members(const struct mock_task *task, struct writer *w);

/* The agents as the agent control system lists them: {"agents":[...]}. NULL filters match any; the only
 * source is "mock". */
void mock_write_control_agents(const struct mock *m, const char *type, const char *status, const char *source,
                               uint64_t now_ms, struct writer *w);
/* visualization.snapshot: every field always, empty where it was not asked for (strict clients demand them).
 */
void mock_write_snapshot(const struct mock *m, bool positions, bool connections, uint64_t now_ms,
                         struct writer *w);
/* metrics.get: both of the known sets of fields. */
void mock_write_metrics(const struct mock *m, uint64_t now_ms, struct writer *w);

#endif

/* The internals of the mock world, shared by the library's own files; callers include mock.h.
 *
 * world.c owns the objects (made here, freed here), initial_agents.c fills the first ones from JSON,
 * commands.c makes the others, motion.c computes their state at a moment, and the views write them.
 */
#ifndef MOCK_WORLD_H
#define MOCK_WORLD_H

#include "mock/mock.h"

struct swarm {
    char *id;
    char *topology;
    char *strategy;
    uint64_t max_agents;
    uint64_t created_at_ms;
};

struct agent {
    char *id;
    char *name;
    char *type;
    char **capabilities; /* owned, each one too */
    size_t capability_count;
    char **activities;
    size_t activity_count;
    bool active; /* while it has no task */
    bool spawned;
    uint64_t base_active; /* tasks at its creation */
    uint64_t base_completed;
    uint64_t base_failed;
    uint64_t created_at_ms;
    uint64_t stream; /* the random stream of its loads and counters */
    const struct swarm *swarm;
};

struct task {
    char *id;
    char *text;
    char *strategy;
    char *priority;
    const struct swarm *swarm;
    const struct agent *agent;
    uint64_t created_at_ms;
    uint64_t started_at_ms;
    uint64_t completed_at_ms;
};

struct mock {
    uint64_t seed;
    uint64_t start_ms;
    uint64_t drawn;        /* ids drawn so far, so that each differs */
    struct swarm **swarms; /* MOCK_MAX_SWARMS places, oldest first; the first is that of the initial agents */
    size_t swarm_count;
    struct agent **agents; /* grows to MOCK_MAX_AGENTS */
    size_t agent_count;
    size_t agent_cap;
    struct task **tasks; /* MOCK_MAX_TASKS at most, oldest first */
    size_t task_count;
    size_t task_cap;
};

/* A pseudo-random number from the seed and three coordinates; always the same for them. */
uint64_t world_draw(const struct mock *m, uint64_t stream, uint64_t channel, uint64_t step);
/* The stream of a name. */
uint64_t world_stream(const char *name);
/* now_ms, but no earlier than `from_ms`. */
static inline uint64_t since_ms(uint64_t from_ms, uint64_t now_ms)
{
    return now_ms > from_ms ? now_ms - from_ms : 0;
}

/* Empty objects, linked nowhere yet; the caller fills in strings it owns. NULL: no memory. */
struct agent *agent_new(void);
void agent_free(struct agent *a);
void swarm_free(struct swarm *s);
void task_free(struct task *t);
/* Copies up to MOCK_MAX_CAPABILITIES words. ERR_TOO_LARGE, -ENOMEM; *ret_list belongs to the caller even
 * then. */
MUSTCHECK int words_copy(const char *const *words, size_t count, char ***ret_list, size_t *ret_count);

/* Takes `a` on success. ERR_FULL, -ENOMEM. */
MUSTCHECK int world_add_agent(struct mock *m, struct agent *a);
/* Makes a swarm and links it; ends the oldest made one when there are too many. */
MUSTCHECK int world_add_swarm(struct mock *m, const char *id, const char *topology, const char *strategy,
                              uint64_t max_agents, uint64_t now_ms);
const struct swarm *world_find_swarm(const struct mock *m, const char *id); /* NULL: the newest */
/* Frees its spawned agents and its tasks, and unlinks the swarm unless it is that of the initial agents.
 * Returns the agents
 * freed. */
size_t world_end_swarm(struct mock *m, const struct swarm *swarm);
/* "prefix" + ms + "_" + `letters` letters or digits, in `text` of ID_SIZE bytes. */
#define ID_SIZE 64
void world_draw_id(struct mock *m, const char *prefix, uint64_t now_ms, unsigned letters, char text[ID_SIZE]);

/* Fills an empty world with its initial agents (initial_agents.c). */
MUSTCHECK int initial_agents_read(struct mock *m, const char *json, size_t len, char *ret_problem,
                                  size_t problem_size);

/* The leading agent: the first of type coordinator or queen, else the first. There is always one. */
const struct agent *world_leader(const struct mock *m);
/* 0..1000, moving smoothly, a new target every `period_ms` (motion.c). */
unsigned world_wave(const struct mock *m, uint64_t stream, uint64_t channel, uint64_t period_ms,
                    uint64_t now_ms);

/* agents.json, embedded by the build. */
extern const char mock_agents_json[];
extern const size_t mock_agents_json_len;

#endif

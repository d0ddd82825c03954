/* Snapshots, the inside: an immutable, reference-counted list of agents (the set), and small objects over it
 * that say what it is at a moment (live, stale, mock). Stepping down from live to stale makes a new small
 * object over the same set. Reference counts are atomic, everything else is written once, before it is
 * published.
 *
 * One allocation for a set (agents, strings, capability lists), one for a snapshot.
 */
#ifndef CLIENT_SNAPSHOT_H
#define CLIENT_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/buf.h"
#include "base/err.h"

/* The most that a set holds, so that a server cannot fill the host's memory; of a longer list the first ones. */
#define SET_MAX_AGENTS       10000
#define SET_MAX_BYTES        ((size_t)16 << 20)
#define SET_MAX_CAPABILITIES 256  /* of one agent; further ones are left out */
#define SET_MAX_WORD_BYTES   1024 /* of one string, its NUL not counted; what is longer is cut */

/* ---- sets (snapshot_build.c, snapshot_set.c) ---- */

struct agent_set; /* opaque */

/* An agent of which only the id is known: every number is AR_ABSENT, every string NULL. */
static inline struct ar_agent agent_of_id(const char *id)
{
    return (struct ar_agent){.id = id,
                             .health = AR_ABSENT,
                             .cpu = AR_ABSENT,
                             .memory = AR_ABSENT,
                             .workload = AR_ABSENT,
                             .success_rate = AR_ABSENT,
                             .tasks_active = AR_ABSENT,
                             .tasks_completed = AR_ABSENT,
                             .tasks_failed = AR_ABSENT,
                             .tokens = AR_ABSENT,
                             .created_at_ms = AR_ABSENT,
                             .last_activity_ms = AR_ABSENT};
}

/* Gathers agents. Strings are copied; one that is too long is cut at a character's edge; bytes that are no
 * UTF-8 become U+FFFD, so every string of a set is valid UTF-8; control characters are kept (JSON carries
 * them; showing them is the host's business). */
struct set_builder {
    struct buf entries;      /* struct set_entry (snapshot_build.c), in the order they came */
    struct buf text;         /* their strings, each with its NUL, one behind the other */
    struct buf by_id;        /* uint32_t: the entries' numbers in the order of their ids; finds duplicates */
    size_t count;            /* entries */
    size_t capability_count; /* of all entries together */
    bool cut;                /* there was more than a set may hold: nothing is added any more */
    int error;               /* the first failure; sticks */
};

void set_builder_init(struct set_builder *b);
void set_builder_done(struct set_builder *b);
/* An agent without id (NULL or "") is refused (ERR_TYPE, does not stick); one whose id, as it would be kept,
 * stands there already is left out (the first counts): 0. ERR_FULL: more agents, or more text, than a set may
 * hold; the set is cut here, and finishing gives those before. -ENOMEM sticks. Numbers must be finite. */
MUSTCHECK int set_builder_add(struct set_builder *b, const struct ar_agent *agent);
/* The set is cut here: there was more. */
void set_builder_cut(struct set_builder *b);
/* A new reference. -ENOMEM or what stuck. Either way the builder is empty afterwards and may be used again.
 */
MUSTCHECK int set_builder_finish(struct set_builder *b, struct agent_set **ret_set);

struct agent_set *agent_set_retain(struct agent_set *set);
void agent_set_release(struct agent_set *set); /* NULL: nothing */
size_t agent_set_count(const struct agent_set *set);
/* Borrowed from the set; NULL when there is none. */
const struct ar_agent *agent_set_get(const struct agent_set *set, size_t index);
const struct ar_agent *agent_set_find(const struct agent_set *set, const char *id);
bool agent_set_any_mock(const struct agent_set *set);
/* The server listed more than the set holds. */
bool agent_set_is_cut(const struct agent_set *set);
/* The same agents with the same values in the same order, and both cut or neither. */
bool agent_set_equal(const struct agent_set *a, const struct agent_set *b);

/* ---- snapshots (snapshot.c) ---- */

struct snapshot_facts {
    enum ar_source source;
    enum ar_state state;
    uint64_t version;
    uint64_t taken_at_ms; /* monotonic (CLOCK_MONOTONIC, as uv_hrtime) */
    int64_t taken_at_unix_ms;
};

/* Retains the set (NULL: one without agents). Never fails: without memory it gives a static empty mock
 * snapshot of the state asked for, of version, age and date 0 (so stale data can never go on being called
 * live); *ret_short (may be NULL) is then true, else false, and the caller tries again later. */
const struct ar_snapshot *snapshot_new(struct agent_set *set, const struct snapshot_facts *facts,
                                       bool *ret_short);
/* Borrowed; NULL for the static ones. */
struct agent_set *snapshot_set(const struct ar_snapshot *s);
/* ar_snapshot_age_ms against a given clock. */
uint64_t snapshot_age_at(const struct ar_snapshot *s, uint64_t now_ms);

#endif

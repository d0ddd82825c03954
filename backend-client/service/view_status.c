/* The telemetry: counts, averages over what is known, and null where nothing is.
 *
 * An average over mock or stale agents says nothing of the real ones now, so system_health is never better
 * than "degraded" unless the snapshot is live.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "view.h"

struct sum {
    double total;
    size_t known;
};

struct totals {
    size_t agents, active, idle, error, other;
    struct sum health, cpu, memory, workload, success_rate;
    struct sum tasks_active, tasks_completed, tokens;
};

static void add(struct sum *s, double value)
{
    if (value < 0)
        return;
    s->total += value;
    s->known++;
}

static double mean(const struct sum *s)
{
    return s->known > 0 ? s->total / (double)s->known : AR_ABSENT;
}

static void write_sum(struct writer *w, const char *key, const struct sum *s)
{
    view_write_thousandths(w, key, s->known > 0 ? s->total : AR_ABSENT);
}

static void count_status(struct totals *t, const struct ar_agent *agent)
{
    const char *kind = view_status_kind(agent);
    t->agents++;
    if (strcmp(kind, "active") == 0)
        t->active++;
    else if (strcmp(kind, "idle") == 0)
        t->idle++;
    else if (strcmp(kind, "error") == 0)
        t->error++;
    else
        t->other++;
}

static void add_all(struct totals *t, const struct ar_snapshot *snapshot)
{
    for (size_t i = 0; i < ar_snapshot_count(snapshot); i++) {
        const struct ar_agent *a = ar_snapshot_agent(snapshot, i);
        count_status(t, a);
        add(&t->health, a->health);
        add(&t->cpu, a->cpu);
        add(&t->memory, a->memory);
        add(&t->workload, a->workload);
        add(&t->success_rate, a->success_rate);
        add(&t->tasks_active, (double)a->tasks_active);
        add(&t->tasks_completed, (double)a->tasks_completed);
        add(&t->tokens, (double)a->tokens);
    }
}

static const char *system_health(const struct view *v, const struct totals *t)
{
    double health = mean(&t->health);
    if (health < 0)
        return "unknown";
    if (health <= 50)
        return "critical";
    bool live = ar_snapshot_source(v->snapshot) == AR_SOURCE_LIVE;
    return live && health > 80 ? "healthy" : "degraded"; /* agents that rest are healthy too */
}

static void write_totals(const struct totals *t, struct writer *w)
{
    write_key(w, "agent_counts");
    write_object(w);
    write_member_uint(w, "total", t->agents);
    write_member_uint(w, "active", t->active);
    write_member_uint(w, "idle", t->idle);
    write_member_uint(w, "error", t->error);
    write_member_uint(w, "other", t->other);
    write_object_end(w);
    write_key(w, "performance");
    write_object(w);
    view_write_thousandths(w, "avg_health", mean(&t->health));
    view_write_thousandths(w, "avg_cpu_usage", mean(&t->cpu));
    view_write_thousandths(w, "avg_memory_usage", mean(&t->memory));
    write_sum(w, "total_workload", &t->workload);
    write_object_end(w);
    write_key(w, "tasks");
    write_object(w);
    write_sum(w, "active_tasks", &t->tasks_active);
    write_sum(w, "completed_tasks", &t->tasks_completed);
    view_write_thousandths(w, "avg_success_rate", mean(&t->success_rate));
    write_object_end(w);
    write_key(w, "tokens");
    write_object(w);
    write_sum(w, "total_tokens", &t->tokens);
    view_write_number(w, "avg_token_rate", AR_ABSENT); /* no server gives it in a form that we know */
    write_object_end(w);
}

/* ---- words and how often they stand there ---- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted; agents without the word are left out. */
static size_t gather(const struct ar_snapshot *snapshot, bool types, const char **words)
{
    size_t count = 0;
    for (size_t i = 0; i < ar_snapshot_count(snapshot); i++) {
        const struct ar_agent *a = ar_snapshot_agent(snapshot, i);
        const char *word = types ? a->type : a->swarm_id;
        if (word)
            words[count++] = word;
    }
    qsort(words, count, sizeof(*words), compare_words);
    return count;
}

/* How many of the words from `at` on are the same as words[at]. */
static size_t run_length(const char *const *words, size_t count, size_t at)
{
    size_t end = at;
    while (end < count && strcmp(words[end], words[at]) == 0)
        end++;
    return end - at;
}

static void write_swarms(const struct ar_snapshot *snapshot, const char **words, struct writer *w)
{
    size_t count = gather(snapshot, false, words);
    size_t swarms = 0;
    write_key(w, "swarms");
    write_object(w);
    write_key(w, "ids");
    write_array(w);
    for (size_t i = 0; i < count; i += run_length(words, count, i)) {
        write_cstring(w, words[i]);
        swarms++;
    }
    write_array_end(w);
    write_member_uint(w, "count", swarms);
    write_object_end(w);
}

static void write_types(const struct ar_snapshot *snapshot, const char **words, struct writer *w)
{
    size_t count = gather(snapshot, true, words);
    write_key(w, "agent_types");
    write_object(w);
    for (size_t i = 0; i < count; i += run_length(words, count, i))
        write_member_uint(w, words[i], run_length(words, count, i));
    write_object_end(w);
}

int view_status(const struct view *v, struct writer *w)
{
    struct totals t = {0};
    const char **words = mem_alloc((ar_snapshot_count(v->snapshot) + 1) * sizeof(*words));
    if (!words)
        return -ENOMEM;
    add_all(&t, v->snapshot);
    write_object(w);
    write_member_bool(w, "success", true);
    view_write_markers(v, w);
    write_key(w, "telemetry");
    write_object(w);
    write_totals(&t, w);
    write_swarms(v->snapshot, words, w);
    write_types(v->snapshot, words, w);
    write_member_string(w, "system_health", system_health(v, &t));
    write_object_end(w);
    view_write_time(w, "timestamp", v->now_unix_ms);
    write_member_string(w, "data_source",
                        ar_snapshot_source(v->snapshot) == AR_SOURCE_LIVE ? "hive_mind_tcp"
                                                                          : "bots_client_fallback");
    write_object_end(w);
    mem_free(words);
    return 0;
}

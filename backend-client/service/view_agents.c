/* The list of agents: the union of the fields that the two versions of the older service answered with. */
#include <string.h>

#include "base/alloc.h"
#include "view.h"

static void write_triple(struct writer *w, const char *key, double x, double y, double z)
{
    write_key(w, key);
    write_array(w);
    write_double(w, x);
    write_double(w, y);
    write_double(w, z);
    write_array_end(w);
}

static void write_figures(const struct ar_agent *a, struct writer *w)
{
    view_write_number(w, "health", a->health);
    view_write_number(w, "cpuUsage", a->cpu);
    view_write_number(w, "memoryUsage", a->memory);
    view_write_number(w, "workload", a->workload);
    view_write_number(w, "successRate", a->success_rate);
    view_write_count(w, "tasksActive", a->tasks_active);
    view_write_count(w, "tasksCompleted", a->tasks_completed);
    view_write_count(w, "tasksFailed", a->tasks_failed);
    view_write_count(w, "tokens", a->tokens);
}

static void write_connections(const struct view *v, int leader, struct writer *w)
{
    write_key(w, "connections");
    write_array(w);
    if (leader >= 0)
        write_cstring(w, ar_snapshot_agent(v->snapshot, (size_t)leader)->id);
    write_array_end(w);
}

static void write_agent(const struct view *v, const struct ar_agent *a, int leader, struct writer *w)
{
    struct view_point at = view_position(a);
    int64_t age_ms = a->created_at_ms > 0 && a->created_at_ms <= v->now_unix_ms
                         ? v->now_unix_ms - a->created_at_ms
                         : AR_ABSENT;
    write_object(w);
    write_member_string(w, "id", a->id);
    write_member_string(w, "name", a->name);
    write_member_string(w, "type", a->type);
    write_member_string(w, "status", a->status);
    write_member_string(w, "statusKind", view_status_kind(a));
    write_member_bool(w, "mock", a->mock);
    write_member_string(w, "swarmId", a->swarm_id);
    write_member_string(w, "activity", a->activity);
    write_figures(a, w);
    view_write_capabilities(w, a);
    view_write_time(w, "createdAt", a->created_at_ms);
    view_write_time(w, "lastActivity", a->last_activity_ms);
    view_write_count(w, "age", age_ms);
    write_triple(w, "position", at.x, at.y, at.z);
    write_triple(w, "velocity", 0, 0, 0);
    write_triple(w, "force", 0, 0, 0);
    write_connections(v, leader, w);
    write_object_end(w);
}

int view_agents(const struct view *v, bool with_health, struct writer *w)
{
    int *leaders;
    int rc = view_find_leaders(v->snapshot, &leaders);
    if (rc != 0)
        return rc;
    bool live = ar_snapshot_source(v->snapshot) == AR_SOURCE_LIVE;
    size_t count = ar_snapshot_count(v->snapshot);
    write_object(w);
    write_member_bool(w, "success", true);
    view_write_markers(v, w);
    write_member_uint(w, "count", count);
    write_member_bool(w, "mcpConnected", live);
    write_member_string(w, "error", live || v->health->last_error[0] == '\0' ? NULL : v->health->last_error);
    view_write_time(w, "timestamp", v->now_unix_ms);
    write_key(w, "agents");
    write_array(w);
    for (size_t i = 0; i < count; i++)
        write_agent(v, ar_snapshot_agent(v->snapshot, i), leaders[i], w);
    write_array_end(w);
    if (with_health) {
        write_key(w, "health");
        view_health(v, w);
    }
    write_object_end(w);
    mem_free(leaders);
    return 0;
}

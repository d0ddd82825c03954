/* The graph: agents as nodes, and an edge from each swarm's coordinator to its other agents. Metadata are
 * strings, as the clients of the older service expect, and null where nothing was given.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/alloc.h"
#include "view.h"

#define FIRST_NODE_ID 1000 /* as that service numbers them */

static void write_text_number(struct writer *w, const char *key, double value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%.6g", value);
    write_member_string(w, key, value >= 0 ? text : NULL);
}

static void write_metadata(const struct view *v, const struct ar_agent *a, struct writer *w)
{
    char joined[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < a->capability_count && used < sizeof(joined); i++)
        used += (size_t)snprintf(joined + used, sizeof(joined) - used, "%s%s", i > 0 ? "," : "",
                                 a->capabilities[i]);
    write_key(w, "metadata");
    write_object(w);
    write_member_string(w, "type", a->type);
    write_member_string(w, "status", a->status);
    write_text_number(w, "health", a->health);
    write_text_number(w, "cpu_usage", a->cpu);
    write_text_number(w, "memory_usage", a->memory);
    write_text_number(w, "workload", a->workload);
    write_member_string(w, "capabilities", joined);
    write_member_string(w, "swarm_id", a->swarm_id);
    write_member_string(w, "activity", a->activity);
    write_member_string(w, "mock", a->mock ? "true" : "false");
    write_member_string(w, "source", ar_source_name(ar_snapshot_source(v->snapshot)));
    write_object_end(w);
}

static void write_node(const struct view *v, size_t index, struct writer *w)
{
    const struct ar_agent *a = ar_snapshot_agent(v->snapshot, index);
    struct view_point at = view_position(a);
    write_object(w);
    write_member_uint(w, "id", FIRST_NODE_ID + index);
    write_member_string(w, "metadata_id", a->id);
    write_member_string(w, "label", a->name ? a->name : a->id);
    write_key(w, "data");
    write_object(w);
    write_member_uint(w, "node_id", FIRST_NODE_ID + index);
    write_member_double(w, "x", at.x);
    write_member_double(w, "y", at.y);
    write_member_double(w, "z", at.z);
    write_member_double(w, "vx", 0);
    write_member_double(w, "vy", 0);
    write_member_double(w, "vz", 0);
    write_object_end(w);
    write_metadata(v, a, w);
    write_member_string(w, "node_type", a->type);
    write_member_double(w, "size", view_is_coordinator(a) ? 1.5 : 1.0);
    write_member_double(w, "weight", 1.0);
    write_member_string(w, "group", "bots");
    write_object_end(w);
}

static void write_edge(const struct view *v, size_t from, size_t to, struct writer *w)
{
    char id[64];
    (void)snprintf(id, sizeof(id), "edge-%zu-%zu", FIRST_NODE_ID + from, FIRST_NODE_ID + to);
    write_object(w);
    write_member_string(w, "id", id);
    write_member_uint(w, "source", FIRST_NODE_ID + from);
    write_member_uint(w, "target", FIRST_NODE_ID + to);
    write_member_double(w, "weight", 1.0);
    write_member_string(w, "edge_type", "coordination");
    write_key(w, "metadata");
    write_object(w);
    write_member_string(w, "swarm_id", ar_snapshot_agent(v->snapshot, to)->swarm_id);
    write_member_string(w, "basis", "swarm membership");
    write_object_end(w);
    write_object_end(w);
}

static void write_nothing_there(const struct view *v, struct writer *w)
{
    const struct ar_health *h = v->health;
    write_member_string(w, "status", "no_agents_available");
    write_member_string(w, "message",
                        h->agents_unsupported ? "The server behind the relay has no way to list agents."
                                              : "The server behind the relay lists no agents.");
    write_key(w, "suggestions");
    write_array(w);
    if (h->suggestion[0] != '\0')
        write_cstring(w, h->suggestion);
    write_cstring(w, "POST /api/bots/initialize-swarm makes a swarm and its agents.");
    write_array_end(w);
}

int view_graph(const struct view *v, struct writer *w)
{
    int *leaders;
    size_t count = ar_snapshot_count(v->snapshot);
    int rc = view_find_leaders(v->snapshot, &leaders);
    if (rc != 0)
        return rc;
    write_object(w);
    write_member_bool(w, "success", true);
    view_write_markers(v, w);
    write_member_bool(w, "mcp_connection_available", ar_snapshot_source(v->snapshot) == AR_SOURCE_LIVE);
    view_write_time(w, "timestamp", v->now_unix_ms);
    if (count == 0)
        write_nothing_there(v, w);
    write_key(w, "nodes");
    write_array(w);
    for (size_t i = 0; i < count; i++)
        write_node(v, i, w);
    write_array_end(w);
    write_key(w, "edges");
    write_array(w);
    for (size_t i = 0; i < count; i++)
        if (leaders[i] >= 0)
            write_edge(v, (size_t)leaders[i], i, w);
    write_array_end(w);
    write_object_end(w);
    mem_free(leaders);
    return 0;
}

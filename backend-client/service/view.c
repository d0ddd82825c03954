/* Shared by the views: markers, absent values, positions, and the leader of each agent.
 *
 * An edge stands for what is known: that two agents are of one swarm, and one of them coordinates it. Nothing
 * is known of messages, so nothing is drawn of them. Failure modes: out of memory, said to the caller.
 */
#include "view.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "mock/iso_time.h"

#define SPHERE_RADIUS      10.0
#define COORDINATOR_RADIUS 3.0

void view_write_time(struct writer *w, const char *key, int64_t unix_ms)
{
    char text[ISO_TIME_SIZE];
    if (unix_ms > 0)
        iso_time_format((uint64_t)unix_ms, text);
    write_member_string(w, key, unix_ms > 0 ? text : NULL);
}

void view_write_number(struct writer *w, const char *key, double value)
{
    write_key(w, key);
    if (value >= 0)
        write_double(w, value);
    else
        write_null(w);
}

static double round_to_thousandths(double value)
{
    return round(value * 1000) / 1000 + 0.0; /* + 0.0: no -0 */
}

void view_write_thousandths(struct writer *w, const char *key, double value)
{
    view_write_number(w, key, value >= 0 ? round_to_thousandths(value) : value);
}

void view_write_count(struct writer *w, const char *key, int64_t value)
{
    write_key(w, key);
    if (value >= 0)
        write_int(w, value);
    else
        write_null(w);
}

void view_write_capabilities(struct writer *w, const struct ar_agent *agent)
{
    write_key(w, "capabilities");
    write_array(w);
    for (size_t i = 0; i < agent->capability_count; i++)
        write_cstring(w, agent->capabilities[i]);
    write_array_end(w);
}

static bool any_mock(const struct ar_snapshot *snapshot)
{
    for (size_t i = 0; i < ar_snapshot_count(snapshot); i++)
        if (ar_snapshot_agent(snapshot, i)->mock)
            return true;
    return false;
}

void view_write_markers(const struct view *v, struct writer *w)
{
    write_member_string(w, "source", ar_source_name(ar_snapshot_source(v->snapshot)));
    write_member_string(w, "state", ar_state_name(ar_snapshot_state(v->snapshot)));
    write_member_uint(w, "ageMs", ar_snapshot_age_ms(v->snapshot));
    view_write_time(w, "takenAt", ar_snapshot_taken_at_ms(v->snapshot));
    write_member_uint(w, "version", ar_snapshot_version(v->snapshot));
    write_member_bool(w, "agentsAreMock", any_mock(v->snapshot));
    write_member_bool(w, "agentsCut", ar_snapshot_is_cut(v->snapshot));
}

const char *view_status_kind(const struct ar_agent *agent)
{
    static const struct {
        const char *word, *kind;
    } known[] = {{"active", "active"}, {"busy", "active"},  {"working", "active"},    {"running", "active"},
                 {"idle", "idle"},     {"ready", "idle"},   {"initializing", "idle"}, {"error", "error"},
                 {"failed", "error"},  {"offline", "error"}};
    for (size_t i = 0; agent->status && i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].word, agent->status) == 0)
            return known[i].kind;
    return "other";
}

/* ---- positions ---- */

/* FNV-1a, finished as splitmix64 does: unlike the maps' hash it is the same in every process. */
static uint64_t spread(const char *text)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    h = (h ^ (h >> 27)) * UINT64_C(0x94d049bb133111eb);
    return h ^ (h >> 31);
}

struct view_point view_position(const struct ar_agent *agent)
{
    uint64_t h = spread(agent->id);
    double turn = (double)(h >> 32) / 4294967296.0 * 6.283185307179586;
    double height = (double)(h & 0xffffffff) / 4294967296.0 * 2 - 1; /* even on the sphere (Archimedes) */
    double radius = view_is_coordinator(agent) ? COORDINATOR_RADIUS : SPHERE_RADIUS;
    double across = sqrt(1 - height * height) * radius;
    return (struct view_point){.x = round_to_thousandths(across * cos(turn)),
                               .y = round_to_thousandths(across * sin(turn)),
                               .z = round_to_thousandths(height * radius)};
}

/* ---- leaders ---- */

bool view_is_coordinator(const struct ar_agent *agent)
{
    return agent->type && (strcmp(agent->type, "coordinator") == 0 || strcmp(agent->type, "queen") == 0);
}

struct leader {
    struct map_node node;
    const char *swarm_id;
    int index;
};

/* Agents without a swarm make one group. */
static const char *swarm_of(const struct ar_agent *agent)
{
    return agent->swarm_id ? agent->swarm_id : "";
}

static bool leads(const struct map_node *node, const void *key)
{
    return strcmp(((const struct leader *)(const void *)node)->swarm_id, key) == 0;
}

static struct map_node *find_leader(const struct map *leaders, const char *swarm_id)
{
    return map_find(leaders, hash_bytes(swarm_id, strlen(swarm_id)), leads, swarm_id);
}

static int add_leaders(const struct ar_snapshot *snapshot, struct map *map, struct leader *room)
{
    for (size_t i = 0; i < ar_snapshot_count(snapshot); i++) {
        const struct ar_agent *agent = ar_snapshot_agent(snapshot, i);
        const char *swarm_id = swarm_of(agent);
        if (!view_is_coordinator(agent) || find_leader(map, swarm_id))
            continue;
        room[i] = (struct leader){.swarm_id = swarm_id, .index = (int)i};
        int rc = map_add(map, &room[i].node, hash_bytes(swarm_id, strlen(swarm_id)));
        if (rc != 0)
            return rc;
    }
    return 0;
}

static void fill_leaders(const struct ar_snapshot *snapshot, const struct map *map, int *leaders)
{
    for (size_t i = 0; i < ar_snapshot_count(snapshot); i++) {
        const struct map_node *found = find_leader(map, swarm_of(ar_snapshot_agent(snapshot, i)));
        int index = found ? ((const struct leader *)(const void *)found)->index : -1;
        leaders[i] = index == (int)i ? -1 : index;
    }
}

int view_find_leaders(const struct ar_snapshot *snapshot, int **ret_leaders)
{
    struct map map;
    size_t count = ar_snapshot_count(snapshot);
    int *leaders = mem_alloc((count + 1) * sizeof(*leaders));
    struct leader *room = mem_alloc((count + 1) * sizeof(*room));
    int rc = leaders && room ? 0 : -ENOMEM;
    map_init(&map);
    if (rc == 0)
        rc = add_leaders(snapshot, &map, room);
    if (rc == 0)
        fill_leaders(snapshot, &map, leaders);
    map_done(&map);
    mem_free(room);
    if (rc == 0)
        *ret_leaders = leaders;
    else
        mem_free(leaders);
    return rc;
}

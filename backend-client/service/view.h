/* The answers of the GET endpoints: a snapshot and the client's health as JSON, in the shapes that clients of
 * the older services know, with the source, the age and the mock marker beside, always. What a server did not
 * give is null; nothing is invented. Pure.
 *
 * Shares (cpuUsage, memoryUsage, workload, successRate) are 0..1, health is 0..100, times are ISO 8601 in
 * UTC, ages milliseconds.
 */
#ifndef SERVICE_VIEW_H
#define SERVICE_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/err.h"
#include "wire/writer.h"

/* The client at one moment: borrowed for the call. */
struct view {
    const struct ar_snapshot *snapshot;
    const struct ar_health *health;
    int64_t now_unix_ms;
};

/* GET /api/v1/bots/health, and the health events. */
void view_health(const struct view *v, struct writer *w);
/* GET /api/bots/agents, and the agents events. -ENOMEM. */
MUSTCHECK int view_agents(const struct view *v, bool with_health, struct writer *w);
/* GET /api/bots/data. -ENOMEM. */
MUSTCHECK int view_graph(const struct view *v, struct writer *w);
/* GET /api/bots/status. The snapshot holds an agent. -ENOMEM. */
MUSTCHECK int view_status(const struct view *v, struct writer *w);

/* ---- shared by the views ---- */

/* "source", "state", "ageMs", "takenAt", "version", "agentsAreMock", "agentsCut": members of every answer. */
void view_write_markers(const struct view *v, struct writer *w);
/* "active", "idle", "error", or "other": the class of the server's status of an agent, for the counts and
 * the page alike. Static. */
const char *view_status_kind(const struct ar_agent *agent);
/* An ISO time; null for a point that is not known (0 or AR_ABSENT). */
void view_write_time(struct writer *w, const char *key, int64_t unix_ms);
/* A number or null. */
void view_write_number(struct writer *w, const char *key, double value);
/* The same, rounded to thousandths. */
void view_write_thousandths(struct writer *w, const char *key, double value);
void view_write_count(struct writer *w, const char *key, int64_t value);
void view_write_capabilities(struct writer *w, const struct ar_agent *agent);

/* Where an agent stands in the picture: from its id alone, so that it stays where it is while others come and
 * go, on a sphere of radius 10 around the origin. A coordinator stands nearer to the middle. */
struct view_point {
    double x, y, z;
};
struct view_point view_position(const struct ar_agent *agent);

bool view_is_coordinator(const struct ar_agent *agent);

/* The leader of each agent: the first coordinator of its swarm. ret_leaders[i] is an agent's index, or -1
 * for one that has none, and for coordinators who lead themselves. Freed with mem_free. -ENOMEM. */
MUSTCHECK int view_find_leaders(const struct ar_snapshot *snapshot, int **ret_leaders);

#endif

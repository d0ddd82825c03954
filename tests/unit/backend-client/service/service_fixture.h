/* The fixture of agent-backend's tests: snapshots that a test fills in (the accessors of agent_relay.h are
 * defined here over them, and the library's are not linked), and a JSON document to look into.
 *
 *     struct writer w;
 *     begin_json(&w);
 *     view_agents(&w, ...);            the code under test writes
 *     open_written(&w);                what it wrote becomes the document
 *     text_at("agents.0.id")           members by name, elements by number
 */
#ifndef TESTS_SERVICE_SERVICE_FIXTURE_H
#define TESTS_SERVICE_SERVICE_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/buf.h"
#include "wire/json.h"
#include "wire/writer.h"

#define MAX_SNAPSHOT_AGENTS 16

/* Complete here, opaque elsewhere. */
struct ar_snapshot {
    struct ar_agent agents[MAX_SNAPSHOT_AGENTS];
    size_t count;
    enum ar_source source;
    enum ar_state state;
    uint64_t age_ms;
    uint64_t version;
    int64_t taken_at_ms;
    bool cut; /* the server listed more agents */
};

/* An agent with an id, a type and a swarm, and no other field. */
struct ar_agent agent_of_type(const char *id, const char *type, const char *swarm_id);

/* The document, and what opens and closes it. */
extern struct json_doc *doc;
void begin_json(struct writer *w);
void open_written(struct writer *w); /* ends the writer and parses what it wrote, which must be strict JSON */
void open_json(const char *json);
json_node at_path(const char *path);
const char *text_at(const char *path); /* NULL when it is no string */
double number_at(const char *path);    /* fails when it is none */
int flag_at(const char *path);         /* 1 or 0; fails when it is neither */
void close_json(void);
int json_tear_down(void **state); /* the same, as the tear-down of a group */

#endif

/* What the tests of agent-backend share: snapshots of their own making (the kit brings the accessors of
 * agent_relay.h over them, so the library's are not linked), and looking into JSON.
 */
#ifndef TESTS_SERVICE_SERVICE_FIXTURE_H
#define TESTS_SERVICE_SERVICE_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/buf.h"
#include "wire/json.h"
#include "wire/writer.h"

#define KIT_MAX_AGENTS 16

/* Complete here, opaque elsewhere. */
struct ar_snapshot {
    struct ar_agent agents[KIT_MAX_AGENTS];
    size_t count;
    enum ar_source source;
    enum ar_state state;
    uint64_t age_ms;
    uint64_t version;
    int64_t taken_at_ms;
};

/* An agent that tells its id, type and swarm, and nothing else. */
struct ar_agent kit_agent(const char *id, const char *type, const char *swarm_id);

/* The text under test: begin, write, look; the parts are addressed as "agents.0.id". */
extern struct json_doc *kit_doc;
void kit_write_begin(struct writer *w);
void kit_look(struct writer *w); /* ends the writer and parses what it wrote, which must be strict JSON */
void kit_parse(const char *json);
json_node kit_at(const char *path);
const char *kit_text(const char *path); /* NULL when it is no string */
double kit_number(const char *path);    /* fails when it is none */
int kit_true(const char *path);         /* 1 or 0; fails when it is neither */
void kit_done(void);
int kit_clean(void **state); /* the same, as the tear-down of a group */

#endif

#include "tests/unit/backend-client/service/service_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/agents/snapshot.h"

struct json_doc *doc;
static struct buf text;

size_t ar_snapshot_count(const struct ar_snapshot *snapshot)
{
    return snapshot->count;
}

const struct ar_agent *ar_snapshot_agent(const struct ar_snapshot *snapshot, size_t index)
{
    return index < snapshot->count ? &snapshot->agents[index] : NULL;
}

enum ar_source ar_snapshot_source(const struct ar_snapshot *snapshot)
{
    return snapshot->source;
}

enum ar_state ar_snapshot_state(const struct ar_snapshot *snapshot)
{
    return snapshot->state;
}

uint64_t ar_snapshot_age_ms(const struct ar_snapshot *snapshot)
{
    return snapshot->age_ms;
}

uint64_t ar_snapshot_version(const struct ar_snapshot *snapshot)
{
    return snapshot->version;
}

bool ar_snapshot_is_cut(const struct ar_snapshot *snapshot)
{
    return snapshot->cut;
}

int64_t ar_snapshot_taken_at_ms(const struct ar_snapshot *snapshot)
{
    return snapshot->taken_at_ms;
}

struct ar_agent agent_of_type(const char *id, const char *type, const char *swarm_id)
{
    struct ar_agent agent = agent_of_id(id);
    agent.type = type;
    agent.swarm_id = swarm_id;
    return agent;
}

void begin_json(struct writer *w)
{
    close_json();
    buf_init(&text, (size_t)1 << 20);
    writer_init(w, &text);
}

static void parse(const char *json, size_t len)
{
    assert_int_equal(json_parse(json, len, JSON_STRICT, 65536, &doc, NULL), 0);
}

void open_written(struct writer *w)
{
    assert_int_equal(writer_end(w), 0);
    parse(buf_data(&text), buf_len(&text));
}

void open_json(const char *json)
{
    close_json();
    parse(json, strlen(json));
}

/* One step of a path: an index into an array, or a member's name. */
static json_node step(json_node at, const char *name)
{
    if (json_type(doc, at) != JSON_ARRAY)
        return json_get(doc, at, name);
    json_node it = json_first(doc, at);
    for (long left = strtol(name, NULL, 10); left > 0; left--)
        it = json_next(doc, it);
    return it;
}

json_node at_path(const char *path)
{
    char name[64];
    json_node at = json_root(doc);
    while (*path != '\0') {
        size_t len = strcspn(path, ".");
        assert_true(len < sizeof(name));
        memcpy(name, path, len);
        name[len] = '\0';
        at = step(at, name);
        path += len + (path[len] == '.');
    }
    return at;
}

const char *text_at(const char *path)
{
    return json_string(doc, at_path(path), NULL);
}

double number_at(const char *path)
{
    double value = 0;
    assert_true(json_double(doc, at_path(path), &value));
    return value;
}

int flag_at(const char *path)
{
    bool value = false;
    assert_true(json_bool(doc, at_path(path), &value));
    return value;
}

void close_json(void)
{
    json_free(doc);
    doc = NULL;
    buf_done(&text);
}

int json_tear_down(void **state)
{
    (void)state;
    close_json();
    return 0;
}

/* The initial agents of the mock world, read from JSON in the form of agents.json.
 *
 * Purpose: {"agents":[{id, name, type, status?, capabilities?, tasksActive?, tasksCompleted?, tasksFailed?,
 * activities?}]}. Comments and trailing commas are accepted: people write this file. Unknown keys are
 * ignored. Failure modes: reading ends at the first problem, which is reported with its line; the world is
 * then not used.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "mock/world.h"
#include "wire/json.h"

/* 1000 agents with every member, and some room for ignored keys. */
#define AGENTS_MAX_TOKENS 200000

struct reader {
    struct json_doc *doc;
    char *problem;
    size_t problem_size;
};

__attribute__((format(printf, 4, 5))) static int refuse(struct reader *r, json_node at, int code,
                                                        const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    (void)snprintf(r->problem, r->problem_size, "line %u: %s", json_line(r->doc, at), text);
    return code;
}

/* A string of 1 to MOCK_MAX_WORD_BYTES bytes, copied. */
static int read_word(struct reader *r, json_node agent, const char *key, char **ret_word)
{
    json_node at = json_get(r->doc, agent, key);
    size_t len;
    const char *text = json_string(r->doc, at, &len);
    if (!text)
        return refuse(r, at == JSON_ABSENT ? agent : at, ERR_TYPE, "an agent needs \"%s\", a string", key);
    if (len == 0 || len > MOCK_MAX_WORD_BYTES)
        return refuse(r, at, ERR_RANGE, "\"%s\" must have 1 to %d bytes", key, MOCK_MAX_WORD_BYTES);
    *ret_word = mem_strdup(text);
    return *ret_word ? 0 : -ENOMEM;
}

static int read_words(struct reader *r, json_node agent, const char *key, char ***ret_list, size_t *ret_count)
{
    const char *words[MOCK_MAX_CAPABILITIES];
    size_t count = 0;
    json_node list = json_get(r->doc, agent, key);
    if (list != JSON_ABSENT && json_type(r->doc, list) != JSON_ARRAY)
        return refuse(r, list, ERR_TYPE, "\"%s\" must be an array of strings", key);
    for (json_node at = json_first(r->doc, list); at != JSON_ABSENT; at = json_next(r->doc, at)) {
        size_t len;
        const char *text = json_string(r->doc, at, &len);
        if (!text)
            return refuse(r, at, ERR_TYPE, "\"%s\" must be an array of strings", key);
        if (count == MOCK_MAX_CAPABILITIES || len > MOCK_MAX_WORD_BYTES)
            return refuse(r, at, ERR_TOO_LARGE, "\"%s\": at most %d strings of %d bytes", key,
                          MOCK_MAX_CAPABILITIES, MOCK_MAX_WORD_BYTES);
        words[count++] = text;
    }
    return words_copy(words, count, ret_list, ret_count);
}

static int read_count(struct reader *r, json_node agent, const char *key, uint64_t *ret_value)
{
    int64_t value;
    json_node at = json_get(r->doc, agent, key);
    if (at == JSON_ABSENT)
        return 0;
    if (!json_int(r->doc, at, 0, 1000000, &value))
        return refuse(r, at, ERR_RANGE, "\"%s\" must be a whole number from 0 to 1000000", key);
    *ret_value = (uint64_t)value;
    return 0;
}

static int read_status(struct reader *r, json_node agent, bool *ret_active)
{
    *ret_active = true;
    json_node at = json_get(r->doc, agent, "status");
    if (at == JSON_ABSENT)
        return 0;
    const char *text = json_string(r->doc, at, NULL);
    *ret_active = text && strcmp(text, "active") == 0;
    if (!*ret_active && (!text || strcmp(text, "idle") != 0))
        return refuse(r, at, ERR_RANGE, "\"status\" must be \"active\" or \"idle\"");
    return 0;
}

static int read_agent(struct reader *r, json_node at, struct agent *a)
{
    if (json_type(r->doc, at) != JSON_OBJECT)
        return refuse(r, at, ERR_TYPE, "an agent must be an object");
    int rc = read_word(r, at, "id", &a->id);
    if (rc == 0)
        rc = read_word(r, at, "name", &a->name);
    if (rc == 0)
        rc = read_word(r, at, "type", &a->type);
    if (rc == 0)
        rc = read_status(r, at, &a->active);
    if (rc == 0)
        rc = read_words(r, at, "capabilities", &a->capabilities, &a->capability_count);
    if (rc == 0)
        rc = read_words(r, at, "activities", &a->activities, &a->activity_count);
    if (rc == 0)
        rc = read_count(r, at, "tasksActive", &a->base_active);
    if (rc == 0)
        rc = read_count(r, at, "tasksCompleted", &a->base_completed);
    if (rc == 0)
        rc = read_count(r, at, "tasksFailed", &a->base_failed);
    return rc;
}

static bool id_taken(const struct mock *m, const char *id)
{
    for (size_t i = 0; i < m->agent_count; i++) {
        if (strcmp(m->agents[i]->id, id) == 0)
            return true;
    }
    return false;
}

static int add_agent(struct reader *r, struct mock *m, json_node at)
{
    struct agent *a = agent_new();
    if (!a)
        return -ENOMEM;
    a->created_at_ms = m->start_ms;
    a->swarm = m->swarms[0];
    int rc = read_agent(r, at, a);
    if (rc == 0 && id_taken(m, a->id))
        rc = refuse(r, at, ERR_RANGE, "the id \"%s\" is there already", a->id);
    if (rc == 0) {
        a->stream = world_stream(a->id);
        rc = world_add_agent(m, a);
        if (rc == ERR_FULL)
            refuse(r, at, rc, "at most %d agents", MOCK_MAX_AGENTS);
    }
    if (rc != 0)
        agent_free(a);
    return rc;
}

static int read_agents(struct reader *r, struct mock *m)
{
    json_node list = json_get(r->doc, json_root(r->doc), "agents");
    if (json_type(r->doc, list) != JSON_ARRAY || json_count(r->doc, list) == 0)
        return refuse(r, list == JSON_ABSENT ? json_root(r->doc) : list, ERR_TYPE,
                      "expected {\"agents\":[...]} with at least one agent");
    for (json_node at = json_first(r->doc, list); at != JSON_ABSENT; at = json_next(r->doc, at)) {
        int rc = add_agent(r, m, at);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int initial_agents_read(struct mock *m, const char *json, size_t len, char *ret_problem, size_t problem_size)
{
    struct reader r = {.problem = ret_problem, .problem_size = problem_size};
    unsigned line = 0;
    int rc = json_parse(json, len, JSON_RELAXED, AGENTS_MAX_TOKENS, &r.doc, &line);
    if (rc != 0) {
        if (line > 0)
            (void)snprintf(ret_problem, problem_size, "line %u: %s", line, err_text(rc));
        return rc;
    }
    rc = read_agents(&r, m);
    json_free(r.doc);
    return rc;
}

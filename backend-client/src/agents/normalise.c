/* The normaliser: finds the list of agents in an answer.
 *
 * Purpose: servers put their list in different places, MCP tools inside a text that is JSON once more. Happy
 * path: parse the answer, look at the known places in order, hand each element of the first array found to
 * normalise_agent.c. A text is parsed only when no place before it has a list; a text that is no JSON (a
 * sentence for people) is passed over.
 *
 * Failure modes: the answer, or a text in it, too large or too deep; no list anywhere; the server says that
 * it failed (claude-flow 2 does so beside an empty list, which must not be taken for "no agents"); no
 * memory. Each gives its code and a sentence. A builder that is full is no failure: it then holds the first
 * agents, and is cut.
 */
#include "normalise.h"

#include <errno.h>

#include "normalise_agent.h"
#include "wire/text_builder.h"
#include "wire/json.h"

#define QUOTE_BYTES 160 /* of a server's own words */

/* Where a list may stand, from the object that was answered. */
static const char *const places[][2] = {
    {"agents", NULL},   {"structuredContent", "agents"}, {"activeAgents", NULL}, {"bots", NULL},
    {"data", "agents"},
};

#define PLACE_COUNT (sizeof(places) / sizeof(places[0]))

struct search {
    struct set_builder *builder;
    struct text_builder reason;
    bool mock;      /* what was looked through so far says that it is made up */
    bool found;     /* a list was found and its agents were added */
    bool explained; /* the reason is written */
};

static int say(struct search *s, int code, const char *words)
{
    if (!s->explained)
        text_builder_add(&s->reason, words);
    s->explained = true;
    return code;
}

static int quote(struct search *s, int code, const char *words, const char *text, size_t len)
{
    if (!s->explained) {
        text_builder_add(&s->reason, words);
        text_builder_quote(&s->reason, text, len, QUOTE_BYTES);
    }
    s->explained = true;
    return code;
}

/* ---- what the server says of itself ---- */

static bool is_flag(const struct json_doc *doc, json_node object, const char *key, bool wanted)
{
    bool flag;
    return json_bool(doc, json_get(doc, object, key), &flag) && flag == wanted;
}

/* "error" may be a string, or an object with a message. */
static const char *error_words(struct json_doc *doc, json_node object, size_t *ret_len)
{
    json_node error = json_get(doc, object, "error");
    const char *text = json_string(doc, error, ret_len);
    if (!text)
        text = json_string(doc, json_get(doc, error, "message"), ret_len);
    return text ? text : json_string(doc, json_get(doc, object, "message"), ret_len);
}

/* The first text of a tool's result. */
static const char *tool_words(struct json_doc *doc, json_node result, size_t *ret_len)
{
    json_node content = json_get(doc, result, "content");
    const char *text = NULL;
    for (json_node at = json_first(doc, content); at != JSON_ABSENT && !text; at = json_next(doc, at))
        text = json_string(doc, json_get(doc, at, "text"), ret_len);
    return text;
}

/* 0, or ERR_TYPE and the reason. */
static int check_success(struct search *s, struct json_doc *doc, json_node object)
{
    size_t len = 0;
    const char *text;
    if (is_flag(doc, object, "isError", true))
        text = tool_words(doc, object, &len);
    else if (is_flag(doc, object, "success", false))
        text = error_words(doc, object, &len);
    else
        return 0;
    if (text && len > 0)
        return quote(s, ERR_TYPE, "the server could not list its agents: ", text, len);
    return say(s, ERR_TYPE, "the server could not list its agents, and does not say why");
}

/* ---- the list ---- */

static int take_list(struct search *s, struct json_doc *doc, json_node list)
{
    s->found = true;
    for (json_node at = json_first(doc, list); at != JSON_ABSENT; at = json_next(doc, at)) {
        int rc = normalise_agent(doc, at, s->mock, s->builder);
        if (rc == ERR_FULL) /* the builder is cut: the first ones are an honest part of the list */
            return 0;
        if (rc != 0)
            return say(s, rc, "no memory for the list of agents");
    }
    return 0;
}

static int look_at_place(struct search *s, struct json_doc *doc, json_node object, const char *const place[2])
{
    json_node holder = place[1] ? json_get(doc, object, place[0]) : object;
    json_node list = json_get(doc, holder, place[1] ? place[1] : place[0]);
    if (json_type(doc, list) != JSON_ARRAY)
        return 0;
    s->mock = s->mock || normalise_says_mock(doc, holder);
    return take_list(s, doc, list);
}

static int look_from(struct search *s, struct json_doc *doc, json_node object, size_t first_place)
{
    int rc = 0;
    for (size_t i = first_place; i < PLACE_COUNT && rc == 0 && !s->found; i++)
        rc = look_at_place(s, doc, object, places[i]);
    if (rc == 0 && !s->found && json_type(doc, object) == JSON_ARRAY)
        rc = take_list(s, doc, object);
    return rc;
}

/* ---- documents ---- */

static int parse(struct search *s, const char *text, size_t len, struct json_doc **ret_doc)
{
    int rc = json_parse(text, len, JSON_STRICT, NORMALISE_MAX_TOKENS, ret_doc, NULL);
    switch (rc) {
    case 0:
    case ERR_SYNTAX: /* said by the caller: of a text inside it is no failure */
        return rc;
    case ERR_DEPTH:
        return say(s, rc, "the server's list of agents is nested too deeply to be read");
    case ERR_TOO_LARGE:
        return say(s, rc, "the server's list of agents has more parts than a client reads (four million)");
    default:
        return say(s, rc, "no memory for the list of agents");
    }
}

/* A text of a tool's result, which may be JSON. */
static int look_into_text(struct search *s, const char *text, size_t len)
{
    struct json_doc *doc = NULL;
    int rc = parse(s, text, len, &doc);
    if (rc != 0)
        return rc == ERR_SYNTAX ? 0 : rc;
    json_node root = json_root(doc);
    rc = check_success(s, doc, root);
    s->mock = s->mock || normalise_says_mock(doc, root);
    if (rc == 0)
        rc = look_from(s, doc, root, 0);
    json_free(doc);
    return rc;
}

static int look_into_texts(struct search *s, struct json_doc *doc, json_node result)
{
    json_node content = json_get(doc, result, "content");
    int rc = 0;
    if (json_type(doc, content) != JSON_ARRAY)
        return 0;
    for (json_node at = json_first(doc, content); at != JSON_ABSENT && rc == 0 && !s->found;
         at = json_next(doc, at)) {
        size_t len;
        const char *text = json_string(doc, json_get(doc, at, "text"), &len);
        if (text)
            rc = look_into_text(s, text, len);
    }
    return rc;
}

static int look(struct search *s, struct json_doc *doc)
{
    json_node result = json_root(doc);
    size_t len = 0;
    int rc = check_success(s, doc, result);
    s->mock = normalise_says_mock(doc, result);
    if (rc == 0)
        rc = look_at_place(s, doc, result, places[0]);
    if (rc == 0 && !s->found)
        rc = look_into_texts(s, doc, result);
    if (rc == 0 && !s->found)
        rc = look_from(s, doc, result, 1);
    if (rc != 0 || s->found)
        return rc;
    const char *text = error_words(doc, result, &len);
    if (!text)
        text = tool_words(doc, result, &len);
    if (text && len > 0)
        return quote(s, ERR_NOT_FOUND, "the answer holds no list of agents, but says: ", text, len);
    return say(s, ERR_NOT_FOUND, "the answer holds no list of agents in any known place");
}

int normalise_agents(const char *result, size_t len, struct set_builder *builder, char *ret_reason,
                     size_t reason_size)
{
    struct search s = {.builder = builder};
    struct json_doc *doc = NULL;
    text_builder_begin(&s.reason, ret_reason, reason_size);
    int rc = parse(&s, result, len, &doc);
    if (rc == ERR_SYNTAX)
        rc = say(&s, rc, "the server's answer is not valid JSON");
    if (rc == 0)
        rc = look(&s, doc);
    json_free(doc);
    return rc;
}

/* A tool's arguments as KEY=VALUE, by what its inputSchema says of each. */
#include "backend-client/cli/arguments.h"

#include <stdio.h>
#include <string.h>

#include "backend-client/cli/json_text.h"
#include "backend-client/cli/params.h"
#include "base/names.h"
#include "wire/sanitize.h"

#define NAME_BYTES 80
#define KNOWN_MAX  256 /* names that are looked through for a near one */

json_node arguments_find_tool(struct json_doc *doc, const char *name)
{
    json_node list = json_get(doc, json_root(doc), "tools");
    for (json_node at = json_first(doc, list); at != JSON_ABSENT; at = json_next(doc, at)) {
        const char *other = json_string(doc, json_get(doc, at, "name"), NULL);
        if (other && strcmp(other, name) == 0)
            return at;
    }
    return JSON_ABSENT;
}

/* ---- names ---- */

static json_node properties_of(struct json_doc *doc, json_node tool)
{
    json_node properties = json_get(doc, json_get(doc, tool, "inputSchema"), "properties");
    return json_type(doc, properties) == JSON_OBJECT ? properties : JSON_ABSENT;
}

static bool is_in(struct json_doc *doc, json_node array, const char *word)
{
    for (json_node at = json_first(doc, array); at != JSON_ABSENT; at = json_next(doc, at)) {
        const char *other = json_string(doc, at, NULL);
        if (other && strcmp(other, word) == 0)
            return true;
    }
    return false;
}

int arguments_list(struct buf *out, struct json_doc *doc, json_node tool)
{
    json_node properties = properties_of(doc, tool);
    json_node required = json_get(doc, json_get(doc, tool, "inputSchema"), "required");
    int rc = 0;
    for (json_node key = json_first(doc, properties); key != JSON_ABSENT && rc == 0;
         key = json_next(doc, key)) {
        const char *name = json_string(doc, key, NULL);
        rc = buf_append(out, ", ", buf_len(out) > 0 ? 2 : 0);
        if (rc == 0 && name)
            rc = buf_append(out, name, strlen(name));
        if (rc == 0)
            rc = buf_append(out, "*", name && is_in(doc, required, name) ? 1 : 0);
    }
    return rc;
}

/* ---- types ---- */

enum {
    TYPE_STRING = 1,
    TYPE_INTEGER = 2,
    TYPE_NUMBER = 4,
    TYPE_BOOLEAN = 8,
    TYPE_NULL = 16,
    TYPE_ARRAY = 32,
    TYPE_OBJECT = 64,
};

static const struct {
    const char *name;
    unsigned bit;
    const char *wanted;
} types[] = {
    {"string", TYPE_STRING, "a text"},
    {"integer", TYPE_INTEGER, "a whole number"},
    {"number", TYPE_NUMBER, "a number"},
    {"boolean", TYPE_BOOLEAN, "true or false"},
    {"null", TYPE_NULL, "null"},
    {"array", TYPE_ARRAY, "a list such as [\"a\",\"b\"]"},
    {"object", TYPE_OBJECT, "an object such as {\"key\":1}"},
};
#define TYPE_COUNT (sizeof(types) / sizeof(types[0]))

static unsigned type_bit(struct json_doc *doc, json_node word)
{
    const char *name = json_string(doc, word, NULL);
    for (size_t i = 0; name && i < TYPE_COUNT; i++)
        if (strcmp(types[i].name, name) == 0)
            return types[i].bit;
    return 0;
}

/* "type", a word or several; without it those of anyOf and oneOf. 0: it does not say. */
static unsigned types_of(struct json_doc *doc, json_node schema, unsigned depth)
{
    static const char *const unions[] = {"anyOf", "oneOf"};
    json_node type = json_get(doc, schema, "type");
    unsigned bits = type_bit(doc, type);
    for (json_node at = json_type(doc, type) == JSON_ARRAY ? json_first(doc, type) : JSON_ABSENT;
         at != JSON_ABSENT; at = json_next(doc, at))
        bits |= type_bit(doc, at);
    for (size_t i = 0; bits == 0 && depth < 4 && i < 2; i++) {
        json_node list = json_get(doc, schema, unions[i]);
        for (json_node at = json_first(doc, list); at != JSON_ABSENT; at = json_next(doc, at))
            bits |= types_of(doc, at, depth + 1);
    }
    return bits;
}

/* Of the value as JSON; 0: it is none. */
static unsigned value_type(const char *value)
{
    char ignored[320];
    size_t at = strspn(value, " \t\r\n");
    if (json_text_check(value, strlen(value), ignored, sizeof(ignored)) != 0)
        return 0;
    switch (value[at]) {
    case '{':
        return TYPE_OBJECT;
    case '[':
        return TYPE_ARRAY;
    case '"':
        return TYPE_STRING;
    case 't':
    case 'f':
        return TYPE_BOOLEAN;
    case 'n':
        return TYPE_NULL;
    default:
        return strpbrk(value, ".eE") ? TYPE_NUMBER : TYPE_INTEGER | TYPE_NUMBER;
    }
}

static const char *wanted(unsigned bits)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (bits & types[i].bit)
            return types[i].wanted;
    return "a text";
}

/* ---- the pairs ---- */

struct checker {
    struct json_doc *doc;
    json_node tool;
    json_node properties;
};

static int refuse_unknown(struct checker *c, const char *key, char *problem, size_t size)
{
    char shown[NAME_BYTES];
    const char *names[KNOWN_MAX + 1] = {NULL};
    size_t count = 0;
    struct buf list;
    for (json_node at = json_first(c->doc, c->properties); at != JSON_ABSENT && count < KNOWN_MAX;
         at = json_next(c->doc, at)) {
        const char *name = json_string(c->doc, at, NULL);
        if (name)
            names[count++] = name;
    }
    const char *near = nearest_name(key, names);
    buf_init(&list, 4096);
    int rc = arguments_list(&list, c->doc, c->tool);
    sanitize_copy(shown, sizeof(shown), key, strlen(key), SANITIZE_ESCAPE);
    (void)snprintf(problem, size, "there is no argument '%s'%s%s%s; there are: %.*s", shown,
                   near ? "; is " : "", near ? near : "", near ? " meant?" : "",
                   rc == 0 && buf_len(&list) > 0 ? (int)buf_len(&list) : 4,
                   rc == 0 && buf_len(&list) > 0 ? buf_data(&list) : "none");
    buf_done(&list);
    return ERR_SYNTAX;
}

/* A text that also stands for itself is one; what can only be JSON must be. */
static int choose_type(const char *key, const char *value, void *data, char *problem, size_t size)
{
    struct checker *c = data;
    json_node schema = json_get(c->doc, c->properties, key);
    json_node more = json_get(c->doc, json_get(c->doc, c->tool, "inputSchema"), "additionalProperties");
    bool open = json_type(c->doc, more) == JSON_OBJECT;
    (void)json_bool(c->doc, more, &open);
    if (schema == JSON_ABSENT)
        return open ? PARAMS_TEXT : refuse_unknown(c, key, problem, size);
    if (!value)
        return PARAMS_JSON;
    unsigned bits = types_of(c->doc, schema, 0);
    if (bits == 0 || (bits & TYPE_STRING))
        return PARAMS_TEXT;
    if (value_type(value) & bits)
        return PARAMS_JSON;
    char shown[NAME_BYTES], shown_value[NAME_BYTES];
    sanitize_copy(shown, sizeof(shown), key, strlen(key), SANITIZE_ESCAPE);
    sanitize_copy(shown_value, sizeof(shown_value), value, strlen(value), SANITIZE_ESCAPE);
    (void)snprintf(problem, size, "%s must be %s, which '%s' is not", shown, wanted(bits), shown_value);
    return ERR_SYNTAX;
}

/* The key of one of the pairs is `name`. */
static bool is_given(char *const *pairs, size_t count, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < count; i++)
        if (strncmp(pairs[i], name, len) == 0 &&
            (pairs[i][len] == '=' || strncmp(pairs[i] + len, ":=", 2) == 0))
            return true;
    return false;
}

static int check_required(struct checker *c, char *const *pairs, size_t count, char *problem, size_t size)
{
    json_node required = json_get(c->doc, json_get(c->doc, c->tool, "inputSchema"), "required");
    for (json_node at = json_first(c->doc, required); at != JSON_ABSENT; at = json_next(c->doc, at)) {
        const char *name = json_string(c->doc, at, NULL);
        if (!name || is_given(pairs, count, name))
            continue;
        char shown[NAME_BYTES];
        sanitize_copy(shown, sizeof(shown), name, strlen(name), SANITIZE_ESCAPE);
        unsigned bits = types_of(c->doc, json_get(c->doc, c->properties, name), 0);
        (void)snprintf(problem, size, "the argument %s is missing: write %s=VALUE (%s)", shown, shown,
                       wanted(bits));
        return ERR_SYNTAX;
    }
    return 0;
}

int arguments_from_pairs(struct buf *out, char *const *pairs, size_t count, struct json_doc *doc,
                         json_node tool, char *problem, size_t problem_size)
{
    struct checker c = {.doc = doc, .tool = tool, .properties = properties_of(doc, tool)};
    if (c.properties == JSON_ABSENT)
        return params_from_pairs(out, pairs, count, NULL, NULL, problem, problem_size);
    int rc = params_from_pairs(out, pairs, count, choose_type, &c, problem, problem_size);
    return rc != 0 ? rc : check_required(&c, pairs, count, problem, problem_size);
}

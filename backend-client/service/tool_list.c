/* What a server offers.
 *
 * Purpose: keep each tool's name and the text of its inputSchema; a schema is parsed when a call to its tool is
 * written, since a parsed document is not for several threads and most tools are never called. Failure modes: a
 * tool without a name is left out; a schema that cannot be parsed is one of which nothing is known.
 */
#include "tool_list.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

#define PAGE_MAX_TOKENS   ((size_t)1 << 20)
#define SCHEMA_MAX_TOKENS ((size_t)1 << 16)

struct tool {
    char *name;
    char *schema; /* JSON text; NULL: it gave none */
};

struct tool_list {
    atomic_size_t refs;
    struct tool *tools; /* owned, `count` of them, room for `cap` */
    size_t count;
    size_t cap;
    size_t bytes; /* of all names and schemas; at most TOOL_LIST_MAX_BYTES */
};

int tool_list_new(struct tool_list **ret_list)
{
    struct tool_list *list = mem_zalloc(sizeof(*list));
    if (!list)
        return -ENOMEM;
    atomic_init(&list->refs, 1);
    *ret_list = list;
    return 0;
}

struct tool_list *tool_list_retain(struct tool_list *list)
{
    (void)atomic_fetch_add(&list->refs, 1);
    return list;
}

void tool_list_release(struct tool_list *list)
{
    if (!list || atomic_fetch_sub(&list->refs, 1) > 1)
        return;
    for (size_t i = 0; i < list->count; i++) {
        mem_free(list->tools[i].name);
        mem_free(list->tools[i].schema);
    }
    mem_free(list->tools);
    mem_free(list);
}

/* ---- filling ---- */

static int make_room(struct tool_list *list)
{
    if (list->count < list->cap)
        return 0;
    size_t cap = list->cap ? list->cap * 2 : 16;
    struct tool *tools = mem_realloc(list->tools, cap * sizeof(*tools));
    if (!tools)
        return -ENOMEM;
    list->tools = tools;
    list->cap = cap;
    return 0;
}

static int add_tool(struct tool_list *list, struct json_doc *doc, json_node at)
{
    size_t name_len, schema_len = 0;
    const char *name = json_string(doc, json_get(doc, at, "name"), &name_len);
    json_node schema = json_get(doc, at, "inputSchema");
    const char *text = json_type(doc, schema) == JSON_OBJECT ? json_raw(doc, schema, &schema_len) : NULL;
    if (!name || name_len == 0)
        return 0;
    if (list->count == TOOL_LIST_MAX_TOOLS || name_len + schema_len > TOOL_LIST_MAX_BYTES - list->bytes)
        return ERR_TOO_LARGE;
    int rc = make_room(list);
    if (rc != 0)
        return rc;
    struct tool tool = {.name = mem_strndup(name, name_len),
                        .schema = text ? mem_strndup(text, schema_len) : NULL};
    if (!tool.name || (text && !tool.schema)) {
        mem_free(tool.name);
        mem_free(tool.schema);
        return -ENOMEM;
    }
    list->tools[list->count++] = tool;
    list->bytes += name_len + schema_len;
    return 0;
}

static int add_tools(struct tool_list *list, struct json_doc *doc)
{
    json_node tools = json_get(doc, json_root(doc), "tools");
    if (json_type(doc, tools) != JSON_ARRAY)
        return ERR_TYPE;
    int rc = 0;
    for (json_node at = json_first(doc, tools); at != JSON_ABSENT && rc == 0; at = json_next(doc, at))
        rc = add_tool(list, doc, at);
    return rc;
}

static int take_cursor(struct json_doc *doc, struct buf *cursor)
{
    size_t len;
    json_node at = json_get(doc, json_root(doc), "nextCursor");
    buf_clear(cursor);
    if (json_type(doc, at) != JSON_STRING)
        return 0;
    const char *text = json_raw(doc, at, &len);
    return buf_append(cursor, text, len);
}

int tool_list_add_page(struct tool_list *list, const char *result, size_t len, struct buf *cursor)
{
    struct json_doc *doc;
    int rc = json_parse(result, len, JSON_STRICT, PAGE_MAX_TOKENS, &doc, NULL);
    if (rc != 0)
        return rc;
    rc = add_tools(list, doc);
    if (rc == 0)
        rc = take_cursor(doc, cursor);
    json_free(doc);
    return rc;
}

/* ---- looking ---- */

static const struct tool *find(const struct tool_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->tools[i].name, name) == 0)
            return &list->tools[i];
    return NULL;
}

size_t tool_list_count(const struct tool_list *list)
{
    return list->count;
}

bool tool_list_has(const struct tool_list *list, const char *name)
{
    return find(list, name);
}

void tool_list_names(const struct tool_list *list, char *ret_text, size_t size)
{
    static const size_t more_bytes = sizeof(" and 10000 more");
    size_t used = 0, shown = 0;
    (void)snprintf(ret_text, size, "none");
    for (; shown < list->count; shown++) {
        const char *name = list->tools[shown].name;
        size_t len = strlen(name) + (shown ? 2 : 0);
        if (used + len + more_bytes > size)
            break;
        (void)snprintf(ret_text + used, size - used, "%s%s", shown ? ", " : "", name);
        used += len;
    }
    if (shown > 0 && shown < list->count)
        (void)snprintf(ret_text + used, size - used, " and %zu more", list->count - shown);
    else if (shown < list->count)
        (void)snprintf(ret_text, size, "%zu of long names", list->count);
}

/* ---- schemas ---- */

int tool_schema_open(const struct tool_list *list, const char *name, struct tool_schema *ret)
{
    const struct tool *tool = list ? find(list, name) : NULL;
    *ret = (struct tool_schema){.properties = JSON_ABSENT, .required = JSON_ABSENT};
    if (!tool || !tool->schema)
        return 0;
    int rc = json_parse(tool->schema, strlen(tool->schema), JSON_STRICT, SCHEMA_MAX_TOKENS, &ret->doc, NULL);
    if (rc != 0) {
        ret->doc = NULL;
        return rc == -ENOMEM ? rc : 0;
    }
    json_node properties = json_get(ret->doc, json_root(ret->doc), "properties");
    if (json_type(ret->doc, properties) == JSON_OBJECT)
        ret->properties = properties;
    ret->required = json_get(ret->doc, json_root(ret->doc), "required");
    return 0;
}

void tool_schema_done(struct tool_schema *s)
{
    json_free(s->doc);
    s->doc = NULL;
}

bool tool_schema_has(const struct tool_schema *s, const char *key)
{
    return !s->doc || s->properties == JSON_ABSENT || json_get(s->doc, s->properties, key) != JSON_ABSENT;
}

static bool holds_string(struct json_doc *doc, json_node array, const char *text)
{
    for (json_node at = json_first(doc, array); at != JSON_ABSENT; at = json_next(doc, at)) {
        const char *one = json_string(doc, at, NULL);
        if (one && strcmp(one, text) == 0)
            return true;
    }
    return false;
}

bool tool_schema_takes(struct tool_schema *s, const char *key, const char *value)
{
    if (!tool_schema_has(s, key))
        return false;
    if (!s->doc || s->properties == JSON_ABSENT || holds_string(s->doc, s->required, key))
        return true;
    json_node words = json_get(s->doc, json_get(s->doc, s->properties, key), "enum");
    return json_type(s->doc, words) != JSON_ARRAY || holds_string(s->doc, words, value);
}

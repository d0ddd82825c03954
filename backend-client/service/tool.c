/* MCP tools, from a caller's side.
 *
 * Purpose: find the one object that a tool's result is about, wherever the server put it, and whether the
 * tool says that it failed: by isError, or, as claude-flow does, by "success":false or nothing but an "error"
 * in an answer that claims to be well. Failure modes: a result that is no JSON is the caller's BAD_REPLY; a result that is not an
 * object is kept as text, and names no object.
 */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RESULT_MAX_TOKENS ((size_t)1 << 20)

/* ---- params ---- */

void tool_params_begin(struct tool_params *p, struct buf *out, const struct tool_list *tools,
                       const char *name)
{
    p->error = tool_schema_open(tools, name, &p->schema);
    writer_init(&p->w, out);
    write_object(&p->w);
    write_member_string(&p->w, "name", name);
    write_key(&p->w, "arguments");
    write_object(&p->w);
}

void tool_params_string(struct tool_params *p, const char *key, const char *value)
{
    if (value && tool_schema_takes(&p->schema, key, value))
        write_member_string(&p->w, key, value);
}

void tool_params_int(struct tool_params *p, const char *key, int64_t value)
{
    if (tool_schema_has(&p->schema, key))
        write_member_int(&p->w, key, value);
}

void tool_params_bool(struct tool_params *p, const char *key, bool value)
{
    if (tool_schema_has(&p->schema, key))
        write_member_bool(&p->w, key, value);
}

void tool_params_list(struct tool_params *p, const char *key, const char *value)
{
    if (!tool_schema_has(&p->schema, key))
        return;
    write_key(&p->w, key);
    write_array(&p->w);
    write_cstring(&p->w, value);
    write_array_end(&p->w);
}

int tool_params_end(struct tool_params *p)
{
    write_object_end(&p->w);
    write_object_end(&p->w);
    int rc = writer_end(&p->w);
    tool_schema_done(&p->schema);
    return p->error ? p->error : rc;
}

/* ---- results ---- */

/* content[].text of the first text part; NULL where there is none. */
static const char *first_text(struct json_doc *doc, json_node content, size_t *ret_len)
{
    for (json_node part = json_first(doc, content); part != JSON_ABSENT; part = json_next(doc, part)) {
        const char *text = json_string(doc, json_get(doc, part, "text"), ret_len);
        if (text)
            return text;
    }
    return NULL;
}

static void take_object(struct tool_result *r, struct json_doc *doc, json_node at)
{
    if (json_type(doc, at) != JSON_OBJECT)
        return;
    r->doc = doc;
    r->root = at;
}

/* The object in the envelope: as text, else as structuredContent. */
static int unwrap(struct tool_result *r, json_node root, json_node content)
{
    size_t len = 0;
    const char *text = first_text(r->outer, content, &len);
    (void)json_bool(r->outer, json_get(r->outer, root, "isError"), &r->failed);
    int rc = text ? json_parse(text, len, JSON_STRICT, RESULT_MAX_TOKENS, &r->inner, NULL) : ERR_SYNTAX;
    if (rc == -ENOMEM)
        return rc;
    if (rc == 0)
        take_object(r, r->inner, json_root(r->inner));
    if (!r->doc)
        take_object(r, r->outer, json_get(r->outer, root, "structuredContent"));
    if (r->doc == r->inner && r->doc && !r->failed) {
        json_free(r->outer); /* it is as large again */
        r->outer = NULL;
        return 0;
    }
    r->words = text;
    r->words_len = len;
    return 0;
}

/* No object: a string's text, or whatever it is as it stands there. */
static void take_words(struct tool_result *r, json_node root)
{
    r->words = json_string(r->outer, root, &r->words_len);
    if (!r->words)
        r->words = json_raw(r->outer, root, &r->words_len);
}

/* claude-flow 3 reports a thing that it does not know as {"taskId":"x","status":"not_found","error":"Task not
 * found"}. A status of any other kind is that of the thing: a task that failed has an error, too. */
static bool is_only_error(const struct tool_result *r)
{
    const char *status = json_string(r->doc, json_get(r->doc, r->root, "status"), NULL);
    return json_type(r->doc, json_get(r->doc, r->root, "error")) == JSON_STRING &&
           (!status || strcmp(status, "not_found") == 0 || strcmp(status, "error") == 0);
}

static void look_for_refusal(struct tool_result *r)
{
    bool success = true;
    if (json_bool(r->doc, json_get(r->doc, r->root, "success"), &success) ? success : !is_only_error(r))
        return;
    r->failed = true;
    r->words = json_string(r->doc, json_get(r->doc, r->root, "error"), &r->words_len);
    if (!r->words)
        r->words = json_string(r->doc, json_get(r->doc, r->root, "message"), &r->words_len);
}

int tool_result_read(const char *result, size_t len, struct tool_result *ret)
{
    *ret = (struct tool_result){.root = JSON_ABSENT};
    int rc = json_parse(result, len, JSON_STRICT, RESULT_MAX_TOKENS, &ret->outer, NULL);
    if (rc != 0)
        return rc;
    json_node root = json_root(ret->outer);
    json_node content = json_get(ret->outer, root, "content");
    if (json_type(ret->outer, root) != JSON_OBJECT)
        take_words(ret, root);
    else if (json_type(ret->outer, content) == JSON_ARRAY)
        rc = unwrap(ret, root, content);
    else
        take_object(ret, ret->outer, root);
    if (rc != 0)
        tool_result_done(ret);
    else if (ret->doc && !ret->failed)
        look_for_refusal(ret);
    return rc;
}

void tool_result_done(struct tool_result *r)
{
    json_free(r->inner);
    json_free(r->outer);
    *r = (struct tool_result){.root = JSON_ABSENT};
}

/* ---- what it holds ---- */

const char *tool_result_string(const struct tool_result *r, const char *thing, const char *key)
{
    if (!r->doc)
        return NULL;
    const char *text = json_string(r->doc, json_get(r->doc, r->root, key), NULL);
    return text ? text : json_string(r->doc, json_get(r->doc, json_get(r->doc, r->root, thing), key), NULL);
}

/* An empty string names nothing. */
static const char *id_at(const struct tool_result *r, json_node at, size_t *ret_len)
{
    const char *id = json_type(r->doc, at) == JSON_NUMBER ? json_raw(r->doc, at, ret_len)
                                                          : json_string(r->doc, at, ret_len);
    return id && *ret_len > 0 ? id : NULL;
}

const char *tool_result_id(const struct tool_result *r, const char *thing, size_t *ret_len)
{
    char camel[16], snake[16];
    const char *const keys[] = {camel, snake, "id"};
    const char *id = NULL;
    if (!r->doc)
        return NULL;
    (void)snprintf(camel, sizeof(camel), "%sId", thing);
    (void)snprintf(snake, sizeof(snake), "%s_id", thing);
    const json_node places[] = {r->root, json_get(r->doc, r->root, thing)};
    for (size_t i = 0; !id && i < 2 * sizeof(keys) / sizeof(keys[0]); i++)
        id = id_at(r, json_get(r->doc, places[i / 3], keys[i % 3]), ret_len);
    return id;
}

const char *tool_result_words(const struct tool_result *r, size_t *ret_len)
{
    *ret_len = r->words_len;
    return r->words || !r->doc ? r->words : json_raw(r->doc, r->root, ret_len);
}

bool tool_result_is_mock(const struct tool_result *r)
{
    bool mock = false;
    return r->doc && json_bool(r->doc, json_get(r->doc, r->root, "mock"), &mock) && mock;
}

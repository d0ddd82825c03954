/* MCP tools, from a caller's side.
 *
 * Purpose: find the one object that a tool's result is about, wherever the server put it, and whether the
 * tool says that it failed: by isError, or, as claude-flow does, by "success":false in an answer that claims
 * to be well. Failure modes: a result that is no JSON is the caller's BAD_REPLY; a text that is none is kept
 * as text.
 */
#include "tool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define RESULT_MAX_TOKENS ((size_t)1 << 20)

void tool_params_begin(struct writer *w, const char *name)
{
    write_object(w);
    write_member_string(w, "name", name);
    write_key(w, "arguments");
    write_object(w);
}

void tool_params_end(struct writer *w)
{
    write_object_end(w);
    write_object_end(w);
}

static void keep_text(struct tool_result *r, const char *text)
{
    snprintf(r->text, sizeof r->text, "%s", text);
}

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

/* Replaces the envelope by what its text holds. */
static int unwrap(struct tool_result *r, json_node content)
{
    struct json_doc *inner = NULL;
    size_t len = 0;
    bool is_error = false;
    const char *text = first_text(r->doc, content, &len);
    (void)json_bool(r->doc, json_get(r->doc, r->root, "isError"), &is_error);
    int rc = text ? json_parse(text, len, JSON_STRICT, RESULT_MAX_TOKENS, &inner, NULL) : ERR_SYNTAX;
    if (rc == -ENOMEM) {
        tool_result_done(r);
        return rc;
    }
    if (rc == 0 && json_type(inner, json_root(inner)) != JSON_OBJECT) {
        json_free(inner);
        inner = NULL;
    }
    if (text && (!inner || is_error))
        keep_text(r, text);
    r->failed = is_error;
    json_free(r->doc);
    r->doc = inner;
    r->root = inner ? json_root(inner) : JSON_ABSENT;
    return 0;
}

static void look_for_refusal(struct tool_result *r)
{
    bool success = true;
    if (!json_bool(r->doc, json_get(r->doc, r->root, "success"), &success) || success)
        return;
    const char *reason = tool_result_string(r, "error", "message");
    r->failed = true;
    if (reason)
        keep_text(r, reason);
}

int tool_result_read(const char *result, size_t len, struct tool_result *ret)
{
    *ret = (struct tool_result){.root = JSON_ABSENT};
    int rc = json_parse(result, len, JSON_STRICT, RESULT_MAX_TOKENS, &ret->doc, NULL);
    if (rc != 0)
        return rc;
    ret->root = json_root(ret->doc);
    json_node content = json_get(ret->doc, ret->root, "content");
    if (json_type(ret->doc, ret->root) == JSON_OBJECT && json_type(ret->doc, content) == JSON_ARRAY)
        rc = unwrap(ret, content);
    if (rc == 0 && ret->doc && !ret->failed)
        look_for_refusal(ret);
    return rc;
}

void tool_result_done(struct tool_result *r)
{
    json_free(r->doc);
    r->doc = NULL;
}

const char *tool_result_string(const struct tool_result *r, const char *first, const char *second)
{
    if (!r->doc)
        return NULL;
    const char *text = json_string(r->doc, json_get(r->doc, r->root, first), NULL);
    if (!text && second)
        text = json_string(r->doc, json_get(r->doc, r->root, second), NULL);
    return text;
}

bool tool_result_is_mock(const struct tool_result *r)
{
    bool mock = false;
    return r->doc && json_bool(r->doc, json_get(r->doc, r->root, "mock"), &mock) && mock;
}

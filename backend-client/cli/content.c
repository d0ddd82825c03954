/* A tool's result. MCP's has content[] of typed parts; the agent control system's is a bare object, which is
 * then shown as JSON.
 *
 * Texts are decoded here: json_string cannot give one that holds a NUL, and such a text must come out whole.
 */
#include "backend-client/cli/content.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/json_text.h"
#include "wire/sanitize.h"
#include "base/alloc.h"
#include "wire/json.h"
#include "wire/rpc.h"

#define TOKENS_MAX 2000000

struct print {
    struct buf *out;
    struct json_doc *doc;
    bool escaped;
    int error;
};

static void put(struct print *p, const char *bytes, size_t len)
{
    if (p->error == 0)
        p->error = buf_append(p->out, bytes, len);
}

static void put_safe(struct print *p, const char *text, size_t len)
{
    if (p->error == 0)
        p->error = sanitize_append(p->out, text, len, SANITIZE_ESCAPE);
}

/* A text that is an object or a list as JSON. */
static bool is_json(const char *text, size_t len)
{
    char ignored[320];
    size_t at = 0;
    while (at < len && strchr(" \t\r\n", text[at]))
        at++;
    return at < len && (text[at] == '{' || text[at] == '[') &&
           json_text_check(text, len, ignored, sizeof(ignored)) == 0;
}

/* On a terminal, JSON is spread for reading; a pipe gets the text as it came. */
static void put_decoded(struct print *p, const char *text, size_t len)
{
    if (p->error != 0)
        return;
    if (p->escaped && is_json(text, len)) {
        p->error = json_text_print(p->out, text, len, JSON_SPREAD, true);
        put(p, "\n", 1);
        return;
    }
    p->error = p->escaped ? sanitize_append(p->out, text, len, SANITIZE_ESCAPE_LINES)
                          : buf_append(p->out, text, len);
    if (len == 0 || text[len - 1] != '\n')
        put(p, "\n", 1);
}

static void put_text(struct print *p, json_node text)
{
    size_t quoted_len;
    const char *quoted = json_raw(p->doc, text, &quoted_len);
    if (json_type(p->doc, text) != JSON_STRING || p->error != 0)
        return;
    char *decoded = mem_alloc(quoted_len);
    if (!decoded) {
        p->error = -ENOMEM;
        return;
    }
    size_t len = rpc_decode_string(quoted, quoted_len, decoded, quoted_len);
    if (len != SIZE_MAX)
        put_decoded(p, decoded, len);
    mem_free(decoded);
}

/* " image/png" of a member that is a string. */
static void put_word(struct print *p, json_node object, const char *key)
{
    size_t len;
    const char *text = json_string(p->doc, json_get(p->doc, object, key), &len);
    if (!text)
        return;
    put(p, " ", 1);
    put_safe(p, text, len);
}

/* [image image/png, 1234 bytes of base64] [resource_link file:///x name] [resource file:///x text/plain] */
static void put_other(struct print *p, json_node part, const char *type)
{
    size_t data_len = 0;
    json_node data = json_get(p->doc, part, "data");
    json_node resource = json_get(p->doc, part, "resource");
    json_node about = resource == JSON_ABSENT ? part : resource;
    put(p, "[", 1);
    put_safe(p, type, strlen(type));
    put_word(p, about, "uri");
    put_word(p, about, "mimeType");
    put_word(p, about, "name");
    if (json_type(p->doc, data) == JSON_STRING) {
        char size[48];
        (void)json_raw(p->doc, data, &data_len);
        int n = snprintf(size, sizeof(size), ", %zu bytes of base64", data_len - 2);
        put(p, size, (size_t)n);
    }
    put(p, "]\n", 2);
    put_text(p, json_get(p->doc, resource, "text"));
}

static void put_part(struct print *p, json_node part)
{
    const char *type = json_string(p->doc, json_get(p->doc, part, "type"), NULL);
    if (type && strcmp(type, "text") == 0)
        put_text(p, json_get(p->doc, part, "text"));
    else
        put_other(p, part, type ? type : "part without a type");
}

static void put_json(struct print *p, json_node node)
{
    size_t len;
    const char *raw = json_raw(p->doc, node, &len);
    if (p->error == 0)
        p->error = json_text_print(p->out, raw, len, JSON_SPREAD, p->escaped);
    put(p, "\n", 1);
}

static void put_result(struct print *p)
{
    json_node root = json_root(p->doc);
    json_node content = json_get(p->doc, root, "content");
    json_node structured = json_get(p->doc, root, "structuredContent");
    if (json_type(p->doc, content) != JSON_ARRAY) {
        put_json(p, root);
        return;
    }
    if (json_count(p->doc, content) == 0 && structured != JSON_ABSENT)
        put_json(p, structured);
    for (json_node part = json_first(p->doc, content); part != JSON_ABSENT; part = json_next(p->doc, part))
        put_part(p, part);
}

int content_print(struct buf *out, const char *result, size_t len, bool escaped, bool *ret_is_error)
{
    struct print p = {.out = out, .escaped = escaped};
    bool is_error = false;
    int rc = json_parse(result, len, JSON_STRICT, TOKENS_MAX, &p.doc, NULL);
    if (rc != 0)
        return rc;
    (void)json_bool(p.doc, json_get(p.doc, json_root(p.doc), "isError"), &is_error);
    put_result(&p);
    json_free(p.doc);
    if (p.error == 0)
        *ret_is_error = is_error;
    return p.error;
}

/* MCP tools, from a caller's side: the params of a tools/call, and what its result says. Pure. */
#ifndef SERVICE_TOOL_H
#define SERVICE_TOOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "wire/json.h"
#include "wire/writer.h"

#define TOOL_TEXT_SIZE 400

/* Writes {"name":NAME,"arguments":{ ; the caller adds members, then tool_params_end. */
void tool_params_begin(struct writer *w, const char *name);
void tool_params_end(struct writer *w);

/* What a tool gave. Servers of MCP put JSON as text into content[0].text; the agent control system gives a
 * bare object. Both come out as one object. */
struct tool_result {
    struct json_doc *doc;      /* owned; NULL: it gave no JSON object */
    json_node root;            /* the object; JSON_ABSENT where there is none */
    bool failed;               /* isError, or "success":false in the object */
    char text[TOOL_TEXT_SIZE]; /* the reason when it failed, or the text that was no JSON; may be cut */
};

/* ERR_SYNTAX, ERR_DEPTH, ERR_TOO_LARGE (the result itself is no JSON that we take), -ENOMEM: nothing to free.
 */
MUSTCHECK int tool_result_read(const char *result, size_t len, struct tool_result *ret);
void tool_result_done(struct tool_result *r);

/* The first of the two members that is a string; NULL when neither is. `second` may be NULL. */
const char *tool_result_string(const struct tool_result *r, const char *first, const char *second);
/* "mock":true stands in the object. */
bool tool_result_is_mock(const struct tool_result *r);

#endif

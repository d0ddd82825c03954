/* MCP tools, from a caller's side: the params of a tools/call, and its result. Pure. */
#ifndef SERVICE_TOOL_H
#define SERVICE_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "tool_list.h"
#include "wire/json.h"
#include "wire/writer.h"

/* The params of a tools/call being written: {"name":NAME,"arguments":{...}}. An argument that the tool's schema
 * does not take is left out: servers refuse the whole call for it. */
struct tool_params {
    struct writer w;
    struct tool_schema schema;
    int error; /* 0, or why there is no schema */
};

/* `tools` NULL: nothing is known of the server's tools, and every argument is written. */
void tool_params_begin(struct tool_params *p, struct buf *out, const struct tool_list *tools,
                       const char *name);
void tool_params_string(struct tool_params *p, const char *key, const char *value); /* NULL: left out */
void tool_params_int(struct tool_params *p, const char *key, int64_t value);
void tool_params_bool(struct tool_params *p, const char *key, bool value);
/* An array of one string. */
void tool_params_list(struct tool_params *p, const char *key, const char *value);
/* 0, or -ENOMEM, ERR_TOO_LARGE: `out` holds an incomplete text. */
MUSTCHECK int tool_params_end(struct tool_params *p);

/* What a tool gave. Servers of MCP put JSON as text into content[0].text, newer ones also an object into
 * structuredContent; the agent control system gives a bare object. All come out as one object. */
struct tool_result {
    struct json_doc *outer; /* owned: the result as it came; NULL once nothing is needed of it */
    struct json_doc *inner; /* owned: the object that stood in its text; NULL: none */
    struct json_doc *doc;   /* that of the two in which the object is; NULL: it gave none */
    json_node root;         /* the object; JSON_ABSENT where there is none */
    bool failed;            /* isError; "success":false in the object; or nothing but an "error" there */
    const char *words;      /* borrowed: the reason when it failed, or what it said in place of an object (not
                               NUL-terminated); NULL: nothing */
    size_t words_len;
};

/* ERR_SYNTAX, ERR_DEPTH, ERR_TOO_LARGE (the result itself is no JSON that we take), -ENOMEM: nothing to free.
 */
MUSTCHECK int tool_result_read(const char *result, size_t len, struct tool_result *ret);
void tool_result_done(struct tool_result *r);

/* Where a tool reports a thing ("task", "swarm", "agent"), it does so in the object itself, or, as ruv-swarm
 * does, in the object's member of that name. */

/* The member as a string; NULL when it is none. */
const char *tool_result_string(const struct tool_result *r, const char *thing, const char *key);
/* The thing's id: thingId, thing_id or id, a string or a number (as it stands there). Not NUL-terminated;
 * NULL: the answer names nothing. */
const char *tool_result_id(const struct tool_result *r, const char *thing, size_t *ret_len);
/* The result for people: its text, or the object as text; NULL: none. Not NUL-terminated. */
const char *tool_result_words(const struct tool_result *r, size_t *ret_len);
/* "mock":true stands in the object. */
bool tool_result_is_mock(const struct tool_result *r);

#endif

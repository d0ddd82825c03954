/* A tool's arguments as KEY=VALUE, by what its inputSchema says of each: which there are, which are needed, and
 * whether VALUE is a text or JSON. Pure.
 */
#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H

#include <stddef.h>

#include "base/buf.h"
#include "wire/json.h"

/* The tool of that name in {"tools":[...]}; JSON_ABSENT: it is not there. */
json_node arguments_find_tool(struct json_doc *doc, const char *name);
/* "task*, priority": the names of its arguments, * behind those that are required. Empty: it states none. */
MUSTCHECK int arguments_list(struct buf *out, struct json_doc *doc, json_node tool);
/* As params_from_pairs, for this tool. ERR_SYNTAX also for an argument that it does not have, one that it needs, and
 * a value of another type. A tool that does not state its arguments takes any, as texts. */
MUSTCHECK int arguments_from_pairs(struct buf *out, char *const *pairs, size_t count, struct json_doc *doc,
                                   json_node tool, char *problem, size_t problem_size);

#endif

/* The arguments of a tool call, read and checked. The first problem is kept as a text and ends the reading:
 * later calls return their defaults, so a tool reads all its arguments and checks once.
 */
#ifndef MOCK_MCP_ARGS_H
#define MOCK_MCP_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mock/mock.h"
#include "wire/json.h"

struct mcp_args {
    struct json_doc *doc; /* may be NULL: no arguments */
    json_node node;
    char problem[200]; /* empty: no problem so far */
};

/* Strings are borrowed from the document. */
const char *arg_string(struct mcp_args *a, const char *key, size_t max_bytes, const char *otherwise);
/* An absent or empty one is a problem too. */
const char *arg_required(struct mcp_args *a, const char *key, size_t max_bytes);
/* One of `choices`, a NULL-terminated list. */
const char *arg_choice(struct mcp_args *a, const char *key, const char *const *choices,
                       const char *otherwise);
uint64_t arg_uint(struct mcp_args *a, const char *key, uint64_t min, uint64_t max, uint64_t otherwise);
bool arg_bool(struct mcp_args *a, const char *key, bool otherwise);
/* Up to MOCK_MAX_CAPABILITIES strings; returns how many. */
size_t arg_words(struct mcp_args *a, const char *key, const char *words[MOCK_MAX_CAPABILITIES]);
bool args_wrong(const struct mcp_args *a);

#endif

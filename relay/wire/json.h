/* JSON as a tree, for small and rare texts: configuration, control messages, initialize, mock data. Relayed
 * frames are never parsed with it. Built on jsmn (strict, with parent links); jsmn alone accepts many texts
 * that are not JSON, so our own scanner first checks that the text is strict, which also caps the depth (jsmn
 * is quadratic in it).
 */
#ifndef WIRE_JSON_H
#define WIRE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum json_type {
    JSON_NONE,
    JSON_OBJECT,
    JSON_ARRAY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL
};

/* A node is an index into its document; JSON_ABSENT (as any accessor's input) gives "absent" again, so paths
 * can be chained without checks. */
typedef int json_node;
#define JSON_ABSENT (-1)

struct json_doc; /* opaque */

enum json_flags {
    JSON_STRICT = 0,
    JSON_RELAXED = 1, /* comments and trailing commas are accepted, as in configuration files (JSONC) */
};

/* Copies the text. ERR_SYNTAX, ERR_DEPTH, ERR_TOO_LARGE (above max_tokens), -ENOMEM. On ERR_SYNTAX *ret_line
 * (may be NULL) is the line, from 1, where it stopped being JSON. */
MUSTCHECK int json_parse(const char *text, size_t len, unsigned flags, size_t max_tokens,
                         struct json_doc **ret_doc, unsigned *ret_line);
void json_free(struct json_doc *doc);

json_node json_root(const struct json_doc *doc);
enum json_type json_type(const struct json_doc *doc, json_node node);
/* The member's value; compared decoded; the last one where a key occurs twice (as in JSON.parse). */
json_node json_get(const struct json_doc *doc, json_node object, const char *key);
/* Element or member count. */
size_t json_count(const struct json_doc *doc, json_node node);
/* First child (array element, or object key) and the sibling after it; JSON_ABSENT at the end. For objects,
 * iterate with json_first/json_next over keys and take json_value(key). */
json_node json_first(const struct json_doc *doc, json_node container);
json_node json_next(const struct json_doc *doc, json_node child);
json_node json_value(const struct json_doc *doc, json_node key);

/* The decoded string of a string or key node, NUL-terminated, owned by the document; NULL when it is no
 * string or holds a NUL. *ret_len may be NULL. */
const char *json_string(struct json_doc *doc, json_node node, size_t *ret_len);
/* false unless the node is a number that is a whole one in [min, max]. */
bool json_int(const struct json_doc *doc, json_node node, int64_t min, int64_t max, int64_t *ret_value);
bool json_double(const struct json_doc *doc, json_node node, double *ret_value);
bool json_bool(const struct json_doc *doc, json_node node, bool *ret_value);
/* The node's own bytes in the text (quotes included), borrowed. */
const char *json_raw(const struct json_doc *doc, json_node node, size_t *ret_len);
/* The node's line in the text, from 1. */
unsigned json_line(const struct json_doc *doc, json_node node);

#endif

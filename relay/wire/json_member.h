/* Reads members and elements of JSON text that the scan has found strict, without a parse: for the few values
 * that are no routing keys (an initialize result's capabilities, a task's status). No memory, one pass over
 * the object or array. Names are compared decoded; where a name occurs twice, the last one counts, as in
 * JSON.parse. White space around the object is allowed.
 *
 * For text that has not been scanned, and for more than a few members, use wire/json.h.
 */
#ifndef WIRE_JSON_MEMBER_H
#define WIRE_JSON_MEMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/rpc.h"

/* The value of `key` in `object`. false: it is no object or has no such member. `ret_value` indexes `object`.
 */
bool json_member_find(const char *object, size_t len, const char *key, struct span *ret_value);
/* The same in an object that `object` spans in `text`, as a span in `text`; absent when there is none. */
struct span json_member(const char *text, struct span object, const char *key);
/* The value under a path of two keys. */
struct span json_submember(const char *text, struct span object, const char *key, const char *inner);
/* What to leave out of the object so that it is without this member of it, whose value json_member found: the member
 * and one comma. */
struct span json_member_cut(const char *text, struct span object, struct span value);
/* Takes every member named `key` out of the object, in place; returns how many bytes the text lost. */
size_t json_member_remove(char *text, size_t len, struct span object, const char *key);

/* The next element of an array (of a frame whose kind is RPC_BATCH, for example): *pos starts at 0 and indexes
 * `array`, as `ret_element` does. false at the end. */
bool json_element_next(const char *array, size_t len, size_t *pos, struct span *ret_element);

/* What a value is; false for an absent span. */
bool json_span_is_true(const char *text, struct span value);
bool json_span_is_object(const char *text, struct span value);
bool json_span_is_string(const char *text, struct span value);

#endif

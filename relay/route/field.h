/* Looks up a member in JSON text that the scan has already proved strict: for the few values that are no
 * routing keys (protocolVersion, capabilities, a task's status). No allocation. Names are compared decoded;
 * where one stands twice, the last one counts, as for JSON.parse.
 */
#ifndef ROUTE_FIELD_H
#define ROUTE_FIELD_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/rpc.h"

/* The value of `key` in the object that `object` spans in `text`; an absent span when it is no object or has
 * no such member. */
struct span field_get(const char *text, struct span object, const char *key);
/* The value under a path of two keys. */
struct span field_get2(const char *text, struct span object, const char *key, const char *inner);
/* Is it the literal true? */
bool field_true(const char *text, struct span value);
bool field_is_object(const char *text, struct span value);
bool field_is_string(const char *text, struct span value);
/* Takes every member named `key` out of the object, in place; returns how many bytes the text lost. */
size_t field_remove(char *text, size_t len, struct span object, const char *key);

#endif

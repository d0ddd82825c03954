/* Equality of JSON texts as values. Pure. */
#ifndef WIRE_JSON_SAME_H
#define WIRE_JSON_SAME_H

#include <stdbool.h>
#include <stddef.h>

/* The texts mean the same value: the order of keys, white space, the spelling of numbers and the escapes in strings do
 * not count; of a key that occurs twice the last one does. Texts of more than 8,192 values, and what cannot be parsed
 * for want of memory, are equal only byte for byte. An empty text is equal to another alone. */
bool json_same(const char *a, size_t a_len, const char *b, size_t b_len);

#endif

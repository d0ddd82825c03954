/* JSON numbers as values, at any precision: 1, 1.0 and 10e-1 are one number. Pure. */
#ifndef WIRE_NUMBER_H
#define WIRE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Both texts are numbers of the JSON grammar, and mean the same one; 0 and -0 do. */
bool number_equal(const char *a, size_t a_len, const char *b, size_t b_len);
/* The text is a number of the JSON grammar and a whole one from 0 to 2^53-1. */
bool number_whole(const char *text, size_t len, uint64_t *ret_value);

#endif

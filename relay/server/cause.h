/* The line of a program's standard error that says what failed. Pure.
 *
 * The end of standard error is seldom it: behind the reason stand stack frames, the version of Node.js, hints where a
 * log was written. */
#ifndef SERVER_CAUSE_H
#define SERVER_CAUSE_H

#include <stdbool.h>
#include <stddef.h>

#define CAUSE_BYTES ((size_t)400)

/* Writes the cause as one line for people, without control characters, and returns whether there is one that looks like
 * an error. Where none does: the last line that says anything, and false; "" where there is none. */
bool cause_find(const char *text, size_t len, char ret_cause[CAUSE_BYTES]);

#endif

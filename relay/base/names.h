/* Names that people type: finds the known name nearest to a misspelt one. Letter case and the marks - and
 * _ do not count. */
#ifndef BASE_NAMES_H
#define BASE_NAMES_H

#include <stdbool.h>

/* The edits between two names (a letter more, less, or another); only the first 64 letters are compared. */
unsigned name_distance(const char *a, const char *b);
/* True when `distance` is small enough for "did you mean": 1 to 3 edits, by the length of the name. */
bool name_is_near(const char *name, unsigned distance);
/* The nearest of a NULL-terminated list when it is near enough, or NULL. */
const char *nearest_name(const char *name, const char *const *known);

#endif

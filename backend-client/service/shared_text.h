/* A text that several readers are being sent: one copy, freed by the last of them, and counted in a budget for as
 * long as anybody holds it. Thread-safe.
 */
#ifndef SERVICE_SHARED_TEXT_H
#define SERVICE_SHARED_TEXT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/* What all answers and events that are being read may hold together. */
struct budget {
    atomic_size_t used; /* bytes */
    size_t max;
};

void budget_init(struct budget *b, size_t max);
bool budget_has_room(struct budget *b, size_t bytes);
/* False: they were not counted, since they do not fit. */
bool budget_take(struct budget *b, size_t bytes);
void budget_give(struct budget *b, size_t bytes);

struct shared_text {
    struct budget *budget; /* borrowed */
    atomic_size_t refs;
    size_t len;
    char bytes[];
};

/* Joins three parts; one reference. Counted also where the budget has no room: who must not pass it asks first.
 * NULL: out of memory. */
struct shared_text *shared_text_new(struct budget *budget, const char *head, size_t head_len,
                                    const char *body, size_t body_len, const char *tail, size_t tail_len);
struct shared_text *shared_text_retain(struct shared_text *t);
void shared_text_release(struct shared_text *t); /* NULL: nothing */
/* The same by its bytes: for libraries that know these alone. */
void shared_text_release_bytes(void *bytes);

#endif

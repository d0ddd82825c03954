/* Deadlines in the router's one heap, and the clock of a call. */
#ifndef ROUTE_DEADLINE_H
#define ROUTE_DEADLINE_H

#include <stdint.h>

#include "base/err.h"
#include "base/heap.h"

struct call;
struct router;

/* Something that is due at a time. */
struct deadline {
    struct heap_node node;
    /* The deadline is out of the heap by then; may put itself in again, or free what it stands in. */
    void (*expire)(struct deadline *d, uint64_t now_ms);
};

/* 0 or -ENOMEM. In the heap already: moved. */
MUSTCHECK int deadline_set(struct router *r, struct deadline *d, uint64_t at_ms);
void deadline_clear(struct router *r, struct deadline *d);

/* Starts the clock of a call that has arrived. -ENOMEM. */
MUSTCHECK int call_start_deadline(struct call *c, uint64_t now_ms);
/* Progress came: its clock starts again. */
void call_progress(struct call *c, uint64_t now_ms);
/* When it will expire by what is known now, or ROUTE_NEVER. */
uint64_t call_expires_at(const struct call *c, uint64_t now_ms);

#endif

/* Reusable storage for what outlives the frame it came in: waiting frames, long ids, parked notifications.
 *
 * Blocks come in powers of two from 256 bytes to 1 MiB and go back to a free list of their size, so that in
 * steady state nothing is allocated; larger blocks go straight to the heap and back. What lies on the free
 * lists is bounded by STORE_KEPT_BYTES.
 */
#ifndef ROUTE_STORE_H
#define ROUTE_STORE_H

#include <stddef.h>

#include "base/err.h"

#define STORE_MIN_BYTES  ((size_t)256)
#define STORE_CLASSES    13
#define STORE_KEPT_BYTES ((size_t)4 << 20)

struct block {
    struct block *next; /* on a free list */
    size_t cap;
    _Alignas(max_align_t) char bytes[];
};

struct store {
    struct block *free[STORE_CLASSES];
    size_t kept_bytes; /* on the free lists */
    size_t used_bytes; /* handed out */
};

void store_init(struct store *st);
void store_done(struct store *st);
/* NULL when out of memory. */
MUSTCHECK struct block *store_get(struct store *st, size_t bytes);
/* NULL is allowed. */
void store_put(struct store *st, struct block *b);

#endif

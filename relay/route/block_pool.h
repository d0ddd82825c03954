/* Reusable storage for what outlives the frame it came in: waiting frames, long ids, early notifications.
 *
 * Blocks come in powers of two from 256 bytes to 1 MiB and go back to a free list of their size, so that in
 * steady state nothing is allocated; larger blocks go straight to the heap and back. What lies on the free
 * lists is bounded by BLOCK_POOL_KEPT_BYTES.
 */
#ifndef ROUTE_BLOCK_POOL_H
#define ROUTE_BLOCK_POOL_H

#include <stddef.h>

#include "base/err.h"

#define BLOCK_POOL_MIN_BYTES  ((size_t)256)
#define BLOCK_POOL_CLASSES    13
#define BLOCK_POOL_KEPT_BYTES ((size_t)4 << 20)

struct block {
    struct block *next; /* on a free list */
    size_t cap;
    _Alignas(max_align_t) char bytes[];
};

struct block_pool {
    struct block *free[BLOCK_POOL_CLASSES];
    size_t kept_bytes; /* on the free lists */
    size_t used_bytes; /* handed out */
};

void block_pool_init(struct block_pool *st);
void block_pool_done(struct block_pool *st);
/* NULL when out of memory. */
MUSTCHECK struct block *block_pool_get(struct block_pool *st, size_t bytes);
/* NULL is allowed. */
void block_pool_put(struct block_pool *st, struct block *b);

#endif

/* Free lists of blocks by power of two. Out of memory: NULL, and the caller answers for it. */
#include "route/block_pool.h"

#include <string.h>

#include "base/alloc.h"

void block_pool_init(struct block_pool *st)
{
    memset(st, 0, sizeof(*st));
}

void block_pool_done(struct block_pool *st)
{
    for (size_t i = 0; i < BLOCK_POOL_CLASSES; i++) {
        while (st->free[i]) {
            struct block *b = st->free[i];
            st->free[i] = b->next;
            mem_free(b);
        }
    }
    st->kept_bytes = 0;
}

/* BLOCK_POOL_CLASSES when larger than every class. */
static size_t class_of(size_t bytes)
{
    size_t i = 0;
    while (i < BLOCK_POOL_CLASSES && (BLOCK_POOL_MIN_BYTES << i) < bytes)
        i++;
    return i;
}

struct block *block_pool_get(struct block_pool *st, size_t bytes)
{
    size_t class = class_of(bytes);
    if (class < BLOCK_POOL_CLASSES && st->free[class]) {
        struct block *b = st->free[class];
        st->free[class] = b->next;
        st->kept_bytes -= b->cap;
        st->used_bytes += b->cap;
        return b;
    }
    size_t cap = class < BLOCK_POOL_CLASSES ? BLOCK_POOL_MIN_BYTES << class : bytes;
    size_t total;
    if (!size_add(cap, sizeof(struct block), &total))
        return NULL;
    struct block *b = mem_alloc(total);
    if (!b)
        return NULL;
    b->cap = cap;
    st->used_bytes += cap;
    return b;
}

void block_pool_put(struct block_pool *st, struct block *b)
{
    if (!b)
        return;
    size_t class = class_of(b->cap);
    st->used_bytes -= b->cap;
    if (class >= BLOCK_POOL_CLASSES || st->kept_bytes + b->cap > BLOCK_POOL_KEPT_BYTES) {
        mem_free(b);
        return;
    }
    b->next = st->free[class];
    st->free[class] = b;
    st->kept_bytes += b->cap;
}

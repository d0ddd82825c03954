/* Free lists of blocks by power of two. Out of memory: NULL, and the caller answers for it. */
#include "route/store.h"

#include <string.h>

#include "base/alloc.h"

void store_init(struct store *st)
{
    memset(st, 0, sizeof(*st));
}

void store_done(struct store *st)
{
    for (size_t i = 0; i < STORE_CLASSES; i++) {
        while (st->free[i]) {
            struct block *b = st->free[i];
            st->free[i] = b->next;
            mem_free(b);
        }
    }
    st->kept_bytes = 0;
}

/* STORE_CLASSES when larger than every class. */
static size_t class_of(size_t bytes)
{
    size_t i = 0;
    while (i < STORE_CLASSES && (STORE_MIN_BYTES << i) < bytes)
        i++;
    return i;
}

struct block *store_get(struct store *st, size_t bytes)
{
    size_t class = class_of(bytes);
    if (class < STORE_CLASSES && st->free[class]) {
        struct block *b = st->free[class];
        st->free[class] = b->next;
        st->kept_bytes -= b->cap;
        st->used_bytes += b->cap;
        return b;
    }
    size_t cap = class < STORE_CLASSES ? STORE_MIN_BYTES << class : bytes;
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

void store_put(struct store *st, struct block *b)
{
    if (!b)
        return;
    size_t class = class_of(b->cap);
    st->used_bytes -= b->cap;
    if (class >= STORE_CLASSES || st->kept_bytes + b->cap > STORE_KEPT_BYTES) {
        mem_free(b);
        return;
    }
    b->next = st->free[class];
    st->free[class] = b;
    st->kept_bytes += b->cap;
}

/* An intrusive binary min-heap of deadlines (or any uint64_t key). Used for call deadlines. A node stores its
 * index, so that removing and re-keying cost O(log n) without a search.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define HEAP_NONE SIZE_MAX

struct heap_node {
    uint64_t key;
    size_t index; /* HEAP_NONE while in no heap */
};

struct heap {
    struct heap_node **nodes; /* owned array; the nodes are not */
    size_t count;
    size_t cap;
};

void heap_init(struct heap *h);
void heap_done(struct heap *h);
static inline void heap_node_init(struct heap_node *n)
{
    n->key = 0;
    n->index = HEAP_NONE;
}
static inline bool heap_has(const struct heap_node *n)
{
    return n->index != HEAP_NONE;
}
/* -ENOMEM: not added. The node must be in no heap. */
MUSTCHECK int heap_add(struct heap *h, struct heap_node *n, uint64_t key);
/* No-op when the node is in no heap. */
void heap_remove(struct heap *h, struct heap_node *n);
/* The node must be in the heap; cannot fail. */
void heap_rekey(struct heap *h, struct heap_node *n, uint64_t key);
/* The node with the smallest key, or NULL. */
struct heap_node *heap_first(const struct heap *h);

#endif

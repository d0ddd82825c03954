/* A binary min-heap of deadlines.
 *
 * Purpose: read the earliest deadline in O(1), change any in O(log n). Each node stores its index in the
 * array; put() updates it at every move. Failure modes: no memory to grow the array: -ENOMEM, the heap is
 * unchanged.
 */
#include "base/heap.h"

#include <assert.h>
#include <errno.h>

#include "base/alloc.h"

#define HEAP_FIRST_NODES 16

void heap_init(struct heap *h)
{
    h->nodes = NULL;
    h->count = 0;
    h->cap = 0;
}

void heap_done(struct heap *h)
{
    for (size_t i = 0; i < h->count; i++)
        h->nodes[i]->index = HEAP_NONE;
    mem_free(h->nodes);
    heap_init(h);
}

static void put(struct heap *h, size_t index, struct heap_node *n)
{
    h->nodes[index] = n;
    n->index = index;
}

/* The hole at `index` moves up until the parent is not larger; the node is stored there. */
static void sift_up(struct heap *h, size_t index, struct heap_node *n)
{
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (h->nodes[parent]->key <= n->key)
            break;
        put(h, index, h->nodes[parent]);
        index = parent;
    }
    put(h, index, n);
}

static void sift_down(struct heap *h, size_t index, struct heap_node *n)
{
    for (;;) {
        size_t child = 2 * index + 1;
        if (child >= h->count)
            break;
        if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key)
            child++;
        if (n->key <= h->nodes[child]->key)
            break;
        put(h, index, h->nodes[child]);
        index = child;
    }
    put(h, index, n);
}

static void settle(struct heap *h, size_t index, struct heap_node *n)
{
    if (index > 0 && n->key < h->nodes[(index - 1) / 2]->key)
        sift_up(h, index, n);
    else
        sift_down(h, index, n);
}

static int grow(struct heap *h)
{
    size_t cap, bytes;
    if (!size_mul(h->cap ? h->cap : HEAP_FIRST_NODES / 2, 2, &cap) ||
        !size_mul(cap, sizeof(struct heap_node *), &bytes))
        return -ENOMEM;
    struct heap_node **nodes = mem_realloc(h->nodes, bytes);
    if (!nodes)
        return -ENOMEM;
    h->nodes = nodes;
    h->cap = cap;
    return 0;
}

int heap_add(struct heap *h, struct heap_node *n, uint64_t key)
{
    assert(!heap_has(n));
    if (h->count == h->cap) {
        int rc = grow(h);
        if (rc != 0)
            return rc;
    }
    n->key = key;
    sift_up(h, h->count++, n);
    return 0;
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    if (!heap_has(n))
        return;
    size_t index = n->index;
    assert(index < h->count && h->nodes[index] == n);
    struct heap_node *last = h->nodes[--h->count];
    n->index = HEAP_NONE;
    if (last != n)
        settle(h, index, last);
}

void heap_rekey(struct heap *h, struct heap_node *n, uint64_t key)
{
    assert(heap_has(n) && h->nodes[n->index] == n);
    n->key = key;
    settle(h, n->index, n);
}

struct heap_node *heap_first(const struct heap *h)
{
    return h->count ? h->nodes[0] : NULL;
}

/* Rings of intrusive lists and one word of bits. Nothing here can fail. */
#include "route/load_rings.h"

#include <string.h>

void load_rings_init(struct load_rings *r)
{
    r->busy = 0;
    for (size_t i = 0; i < LOAD_RINGS; i++)
        list_init(&r->rings[i]);
}

void ring_entry_init(struct ring_entry *e)
{
    memset(e, 0, sizeof(*e));
    list_init(&e->node);
}

unsigned load_rings_of(size_t load)
{
    if (load < LOAD_RINGS_EXACT)
        return (unsigned)load;
    unsigned ring = LOAD_RINGS_EXACT;
    for (load /= 2 * (size_t)LOAD_RINGS_EXACT; load > 0 && ring < LOAD_RINGS - 1; load /= 2)
        ring++;
    return ring;
}

size_t load_rings_least(unsigned ring)
{
    return ring <= LOAD_RINGS_EXACT ? ring : (size_t)LOAD_RINGS_EXACT << (ring - LOAD_RINGS_EXACT);
}

void load_rings_leave(struct load_rings *r, struct ring_entry *e)
{
    if (!list_linked(&e->node))
        return;
    list_remove(&e->node);
    if (list_empty(&r->rings[e->ring]))
        r->busy &= ~(UINT64_C(1) << e->ring);
}

static void enter(struct load_rings *r, struct ring_entry *e, unsigned ring, bool first)
{
    load_rings_leave(r, e);
    e->ring = ring;
    r->busy |= UINT64_C(1) << ring;
    if (first)
        list_push_front(&r->rings[ring], &e->node);
    else
        list_push_back(&r->rings[ring], &e->node);
}

void load_rings_place(struct load_rings *r, struct ring_entry *e, unsigned ring)
{
    const struct list *head = &r->rings[ring];
    bool first = list_empty(head) || e->stamp < CONTAINER_OF(head->next, struct ring_entry, node)->stamp;
    enter(r, e, ring, first);
}

void load_rings_rotate(struct load_rings *r, struct ring_entry *e, uint64_t stamp)
{
    e->stamp = stamp;
    enter(r, e, e->ring, false);
}

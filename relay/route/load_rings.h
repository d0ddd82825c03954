/* Rings: those who wait for a slot, sorted by their load, so that the choice costs the same with ten of them and with
 * ten thousand. Small loads have a ring each, larger ones share a ring per doubling; within a ring stands first who
 * has waited longest.
 */
#ifndef ROUTE_LOAD_RINGS_H
#define ROUTE_LOAD_RINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"

/* Loads below this have a ring of their own; above, one ring per doubling. */
#define LOAD_RINGS_EXACT 32
#define LOAD_RINGS       48

struct load_rings {
    struct list rings[LOAD_RINGS]; /* of ring_entry.node */
    uint64_t busy;                 /* one bit per ring that is not empty */
};

struct ring_entry {
    struct list node;
    uint64_t stamp; /* the lower, the longer it has waited; given out by the owner of the rings */
    unsigned ring;  /* valid while the node is linked */
};

void load_rings_init(struct load_rings *r);
void ring_entry_init(struct ring_entry *e);

/* The ring of a load, and the least load that stands in a ring. */
unsigned load_rings_of(size_t load);
size_t load_rings_least(unsigned ring);

void load_rings_leave(struct load_rings *r, struct ring_entry *e);
/* The load has changed, or it begins to wait: by its stamp it goes before all others of the ring or behind them. */
void load_rings_place(struct load_rings *r, struct ring_entry *e, unsigned ring);
/* It was served: behind everybody of its ring, with a new stamp. */
void load_rings_rotate(struct load_rings *r, struct ring_entry *e, uint64_t stamp);

/* The lowest ring in the set of bits, which must not be 0. */
static inline unsigned load_rings_lowest(uint64_t busy)
{
    return (unsigned)__builtin_ctzll(busy);
}

#endif

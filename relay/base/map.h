/* An intrusive hash map: chained buckets, the node is embedded in the object. Adding allocates only when the
 * table grows (a failed growth is tolerated: chains get longer), so in steady state nothing is allocated.
 *
 * Keys come from peers, so the hash is keyed (SipHash-1-3 with a random seed): a peer cannot construct
 * collisions.
 */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets; /* owned; NULL until the first add */
    size_t mask;               /* bucket count - 1 */
    size_t count;
};

typedef bool map_equal_cb(const struct map_node *node, const void *key);

void map_init(struct map *m);
/* Frees the table, not the nodes. */
void map_done(struct map *m);
/* -ENOMEM only when the first table cannot be allocated; the node is then not added. Duplicates are not
 * detected: call map_find first. */
MUSTCHECK int map_add(struct map *m, struct map_node *node, uint64_t hash);
struct map_node *map_find(const struct map *m, uint64_t hash, map_equal_cb *equal, const void *key);
/* The node must be in the map. */
void map_remove(struct map *m, struct map_node *node);

/* Iterates in no particular order; NULL starts, NULL ends. The map must not change meanwhile, except that
 * a returned node may be removed after the next one was fetched. */
struct map_node *map_next(const struct map *m, const struct map_node *after);

/* The process's hash key: set once, before the first map; by tests to a fixed one. */
void hash_seed(uint64_t k0, uint64_t k1);
/* Draws the key from the kernel (getrandom), for programs; aborts on failure (seed.c, a module of its own). */
void hash_seed_random(void);
uint64_t hash_bytes(const void *bytes, size_t len);
uint64_t hash_u64(uint64_t value);

#endif

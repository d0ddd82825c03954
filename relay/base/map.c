/* The hash map and its keyed hash.
 *
 * Purpose: find an object by a key that a peer chose. The happy path: hash_bytes the key, map_find with a
 * comparison, map_add when it is not there. Buckets hold chains of nodes; the table doubles once there are as
 * many nodes as buckets, and never shrinks (it is freed with its owner).
 *
 * Failure modes: no memory for a bigger table: the chains grow longer and the next add tries again. No memory
 * for the first table: -ENOMEM, nothing was added. Chosen collisions: SipHash-1-3 under a key drawn at start.
 */
#include "base/map.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"

#define MAP_FIRST_BUCKETS 16

static uint64_t hash_key[2] = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};

void map_init(struct map *m)
{
    m->buckets = NULL;
    m->mask = 0;
    m->count = 0;
}

void map_done(struct map *m)
{
    mem_free(m->buckets);
    map_init(m);
}

static struct map_node **bucket_of(const struct map *m, uint64_t hash)
{
    return &m->buckets[(size_t)hash & m->mask];
}

static struct map_node **table_new(size_t buckets)
{
    size_t bytes;
    if (!size_mul(buckets, sizeof(struct map_node *), &bytes))
        return NULL;
    return mem_zalloc(bytes);
}

static void table_grow(struct map *m)
{
    size_t buckets;
    if (!size_mul(m->mask + 1, 2, &buckets))
        return;
    struct map_node **bigger = table_new(buckets);
    if (!bigger)
        return;
    struct map old = *m;
    m->buckets = bigger;
    m->mask = buckets - 1;
    for (size_t i = 0; i <= old.mask; i++) {
        struct map_node *node = old.buckets[i];
        while (node) {
            struct map_node *next = node->next;
            struct map_node **bucket = bucket_of(m, node->hash);
            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    mem_free(old.buckets);
}

int map_add(struct map *m, struct map_node *node, uint64_t hash)
{
    if (!m->buckets) {
        m->buckets = table_new(MAP_FIRST_BUCKETS);
        if (!m->buckets)
            return -ENOMEM;
        m->mask = MAP_FIRST_BUCKETS - 1;
    } else if (m->count > m->mask) {
        table_grow(m);
    }
    struct map_node **bucket = bucket_of(m, hash);
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    m->count++;
    return 0;
}

struct map_node *map_find(const struct map *m, uint64_t hash, map_equal_cb *equal, const void *key)
{
    if (!m->buckets)
        return NULL;
    for (struct map_node *node = *bucket_of(m, hash); node; node = node->next) {
        if (node->hash == hash && equal(node, key))
            return node;
    }
    return NULL;
}

void map_remove(struct map *m, struct map_node *node)
{
    assert(m->buckets && m->count > 0);
    struct map_node **at = bucket_of(m, node->hash);
    while (*at != node) {
        assert(*at);
        at = &(*at)->next;
    }
    *at = node->next;
    node->next = NULL;
    m->count--;
}

struct map_node *map_next(const struct map *m, const struct map_node *after)
{
    if (!m->buckets)
        return NULL;
    if (after && after->next)
        return after->next;
    size_t i = after ? ((size_t)after->hash & m->mask) + 1 : 0;
    for (; i <= m->mask; i++) {
        if (m->buckets[i])
            return m->buckets[i];
    }
    return NULL;
}

void hash_seed(uint64_t k0, uint64_t k1)
{
    hash_key[0] = k0;
    hash_key[1] = k1;
}

/* ---- SipHash-1-3 ---- */

#define ROTATE_LEFT(x, bits) (((x) << (bits)) | ((x) >> (64 - (bits))))

/* One round over the four words of state. */
#define SIP_ROUND(v)                                                                                         \
    do {                                                                                                     \
        (v)[0] += (v)[1];                                                                                    \
        (v)[1] = ROTATE_LEFT((v)[1], 13) ^ (v)[0];                                                           \
        (v)[0] = ROTATE_LEFT((v)[0], 32);                                                                    \
        (v)[2] += (v)[3];                                                                                    \
        (v)[3] = ROTATE_LEFT((v)[3], 16) ^ (v)[2];                                                           \
        (v)[0] += (v)[3];                                                                                    \
        (v)[3] = ROTATE_LEFT((v)[3], 21) ^ (v)[0];                                                           \
        (v)[2] += (v)[1];                                                                                    \
        (v)[1] = ROTATE_LEFT((v)[1], 17) ^ (v)[2];                                                           \
        (v)[2] = ROTATE_LEFT((v)[2], 32);                                                                    \
    } while (0)

/* Words are read in little-endian order, on any machine; the last one holds the length in its highest byte. */
uint64_t hash_bytes(const void *bytes, size_t len)
{
    const unsigned char *p = bytes;
    uint64_t v[4] = {hash_key[0] ^ 0x736f6d6570736575ULL, hash_key[1] ^ 0x646f72616e646f6dULL,
                     hash_key[0] ^ 0x6c7967656e657261ULL, hash_key[1] ^ 0x7465646279746573ULL};
    const unsigned char *tail = p + (len - len % 8);
    uint64_t word;
    for (; p < tail; p += sizeof(word)) {
        memcpy(&word, p, sizeof(word));
        word = le64toh(word);
        v[3] ^= word;
        SIP_ROUND(v);
        v[0] ^= word;
    }
    word = (uint64_t)len << 56;
    for (size_t i = 0; i < len % 8; i++)
        word |= (uint64_t)tail[i] << (8 * i);
    v[3] ^= word;
    SIP_ROUND(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    SIP_ROUND(v);
    SIP_ROUND(v);
    SIP_ROUND(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint64_t hash_u64(uint64_t value)
{
    unsigned char bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    return hash_bytes(bytes, sizeof(bytes));
}

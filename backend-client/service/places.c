/* Places for what stays: a count, and one for each address that has any. */
#include "places.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "base/list.h"

#define ADDRESS_BYTES 8

struct place_owner {
    struct map_node node;
    unsigned char address[ADDRESS_BYTES];
    size_t taken;
};

int places_init(struct places *p, size_t connections)
{
    map_init(&p->addresses);
    p->taken = 0;
    p->max = connections - connections / 4;
    p->max_per_address = p->max - p->max / 2;
    return pthread_mutex_init(&p->lock, NULL) == 0 ? 0 : -ENOMEM;
}

void places_done(struct places *p)
{
    map_done(&p->addresses);
    pthread_mutex_destroy(&p->lock);
}

/* An IPv4 address, also one that is written as IPv6; else the network's part of an IPv6 address; zeros. */
static void read_address(const struct sockaddr *from, unsigned char address[ADDRESS_BYTES])
{
    memset(address, 0, ADDRESS_BYTES);
    if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)from;
        memcpy(address + 4, &v4->sin_addr, 4);
    } else if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)from;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
        memcpy(mapped ? address + 4 : address, v6->sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 8);
    }
}

static bool is_owner(const struct map_node *node, const void *address)
{
    return memcmp(CONST_CONTAINER_OF(node, struct place_owner, node)->address, address, ADDRESS_BYTES) == 0;
}

/* NULL: out of memory. */
static struct place_owner *find_or_add(struct places *p, const unsigned char address[ADDRESS_BYTES])
{
    uint64_t hash = hash_bytes(address, ADDRESS_BYTES);
    struct map_node *found = map_find(&p->addresses, hash, is_owner, address);
    if (found)
        return CONTAINER_OF(found, struct place_owner, node);
    struct place_owner *owner = mem_zalloc(sizeof(*owner));
    if (!owner)
        return NULL;
    memcpy(owner->address, address, ADDRESS_BYTES);
    if (map_add(&p->addresses, &owner->node, hash) == 0)
        return owner;
    mem_free(owner);
    return NULL;
}

int places_take(struct places *p, const struct sockaddr *address, struct place_owner **ret_owner)
{
    unsigned char key[ADDRESS_BYTES];
    struct place_owner *owner = NULL;
    int rc = 0;
    read_address(address, key);
    pthread_mutex_lock(&p->lock);
    if (p->taken >= p->max)
        rc = ERR_FULL;
    else if (!(owner = find_or_add(p, key)))
        rc = -ENOMEM;
    else if (owner->taken >= p->max_per_address)
        rc = ERR_RANGE;
    if (rc == 0) {
        owner->taken++;
        p->taken++;
        *ret_owner = owner;
    }
    pthread_mutex_unlock(&p->lock);
    return rc;
}

void places_give(struct places *p, struct place_owner *owner)
{
    if (!owner)
        return;
    pthread_mutex_lock(&p->lock);
    p->taken--;
    bool last = --owner->taken == 0;
    if (last)
        map_remove(&p->addresses, &owner->node);
    pthread_mutex_unlock(&p->lock);
    if (last)
        mem_free(owner);
}

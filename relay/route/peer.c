/* The peers of an upstream, in a table that is looked into when a session opens. */
#include "route/peer.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "route/state.h"

struct peer_key peer_key_unknown(uint64_t serial)
{
    struct peer_key key = {.kind = PEER_UNKNOWN};
    memcpy(key.bytes, &serial, sizeof(serial));
    return key;
}

static bool is_peer(const struct map_node *node, const void *key)
{
    return peer_key_equals(&CONST_CONTAINER_OF(node, struct route_peer, node)->key, key);
}

static struct route_peer *peer_new(struct upstream *upstream, const struct peer_key *key)
{
    struct route_peer *p = mem_zalloc(sizeof(*p));
    if (!p)
        return NULL;
    p->key = *key;
    p->upstream = upstream;
    fair_queue_peer_init(&p->queued);
    if (map_add(&upstream->peers, &p->node, peer_key_hash(key))) {
        mem_free(p);
        return NULL;
    }
    if (upstream->peers.count == 2)
        fair_queue_refresh_peers(upstream);
    return p;
}

struct route_peer *peer_join(struct upstream *upstream, const struct peer_key *key)
{
    struct map_node *node = map_find(&upstream->peers, peer_key_hash(key), is_peer, key);
    struct route_peer *p = node ? CONTAINER_OF(node, struct route_peer, node) : peer_new(upstream, key);
    if (p)
        p->sessions++;
    return p;
}

static void free_if_unused(struct route_peer *p)
{
    if (p->sessions > 0 || p->abandoned > 0)
        return;
    assert(p->in_flight == 0 && p->waiting == 0);
    struct upstream *upstream = p->upstream;
    map_remove(&upstream->peers, &p->node);
    mem_free(p);
    if (upstream->peers.count == 1)
        fair_queue_refresh_peers(upstream);
}

void peer_leave(struct route_peer *p)
{
    p->sessions--;
    free_if_unused(p);
}

void peer_forget_abandoned(struct route_peer *p)
{
    p->abandoned--;
    fair_queue_refresh_peer(p);
    free_if_unused(p);
}

/* A table by key, and a list of those that are remembered without being in use. */
#include "server/server_peers.h"

#include "base/alloc.h"

void server_peers_init(struct server_peers *p)
{
    map_init(&p->table);
    list_init(&p->kept);
    p->kept_count = 0;
}

static bool is_peer(const struct map_node *node, const void *key)
{
    return peer_key_equals(&CONST_CONTAINER_OF(node, struct server_peer, node)->key, key);
}

static struct server_peer *peer_new(struct server_peers *p, const struct peer_key *key,
                                    const struct backoff_options *backoff, uint64_t seed)
{
    struct server_peer *peer = mem_zalloc(sizeof(*peer));
    if (!peer)
        return NULL;
    peer->key = *key;
    list_init(&peer->kept);
    backoff_init(&peer->backoff, backoff, seed);
    if (map_add(&p->table, &peer->node, peer_key_hash(key))) {
        mem_free(peer);
        return NULL;
    }
    return peer;
}

static void peer_free(struct server_peers *p, struct server_peer *peer)
{
    map_remove(&p->table, &peer->node);
    mem_free(peer);
}

static void free_oldest_kept(struct server_peers *p)
{
    struct list *node = list_pop_front(&p->kept);
    p->kept_count--;
    peer_free(p, CONTAINER_OF(node, struct server_peer, kept));
}

struct server_peer *server_peers_join(struct server_peers *p, const struct peer_key *key,
                                      const struct backoff_options *backoff, uint64_t seed)
{
    struct map_node *node = map_find(&p->table, peer_key_hash(key), is_peer, key);
    struct server_peer *peer =
        node ? CONTAINER_OF(node, struct server_peer, node) : peer_new(p, key, backoff, seed);
    if (!peer)
        return NULL;
    if (list_linked(&peer->kept)) {
        list_remove(&peer->kept);
        p->kept_count--;
    }
    peer->backoff.options = *backoff;
    peer->supervisors++;
    return peer;
}

void server_peers_leave(struct server_peers *p, struct server_peer *peer)
{
    if (--peer->supervisors > 0)
        return;
    if (peer->backoff.exits == 0) {
        peer_free(p, peer);
        return;
    }
    list_push_back(&p->kept, &peer->kept);
    if (++p->kept_count > SERVER_PEERS_KEPT)
        free_oldest_kept(p);
}

void server_peers_done(struct server_peers *p)
{
    while (p->kept_count > 0)
        free_oldest_kept(p);
    map_done(&p->table);
}

/* A host is in the table while it has a connection. Failure mode: no memory for a new host -> the caller refuses it. */
#include "front/hosts.h"

#include <assert.h>
#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"

void hosts_init(struct hosts *h)
{
    map_init(&h->table);
}

void hosts_done(struct hosts *h)
{
    assert(h->table.count == 0);
    map_done(&h->table);
}

static bool is_host(const struct map_node *node, const void *key)
{
    return peer_key_equals(&CONST_CONTAINER_OF(node, struct host, node)->key, key);
}

static struct host *host_new(struct hosts *h, const struct peer_key *key)
{
    struct host *host = mem_zalloc(sizeof(*host));
    if (!host)
        return NULL;
    host->key = *key;
    if (map_add(&h->table, &host->node, peer_key_hash(key))) {
        mem_free(host);
        return NULL;
    }
    return host;
}

int hosts_join(struct hosts *h, const struct peer_key *key, size_t max, struct host **ret_host)
{
    struct map_node *node = map_find(&h->table, peer_key_hash(key), is_host, key);
    struct host *host = node ? CONTAINER_OF(node, struct host, node) : NULL;
    if ((host ? host->connections : 0) >= max)
        return ERR_FULL;
    if (!host && !(host = host_new(h, key)))
        return -ENOMEM;
    host->connections++;
    *ret_host = host;
    return 0;
}

void hosts_leave(struct hosts *h, struct host *host)
{
    if (--host->connections > 0)
        return;
    map_remove(&h->table, &host->node);
    mem_free(host);
}

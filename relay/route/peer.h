/* A peer: the host or the user behind sessions. Fairness and limits hold per peer first and per session second, so
 * that opening more connections brings nobody a larger share.
 *
 * A struct route_peer is one peer's part of one upstream: what its sessions have in flight and waiting there. It comes
 * with the peer's first session on the upstream, and goes with its last one, or later, when the last call that those
 * sessions abandoned is forgotten. A session keeps its pointer: nothing is looked up per message.
 */
#ifndef ROUTE_PEER_H
#define ROUTE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/map.h"
#include "route/fair_queue.h"

struct upstream;

/* A session that nobody can be named for is a peer of its own. */
enum peer_kind { PEER_UNKNOWN, PEER_ADDRESS, PEER_USER };

/* Compared and hashed as bytes: every one of them is set, and there is no padding. */
struct peer_key {
    uint32_t kind;  /* enum peer_kind */
    uint32_t scope; /* of a link-local address; else 0 */
    unsigned char
        bytes[16]; /* an IPv6 address or its /64, an IPv4 address mapped into IPv6, a uid, a serial */
};

_Static_assert(sizeof(struct peer_key) == 24, "a key has no padding");

static inline bool peer_key_equals(const struct peer_key *a, const struct peer_key *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}
static inline uint64_t peer_key_hash(const struct peer_key *key)
{
    return hash_bytes(key, sizeof(*key));
}
/* The key of somebody who is unlike everybody else. */
struct peer_key peer_key_unknown(uint64_t serial);

/* A peer may hold this many times as much as is left free: one that is alone takes seven eighths (many honest clients
 * may share the address of a NAT), and others find the last eighth, but at least one, free. The
 * slots of a child that has fewer than eight are an exception (fair_queue.c). */
#define PEER_SHARE 7

/* May a peer that holds `held` take one more of what `free` are left of? */
static inline bool peer_may_take(size_t held, size_t free)
{
    return free > 0 && held <= PEER_SHARE * (free - 1);
}

struct route_peer {
    struct map_node node; /* in upstream->peers, by key */
    struct peer_key key;
    struct upstream *upstream;
    size_t sessions;
    size_t in_flight;
    size_t abandoned; /* by sessions that are gone, too */
    size_t waiting;   /* queued or held */
    size_t waiting_bytes;
    size_t init_held_count; /* of those waiting: HELD initialize calls, which take no waiting place */
    struct fair_queue_peer queued;
};

/* The peer's part of this upstream, for one more session. NULL: out of memory. */
struct route_peer *peer_join(struct upstream *upstream, const struct peer_key *key);
/* One session less. The peer may be gone afterwards. */
void peer_leave(struct route_peer *p);
/* An abandoned call of the peer is forgotten. The peer may be gone afterwards. */
void peer_forget_abandoned(struct route_peer *p);

#endif

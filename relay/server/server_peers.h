/* The peers of a perSession server: how many of its children each has, and how often children have died of what it sent.
 *
 * A child that had read its client's bytes and died before it proved itself counts against that client's peer: others go
 * on. A peer stays in the table while it has a supervisor; one whose children have died stays for longer, up to
 * SERVER_PEERS_KEPT of them, so that coming back on a new connection does not help.
 */
#ifndef SERVER_SERVER_PEERS_H
#define SERVER_SERVER_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "route/peer.h"
#include "server/backoff.h"

#define SERVER_PEERS_KEPT 256

struct server_peer {
    struct map_node node; /* in the table */
    struct list kept;     /* in server_peers.kept, while nobody has it */
    struct peer_key key;
    size_t supervisors;
    size_t children; /* that run, or are being stopped */
    struct backoff backoff;
};

struct server_peers {
    struct map table; /* server_peer.node */
    struct list kept; /* the longest unused first */
    size_t kept_count;
};

void server_peers_init(struct server_peers *p);
/* No supervisor may have one any more. */
void server_peers_done(struct server_peers *p);
/* NULL: out of memory. */
struct server_peer *server_peers_join(struct server_peers *p, const struct peer_key *key,
                                      const struct backoff_options *backoff, uint64_t seed);
void server_peers_leave(struct server_peers *p, struct server_peer *peer);

#endif

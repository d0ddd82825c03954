/* How many connections each host has, so that one cannot take all places: a table by peer key, looked into when a
 * connection opens. Users of Unix sockets are not counted.
 */
#ifndef FRONT_HOSTS_H
#define FRONT_HOSTS_H

#include <stddef.h>

#include "base/err.h"
#include "base/map.h"
#include "front/work.h"
#include "route/peer.h"

struct host {
    struct map_node node; /* in the table */
    struct peer_key key;
    size_t connections; /* never 0: it is freed with its last one */
    struct work work;
};

struct hosts {
    struct map table; /* struct host.node */
};

void hosts_init(struct hosts *h);
/* Every connection must be gone. */
void hosts_done(struct hosts *h);
/* Counts one more connection of the host, if it has fewer than `max`. ERR_FULL: it has as many; -ENOMEM. */
MUSTCHECK int hosts_join(struct hosts *h, const struct peer_key *key, size_t max, struct host **ret_host);
/* One less. */
void hosts_leave(struct hosts *h, struct host *host);

#endif

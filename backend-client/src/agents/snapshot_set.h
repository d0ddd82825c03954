/* What a set of agents is made of: for snapshot_build.c, which makes one, and snapshot_set.c, which reads it.
 */
#ifndef CLIENT_SNAPSHOT_SET_H
#define CLIENT_SNAPSHOT_SET_H

#include <stdatomic.h>

#include "snapshot.h"

struct agent_set {
    atomic_size_t references;
    size_t count;
    bool any_mock;
    bool cut;                 /* the server listed more: these are the first ones */
    const uint32_t *by_id;    /* into this block: `count` indexes, sorted by the agents' ids */
    struct ar_agent agents[]; /* `count`, then the capability lists, by_id, the text */
};

#endif

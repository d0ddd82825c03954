/* The tools of the server behind the relay, as last listed: kept while the client stays live without a break and
 * the server does not say that they have changed. Thread-safe.
 */
#ifndef SERVICE_TOOL_CACHE_H
#define SERVICE_TOOL_CACHE_H

#include <pthread.h>
#include <stdint.h>

#include "base/err.h"
#include "tool_list.h"

struct tool_cache {
    pthread_mutex_t lock;
    struct tool_list *list; /* owned; NULL: to be asked for */
    uint64_t epoch;         /* how often it was dropped */
};

MUSTCHECK int tool_cache_init(struct tool_cache *c);
void tool_cache_done(struct tool_cache *c);
/* A reference, to be released; NULL: they must be asked for, and kept with *ret_epoch. */
struct tool_list *tool_cache_take(struct tool_cache *c, uint64_t *ret_epoch);
/* Without effect when they were dropped after `epoch` was taken: they are of before that. */
void tool_cache_keep(struct tool_cache *c, struct tool_list *list, uint64_t epoch);
void tool_cache_drop(struct tool_cache *c);

#endif

/* The tools of the server behind the relay: one list under a lock. */
#include "tool_cache.h"

#include <errno.h>

int tool_cache_init(struct tool_cache *c)
{
    c->list = NULL;
    c->epoch = 0;
    return pthread_mutex_init(&c->lock, NULL) == 0 ? 0 : -ENOMEM;
}

void tool_cache_done(struct tool_cache *c)
{
    tool_list_release(c->list);
    pthread_mutex_destroy(&c->lock);
}

struct tool_list *tool_cache_take(struct tool_cache *c, uint64_t *ret_epoch)
{
    pthread_mutex_lock(&c->lock);
    struct tool_list *list = c->list ? tool_list_retain(c->list) : NULL;
    *ret_epoch = c->epoch;
    pthread_mutex_unlock(&c->lock);
    return list;
}

/* Swaps under the lock, frees outside of it. */
static void put(struct tool_cache *c, struct tool_list *list)
{
    struct tool_list *old = c->list;
    c->list = list;
    pthread_mutex_unlock(&c->lock);
    tool_list_release(old);
}

void tool_cache_keep(struct tool_cache *c, struct tool_list *list, uint64_t epoch)
{
    pthread_mutex_lock(&c->lock);
    if (epoch == c->epoch)
        put(c, tool_list_retain(list));
    else
        pthread_mutex_unlock(&c->lock);
}

void tool_cache_drop(struct tool_cache *c)
{
    pthread_mutex_lock(&c->lock);
    c->epoch++;
    put(c, NULL);
}

/* Deadlines for connections: a list under a lock, looked through now and then. */
#include "watch.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/alloc.h"

struct watched {
    struct list node;
    int fd;
    uint64_t until_ms; /* 0: no deadline */
    bool idle;         /* it has no request under way */
};

int watch_init(struct watch *w)
{
    list_init(&w->all);
    w->count = 0;
    return pthread_mutex_init(&w->lock, NULL) == 0 ? 0 : -ENOMEM;
}

void watch_done(struct watch *w)
{
    pthread_mutex_destroy(&w->lock);
}

struct watched *watch_add(struct watch *w, int fd, uint64_t now_ms)
{
    struct watched *c = mem_zalloc(sizeof(*c));
    if (!c)
        return NULL;
    c->fd = fd;
    c->until_ms = now_ms + WATCH_HEAD_MS;
    c->idle = true;
    pthread_mutex_lock(&w->lock);
    list_push_back(&w->all, &c->node);
    w->count++;
    pthread_mutex_unlock(&w->lock);
    return c;
}

void watch_remove(struct watch *w, struct watched *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&w->lock);
    list_remove(&c->node);
    w->count--;
    pthread_mutex_unlock(&w->lock);
    mem_free(c);
}

void watch_phase(struct watch *w, struct watched *c, uint64_t now_ms, uint64_t for_ms)
{
    if (!c)
        return;
    pthread_mutex_lock(&w->lock);
    c->until_ms = for_ms ? now_ms + for_ms : 0;
    c->idle = for_ms == WATCH_PAUSE_MS;
    list_remove(&c->node); /* the list is in the order of the last change */
    list_push_back(&w->all, &c->node);
    pthread_mutex_unlock(&w->lock);
}

static void cut_one(struct watched *c)
{
    (void)shutdown(c->fd, SHUT_RDWR);
    c->until_ms = 0; /* once is enough */
    c->idle = false;
}

size_t watch_make_room(struct watch *w, size_t max)
{
    size_t cut = 0;
    pthread_mutex_lock(&w->lock);
    LIST_EACH(it, safe, &w->all)
    {
        struct watched *c = CONTAINER_OF(it, struct watched, node);
        if (w->count - cut <= max)
            break;
        if (!c->idle)
            continue;
        cut_one(c);
        cut++;
    }
    pthread_mutex_unlock(&w->lock);
    return cut;
}

size_t watch_cut(struct watch *w, uint64_t now_ms)
{
    size_t cut = 0;
    pthread_mutex_lock(&w->lock);
    LIST_EACH(it, safe, &w->all)
    {
        struct watched *c = CONTAINER_OF(it, struct watched, node);
        if (c->until_ms == 0 || now_ms < c->until_ms)
            continue;
        cut_one(c);
        cut++;
    }
    pthread_mutex_unlock(&w->lock);
    return cut;
}

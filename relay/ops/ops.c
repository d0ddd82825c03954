/* The bookkeeping of struct ops. */
#include "ops/ops.h"

#include <errno.h>
#include <time.h>

#include "base/alloc.h"

void ops_init(struct ops *o)
{
    *o = (struct ops){0};
    buf_init(&o->reply, OPS_REPLY_MAX_BYTES);
}

void ops_done(struct ops *o)
{
    for (size_t i = 0; i < o->listener_count; i++) {
        mem_free(o->listeners[i].address);
        mem_free(o->listeners[i].server);
    }
    mem_free(o->listeners);
    buf_done(&o->reply);
}

int ops_add_listener(struct ops *o, const char *address, const char *server)
{
    size_t bytes;
    if (!size_mul(o->listener_count + 1, sizeof(*o->listeners), &bytes))
        return -ENOMEM;
    struct ops_listener *grown = mem_realloc(o->listeners, bytes);
    if (!grown)
        return -ENOMEM;
    o->listeners = grown;
    struct ops_listener l = {.address = mem_strdup(address), .server = server ? mem_strdup(server) : NULL};
    if (!l.address || (server && !l.server)) {
        mem_free(l.address);
        mem_free(l.server);
        return -ENOMEM;
    }
    grown[o->listener_count++] = l;
    return 0;
}

int64_t ops_wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

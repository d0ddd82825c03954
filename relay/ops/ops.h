/* The sources of the control methods, in one place. relay.c fills it, reload.c and
 * shutdown.c keep it up to date.
 */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/memory.h"
#include "route/router.h"
#include "server/server.h"
#include "session/session.h"

/* An answer longer than this becomes an error: a view pages instead. */
#define OPS_REPLY_MAX_BYTES ((size_t)8 << 20)
/* Entries of a view without "limit", and at most. */
#define OPS_PAGE_DEFAULT 1000
#define OPS_PAGE_MAX     10000

struct ops_listener {
    char *address;
    char *server; /* NULL: the default one */
};

struct ops {
    const struct loop *loop; /* borrowed, like all that follows */
    struct router *router;
    struct server_set *servers;
    struct session_set *sessions;
    const struct memory *memory;
    const struct config *config;    /* the one in force */
    const char *default_server;     /* NULL: none */
    struct ops_listener *listeners; /* owned */
    size_t listener_count;
    uint64_t started_at_ms;  /* loop_real_ms's clock */
    int64_t started_wall_ms; /* since 1970 */
    uint64_t reloads;        /* taken */
    bool draining;
    struct buf reply; /* storage of the answer under way */
};

void ops_init(struct ops *o);
void ops_done(struct ops *o);
/* Both are copied. */
MUSTCHECK int ops_add_listener(struct ops *o, const char *address, const char *server);
/* Milliseconds since 1970, for what people read. */
int64_t ops_wall_ms(void);

#endif

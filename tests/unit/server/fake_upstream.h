/* A fake router for tests of server/: it implements the functions of route/router.h that server/ calls, and
 * records each call; the real one is not linked.
 *
 * Each call is noted as a word in `log`: "starting attach down:STATE idle drain free ...". After
 * upstream_attach the fake sends `hello` to the child (if it is not NULL), and takes the first line that
 * comes for a finished handshake: ops.ready.
 */
#ifndef TESTS_SERVER_FAKE_UPSTREAM_H
#define TESTS_SERVER_FAKE_UPSTREAM_H

#include "route/peer.h"
#include "route/router.h"

#define FAKE_UPSTREAMS_MAX 16

struct upstream {
    struct route_server *server;
    void *data;
    struct link *link; /* NULL: none */
    bool ready;
    bool draining;
    bool released;
    bool freed;
    char log[8192];
    size_t frames;
    size_t oversize;
    size_t writable;
    char last_frame[256];
    struct upstream_stats stats; /* the answer of upstream_get_stats; the test writes it */
    /* of the last upstream_down */
    struct peer_key peer; /* of the one session that it is for */
    struct outage outage;
    char detail[512];
    char tail[4096];
    uint64_t down_at_ms;
};

struct route_server {
    char name[64];
    struct server_limits limits;
    const struct server_ops *ops;
    void *data;
    bool removed;
    char removed_why[256];
    struct upstream *upstream; /* shared */
};

struct fake_router {
    struct route_server servers[FAKE_UPSTREAMS_MAX];
    size_t server_count;
    struct upstream upstreams[FAKE_UPSTREAMS_MAX];
    size_t upstream_count;
    const char *hello;  /* sent to each child */
    const char *refuse; /* handshake_failed with this, in place of ready */
    void (*on_frame)(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
};

extern struct fake_router fake_router;

void fake_router_reset(void);
/* The newest server of that name. */
struct route_server *fake_server(const char *name);
struct upstream *fake_upstream_of(const char *name);
/* An upstream of a session of its own. */
struct upstream *fake_session_upstream(const char *name);
/* A request needs an instance (server_ops.start). */
void fake_want(struct upstream *upstream);
void fake_release(struct upstream *upstream);
/* One line to the instance; the return code of its link. */
int fake_send(struct upstream *upstream, const char *line);

#endif

/* A router that notes what server/ tells it, for tests of server/: it implements what server/ calls of
 * route/router.h; the real one is not linked.
 *
 * Each call is noted as a word in `log`: "starting attach down:STATE idle drain free ...". After lane_attach
 * the fake sends `hello` to the child (if it is not NULL), and takes the first line that comes as its proof:
 * ops.ready.
 */
#ifndef TESTS_SERVER_FAKE_LANE_H
#define TESTS_SERVER_FAKE_LANE_H

#include "route/router.h"

#define FAKE_LANES_MAX 16

struct lane {
    struct route_server *server;
    void *data;
    struct link *child; /* NULL: none */
    bool ready;
    bool draining;
    bool released;
    bool freed;
    char log[8192];
    size_t frames;
    size_t too_large;
    size_t writable;
    char last_frame[256];
    struct lane_stats stats; /* what lane_get_stats says; the test writes it */
    /* of the last lane_down */
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
    struct lane *lane; /* shared */
};

struct fake_router {
    struct route_server servers[FAKE_LANES_MAX];
    size_t server_count;
    struct lane lanes[FAKE_LANES_MAX];
    size_t lane_count;
    const char *hello;  /* sent to each child */
    const char *refuse; /* handshake_failed with this, in place of ready */
    void (*on_frame)(struct lane *lane, const struct frame *frame, uint64_t now_ms);
};

extern struct fake_router fake_router;

void fake_router_reset(void);
/* The newest server of that name. */
struct route_server *fake_server(const char *name);
struct lane *fake_lane_of(const char *name);
/* A lane of a session of its own. */
struct lane *fake_session_lane(const char *name);
/* Somebody has a request. */
void fake_want(struct lane *lane);
void fake_release(struct lane *lane);
/* One line to the child; the link's verdict. */
int fake_send(struct lane *lane, const char *line);

#endif

/* What the tests of route/ share: links that remember what was sent, a server that notes what it was asked,
 * and a little world of a router with one server on a virtual clock.
 */
#ifndef TESTS_ROUTE_ROUTE_FIXTURE_H
#define TESTS_ROUTE_ROUTE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "route/peer.h"
#include "route/router.h"

#define FAKE_LINK_LINES 16384
/* Of every link. */
#define FAKE_LINK_HIGH_BYTES ((size_t)1 << 20)

struct fake_link {
    struct link link;
    char *lines[FAKE_LINK_LINES]; /* owned */
    size_t count;                 /* sent so far and kept */
    size_t seen;                  /* handed out by fake_link_next */
    size_t sent;                  /* messages, kept or not */
    uint64_t sent_bytes;
    bool is_read_slowly; /* by who reads `read_bytes` so far; else nobody knows what was read */
    uint64_t read_bytes;
    int fail_with; /* what send gives, 0: it succeeds */
    bool forget;   /* count only */
    bool paused;
    size_t pauses;
    bool closed;
    int close_code;
    char reason[256];
    enum message_kind last_kind; /* of the last line: what was sent with it */
    bool last_droppable;
    char last_about[64];
};

struct upstream_log {
    unsigned starts;
    unsigned ready;
    unsigned failed;
    unsigned released;
    unsigned strays;
    char reason[256];
    char looks_like[32]; /* of the last stray line */
    char stray[256];
    struct upstream *last;
};

struct route_fixture {
    struct router *router;
    struct route_server *server;
    struct upstream_log log;
    uint64_t now_ms;
    struct fake_link child;
    void (*on_start)(struct route_fixture *route, struct upstream *upstream); /* NULL: only counts */
    bool free_on_release;
};

/* What route_fixture_open gives its server; its data is the fixture. */
const struct server_ops *route_fixture_ops(void);
/* shared, 512 slots, 4096 waiting, 1 MiB, 60 s, 600 s */
struct server_limits route_fixture_limits(enum sharing sharing);
/* A router with one server "mem". Asserts that it works. */
void route_fixture_open(struct route_fixture *route, const struct server_limits *limits);
/* Removes the server and frees the router. */
void route_fixture_close(struct route_fixture *route);
struct upstream *route_upstream(struct route_fixture *route);
/* shared: attaches the child and answers its handshake with this result (NULL: a plain one); everything the
 * child was sent is seen. */
void route_child_ready(struct route_fixture *route, const char *result);
struct route_session *route_connect(struct route_fixture *route, struct fake_link *link);
/* The sessions of one host share a peer; route_connect's have one each. */
struct route_session *route_connect_from(struct route_fixture *route, struct fake_link *link, uint8_t host);
/* initialize and initialized, their answer seen. */
struct route_session *route_connect_initialized(struct route_fixture *route, struct fake_link *link);

void fake_link_init(struct fake_link *l);
void fake_link_done(struct fake_link *l);
/* The next line that was sent and not seen yet; NULL: none. */
const char *fake_link_next(struct fake_link *l);
/* Asserts that the next line is exactly this. */
void route_expect(struct fake_link *l, const char *line);
/* Asserts that there is a next line and that it holds each of these; returns it. The list ends with NULL. */
const char *route_expect_with(struct fake_link *l, ...) __attribute__((sentinel));
void route_expect_nothing(struct fake_link *l);

void route_client_send(struct route_fixture *route, struct route_session *s,
                       const char *line);                             /* the client says */
void route_child_send(struct route_fixture *route, const char *line); /* the (shared) child says */
void route_child_send_on(struct route_fixture *route, struct upstream *upstream,
                         const char *line); /* the child of this upstream says */
void route_client_sendf(struct route_fixture *route, struct route_session *s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void route_child_sendf(struct route_fixture *route, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The child dies: exit 3, restart in `retry_in_ms` (0: none planned). */
void route_child_down(struct route_fixture *route, uint64_t retry_in_ms);
/* The number after "id": in a line; asserts that there is one. */
uint64_t route_line_id(const char *line);
void route_tick(struct route_fixture *route, uint64_t ms);
struct upstream_stats route_stats(struct route_fixture *route);

/* A ready shared child with two clients that have introduced themselves: the fixture of most tests. */
struct route_pair {
    struct route_fixture route;
    struct fake_link a_link;
    struct fake_link b_link;
    struct route_session *a; /* NULL: closed by the test */
    struct route_session *b;
};
int route_pair_open(struct route_pair *p);
int route_pair_open_with(struct route_pair *p, const struct server_limits *limits, const char *result);
int route_pair_close(struct route_pair *p);

#endif

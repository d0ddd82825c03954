/* What the tests of route/ share: links that remember what was sent, a server that notes what it was asked,
 * and a little world of a router with one server on a virtual clock.
 */
#ifndef TESTS_ROUTE_ROUTE_FIXTURE_H
#define TESTS_ROUTE_ROUTE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "route/router.h"

#define KIT_LINES 16384
/* Of every link. */
#define KIT_HIGH_BYTES ((size_t)1 << 20)

struct kit_link {
    struct link link;
    char *lines[KIT_LINES]; /* owned */
    size_t count;           /* sent so far and kept */
    size_t seen;            /* handed out by kit_next */
    size_t sent;            /* messages, kept or not */
    int fail_with;          /* what send gives, 0: it succeeds */
    bool forget;            /* count only */
    bool paused;
    size_t pauses;
    bool closed;
    int close_code;
    char reason[256];
    enum message_kind last_kind; /* of the last line: what was sent with it */
    bool last_droppable;
    char last_about[64];
};

struct kit_upstream_log {
    unsigned starts;
    unsigned ready;
    unsigned failed;
    unsigned released;
    char reason[256];
    struct upstream *last;
};

struct kit {
    struct router *router;
    struct route_server *server;
    struct kit_upstream_log log;
    uint64_t now_ms;
    struct kit_link child;
    void (*on_start)(struct kit *kit, struct upstream *upstream); /* NULL: only counts */
    bool free_on_release;
};

/* What kit_open gives its server; its data is the kit. */
const struct server_ops *kit_ops(void);
/* shared, 512 slots, 4096 waiting, 1 MiB, 60 s, 600 s */
struct server_limits kit_limits(enum sharing sharing);
/* A router with one server "mem". Asserts that it works. */
void kit_open(struct kit *kit, const struct server_limits *limits);
/* Removes the server and frees the router. */
void kit_close(struct kit *kit);
struct upstream *kit_upstream(struct kit *kit);
/* shared: attaches the child and answers its handshake with this result (NULL: a plain one); everything the
 * child was sent is seen. */
void kit_ready(struct kit *kit, const char *result);
struct route_session *kit_session(struct kit *kit, struct kit_link *link);
/* initialize and initialized, their answer seen. */
struct route_session *kit_client(struct kit *kit, struct kit_link *link);

void kit_link_init(struct kit_link *l);
void kit_link_done(struct kit_link *l);
/* The next line that was sent and not seen yet; NULL: none. */
const char *kit_next(struct kit_link *l);
/* Asserts that the next line is exactly this. */
void kit_expect(struct kit_link *l, const char *line);
/* Asserts that there is a next line and that it holds each of these; returns it. The list ends with NULL. */
const char *kit_expect_with(struct kit_link *l, ...) __attribute__((sentinel));
void kit_expect_nothing(struct kit_link *l);

void kit_say(struct kit *kit, struct route_session *s, const char *line); /* the client says */
void kit_reply(struct kit *kit, const char *line);                        /* the (shared) child says */
void kit_reply_on(struct kit *kit, struct upstream *upstream,
                  const char *line); /* the child of this upstream says */
void kit_sayf(struct kit *kit, struct route_session *s, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void kit_replyf(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The child dies: exit 3, restart in `retry_in_ms` (0: none planned). */
void kit_down(struct kit *kit, uint64_t retry_in_ms);
/* The number after "id": in a line; asserts that there is one. */
uint64_t kit_id(const char *line);
void kit_tick(struct kit *kit, uint64_t ms);
struct upstream_stats kit_stats(struct kit *kit);

/* A ready shared child with two clients that have introduced themselves: the fixture of most tests. */
struct kit_pair {
    struct kit kit;
    struct kit_link a_link;
    struct kit_link b_link;
    struct route_session *a; /* NULL: closed by the test */
    struct route_session *b;
};
int kit_pair_open(struct kit_pair *p);
int kit_pair_open_with(struct kit_pair *p, const struct server_limits *limits, const char *result);
int kit_pair_close(struct kit_pair *p);

#endif

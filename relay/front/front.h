/* How clients get in: the listeners, the connections that came through them, and their limits.
 *
 * Happy path: front_init -> front_listen -> clients come and go -> front_stop_listening ->
 * front_close_clients -> front_is_empty -> front_close -> (the loop runs out) -> front_done.
 */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/memory.h"
#include "io/timer.h"
#include "front/bind.h"
#include "front/hosts.h"
#include "front/sniff.h"
#include "front/work.h"
#include "session/session.h"

struct listener;

struct front_limits {
    size_t max_clients;
    size_t max_clients_per_address; /* of one host over TCP */
    size_t max_frame_bytes;
    size_t max_id_bytes;
    size_t out_bytes;          /* a client's out queue; closed above it */
    uint64_t stall_ms;         /* closed when no byte has left for so long */
    uint64_t frame_timeout_ms; /* a frame once begun must end within */
};

struct front_options {
    struct loop *loop;            /* borrowed */
    struct memory *memory;        /* borrowed */
    struct session_set *sessions; /* borrowed */
    struct front_limits limits;
};

struct front {
    struct front_options options;
    char *default_server;           /* owned; NULL: none */
    const struct sniff_row *spoken; /* static; what connections to come may speak */
    struct list connections;        /* struct connection.node, oldest first */
    size_t client_count;            /* of those, not being refused */
    struct hosts hosts;             /* of those connections that came over TCP and are not being refused */
    struct work local_work;         /* for all connections that came over Unix sockets */
    size_t refusing;                /* of those, over the limit: closed with OVERLOADED */
    struct list watched;            /* struct connection.watch: those that the sweep looks at */
    struct timer sweep;
    struct listener **listeners; /* owned */
    size_t listener_count;
    int reserve_fd;     /* held so that there is a descriptor left to refuse with; -1: none */
    uint64_t linger_ms; /* a closed connection's time to end its side */
};

/* Cannot fail: nothing is allocated. */
void front_init(struct front *f, const struct front_options *options);
/* After the loop has run out: every handle is closed by then. */
void front_done(struct front *f);

/* Binds every entry and starts to accept. On failure (a negative errno) none is bound and `ret_error` says
 * why. */
MUSTCHECK int front_listen(struct front *f, const struct listen_entry *entries, size_t count,
                           struct bind_error *ret_error);
/* Closes the listeners and removes their socket files. Idempotent. */
void front_stop_listening(struct front *f);

/* For listeners without a server of their own; copied; NULL: none. -ENOMEM: the old one stays. */
MUSTCHECK int front_set_default_server(struct front *f, const char *name);
/* For connections to come, and, where it is their queue or their clock, for those that are there. */
void front_set_limits(struct front *f, const struct front_limits *limits);

/* Closes every client when its queue is out, waiting at most `flush_ms` for that, and hardly for their own
 * end. */
void front_close_clients(struct front *f, const char *reason, uint64_t flush_ms);
bool front_is_empty(const struct front *f);
/* Closes what is left, queue or not. */
void front_drop_clients(struct front *f, const char *reason);
/* Closes the front's own handles; clients must be gone. */
void front_close(struct front *f);

typedef void listener_view_cb(void *data, const struct bound *bound, const char *server);
/* `server` is NULL for the default one. */
void front_each_listener(const struct front *f, listener_view_cb *on_listener, void *data);

#endif

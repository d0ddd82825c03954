/* One connection to the relay, TCP or Unix, on a libuv loop: resolve the name, try its addresses one by one,
 * then bytes in and bytes out.
 *
 * The sockets are our own, watched with uv_poll: libuv's uv_write would raise SIGPIPE in a host that has it
 * at its default, where send(MSG_NOSIGNAL) gives EPIPE. Non-blocking, CLOEXEC, TCP_NODELAY.
 *
 * Happy path: link_init -> link_open -> on_up -> on_bytes ... ; link_send gives what the kernel took, and
 * after a short count on_writable comes when there is room again. An attempt that fails as a whole:
 * on_failed, once, with the last address's fault; a link that breaks: on_lost, once. Then, or at any time,
 * link_close and, when wanted again, link_open anew: names are resolved again each time. link_close is
 * idempotent and silences every callback at once; link_done ends for good, with on_closed as the last
 * callback, and never waits for DNS.
 *
 * Callbacks run from the loop, never inside a link_* call (link_wake and link_read_pending excepted, which are the
 * loop's callbacks by other names). Any of them may call link_close, link_open and link_done.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <uv.h>

#include "address.h"
#include "base/err.h"
#include "backend-client/src/errors/fault.h"
#include "resolve.h"

#define LINK_PEER_SIZE  80 /* ar_health.peer */
#define LINK_READ_BYTES ((size_t)64 << 10)
/* A connection attempt that has no answer is begun anew after so long, within its connect_timeout_ms: the kernel
 * repeats what opens a connection after 1 s, 3 s, 7 s ..., and a host that is back is to be found sooner. */
#define LINK_RENEW_MS 3000

struct link_conn;

struct link_conn_ops {
    void (*on_up)(struct link_conn *l, const char *peer);
    /* `peer`: the address last tried, "" for none. */
    void (*on_failed)(struct link_conn *l, const struct fault *why, const char *peer);
    void (*on_bytes)(struct link_conn *l, const char *bytes, size_t len);
    void (*on_writable)(struct link_conn *l);
    void (*on_lost)(struct link_conn *l, const struct fault *why);
    void (*on_closed)(struct link_conn *l);
};

enum link_phase {
    LINK_IDLE,
    LINK_STARTING,   /* opened; begins with the next loop iteration */
    LINK_RESOLVING,  /* bounded by connect_timeout_ms */
    LINK_CONNECTING, /* one address is being tried, bounded by connect_timeout_ms */
    LINK_UP,
    LINK_BREAKING, /* sending failed; reported with the next loop iteration, after what can still be read */
    LINK_DONE,
};

/* For the owner to embed; its members are the link's own. */
struct link_conn {
    uv_loop_t *loop; /* borrowed */
    const struct link_conn_ops *ops;
    void *data;                    /* the owner's */
    const struct address *address; /* borrowed */
    uv_async_t *wake;              /* borrowed: sent when a resolution is done */
    uint64_t connect_timeout_ms;
    enum link_phase phase;
    uv_timer_t timer;
    uv_poll_t *poll; /* owned; on the heap, since closing is asynchronous and the next may begin before */
    int fd;          /* -1: none */
    bool watching_write;
    bool closed;                   /* the timer's close callback has run */
    unsigned closing;              /* heap handles whose close callback is to come */
    int broken;                    /* LINK_BREAKING: why */
    struct resolve *resolve;       /* under way, or NULL */
    struct addrinfo *addresses;    /* owned; of this attempt; NULL for a numeric address */
    const struct addrinfo *next;   /* to be tried after the one under way */
    const struct addrinfo *trying; /* the one under way; NULL: a path */
    uint64_t trying_until_ms;      /* uv_hrtime's ms: when it is given up */
    struct addrinfo numeric;       /* an address that needs no resolver, as a list of one */
    struct sockaddr_storage numeric_address;
    enum fault_stage failed_at; /* the last address's failure */
    int failed_by;
    char peer[LINK_PEER_SIZE]; /* the last address tried */
};

/* `wake` is the owner's, which calls link_wake whenever it fires; initialised before link_open, closed not
 * before link_done. Cannot fail. */
void link_init(struct link_conn *l, uv_loop_t *loop, uv_async_t *wake, const struct link_conn_ops *ops,
               void *data, const struct address *address, uint64_t connect_timeout_ms);
/* Legal while idle: at first, after on_failed or on_lost, and after link_close. */
void link_open(struct link_conn *l);
void link_wake(struct link_conn *l);
/* Bytes that the kernel took (0: none now), or a negative libuv code: not connected, or broken before it took
 * any. A link that broke is reported by on_lost, which comes by itself. */
MUSTCHECK ssize_t link_send(struct link_conn *l, const char *bytes, size_t len);
/* The peer's system is known to be there, and has all that was sent: what does not answer then stands still. On a
 * Unix socket the peer is on this machine, and its end would be known. */
MUSTCHECK bool link_is_held(const struct link_conn *l);
/* Bytes sent that the peer's system has not acknowledged; 0 where the kernel does not know. */
size_t link_unacked(const struct link_conn *l);
/* Reads all that has come and was not looked at yet: libuv runs timers before it looks at descriptors, so on a
 * loop that stood still an answer may lie there that came in time. Of the loop's callbacks, as link_wake. */
void link_read_pending(struct link_conn *l);
void link_close(struct link_conn *l);
/* on_closed comes from the loop, once no handle is left. */
void link_done(struct link_conn *l);

#endif

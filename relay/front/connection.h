/* One accepted socket: its peer, stream, memory account, deadlines, and how it ends. What is spoken on it is
 * a protocol (front/protocol.h), which the first byte decides.
 *
 *   sniffing ---> open ---> flushing ---> lingering ---> closed
 *
 *   sniffing    nothing but blanks came so far; there is no protocol yet
 *   open        bytes go to the protocol, and it may write
 *   flushing    connection_close: nothing is read any more, what is queued still goes out; the protocol has left its
 *               session by the end of the loop iteration
 *   lingering   all is out and our side is shut; what still comes is thrown away until the peer ends its side too.
 *               Without this, unread bytes would make the kernel reset the connection, and the peer lose the last
 *               answer
 *   closed      the handle is closing; freed at the end of that iteration
 *
 * Each state may be left out; none is entered twice. Flushing and lingering have a deadline each.
 */
#ifndef FRONT_CONNECTION_H
#define FRONT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "front/front.h"
#include "front/protocol.h"
#include "io/memory.h"
#include "io/stream.h"
#include "session/session.h"

/* Above this the router sends no more than it must, and the connection is not read; on again below half of
 * it. */
#define CONNECTION_HIGH_BYTES SESSION_HIGH_BYTES
/* How long a connection that is being closed may take to read its last answers. */
#define CONNECTION_FLUSH_MS 2000

enum connection_state {
    CONNECTION_SNIFFING,
    CONNECTION_OPEN,
    CONNECTION_FLUSHING,
    CONNECTION_LINGERING,
    CONNECTION_CLOSED,
};

struct connection {
    struct stream stream;
    struct memory_user memory;
    struct protocol *protocol; /* owned, from open until the stream is closed; NULL before */
    struct front *front;       /* borrowed */
    const char *server;        /* borrowed from the listener; NULL: the default one */
    struct session_origin origin;
    struct host *host;        /* in front.hosts; NULL: a Unix peer, or one that is being refused */
    struct work *work;        /* borrowed: the host's, or the front's for local users */
    uint64_t worked_until_ns; /* while its messages are taken: work up to then is noted; else 0 */
    struct list node;         /* in front.connections */
    struct list watch;        /* in front.watched, while a time-out may come */
    struct buf rest; /* of what was read: messages for the iterations to come; nothing is read meanwhile */
    struct loop_task iteration_end;
    struct loop_deferred deferred;
    size_t queued_bytes; /* of the stream; exact after each on_sent */
    uint64_t opened_at_ms;
    uint64_t message_begun_at_ms; /* 0: no message is under way */
    uint64_t pace_at_ms;          /* since when the pace of the message under way is measured */
    uint64_t pace_bytes;          /* carried in by then */
    uint64_t deadline_at_ms;      /* of flushing and lingering */
    uint64_t
        flush_until_ms;   /* flushing goes on so long while the peer takes bytes; 0: deadline_at_ms is all */
    uint64_t swept_bytes; /* carried, in and out, at the last sweep */
    int send_error;       /* a message could not be queued: dropped at the end of the iteration */
    enum connection_state state;
    bool paused_by_protocol; /* the router takes no more of its requests */
    bool paused_by_memory;
    bool paused_by_queue; /* back-pressure: the peer does not read what it is sent */
    bool read_deferred;   /* until the end of the iteration: libuv would read on, up to 32 chunks */
    bool protocol_left;   /* on_closing has run */
    bool
        left_in_order; /* the peer ended its side: a health check does each time, so that the log has it at debug */
    bool refused; /* over the limit: counted in front.refusing */
};

/* It may still be read, and written to. */
static inline bool connection_serves(const struct connection *c)
{
    return c->state == CONNECTION_OPEN && c->send_error == 0;
}

/* Takes an accepted descriptor. `refusal` not NULL: sends OVERLOADED with this reason and closes. On failure (-ENOMEM,
 * libuv's codes) the descriptor, and `host`, are left to the caller. `server` is borrowed, NULL for the default one. */
MUSTCHECK int connection_open(struct front *front, int fd, const struct session_origin *origin,
                              struct host *host, const char *server, const char *refusal);

/* connection_close (front/protocol.h) is the exit for a connection whose peer may still be sent why; it
 * flushes for CONNECTION_FLUSH_MS. This is the other one, for a peer that is gone or does not read: nothing
 * is flushed. Never from inside the router. */
__attribute__((format(printf, 3, 4))) void connection_drop(struct connection *c, int code, const char *format,
                                                           ...);
/* connection_close, where every connection closes, those too that were closing before: none has more than
 * `flush_ms` from now. */
void connection_close_within(struct connection *c, uint64_t flush_ms, const char *reason);

/* Looks at the connection's time-outs, and acts. false: nothing is left to look at. */
bool connection_sweep(struct connection *c, uint64_t now_ms);

#endif

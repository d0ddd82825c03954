/* A connection that speaks newline-delimited JSON-RPC, as a struct transport.
 *
 *   sniffing -> open -> flushing -> lingering -> closed
 *
 * sniffing   nothing but blanks came so far; no session yet
 * open       frames go to the router, answers come from it
 * flushing   client_close: no frame is read any more, what is queued still goes out; the session is gone by
 * the end of the iteration lingering  all is out and our side is shut; what still comes is thrown away until the peer
 * ends its side too. Without this, unread bytes would make the kernel reset the connection, and the peer lose
 * the last answer closed     the handle is closing; freed at the end of that iteration
 *
 * Each step may be left out; none is ever taken back.
 */
#ifndef FRONT_CLIENT_H
#define FRONT_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "io/memory.h"
#include "io/stream.h"
#include "front/front.h"
#include "session/session.h"
#include "session/transport.h"
#include "wire/frame.h"

enum client_state { CLIENT_SNIFFING, CLIENT_OPEN, CLIENT_FLUSHING, CLIENT_LINGERING, CLIENT_CLOSED };

struct client {
    struct transport transport;
    struct stream stream;
    struct frame_reader reader;
    struct memory_user memory;
    struct front *front;     /* borrowed */
    const char *server;      /* borrowed from the listener; NULL: the default one */
    struct session *session; /* from open until the end of the iteration of a close */
    struct session_origin origin;
    struct list node;  /* in front.clients */
    struct list watch; /* in front.watched, while there is something to look at */
    struct loop_task iteration_end;
    struct loop_deferred deferred;
    enum client_state state;
    uint64_t opened_at_ms;
    uint64_t frame_begun_at_ms; /* 0: no frame is under way */
    uint64_t deadline_at_ms;    /* of flushing and lingering */
    uint64_t swept_bytes;       /* carried, in and out, at the last sweep */
    bool paused_by_router;
    bool paused_by_memory;
    bool
        yielding; /* until the end of the iteration: libuv would read on while there is something, up to 32 chunks */
    bool paused_by_queue; /* it does not read what it is sent: what it would be told more is bounded so */
    bool refused;         /* over the limit: counted in front.refusing */
    int doomed;           /* an answer could not be queued (the error): closed at the end of the iteration */
};

/* Takes an accepted descriptor. `refused`: tell it OVERLOADED and close. On failure (-ENOMEM, libuv's codes)
 * the descriptor is left to the caller. `server` is borrowed, NULL for the default one. */
MUSTCHECK int client_open(struct front *front, int fd, const struct session_origin *origin,
                          const char *server, bool refused);

/* The one exit door for a client that may still be told why: logs, appends an error line when `code` is not
 * 0, flushes for at most `flush_ms`. Idempotent; may be called from inside the router. */
__attribute__((format(printf, 4, 5))) void client_close(struct client *c, uint64_t flush_ms, int code,
                                                        const char *format, ...);
/* The other one, for a peer that is gone or does not read: nothing is flushed. Never from inside the router.
 */
__attribute__((format(printf, 3, 4))) void client_drop(struct client *c, int code, const char *format, ...);

/* Its out queue's high-water mark: above it the client is not read, and reads too slowly for the router. */
#define CLIENT_HIGH_BYTES SESSION_HIGH_BYTES
/* How long a client that is being closed may take to read its last answers. */
#define CLIENT_FLUSH_MS 2000

/* ---- between client.c, client_io.c and client_watch.c ---- */

extern const struct transport_ops client_transport_ops;
extern const struct stream_ops client_stream_ops;

/* Starts or stops reading as the state and the two pauses say. */
void client_update_reading(struct client *c);
/* Its session is open. */
void client_enter_open(struct client *c);
/* The queue of a flushing client is empty: shut our side, wait for the peer's. */
void client_linger(struct client *c);
/* The connection is no more (lingering ended, or the peer went): closes the handle without a log line. */
void client_finish(struct client *c);
/* The stream's last callback: takes the client out of the front and frees it at the end of the iteration. */
void client_release(struct client *c);
/* Says to the memory budget what this client holds. */
void client_account(struct client *c);
/* Makes the sweep look at this client until it has nothing to watch. */
void client_watch(struct client *c);
/* The same, and sets the deadline of the state: the sweep comes in time for it. */
void client_watch_until(struct client *c, uint64_t deadline_ms);
/* What client_watch asked for; false: nothing left to look at. */
bool client_sweep(struct client *c, uint64_t now_ms);

#endif

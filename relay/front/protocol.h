/* What is spoken on a connection, and what a protocol may ask of the connection that it is spoken on.
 *
 * A connection (front/connection.h) owns the socket: peer, memory account, deadlines, flush and linger. A
 * protocol gets bytes, and gives bytes; it never sees the socket. It opens a session, hands frames to it, and
 * implements the session's transport. New ones are a file each, and a row in front.c's table of first bytes.
 *
 *   open -> on_bytes, on_sent, on_writable ... -> on_closing -> on_closed
 *
 * on_closing comes once, also when the peer is gone; on_closed is the last call, and frees the protocol.
 */
#ifndef FRONT_PROTOCOL_H
#define FRONT_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/part.h"
#include "session/session.h"

struct connection;
struct protocol;

/* Messages that a connection may bring in one loop iteration: a read of 256 KiB can hold 87,000, whose refusals would
 * keep everybody else waiting for a second. */
#define PROTOCOL_MESSAGES_MAX 128

/* What a protocol needs to begin. What is pointed to is borrowed: `server` for the call, the rest until
 * on_closed. */
struct protocol_setup {
    struct connection *connection;
    struct session_set *sessions;
    const struct session_origin *origin;
    const char *server;       /* that the connection is bound to; NULL: the relay has none to offer */
    const uint64_t *bytes_in; /* carried by the connection */
    const uint64_t *bytes_out;
    size_t max_frame_bytes;
    size_t max_id_bytes;
};

/* What counts against the memory budget. */
struct protocol_usage {
    size_t partial_bytes; /* of a message that has begun and not ended */
    size_t held_bytes;    /* storage, the partial message included */
};

struct protocol_ops {
    /* It may write and close the connection already. Not 0: nothing was taken, nothing more is called. */
    int (*open)(const struct protocol_setup *setup, uint64_t now_ms, struct protocol **ret_protocol);
    /* Borrowed for the call. Takes what it can and returns how many bytes that were: a protocol stops behind
     * PROTOCOL_MESSAGES_MAX messages, when connection_takes_more says no, or behind one when connection_has_time does; the rest comes again in the next loop
     * iteration. */
    size_t (*on_bytes)(struct protocol *p, const char *bytes, size_t len, uint64_t now_ms);
    /* A message has been under way for about a second or longer; called once a second, from the top of the loop.
     * May be NULL. */
    void (*on_quiet)(struct protocol *p, uint64_t now_ms);
    /* Bytes left the queue; so many still wait. */
    void (*on_sent)(struct protocol *p, size_t queued_bytes);
    /* The queue fell below the low mark after it had been above the high one. */
    void (*on_writable)(struct protocol *p, uint64_t now_ms);
    /* The connection closes: no bytes come any more, and nothing is written. Ends the session. From the top
     * of the loop, never from inside the router. */
    void (*on_closing)(struct protocol *p, uint64_t now_ms);
    void (*on_closed)(struct protocol *p);
    /* Appends the last thing that the peer is sent, when the connection is closed with an error. */
    int (*write_error)(struct buf *out, int code, const char *message);
    void (*get_usage)(const struct protocol *p, struct protocol_usage *ret_usage);
    /* Gives back storage that nothing needs now. */
    void (*trim)(struct protocol *p);
};

/* Embedded in each protocol's own struct. */
struct protocol {
    const struct protocol_ops *ops; /* static */
    uint64_t session_id;            /* for log lines; 0: no session */
};

/* ---- what a protocol calls (front/connection.c) ---- */

/* Copies the parts into the queue, with a newline behind them if `newline`; all or nothing. ERR_CLOSING,
 * -ENOMEM: the message is lost; where the queue is full or memory ran out the connection is dropped at the
 * end of the loop iteration, since a peer that waits for it for ever is worse off than one that knows. */
MUSTCHECK int connection_write(struct connection *c, const struct part *parts, size_t count, bool newline);
/* Accepted by connection_write and not yet taken by the kernel. */
size_t connection_queued(const struct connection *c);
/* false from the first connection_close on. */
bool connection_is_open(const struct connection *c);
/* It is open, and the answers to its messages are read: another one may be taken. */
bool connection_takes_more(const struct connection *c);
/* Its host has not had its part of this loop iteration yet (front/work.h). Each connection may bring one message all the
 * same: else the first of a host's would take the time of the others in each iteration. */
bool connection_has_time(const struct connection *c);
/* Stops, or goes on, reading. Idempotent; bytes that were read already still come. */
void connection_pause(struct connection *c);
void connection_resume(struct connection *c);
/* A message has begun, and must end within the frame time-out, or it has ended. While one is under way
 * get_usage is asked after each on_bytes; else when the queue changes, and at the sweep. */
void connection_message_begun(struct connection *c);
void connection_message_ended(struct connection *c);
/* Closes with a reason: logs it, sends write_error's text when `code` is not 0, lets the queue out.
 * Idempotent; may be called from inside the router. */
__attribute__((format(printf, 3, 4))) void connection_close(struct connection *c, int code,
                                                            const char *format, ...);

#endif

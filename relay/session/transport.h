/* A transport: what a session speaks through at the moment (newline-delimited JSON on a socket today).
 *
 * A transport is attached to one session when that session opens, or to one that waits detached, and leaves
 * it by session_close or session_detach. Frames come in through session_frame; messages go out through
 * `send`. Whoever implements it embeds the struct and keeps `queued_bytes` true.
 */
#ifndef SESSION_TRANSPORT_H
#define SESSION_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include "route/message.h"

struct transport;

struct transport_ops {
    /* Copies the message and adds its own framing (the newline). All or nothing; never calls back. -ENOMEM,
     * ERR_TOO_LARGE, ERR_CLOSING: the message is lost, and the transport ends its connection by itself, after
     * the call. */
    int (*send)(struct transport *t, const struct message *message);
    /* Stop, or go on, handing in frames. Idempotent. A frame whose bytes were read already may still come. */
    void (*pause)(struct transport *t);
    void (*resume)(struct transport *t);
    /* Flushes what is queued, then closes; asynchronous, idempotent. `code` is one of wire/rpc_error.h, or 0
     * for a normal end; `reason` is copied. The transport leaves its session later, from the top of the loop. */
    void (*close)(struct transport *t, int code, const char *reason);
};

struct transport {
    const struct transport_ops *ops; /* static */
    size_t queued_bytes; /* accepted by send and not yet taken by the kernel; kept by the implementation */
    const uint64_t *bytes_in; /* what the connection has carried so far; borrowed while attached */
    const uint64_t *bytes_out;
};

#endif

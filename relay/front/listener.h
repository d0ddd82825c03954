/* One listening descriptor: accepts, sets the socket's options, and opens a connection on it.
 *
 * When descriptors run out the listener answers the waiting peers through one kept in reserve, and polls
 * again after a while: the kernel would report the same readiness for ever, and a loop that believes it
 * spins.
 */
#ifndef FRONT_LISTENER_H
#define FRONT_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#include "io/timer.h"
#include "front/bind.h"

struct front;

struct listener {
    struct front *front; /* borrowed */
    struct bound bound;  /* owned */
    char *server;        /* owned; NULL: the default one */
    uv_poll_t poll;
    struct timer retry;
    uint64_t backoff_ms; /* 0 while accepting goes well */
    bool open;
};

/* Takes `bound` when it succeeds. -ENOMEM or libuv's code: nothing was taken. */
MUSTCHECK int listener_new(struct front *front, const struct bound *bound, const char *server,
                           struct listener **ret_listener);
/* Stops, closes the descriptor, removes the socket file. Idempotent. */
void listener_close(struct listener *l);
/* After its handles are closed (the loop has run out). */
void listener_free(struct listener *l);

#endif

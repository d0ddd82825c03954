/* Binding: from an entry of `listen` to listening descriptors. Synchronous, used at start only.
 *
 * TCP: SO_REUSEADDR (a restart need not wait for old connections to fade) and never SO_REUSEPORT (two relays
 * on one port would share its clients by chance). A name that resolves to several addresses is bound on each.
 * Unix: mode 0600 from the first moment on; a socket that somebody still answers on is never replaced, one
 * that nobody does is; other kinds of file are never touched.
 */
#ifndef FRONT_BIND_H
#define FRONT_BIND_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "config/config.h"

#define BIND_ADDRESS_BYTES 128
#define BIND_MAX_ADDRESSES 8 /* of one entry */

struct bound {
    int fd; /* owned; listening, non-blocking, close-on-exec */
    bool is_unix;
    bool is_exposed;                  /* reachable from other machines */
    char address[BIND_ADDRESS_BYTES]; /* "127.0.0.1:9500", "[::1]:9500", "unix:/run/relay.sock" */
    dev_t dev;                        /* of the socket file that we made */
    ino_t ino;
};

struct bind_error {
    char text[512]; /* "cannot listen on 127.0.0.1:9500: address already in use" */
};

/* Fills up to BIND_MAX_ADDRESSES of `ret_bound`. On failure (a negative errno) nothing is left open or on
 * disk, and `ret_error` says why in one line. */
MUSTCHECK int bind_entry(const struct listen_entry *entry, struct bound *ret_bound, size_t *ret_count,
                         struct bind_error *ret_error);
/* Closes the descriptor; removes the socket file if it is still the one we made. */
void bind_release(struct bound *b);

#endif

/* Name resolution that can be cancelled at once: getaddrinfo on a short-lived thread of its own.
 *
 * Not uv_getaddrinfo: its request belongs to the loop until the resolver answers, so a loop could not be
 * closed while a name server is silent, and it takes one of the few threads that libuv's pool has for the
 * whole host. Here the thread and the loop share nothing but this request: cancelled, the thread goes on
 * alone, frees the request and ends without a word, whatever became of the loop meanwhile.
 */
#ifndef CLIENT_RESOLVE_H
#define CLIENT_RESOLVE_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/err.h"

/* Threads of this process that may wait for the resolver at once, abandoned ones included. */
#define RESOLVE_THREADS_MAX 256

struct resolve; /* opaque */

/* Stream addresses of both families. `done` is sent once the answer is there, from the other thread, never
 * after resolve_cancel has returned; it outlives the request. `host` is copied. -ENOMEM; UV_EAGAIN: no
 * thread. */
MUSTCHECK int resolve_start(const char *host, uint16_t port, uv_async_t *done, struct resolve **ret_request);
/* false: not yet. true: the request is freed; status 0: the addresses are the caller's (freeaddrinfo); else a
 * libuv code. */
MUSTCHECK bool resolve_take(struct resolve *r, int *ret_status, struct addrinfo **ret_addresses);
/* No `done` after it; the request is no longer the caller's. */
void resolve_cancel(struct resolve *r);

/* The numeric address of a socket, "127.0.0.1:9500" or "[::1]:9500"; "" for a family that is neither. */
void resolve_numeric_text(const struct sockaddr *address, char *ret_text, size_t size);
/* true: `host` is a numeric address, and needs no resolver. */
MUSTCHECK bool resolve_numeric(const char *host, uint16_t port, struct sockaddr_storage *ret_address);

#endif

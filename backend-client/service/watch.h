/* Deadlines for connections that send too slowly: libmicrohttpd's own time-out counts from the last byte, so
 * one byte at intervals holds a connection for ever. Here each phase has a time within which it must be over:
 * a request's head, its body, its answer (that of an event stream excepted: see hub.h), and the pause before
 * the next request.
 *
 * Connections are cut with shutdown(2) while their descriptor is certain to be theirs: libmicrohttpd says
 * that one is closed before it closes the descriptor. Thread-safe.
 */
#ifndef SERVICE_WATCH_H
#define SERVICE_WATCH_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"

#define WATCH_HEAD_MS   10000 /* the first request's head */
#define WATCH_BODY_MS   10000
#define WATCH_ANSWER_MS 120000
#define WATCH_PAUSE_MS  30000 /* the next request's head, the pause before it included */

struct watch {
    pthread_mutex_t lock;
    struct list all;
    size_t count;
};

struct watched; /* opaque */

MUSTCHECK int watch_init(struct watch *w);
void watch_done(struct watch *w); /* nothing is watched any more */
/* NULL when out of memory: the connection then goes unwatched. */
struct watched *watch_add(struct watch *w, int fd, uint64_t now_ms);
void watch_remove(struct watch *w, struct watched *c); /* NULL: nothing */
/* The phase ends within `for_ms`; 0: however long it takes. */
void watch_phase(struct watch *w, struct watched *c, uint64_t now_ms, uint64_t for_ms);
/* Where there are more than `max`: cuts connections between two requests or before their first, the one that is
 * there the longest first, so that new ones find a place. Returns how many. */
size_t watch_make_room(struct watch *w, size_t max);
/* Cuts those that are late. Returns how many. */
size_t watch_cut(struct watch *w, uint64_t now_ms);

#endif

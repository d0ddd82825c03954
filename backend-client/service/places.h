/* Places for what stays: event streams, and requests that wait for the relay. Of the connections that the service
 * takes, they may have some and the rest is kept for requests that are answered at once, the health check above
 * all; and one address may have some of theirs. Thread-safe.
 */
#ifndef SERVICE_PLACES_H
#define SERVICE_PLACES_H

#include <pthread.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/map.h"

struct places {
    pthread_mutex_t lock;
    struct map addresses; /* struct place_owner by address */
    size_t taken;
    size_t max;
    size_t max_per_address;
};

struct place_owner; /* opaque: an address that has places */

/* `connections`: how many the service takes: three quarters may stay, half of these for one address. -ENOMEM. */
MUSTCHECK int places_init(struct places *p, size_t connections);
void places_done(struct places *p); /* none is taken any more */
/* A place, to be given back. ERR_FULL: there is none; ERR_RANGE: this address has its share; -ENOMEM. IPv6
 * addresses count by their first 64 bits, which one host has to itself. */
MUSTCHECK int places_take(struct places *p, const struct sockaddr *address, struct place_owner **ret_owner);
void places_give(struct places *p, struct place_owner *owner); /* NULL: nothing */

#endif

/* Requests whose connection is suspended because they wait for the relay. libmicrohttpd watches nothing of a
 * suspended connection, so this checks whether its peer is still there, and cancels a call whose requester
 * has closed. Otherwise a client that gives up and asks again would, with whenDown=wait, have its task done
 * as often as it asked, and the queue would fill with calls that no client waits for.
 *
 * As for the relay, a peer that closes its side of the connection counts as closed: there is no half-close.
 * Thread-safe.
 */
#ifndef SERVICE_SUSPENDED_REQUESTS_H
#define SERVICE_SUSPENDED_REQUESTS_H

#include <pthread.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/err.h"
#include "base/list.h"

struct suspended_requests {
    pthread_mutex_t lock;
    struct list all;
};

/* Part of an exchange; all members under the lock. */
struct suspended_request {
    struct list node;
    int fd;        /* of the connection, open for as long as the request is here */
    uint64_t call; /* the newest; 0: none, or it was cancelled */
};

MUSTCHECK int suspended_requests_init(struct suspended_requests *p);
void suspended_requests_done(struct suspended_requests *p);
void suspended_requests_add(struct suspended_requests *p, struct suspended_request *r, int fd);
/* The call that it waits for now. No effect when the request is not in the list any more (the call was completed
 * first). */
void suspended_requests_wait_for(struct suspended_requests *p, struct suspended_request *r, uint64_t call);
/* No effect when it is not in the list. */
void suspended_requests_remove(struct suspended_requests *p, struct suspended_request *r);
/* Cancels the calls of requests whose peer has closed; for a timer. */
void suspended_requests_check(struct suspended_requests *p, struct ar_client *client);

#endif

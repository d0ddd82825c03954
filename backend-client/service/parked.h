/* Requests whose connection is suspended because they wait for the relay. libmicrohttpd looks at nothing of a
 * suspended connection, so whether the one who asked is still there is looked at here: a call that nobody
 * waits for any more is cancelled. Else a client that gives up and asks again would, with whenDown=wait, find
 * its task done as often as it asked, and the queue would be full of calls for nobody.
 *
 * As for the relay, whoever ends its side of the connection is gone: there is no half-close. Thread-safe.
 */
#ifndef SERVICE_PARKED_H
#define SERVICE_PARKED_H

#include <pthread.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/err.h"
#include "base/list.h"

struct parked {
    pthread_mutex_t lock;
    struct list all;
};

/* Part of an exchange; all members under the lock. */
struct parked_request {
    struct list node;
    int fd;        /* of the connection, open for as long as the request is here */
    uint64_t call; /* the newest; 0: none, or it was cancelled */
};

MUSTCHECK int parked_init(struct parked *p);
void parked_done(struct parked *p);
void parked_add(struct parked *p, struct parked_request *r, int fd);
/* The call that it waits for now. Nothing when it is no longer here: the call was quicker. */
void parked_wait_for(struct parked *p, struct parked_request *r, uint64_t call);
/* Nothing when it is not here. */
void parked_remove(struct parked *p, struct parked_request *r);
/* Cancels the calls of those who are gone. */
void parked_look(struct parked *p, struct ar_client *client);

#endif

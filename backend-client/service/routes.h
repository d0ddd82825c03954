/* The table of endpoints, and the checks of a request's head. */
#ifndef SERVICE_ROUTES_H
#define SERVICE_ROUTES_H

#include <stdbool.h>

#include "exchange.h"

struct route {
    const char *method; /* GET (HEAD too) or POST */
    const char *path;   /* one that ends with '/' takes what follows as an id; "/" itself does not */
    /* Answers, or suspends the exchange. Runs inside the gate, on a thread of libmicrohttpd. */
    void (*run)(struct exchange *x);
    const char *what; /* for the list in a 404 */
    bool stays;       /* takes as long as the reader, or the relay, does: it needs a place (places.h) */
};

/* Fills x->route, x->host and x->id, or answers: 400, 403, 404, 405, 413, 415. 0, or -1 when it was answered.
 * `target`: a path, or a whole http address. */
MUSTCHECK int routes_find(struct exchange *x, const char *method, const char *target);

/* ---- the endpoints ---- */

void endpoint_health(struct exchange *x);
void endpoint_agents(struct exchange *x);
void endpoint_data(struct exchange *x);
void endpoint_status(struct exchange *x);
void endpoint_events(struct exchange *x);
void endpoint_page(struct exchange *x);
void endpoint_swarm(struct exchange *x);
void endpoint_submit(struct exchange *x);
void endpoint_task(struct exchange *x);

#endif

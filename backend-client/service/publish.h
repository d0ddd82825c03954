/* From the client to the hub: the state of the client at a moment, and the events made of it. */
#ifndef SERVICE_PUBLISH_H
#define SERVICE_PUBLISH_H

#include "agent_relay.h"
#include "base/buf.h"
#include "hub.h"
#include "view.h"

/* A client at one moment: a snapshot (a reference of its own) and the health. */
struct client_state {
    struct view view; /* of the two below */
    struct ar_health health;
};

void client_state_take(struct client_state *state, const struct ar_client *client);
void client_state_done(struct client_state *state);

/* Publishes. Out of memory: nothing is published, and what comes next makes up for it. */
void publish_agents(struct hub *hub, const struct ar_client *client);
void publish_health(struct hub *hub, const struct ar_client *client);

/* The data of an agents event, into `json`. */
MUSTCHECK int publish_write_agents(const struct client_state *state, struct buf *json);

/* What a health event is about, as a number: equal ones need no new event. */
uint64_t publish_health_mark(const struct ar_health *health);

#endif

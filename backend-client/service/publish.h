/* From the client to the hub: looks at the client, and the events made of them. */
#ifndef SERVICE_PUBLISH_H
#define SERVICE_PUBLISH_H

#include "agent_relay.h"
#include "base/buf.h"
#include "hub.h"
#include "view.h"

/* One look at a client: a snapshot (a reference of its own) and the health. */
struct look {
    struct view view; /* of the two below */
    struct ar_health health;
};

void look_take(struct look *look, const struct ar_client *client);
void look_done(struct look *look);

/* Publishes. Out of memory: nothing is published, and what comes next makes up for it. */
void publish_agents(struct hub *hub, const struct ar_client *client);
void publish_health(struct hub *hub, const struct ar_client *client);

/* The data of an agents event, into `json`. */
MUSTCHECK int publish_write_agents(const struct look *look, struct buf *json);

/* What a health event is about, as a number: equal ones need no new event. */
uint64_t publish_health_mark(const struct ar_health *health);

#endif

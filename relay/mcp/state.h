/* What the MCP rules keep of an upstream and of a session. They stand behind the router's own structs. */
#ifndef MCP_STATE_H
#define MCP_STATE_H

#include "base/list.h"
#include "base/map.h"
#include "route/deadline.h"
#include "route/state.h"

/* A shared child's answer to initialize. */
struct init_cache {
    char *result; /* owned; NULL: never had one */
    size_t len;
    struct span version;      /* the protocolVersion string, quotes included */
    struct span capabilities; /* len 0: none given */
    struct span logging;      /* the value of that capability; len 0: the child has none */
    struct span logging_cut;  /* what to leave out so that it is not advertised */
    char protocol[PROTOCOL_MAX];
    bool resources_changed; /* listChanged was advertised */
    bool tools_changed;
    bool prompts_changed;
};

struct upstream_protocol {
    struct upstream *upstream;

    /* handshake.c, initialize.c: shared */
    uint64_t handshake_id; /* relay id of the initialize under way; 0: none */
    struct init_cache cache;
    struct list init_held; /* initialize calls that wait for the cache */

    int sent_level; /* log_levels.c: the level that the child was given, or LEVEL_NONE */

    struct map subs; /* subscriptions.c: by URI */

    struct map tasks;           /* tasks.c: by decoded id */
    struct list early_statuses; /* notifications about tasks not known yet, oldest first */
    size_t early_status_count;
    struct deadline early_status_deadline;

    struct map server_requests; /* server_requests.c: by the id given to the client */
    struct list server_request_list;
    uint64_t last_server_request;

    struct map elicitations;      /* elicitations.c: by decoded id */
    struct list elicitation_list; /* oldest first */
};

struct session_protocol {
    bool initialize_answered;
    int level;                            /* what it asked for with logging/setLevel, or LEVEL_NONE */
    char requested_version[PROTOCOL_MAX]; /* the revision that its initialize named */
    struct list subscriptions;            /* subscriber.session_node */
    size_t subscription_count;
    struct list tasks; /* task.session_node, least recently used first */
    size_t task_count;
};

#endif

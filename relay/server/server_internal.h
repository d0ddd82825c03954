/* The set's own structures, for the files of server/ alone. */
#ifndef SERVER_SERVER_INTERNAL_H
#define SERVER_SERVER_INTERNAL_H

#include "base/list.h"
#include "server/backoff.h"
#include "server/server_peers.h"
#include "server/server.h"
#include "server/supervisor.h"

struct server_set {
    struct server_set_options options;
    const struct config *config; /* borrowed; NULL before the first apply */
    struct driver *driver;       /* of local commands; NULL: it is closed */
    struct list servers;         /* struct server.node */
    struct list
        start_queue; /* struct supervisor.start_node: perSession, to be started in a later iteration */
    struct loop_task start_task; /* marked while starts were made, or wait */
    unsigned starts;             /* made in this iteration */
    struct list leaving;         /* removed from the configuration; their children have not ended yet */
    bool stopping;
    bool closing; /* no instance is left: timers and the driver close */
    bool stopped;
    void (*on_stopped)(void *data);
    void *data;
};

struct server {
    struct list node;
    struct server_set *set;
    char *name;                         /* owned */
    const struct server_config *config; /* borrowed from the set's; NULL once it was removed */
    struct route_server *route;         /* borrowed; NULL once it was removed */
    enum sharing sharing;
    struct backoff backoff;    /* of what died without having read anything of a client's, or was shared */
    struct server_peers peers; /* perSession */
    size_t children;           /* perSession: that run, or are being stopped */
    struct list supervisors;   /* struct supervisor.node, oldest first */
    uint64_t generation;
    uint64_t restarts;
    bool exited; /* the last unexpected exit */
    int exit_status;
    int term_signal;
    char *last_failure; /* owned; of the last instance that counts for the back-off, in words; NULL: none */
};

/* Why the entry cannot run at all, for people; NULL: it can. */
const char *server_unavailable(const struct server *server);
/* Its texts and itself; it is in no list. */
void server_free(struct server *server);
/* An instance that counts for the back-off failed so; `text` is copied. */
void server_note_failure(struct server *server, const char *text);
/* A supervisor's handles are closed, and it is to be freed (its session is closed, or the set closes). */
void server_supervisor_closed(struct supervisor *s);
/* An instance's handles are closed: it may have been the last one that a stopping set waits for. */
void server_instance_closed(struct server *server);
/* Of a server, and of each of its peers. */
struct backoff_options server_backoff_options(const struct config *config);
/* server_set.start_task. */
void server_on_starts(struct loop_task *task);
/* drivers.c. The codes of process_driver_open. */
MUSTCHECK int drivers_open(struct server_set *set);
struct driver *driver_of(const struct server *server);
/* server.c: what the router calls. */
extern const struct server_ops server_route_ops;

#endif

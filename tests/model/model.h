/* A model of the world around the router, which knows who must get what.
 *
 * Every request carries a serial number of its own in its payload ("x":N); children echo it. So a line that
 * reaches a client proves by itself whose it was meant to be: its serial names the client, the raw id and the
 * raw token. The oracle's rules:
 *   - an answer comes for a request that is out, once, under its own id, to its own client; never after a
 * cancel
 *   - progress comes while the request is out (or its task runs), under its own token, to its own client
 *   - what a child answers to a request that is out is delivered in that same call; and nothing else is
 *   - `sent` in an error says whether a child has seen the request
 *   - the router's count of pending requests is the number of requests that are out
 *   - while a request waits, no slot is free that it may have; who has nothing at the child is not passed over for long
 *   - notifications reach exactly those they are for
 */
#ifndef TESTS_MODEL_H
#define TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "route/peer.h"
#include "route/router.h"

#define CLIENTS 12
#define HOSTS   4 /* that the clients come from, in turn */
#define URIS    3
#define REQS    16384 /* a power of two; far more than can be out at once */
#define OUT_MAX 48    /* requests that one client has out */
#define KEPT    256   /* requests that a child remembers */
#define ASKED   32    /* questions that a child has open */
#define TASKS   64

enum kind {
    K_PLAIN,
    K_PING,
    K_INITIALIZE,
    K_LEVEL,
    K_SUBSCRIBE,
    K_UNSUBSCRIBE,
    K_TASK,
    K_TASK_GET,
    K_LIST,
    K_DISCOVER,
    K_RELAY,
    K_KINDS
};

enum req_state { REQ_NONE, REQ_OUT, REQ_DONE, REQ_CANCELLED };

struct req {
    uint64_t serial;
    int client;
    unsigned client_generation;
    enum kind kind;
    enum req_state state;
    int uri;
    bool seen; /* by a child */
    uint64_t relay_id;
    uint64_t at_ms;
    bool task_runs; /* answered with a task whose end was not said yet */
    char id[48];
    char token[48]; /* "" : none */
};

enum member { MEMBER_NO, MEMBER_YES, MEMBER_UNSURE };

struct client {
    struct link link;
    int index;
    unsigned generation;
    bool open;
    bool hung_up; /* the router closed the link */
    bool slow;
    struct route_session *s;
    bool initialized;
    bool initialize_answered;
    bool batches;
    enum member member[URIS];
    uint64_t out[OUT_MAX]; /* serials */
    size_t out_count;
    unsigned null_errors; /* error with id null, expected and not come yet */
    unsigned expected_list_changes;
    unsigned expected_updates;
    bool may_get_updates;
    /* session sharing */
    struct child *child;
    struct {
        uint64_t id; /* as the client sees it */
        uint64_t mark;
    } questions[ASKED];
    size_t server_request_count;
};

enum child_state { CHILD_NONE, CHILD_WANTED, CHILD_UP, CHILD_READY, CHILD_DOWN };

struct child {
    struct link link;
    struct upstream *upstream;
    enum child_state state;
    int client; /* session sharing; -1: shared, or the client is gone */
    bool released;
    bool closed; /* the router closed the link */
    bool full;
    uint64_t handshake_id;
    struct {
        uint64_t relay_id;
        uint64_t serial;
        bool settled; /* answered or cancelled: answering it again is late */
    } kept[KEPT];
    size_t kept_count;
    bool subscribed[URIS];
    struct {
        int id; /* small numbers, so that children and clients use the same ones */
        uint64_t mark;
        bool open;
    } asked[ASKED];
    unsigned refusals; /* expected -32601 answers to requests on a shared child */
};

struct world {
    struct router *router;
    struct route_server *server;
    enum sharing sharing;
    bool failing; /* allocations and sends fail now and then */
    uint64_t seed;
    uint64_t rng;
    uint64_t now_ms;
    uint64_t last_serial;
    uint64_t last_mark;
    struct req reqs[REQS];
    struct client clients[CLIENTS];
    struct child children[CLIENTS * 2]; /* [0] is the shared one */
    struct {
        uint64_t serial; /* of the request that created it; 0: none */
        bool ended;
    } tasks[TASKS]; /* their ids are t0, t1, ... counted up for ever: "t%llu" with number % TASKS as the index
                     */
    uint64_t last_task;
    unsigned capabilities; /* changes now and then at a restart */
    size_t out;            /* requests that are out, over all clients */
    uint64_t steps;
    uint64_t handshakes;
    unsigned passed_over
        [HOSTS];  /* requests of others that the child got while this host had none there, and one waited */
    int speaking; /* the client whose frame the router has just got */
};

/* What was seen, so that a run that saw nothing cannot pass. Outlives a world. */
struct seen {
    uint64_t answers, progress, errors, cancels, deaths, questions, updates, list_changes, statuses, nulls,
        late, fired;
    uint64_t timeouts, overloads, unavailable, waited, passed_over;
};

extern struct world w;
extern struct seen seen;

/* The step and the seed, then the message; aborts the test. */
#define CHECK(condition, ...)                                                                                \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            model_fail(__FILE__, __LINE__, #condition, __VA_ARGS__);                                         \
    } while (0)
_Noreturn void model_fail(const char *file, int line, const char *condition, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

uint64_t rnd(uint64_t below);
bool chance(unsigned percent);

/* ---- lines */
#define LINE_MAX_BYTES 8192
/* The parts as one text. */
#define LINK_HIGH_BYTES ((size_t)1 << 20)
/* The message says what kind it is, and an answer to a client whose it is. */
void line_check_kind(const struct message *message, const struct rpc_envelope *env, const char *line);
size_t line_join(const struct message *message, char out[LINE_MAX_BYTES]);
/* The number after `"key":`, or UINT64_MAX. */
uint64_t line_number(const char *line, const char *key);
bool line_has(const char *line, const char *text);

/* ---- requests */
struct req *req_of(uint64_t serial);
struct req *req_new(struct client *c, enum kind kind);
struct req *req_by_id(struct client *c, const char *id, size_t len);
/* It is no longer out. */
void req_leave(struct req *r, enum req_state to);
bool model_send_fails(void);

/* ---- clients */
void client_open(struct client *c);
void client_close(struct client *c);
void client_step(struct client *c);
void client_say(struct client *c, const char *line);
/* Everything that the last call owed this client has come. */
void client_check(struct client *c);

/* ---- children */
void child_init(struct child *ch, int client);
void child_step(struct child *ch);
/* One random thing that a ready child does. */
void child_do(struct child *ch);
void child_say(struct child *ch, const char *line);
void child_down(struct child *ch, uint64_t retry_in_ms);
/* The upstream wants a child: it comes up at some later step, or at once. */
struct child *child_for(struct upstream *upstream);

/* ---- fairness (model_peers.c) */
/* The child has got a request of this client. */
void peers_note_dispatch(const struct child *ch, int client);
void peers_check(struct upstream *upstream);

/* ---- the world */
void world_check(void);
struct server_limits world_limits(void);

#endif

/* A call: one request on its way, from its arrival until nothing of it can come back any more. The calls of an
 * upstream are the table behind the first three identifier spaces: request ids, cancellations, progress tokens.
 *
 *   NEW -> IN_FLIGHT             dispatched at once
 *   NEW -> WAITING -> IN_FLIGHT  queued by the scheduler; the call has a copy of its frame
 *   NEW -> HELD -> WAITING       waits for something else first: an initialize for the handshake, a subscribe
 *                                for the one ahead of it
 *   IN_FLIGHT -> ABANDONED       cancelled, timed out or orphaned: counts against its session's share for a while
 *   IN_FLIGHT -> TASK            answered, but its progress token lives until its task ends
 *   NEW -> OWN                   the relay's own request; its answer interests nobody
 *
 * call_move is the one place where the state, the lists and the counters change. The client's id is taken (no
 * second request may use it) in NEW, WAITING, HELD and IN_FLIGHT. Calls come from a free list; so does the
 * room for long ids.
 */
#ifndef ROUTE_CALLS_H
#define ROUTE_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/list.h"
#include "base/map.h"
#include "route/block_pool.h"
#include "route/deadline.h"
#include "wire/frame.h"

struct link;
struct refusal;
struct router;
struct upstream;
struct route_peer;
struct route_session;
struct sub;
struct subscriber;

/* Abandoned calls count against a share for so long: about what a tool needs to notice a cancel. */
#define CALL_ABANDONED_MS 5000
/* At most so many are remembered per upstream; the oldest is forgotten first. */
#define CALL_ABANDONED_MAX 4096
/* The relay's own requests are forgotten after this. */
#define CALL_OWN_MS 60000
/* Of the method, what call_view shows. */
#define CALL_METHOD_BYTES 64
/* Id, token and method together; longer ones get a block of the pool. A UUID as id and as token fits. */
#define CALL_INLINE_BYTES 120
/* A client's own cancel is passed on up to this length; else the relay's. */
#define CANCEL_BYTES_MAX ((size_t)4 << 10)
/* Calls kept on the free list. */
#define CALLS_KEPT 4096

enum call_state {
    CALL_NEW,
    CALL_WAITING,
    CALL_HELD,
    CALL_IN_FLIGHT,
    CALL_ABANDONED,
    CALL_TASK,
    CALL_OWN,
    CALL_CLOSED
};

enum call_outcome {
    CALL_ANSWERED, /* the child gave a result */
    CALL_REFUSED,  /* the child gave an error: `answer` */
    CALL_LOST      /* nobody knows: cancelled, timed out, its client or the child gone */
};

struct call {
    struct map_node by_relay_id;  /* in upstream->calls while relay_id != 0 */
    struct map_node by_client_id; /* in router->client_ids while id_taken */
    struct list upstream_node;    /* in a list of its upstream, or of who holds it; on the free list */
    struct list session_node;     /* in session->queue (WAITING), held (HELD) or calls (else) */
    struct deadline deadline;
    struct router *router;
    struct upstream *upstream;
    struct link *link; /* the client's: its answer and its progress go there; valid as long as the session */
    struct route_peer *peer;       /* of the session that it is or was of; NULL: OWN */
    struct route_session *session; /* NULL: its session is gone, or there never was one (OWN) */
    /* Runs once, when the outcome is known, while the call's state still says where it was. NULL: nobody waits
     * for it. `sub` and `subscriber` belong to who set it. */
    void (*on_settled)(struct call *c, enum call_outcome outcome, const struct frame *answer);
    struct sub *sub;
    struct subscriber *subscriber;
    uint64_t relay_id; /* 0: not dispatched */
    uint64_t arrived_ms;
    uint64_t clock_ms;        /* arrival, or the last progress */
    uint64_t clock_paused_ms; /* how long the session's clocks had stood still at clock_ms */
    enum call_state state;
    enum rpc_method method;
    bool id_taken;
    bool is_task;        /* a tools/call with params.task */
    bool notification;   /* perSession: waits in order with the requests; has no id and no deadline */
    struct block *frame; /* the copy, while it waits */
    size_t frame_len;
    size_t expected_bytes; /* of its answer, while it is in flight */
    struct span id_at;     /* in the frame */
    struct span token_at;  /* in the frame */
    const char *id;        /* raw, as the client wrote it; then the raw token, then the raw method */
    size_t id_len;
    size_t token_len;
    size_t method_len;
    struct block *long_text;
    char text[CALL_INLINE_BYTES];
};

static inline const char *call_token(const struct call *c)
{
    return c->id + c->id_len;
}
static inline const char *call_method(const struct call *c)
{
    return c->id + c->id_len + c->token_len;
}

/* A call for this frame of the session, in state NEW, its client id taken, its clock running. -ENOMEM. */
MUSTCHECK int call_open(struct route_session *s, const struct frame *frame, enum rpc_method method,
                        uint64_t now_ms, struct call **ret_call);
/* A request of the relay itself; relay_id is set. NULL: out of memory (then send it with calls_next_id: its
 * answer will count as late). */
struct call *call_open_own(struct upstream *upstream, enum rpc_method method, uint64_t now_ms);
void call_move(struct call *c, enum call_state to);
/* Takes it out of everything and gives it back. Answers nobody. */
void call_close(struct call *c);
void calls_done(struct router *r);

/* The next id towards the child. */
uint64_t calls_next_id(struct upstream *upstream);
/* By the id in a child's message, however it spells our integer; NULL when it is none or unknown. Any state that has a
 * relay id. */
struct call *calls_find(const struct upstream *upstream, const char *lexeme, size_t len);
/* By the raw id of a client's request: waiting, held or in flight. */
struct call *calls_find_client(const struct route_session *s, const char *id, size_t len);

/* Gives the call the next id towards the child. -ENOMEM. */
MUSTCHECK int call_take_relay_id(struct call *c);
void call_drop_relay_id(struct call *c);
/* The outcome is known: runs on_settled, if there is one. */
void call_settle(struct call *c, enum call_outcome outcome, const struct frame *answer);
/* Answers the client with an error of the relay's (why->sent is found here) and closes the call. */
void call_fail(struct call *c, const struct refusal *why);
/* Lets go of a call in any state where its client waits, without an answer: removed where it waits; in flight
 * it is cancelled at the child, with the client's own cancel frame if there is one, and abandoned. */
void call_cancel(struct call *c, const struct frame *cancel, uint64_t now_ms);
/* Answers with this error what the session has held: what waits for a handshake, or for another's subscribe. */
void calls_fail_held(struct route_session *s, const struct refusal *why);
/* Answers everything that it has waiting, held or not. */
void calls_fail_waiting(struct route_session *s, const struct refusal *why);

#endif

/* The engine: all that the client library decides, without a socket, a clock or a thread. The shell
 * (client.c) feeds it what happens (links, bytes, calls, time) and does what it asks (connect, drop, send
 * what stands in `out`); tests feed it a virtual clock and a hostile peer.
 *
 * Happy path: engine_start -> ops.connect -> engine_link_up -> initialize -> its answer, then
 * notifications/initialized -> the first agents poll (agents/list; -32601: tools/call agent_list; neither:
 * the server has no agents to list, an empty live snapshot) -> live: polls every agents_poll_ms, relay/ping
 * after heartbeat_ms of silence, calls as they come.
 *
 * What fails, and what is done:
 *
 * - No connection, a link lost or silent: degraded; calls in flight are settled (below); another attempt
 *   after the back-off, for ever.
 * - initialize refused or unanswered: degraded, "server down". A retryable relay error: asked again on the
 *   same link after the back-off (or retryAfterMs if that is longer); else the link is dropped and the
 *   back-off goes on.
 * - A poll refused, unanswered, unusable: degraded, "server down", the link stays; polling goes on at the
 *   back-off's pace, at most agents_poll_ms or 5 s, the shorter, so that it is live again soon after the
 *   server is. The relay is busy (OVERLOADED, RATE_LIMITED, DRAINING) or memory is short: stays live and asks
 *   again, but degraded when the last good poll is agents_timeout_ms old; where polls are further apart, so
 *   long after the next one was due.
 * - A link so slow that a question has not arrived, or its answer stands behind a line still coming in: the
 *   question's time-out does not run meanwhile (engine_deadlines.c).
 * - A call of the server refused with SERVER_UNAVAILABLE: a poll at once, which then tells.
 * - Garbage: 16 lines that are no JSON-RPC since the last good one, or any before the first good one: not a
 *   relay, link dropped. One that carries the id of a call in flight ends that call with AR_E_BAD_REPLY.
 * - An over-long line: its call gets AR_E_TOO_LARGE; the link lives.
 * - No memory: the link is dropped where the stream cannot be followed; else the one call gets
 *   AR_E_NO_MEMORY.
 * - A peer that reads nothing: the link is dropped when no byte has left for ENGINE_FRAME_MS.
 * - The host stood still: what the peer is late with is judged ENGINE_SUSPEND_GRACE_MS after waking: its answer may
 *   lie in the socket, unread.
 *
 * Refusals that mean "no such list": -32601 and -32602 (which servers on the Python SDK say of a method that
 * they do not know; what the engine asks with is never wrong by itself); from the tool also an error or an
 * isError result whose text says that the tool is unknown. Any other error of the server (isError too) is a
 * poll refused.
 *
 * Calls. Each is completed once, through ops.complete. A live call is written at once while fewer than
 * in_flight_max are in flight and out holds less than ENGINE_OUT_HIGH_BYTES; else it waits in the queue, in
 * order. Not live: AR_FAIL_FAST gets AR_E_DEGRADED (while connecting too, and when it is in the queue at that
 * moment), AR_MOCK the mock's answer, AR_WAIT waits; relay/ methods need only a link that is up. The queue's
 * overflow is AR_E_QUEUE_FULL, its deadline AR_E_TIMEOUT. When the link goes: a call whose last byte had not
 * left (sent_end) has not run: AR_WAIT goes back to the queue, in its old order, and above the queue's limits
 * if need be (it was accepted; there are at most in_flight_max such), AR_MOCK is mocked, AR_FAIL_FAST gets
 * AR_E_CONNECTION_LOST with may_have_run false; one that had left gets AR_E_CONNECTION_LOST with may_have_run
 * true, or, with AR_WAIT and idempotent, goes back to the queue. A relay error with data.retryable true and
 * data.sent false: AR_WAIT waits again if the queue has room (for retryAfterMs, and for the next good agents
 * poll; where there are no polls, and for relay/ methods, for ENGINE_RETRY_MS at least; others overtake it),
 * AR_MOCK is mocked, AR_FAIL_FAST gets AR_E_SERVER. may_have_run of an AR_E_SERVER is data.sent of a relay
 * error, true otherwise. Deadline or cancel in flight: notifications/cancelled goes out (not for relay/
 * methods), may_have_run is true, the late answer is dropped and counted in late_answers.
 *
 * The engine is not re-entrant: ops must not call back into it (the shell's inbox sees to that). One thread.
 */
#ifndef CLIENT_ENGINE_H
#define CLIENT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"
#include "call.h"
#include "backend-client/src/errors/fault.h"
#include "fallback.h"
#include "backend-client/src/agents/mock_view.h"
#include "reconnect.h"
#include "backend-client/src/agents/snapshot.h"
#include "wire/frame.h"

#define ENGINE_OUT_HIGH_BYTES ((size_t)1 << 20)
#define ENGINE_BAD_LINES_MAX  16
/* A line once begun must end within it; a ping too, or within dead_after_ms where that is longer. */
#define ENGINE_FRAME_MS         UINT64_C(60000)
#define ENGINE_SUSPEND_GRACE_MS UINT64_C(1000)
#define ENGINE_RETRY_MS         UINT64_C(500)

struct engine;

struct engine_ops {
    /* Begin one connection attempt (the addresses of the name one after the other); answered by engine_link_up or
     * engine_link_failed, later, never from inside. */
    void (*connect)(struct engine *e);
    /* Abort the attempt, or close the link: no engine_link_* for it any more. Its unsent bytes are forgotten.
     */
    void (*drop)(struct engine *e);
    /* Bytes of the link that have left and that the peer's system has not acknowledged; 0 where nobody knows.
     */
    size_t (*unacked)(struct engine *e);
    /* The call is over and linked nowhere; it is the shell's to free, after its callback. The reply is
     * borrowed. */
    void (*complete)(struct engine *e, struct call *c, const struct ar_reply *reply);
    void (*progress)(struct engine *e, struct call *c, const char *params, size_t len);
    void (*notification)(struct engine *e, const char *method, const char *params, size_t len);
    /* A new current snapshot; the reference is the shell's. Every publication comes this way, the first in
     * engine_start. `changed`: its version differs from the last one's. */
    void (*publish)(struct engine *e, const struct ar_snapshot *s, bool changed);
    /* The state changed (fallback.h), for whatever reason; engine_health has it. Comes after the publication that
     * belongs to it. */
    void (*state)(struct engine *e);
};

/* A request of the engine's own, under way. */
struct pending_request {
    uint64_t id;        /* 0: there is none */
    uint64_t at_ms;     /* when it was written; had it to wait to arrive, when it had arrived */
    double fraction_ms; /* of that moment */
    uint64_t end;       /* how many bytes of the link the peer must have for it to be there */
    bool in_transit;    /* when last looked at, it had not arrived */
};

struct engine_requests {
    struct pending_request init;
    struct pending_request poll;
    struct pending_request ping;
};

/* What ar_health tells as it stands here; its members of the same names. */
struct engine_counters {
    enum ar_reach relay;
    enum ar_reach server;
    enum ar_reach health_probe;
    int health_probe_status;
    uint64_t attempts;
    uint64_t links;
    uint64_t losses;
    uint64_t calls;
    uint64_t completions;
    uint64_t bad_frames;
    double round_trip_ms;
    char peer[sizeof((struct ar_health *)0)->peer];
};

enum engine_link {
    ENGINE_IDLE,         /* waiting for the next attempt */
    ENGINE_CONNECTING,   /* ops.connect is under way */
    ENGINE_INITIALIZING, /* connected; initialize is not answered yet, or was refused and is asked again */
    ENGINE_READY,        /* initialized; polls decide about live */
    ENGINE_CLOSED,
};

enum engine_list {
    ENGINE_LIST_METHOD, /* agents/list */
    ENGINE_LIST_TOOL,   /* tools/call agent_list {"filter":"all"} */
    ENGINE_LIST_NONE,   /* neither: asked again when tools/list_changed comes, and every 30 s
                           or agents_poll_ms, the longer */
};

struct engine {
    const struct engine_ops *ops; /* static */
    void *data;                   /* the shell's */
    struct ar_options options;    /* defaults filled in; strings owned by the shell */
    const char *address;          /* owned by the shell: what health and faults call the relay */
    struct buf out;               /* to be sent on the link; the shell takes from the front and says so */
    uint64_t sent_total;          /* bytes of this link that have left */
    uint64_t queued_total;        /* bytes of this link ever appended to `out` */
    uint64_t acked_total;         /* bytes of this link that had arrived when last looked at */

    struct frame_reader reader;
    struct reconnect reconnect; /* between attempts to connect */
    struct reconnect again;     /* between questions to a server that refuses, on a good link */
    struct fallback fallback;
    struct mock_view *mock; /* owned */
    struct fault fault;     /* the last one, with what the health probe says of it */
    int probe_status;
    char probe_text[128];
    bool probed; /* since it was last live */
    int64_t fault_at_unix_ms;
    int64_t wall_offset_ms; /* Unix time less now_ms; the shell keeps it right */
    double fraction_ms;     /* of now_ms, for round trips; likewise, 0 where nobody does */

    enum engine_link link;
    enum engine_list list;
    struct engine_requests requests;
    uint64_t attempt_at_ms;      /* ENGINE_IDLE: the next one; else UINT64_MAX */
    uint64_t received_at_ms;     /* the last byte's */
    uint64_t line_at_ms;         /* when the line under way began; UINT64_MAX: none */
    uint64_t next_init_at_ms;    /* UINT64_MAX: none due */
    uint64_t next_poll_at_ms;    /* likewise */
    uint64_t next_mock_at_ms;    /* likewise */
    uint64_t next_publish_at_ms; /* likewise: a publication that memory was short for */
    uint64_t next_push_at_ms;    /* a pushed change may not cause a poll earlier */
    uint64_t stall_at_ms;        /* when `out` last moved; UINT64_MAX: it is empty */
    uint64_t last_ack_at_ms;     /* when the peer last took something that had waited, as far as was seen */
    uint64_t ack_check_at_ms; /* when to look whether it has, while something is asked; UINT64_MAX: no need */
    uint64_t grace_until_ms;  /* what the peer owes is not judged earlier: the host stood still */
    uint64_t good_polls;
    enum engine_list polling; /* what the poll under way asks for */
    bool polled_by[ENGINE_LIST_NONE];
    bool poll_again;    /* a change was pushed while a poll was under way */
    bool got_good_line; /* a good frame came on this link */
    unsigned bad_lines; /* bad lines since the last good one */

    struct map calls;        /* struct call.by_id: waiting and in flight */
    struct heap deadlines;   /* struct call.deadline */
    struct list waiting;     /* struct call.node, in the order of their ids: for the server */
    struct list to_relay;    /* likewise: waiting, relay/ methods */
    struct list retry_later; /* likewise: waiting, refused by the relay for the moment */
    struct list in_flight;   /* likewise, in the order in which they were written */
    uint64_t retry_at_ms;    /* the earliest not_before_ms in `retry_later` that is still to come */
    uint64_t sent_id;        /* the highest id ever written */
    size_t abandoned;        /* requests of this link given up: their answers may still come */
    struct buf text;         /* what a callback borrows */
    size_t waiting_count;    /* of the three lists */
    size_t waiting_bytes;
    size_t in_flight_count;
    uint64_t
        next_request_id; /* ids of the engine's own requests: strings "ar-1" ... on the wire, so that they
                             never meet a call's */

    /* A set that is NULL is an empty one. */
    struct agent_set *set;  /* of the current snapshot; owned reference */
    struct agent_set *live; /* the last live one; owned reference */
    uint64_t live_at_ms;    /* when it came */
    int64_t live_at_unix_ms;
    uint64_t mock_at_ms; /* when the current mock set was made */
    int64_t mock_at_unix_ms;
    int64_t mock_offset_ms; /* Unix time less now_ms for the mock: fixed, so that it never runs backwards */
    uint64_t version;
    struct snapshot_facts published; /* of the last publication */
    bool any_published;
    bool short_of_memory; /* the last publication was a stand-in without agents: tried again soon */

    struct engine_counters counters;
    uint64_t late_answers;
};

/* `options` has every default filled in (options.h); its strings and `address` outlive the engine. The mock
 * is made here. ERR_* of mock_view_new with its problem, -ENOMEM; nothing is left behind then. `seed`: for
 * the jitter. */
MUSTCHECK int engine_init(struct engine *e, const struct engine_ops *ops, void *data,
                          const struct ar_options *options, const char *address, uint64_t seed,
                          uint64_t now_ms, int64_t now_unix_ms, char *problem, size_t problem_size);
/* After engine_close; asserts that no call is left. */
void engine_done(struct engine *e);

/* Publishes the first (mock) snapshot and asks for a connection. */
void engine_start(struct engine *e, uint64_t now_ms);
/* Completes every call with AR_E_CLOSED (may_have_run as it is), drops the link, closes the fallback policy; what is
 * submitted later is completed so at once. Idempotent. */
void engine_close(struct engine *e, uint64_t now_ms);

/* ---- the link ---- */

/* `peer`: the numeric address that answered. */
void engine_link_up(struct engine *e, const char *peer, uint64_t now_ms);
/* No address could be connected; `why` is copied, `peer` the last one tried ("" for none). */
void engine_link_failed(struct engine *e, const struct fault *why, const char *peer, uint64_t now_ms);
void engine_link_bytes(struct engine *e, const char *bytes, size_t len, uint64_t now_ms);
/* `len` bytes from the front of `out` have left: they are consumed here. */
void engine_link_sent(struct engine *e, size_t len, uint64_t now_ms);
void engine_link_lost(struct engine *e, const struct fault *why, uint64_t now_ms);
/* The health probe's verdict; status 0: no answer, `text` says why. */
void engine_probe(struct engine *e, int status, const char *text, uint64_t now_ms);

/* ---- calls ---- */

/* Takes the call; it is completed once, possibly before this returns. */
void engine_submit(struct engine *e, struct call *c, uint64_t now_ms);
/* Unknown or complete already: nothing. */
void engine_cancel(struct engine *e, uint64_t id, uint64_t now_ms);
/* Dropped unless the link is ENGINE_READY. `params` NULL: none; strict JSON without raw newlines. */
void engine_notify(struct engine *e, const char *method, const char *params, size_t params_len);

/* ---- time ---- */

/* The earliest moment at which engine_tick has something to do; UINT64_MAX: never. */
uint64_t engine_due_ms(const struct engine *e);
void engine_tick(struct engine *e, uint64_t now_ms);

/* Fills every member but `size`. */
void engine_health(const struct engine *e, uint64_t now_ms, struct ar_health *ret_health);

#endif

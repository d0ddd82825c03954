/* The engine: the sans-I/O core of the client library. It makes every decision and has no socket, clock or
 * thread: the I/O driver (api/client_loop.c) passes in the events and the time, and carries out what the engine
 * asks for through struct engine_ops and `out`. Tests pass in a virtual clock and a hostile peer.
 *
 * Happy path: engine_start -> ops.connect -> engine_link_up -> initialize -> its result, then
 * notifications/initialized -> tools/list -> the first poll for agents (tools/call agent_list where tools/list has
 * that tool, else agents/list; neither: the server has no agents to list, an empty live snapshot) -> live: polls
 * every agents_poll_ms, relay/ping after heartbeat_ms of silence, calls as they come.
 *
 * The engine is not re-entrant: ops must not call back into it (the driver's inbox sees to that). One thread.
 *
 * ---- The link: enum engine_link, changed by engine_move ----
 *
 *   state         left for
 *   IDLE          CONNECTING: the back-off is over
 *   CONNECTING    INITIALIZING: engine_link_up          IDLE: engine_link_failed
 *   INITIALIZING  READY: the result of initialize       IDLE: the link ended
 *   READY         IDLE: the link ended
 *   (each)        CLOSED: engine_close
 *
 * ---- Events and reactions ----
 *
 * "Link ended": the link is dropped, degraded, calls in flight are settled (below), another attempt after the
 * back-off, for ever. "Server down": degraded, the link stays, the server is asked again. What degraded means
 * for agents is in fallback.h.
 *
 *   event                                     state         reaction
 *   ----------------------------------------  ------------  ---------------------------------------------------
 *   no address could be connected             CONNECTING    degraded, another attempt after the back-off
 *   the link broke                            with a link   link ended
 *   nothing came for dead_after_ms,           with a link   link ended
 *     a ping included
 *   the same, or no answer to initialize,     INITIALIZING  degraded; kept for as long as it lasts: a relay that stands
 *     where the peer has never said a                       still answers it first. Beside it a second attempt, again
 *     word and its system is there                          and again
 *   the second attempt is answered            INITIALIZING  link ended, and the second is the new one
 *   no byte has left for ENGINE_FRAME_MS      with a link   link ended: the peer does not read
 *   a line has not ended in ENGINE_FRAME_MS   with a link   link ended
 *   a line that is no JSON-RPC:               with a link
 *     before the first good one                             link ended: that is no relay
 *     ENGINE_BAD_LINES_MAX in a row                         likewise
 *     else                                                  counted; with the id of a call: AR_E_BAD_REPLY
 *   a line above frame_max_bytes              with a link   its call gets AR_E_TOO_LARGE; the link lives
 *   no memory for a line                      with a link   link ended: the stream cannot be followed
 *   initialize: result                        INITIALIZING  READY, the first poll (without polls: live)
 *   initialize: relay error, retryable        INITIALIZING  server down; asked again on the same link after the
 *                                                           back-off, or retryAfterMs where that is longer
 *   initialize: another error, no object,     INITIALIZING  link ended
 *     or unanswered for init_timeout_ms
 *   poll: a list                              READY         live
 *   poll: not offered (below)                 READY         the other way to ask; after both: live, no agents
 *   poll: a list above the limits             READY         live, with as much of it as could be read
 *   poll: another error, no list, or          READY         server down; polls go on at the back-off's pace, at
 *     unanswered for agents_timeout_ms                      most agents_poll_ms or 5 s apart, the shorter
 *   poll: OVERLOADED, RATE_LIMITED,           READY         stays live and asks again; server down when the last
 *     DRAINING, or memory is short                          good poll is agents_timeout_ms old, where polls are
 *                                                           further apart, so long after the next one was due
 *   a call refused with SERVER_UNAVAILABLE    READY         a poll at once, whose answer decides
 *   the peer announces a change               READY         a poll soon
 *   the host was suspended                    with a link   deadlines wait ENGINE_SUSPEND_GRACE_MS: an answer may
 *                                                           lie in the socket, unread
 *   a request is still in transit, or its     with a link   its time-out does not run (engine_deadlines.c)
 *     answer stands behind a long line
 *
 * "Not offered": the tool that does not stand in tools/list, which is then not called; tools/list and agents/list
 * that are answered with -32601 or -32602 (servers on the Python SDK say -32602 of a method that they do not know;
 * the engine's own params are never wrong by themselves); tools/list, and agents/list of a server that has never
 * listed agents, with whatever error of the server's own, and such an agents/list without a list or without an answer.
 * The words of an error decide nothing. tools/list is asked on each link, after notifications/tools/list_changed, and
 * after a poll by the tool has failed.
 *
 * ---- Calls ----
 *
 * Each call is completed once, through ops.complete. A call can be sent while the client is live, a relay/ method
 * while there is a link. It is written at once while fewer than in_flight_max are in flight and `out` holds less
 * than ENGINE_OUT_HIGH_BYTES, else it waits in the queue, in order. "Sent" means that its last byte had left.
 *
 *   event                        AR_FAIL_FAST              AR_WAIT                          AR_MOCK
 *   ---------------------------  ------------------------  -------------------------------  -----------------------
 *   submitted, or in the queue,  AR_E_DEGRADED             waits                            the mock's answer
 *     and cannot be sent
 *   the queue is full            AR_E_QUEUE_FULL           AR_E_QUEUE_FULL                  AR_E_QUEUE_FULL
 *   link ended, call not sent    AR_E_CONNECTION_LOST,     back to the queue, in its old    the mock's answer
 *                                has not run               order, above the limits too (1)
 *   link ended, call sent        AR_E_CONNECTION_LOST,     idempotent: back to the queue;   AR_E_CONNECTION_LOST,
 *                                may have run              else as AR_FAIL_FAST             may have run
 *   relay error, retryable and   AR_E_SERVER               waits again if the queue has     the mock's answer
 *     not sent on                                          room (2), else AR_E_QUEUE_FULL
 *
 *   whatever the policy:
 *   any other error              AR_E_SERVER; may have run: data.sent of a relay error, else true
 *   an answer that is no         AR_E_BAD_REPLY, may have run
 *     JSON-RPC
 *   an answer over the limit     AR_E_TOO_LARGE, may have run
 *   deadline or cancel, queued   AR_E_TIMEOUT or AR_E_CANCELLED
 *   deadline or cancel, in       the same, may have run; notifications/cancelled is sent (not for relay/ methods);
 *     flight                     the late answer is dropped and counted in late_answers
 *   no memory                    AR_E_NO_MEMORY
 *   engine_close                 AR_E_CLOSED
 *
 * (1) It had been accepted, and there are at most in_flight_max such.
 * (2) For retryAfterMs and until the next good poll; where there are no polls, and for relay/ methods, for
 *     ENGINE_RETRY_MS at least. Other calls overtake it.
 */
#ifndef CLIENT_ENGINE_H
#define CLIENT_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "backend-client/src/errors/fault.h"
#include "base/err.h"
#include "call.h"
#include "engine_state.h"

struct engine_ops {
    /* Begin one connection attempt (the addresses of the name one after the other); answered by engine_link_up
     * or engine_link_failed, later, never from inside. */
    void (*connect)(struct engine *e);
    /* Abort the attempt, or close the link: no engine_link_* for it any more. Its unsent bytes are forgotten. */
    void (*drop)(struct engine *e);
    /* Begin one more attempt beside a link that stands still, instead of an earlier one; or end it. Answered by
     * engine_second_failed or engine_second_answered, later. */
    void (*second)(struct engine *e, bool wanted);
    /* The peer's system is there and has all that was sent. */
    bool (*is_held)(struct engine *e);
    /* Bytes of the link that have left and that the peer's system has not acknowledged; 0 where that is unknown. */
    size_t (*unacked)(struct engine *e);
    /* The call is over and in no list; the driver frees it, after its callback. The reply is borrowed. */
    void (*complete)(struct engine *e, struct call *c, const struct ar_reply *reply);
    void (*progress)(struct engine *e, struct call *c, const char *params, size_t len);
    void (*notification)(struct engine *e, const char *method, const char *params, size_t len);
    /* A new current snapshot; the driver takes the reference. Every publication comes this way, the first in
     * engine_start. `changed`: its version differs from the last one's. */
    void (*publish)(struct engine *e, const struct ar_snapshot *s, bool changed);
    /* The state (fallback.h) changed, for whatever reason; engine_health has the new one. Comes after the
     * publication that belongs to it. */
    void (*state)(struct engine *e);
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
/* Completes every call with AR_E_CLOSED (may_have_run as it is), drops the link, closes the fallback policy; a call
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

/* ---- the second attempt (engine_second.c) ---- */

#define ENGINE_SECOND_LINE 80
/* What is to be sent on it once it is connected, a line with its newline; its length. */
size_t engine_second_line(struct engine *e, char line[ENGINE_SECOND_LINE]);
/* It could not be connected, or broke. */
void engine_second_failed(struct engine *e, uint64_t now_ms);
/* Its peer has sent something: the first link is dropped, and true: the second is the engine's link from now on, with
 * all that it received still to be given by engine_link_bytes. false: it is not wanted. */
MUSTCHECK bool engine_second_answered(struct engine *e, const char *peer, uint64_t now_ms);
/* The health probe's result; status 0: no answer, `text` says why. */
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

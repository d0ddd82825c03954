/* What the files of the engine offer each other, by file; its members: engine_state.h. The calls among them go
 * downward in this order, without a circle:
 *
 *   engine, engine_frames -> engine_answers -> engine_initialize -> engine_agents -> engine_second -> engine_link
 *   -> engine_calls
 *   -> engine_reply -> engine_queue, engine_deadlines, engine_requests, engine_publish, engine_health
 */
#ifndef CLIENT_ENGINE_INTERNAL_H
#define CLIENT_ENGINE_INTERNAL_H

#include <string.h>

#include "backend-client/src/errors/relay_error.h"
#include "engine.h"

/* The text of a reply that is an error: long enough for the end of a server's stderr. */
#define ENGINE_ERROR_TEXT_BYTES ((size_t)512)
/* Longer ids than these belong to no request. */
#define ENGINE_ID_MAX ((size_t)64)
/* The ids of its own requests are strings that begin with it, which no call's number meets. */
#define ENGINE_ID_PREFIX "ar-"
/* Without memory for a snapshot: tried again after. */
#define ENGINE_MEMORY_MS UINT64_C(100)

static inline uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* As much as fits, and a NUL. */
static inline void copy_text(char *to, size_t size, const char *from)
{
    size_t len = strnlen(from, size - 1);
    memcpy(to, from, len);
    to[len] = '\0';
}

static inline bool engine_has_link(const struct engine *e)
{
    return e->link == ENGINE_INITIALIZING || e->link == ENGINE_READY;
}

static inline bool engine_is_live(const struct engine *e)
{
    return e->fallback.state == AR_LIVE;
}

static inline bool engine_polls(const struct engine *e)
{
    return e->options.agents_poll_ms != AR_NEVER;
}

static inline int64_t engine_unix_ms(const struct engine *e, uint64_t now_ms)
{
    return (int64_t)now_ms + e->wall_offset_ms;
}

/* ---- engine_publish.c: the fallback policy and what is published ---- */

void engine_publish(struct engine *e, uint64_t now_ms);
/* The server has listed its agents; takes the reference. The last fault is over; `why`: what is to be said of the
 * answer all the same, NULL: nothing. */
void engine_go_live(struct engine *e, struct agent_set *set, const struct fault *why, uint64_t now_ms);
void engine_go_down(struct engine *e, uint64_t now_ms);
void engine_publish_closed(struct engine *e, uint64_t now_ms);
void engine_publish_tick(struct engine *e, uint64_t now_ms);
uint64_t engine_publish_due_ms(const struct engine *e);

/* ---- engine_health.c ---- */

void engine_note_fault(struct engine *e, const struct fault *why, uint64_t now_ms);
/* It is over, whatever it was. */
void engine_forget_fault(struct engine *e);

/* ---- engine_link.c: the link's state, its end, the heartbeat ---- */

/* The one place where e->link changes; asserts that the move is allowed (the table in engine.h). Entering
 * ENGINE_IDLE draws the back-off and sets attempt_at_ms. */
void engine_move(struct engine *e, enum engine_link to, uint64_t now_ms);

enum engine_end {
    ENGINE_END_LOST,    /* the link is gone already */
    ENGINE_END_BAD,     /* it is to be dropped: the relay's fault, or ours */
    ENGINE_END_REFUSED, /* likewise: the server behind it does not accept it */
};

void engine_end_link(struct engine *e, const struct fault *why, enum engine_end how, uint64_t now_ms);
void engine_end_no_memory(struct engine *e, uint64_t now_ms);
/* The server behind a good link does not answer, or not as it should. */
void engine_server_down(struct engine *e, const struct fault *why, uint64_t now_ms);
void engine_link_reset(struct engine *e);
/* Asks whether the relay is there. */
void engine_ping(struct engine *e, uint64_t now_ms);
void engine_ping_answered(struct engine *e, uint64_t now_ms);
uint64_t engine_ping_due_ms(const struct engine *e);
/* Asks for a connection when the back-off is over. */
void engine_attempt(struct engine *e, uint64_t now_ms);
/* Gives storage back: now and then on a link, never while a line is borrowed; without a link, half a line and
 * a long answer of the mock as well. */
void engine_link_trim(struct engine *e);
void engine_link_release(struct engine *e);

/* ---- engine_second.c: a link on which the relay has never said a word ---- */

/* A deadline of the peer's has passed. true: the link is kept, since the peer stands still. */
MUSTCHECK bool engine_stand_still(struct engine *e, const struct fault *why, uint64_t now_ms);
/* It has said something. */
void engine_moves_again(struct engine *e, uint64_t now_ms);
void engine_second_tick(struct engine *e, uint64_t now_ms);

/* ---- engine_deadlines.c: by when the peer must answer, read, and end a line ---- */

/* A request of the engine's own has just been written: starts its clock. */
void engine_request_sent(struct engine *e, struct pending_request *a, uint64_t id, uint64_t now_ms);
/* From when it had arrived, as far as was seen, to now. */
double engine_request_elapsed_ms(const struct engine *e, const struct pending_request *a, uint64_t now_ms);
/* A line that began at `began_at_ms` has ended: an answer may have stood behind it. */
void engine_line_ended(struct engine *e, uint64_t began_at_ms, uint64_t now_ms);
/* Starts the clock that runs while bytes wait to leave. At the end of whatever may have written. */
void engine_watch_writes(struct engine *e, uint64_t now_ms);

enum engine_overdue {
    ENGINE_OVERDUE_NOTHING,
    ENGINE_OVERDUE_SILENCE,    /* nothing came, and nothing was acknowledged, for dead_after_ms */
    ENGINE_OVERDUE_LINE,       /* a line begun has not ended for ENGINE_FRAME_MS */
    ENGINE_OVERDUE_WRITE,      /* no byte has left for ENGINE_FRAME_MS */
    ENGINE_OVERDUE_INITIALIZE, /* unanswered for init_timeout_ms */
    ENGINE_OVERDUE_POLL,       /* unanswered for agents_timeout_ms */
};

/* The first deadline that has passed; looks at the acknowledgements where that is due. What follows is
 * engine.c's to do. */
MUSTCHECK enum engine_overdue engine_check_deadlines(struct engine *e, uint64_t now_ms);
uint64_t engine_deadlines_due_ms(const struct engine *e);

/* ---- engine_requests.c: what the engine itself writes ---- */

/* A request under an id of its own; `params` is JSON text. 0: not written (no memory, no room). */
uint64_t engine_send_request(struct engine *e, const char *method, const char *params, size_t params_len);
/* `params` NULL: none. */
MUSTCHECK int engine_send_notification(struct engine *e, const char *method, const char *params,
                                       size_t params_len);
/* These two fail silently: the peer then gets no line. */
void engine_send_cancelled(struct engine *e, const char *id);
/* `key` is result or error. */
void engine_send_reply(struct engine *e, const char *id, size_t id_len, const char *key, const char *json);
/* n of "ar-n", quotes included; 0: it is no such id. */
uint64_t engine_request_number(const char *id, size_t len);

/* ---- engine_answers.c ---- */

enum answer_kind {
    ANSWER_RESULT,
    ANSWER_ERROR,
    ANSWER_BAD,       /* carries the id, and is no JSON-RPC */
    ANSWER_TOO_LARGE, /* over the limit: only its id is known */
};

/* Why an answer of the last two kinds cannot be used. */
static inline const char *answer_problem(enum answer_kind kind)
{
    return kind == ANSWER_TOO_LARGE ? "the answer is larger than the frame limit"
                                    : "the answer is no JSON-RPC";
}

struct answer {
    enum answer_kind kind;
    const char *json; /* the result, or the error; borrowed */
    size_t len;
};

void engine_answer(struct engine *e, const char *id, size_t id_len, const struct answer *a, uint64_t now_ms);

/* ---- engine_initialize.c: initialize ---- */

void engine_initialize_send(struct engine *e, uint64_t now_ms);
void engine_initialize_answered(struct engine *e, const struct answer *a, uint64_t now_ms);
void engine_initialize_timed_out(struct engine *e, uint64_t now_ms);

/* ---- engine_agents.c: polls ---- */

void engine_agents_start(struct engine *e, uint64_t now_ms);
void engine_agents_answered(struct engine *e, const struct answer *a, uint64_t now_ms);
void engine_agents_timed_out(struct engine *e, uint64_t now_ms);
/* Something may have changed: a poll soon. `tools`: the server's tools, too. */
void engine_agents_push(struct engine *e, bool tools, uint64_t now_ms);
/* Polls if one is due. */
void engine_agents_run(struct engine *e, uint64_t now_ms);

/* ---- engine_queue.c: which call stands where ---- */

struct call *engine_call_find(const struct engine *e, uint64_t id);
/* -ENOMEM: it is not with the engine. */
MUSTCHECK int engine_call_admit(struct engine *e, struct call *c);
/* Out of the table, the heap and its list: CALL_DONE, and the caller's to complete. */
void engine_call_remove(struct engine *e, struct call *c);
/* CALL_DONE without ever having been admitted. */
void engine_call_refuse(struct engine *e, struct call *c);
/* Into one of the waiting lists, in the order of ids. `near`: a node of it, or the list itself, from where
 * its place is looked for. */
void engine_call_wait(struct engine *e, struct call *c, struct list *list, struct list *near);
void engine_call_set_in_flight(struct engine *e, struct call *c);
/* Out of its list, still with the engine. */
void engine_call_unlist(struct engine *e, struct call *c);
bool engine_queue_has_room(const struct engine *e, const struct call *c);
bool engine_may_write(const struct engine *e);
/* The next waiting call that could be sent now; NULL: none. */
struct call *engine_call_next(const struct engine *e);

/* ---- engine_calls.c ---- */

/* The relay refused a call in flight for the moment: it waits for its retry, or fails when the queue is full. */
void engine_call_retry_later(struct engine *e, struct call *c, uint64_t retry_after_ms, uint64_t now_ms);
/* The link is gone. */
void engine_calls_link_lost(struct engine *e, uint64_t now_ms);
/* The client is not live any more: calls that do not wait are failed or mocked. */
void engine_calls_not_live(struct engine *e, uint64_t now_ms);
void engine_calls_close(struct engine *e, uint64_t now_ms);
/* After a good poll, or at retry_at_ms: calls whose wait is over queue again. */
void engine_calls_retry(struct engine *e, uint64_t now_ms);
void engine_calls_expire(struct engine *e, uint64_t now_ms);
void engine_dispatch(struct engine *e, uint64_t now_ms);

/* ---- engine_reply.c: replies, and what callbacks borrow ---- */

/* Fills what every reply has, hands it out; the call is out of the engine. */
void engine_complete(struct engine *e, struct call *c, struct ar_reply *reply, uint64_t now_ms);
void engine_fail(struct engine *e, struct call *c, int code, bool may_have_run, const char *message,
                 uint64_t now_ms);
/* Room for `len` bytes, borrowed until the next such call; NULL without memory. */
char *engine_text(struct engine *e, size_t len);
/* Decodes a JSON string into `out` as valid UTF-8 without NUL, and adds a NUL; returns the length. `out` has
 * room for `len` bytes; a JSON string's text is shorter by its quotes at least. SIZE_MAX: it is no string. */
size_t engine_decode(const char *quoted, size_t len, char *out);
void engine_reply_result(struct engine *e, struct call *c, enum ar_source source, const char *json,
                         size_t len, uint64_t now_ms);
struct reply_error {
    int code;
    const char *message; /* JSON text; NULL: none */
    size_t message_len;
    const char *data; /* likewise */
    size_t data_len;
    bool may_have_run;
    bool from_relay;
    const char *name; /* these three as in struct ar_reply; borrowed, not NULL */
    const char *text;
    const char *suggestion;
};
void engine_reply_error(struct engine *e, struct call *c, enum ar_source source,
                        const struct reply_error *error, uint64_t now_ms);
void engine_call_mocked(struct engine *e, struct call *c, uint64_t now_ms);

#endif

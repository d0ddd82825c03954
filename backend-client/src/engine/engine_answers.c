/* Answers: whose they are, and what they mean for a call.
 *
 * Happy path: the id is a call's number -> the call, in flight -> its result is its completion. An id "ar-n"
 * is one of the engine's own requests.
 *
 * Failure modes: an error is the call's completion, but for a relay error that may be retried, which the
 * call's policy decides on; an answer that is no JSON-RPC, or too large, ends its call. An id that nobody
 * waits for is counted: as late while requests of this link were given up, else as a bad frame.
 */
#include <inttypes.h>
#include <string.h>

#include "engine_internal.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"

/* ---- a call's ---- */

static void answer_error(struct engine *e, struct call *c, const struct answer *a, uint64_t now_ms)
{
    struct relay_error relay;
    relay_error_read(&relay, a->json, a->len);
    if (relay.relay && relay.code == RPC_E_SERVER_UNAVAILABLE && !c->to_relay)
        engine_agents_push(e, false, now_ms);
    /* Retryable and sent contradict each other: such an error is not retried. */
    bool again = relay.retryable && !relay.sent;
    if (again && c->policy == AR_WAIT) {
        engine_call_retry_later(e, c, relay.retry_after_ms, now_ms);
        return;
    }
    if (again && c->policy == AR_MOCK) {
        engine_call_mocked(e, c, now_ms);
        return;
    }
    struct fault why;
    char text[ENGINE_ERROR_TEXT_BYTES];
    fault_rpc_text(&why, text, sizeof(text), c->method, &relay, e->address);
    const struct reply_error error = {.code = relay.code,
                                      .message = relay.message,
                                      .message_len = relay.message_len,
                                      .data = relay.data,
                                      .data_len = relay.data_len,
                                      .may_have_run = !relay.relay || relay.sent,
                                      .from_relay = relay.relay,
                                      .name = why.name,
                                      .text = text,
                                      .suggestion = why.suggestion};
    engine_reply_error(e, c, AR_SOURCE_LIVE, &error, now_ms);
}

static void answer_call(struct engine *e, struct call *c, const struct answer *a, uint64_t now_ms)
{
    switch (a->kind) {
    case ANSWER_RESULT:
        engine_reply_result(e, c, AR_SOURCE_LIVE, a->json, a->len, now_ms);
        break;
    case ANSWER_ERROR:
        answer_error(e, c, a, now_ms);
        break;
    case ANSWER_BAD:
        engine_fail(e, c, AR_E_BAD_REPLY, true, NULL, now_ms);
        break;
    case ANSWER_TOO_LARGE:
        engine_fail(e, c, AR_E_TOO_LARGE, true, "the answer is larger than the frame limit", now_ms);
        break;
    }
}

/* ---- whose ---- */

/* Nothing is kept of requests given up but their number: an answer that could be one of theirs is taken for
 * it. */
static void count_stray(struct engine *e, bool once_asked, const struct answer *a)
{
    if (once_asked && e->abandoned > 0) {
        e->abandoned--;
        e->late_answers++;
    } else if (a->kind == ANSWER_RESULT || a->kind == ANSWER_ERROR) {
        e->counters.bad_frames++; /* of the other kinds the line has been counted */
    }
}

static void answer_request(struct engine *e, uint64_t number, const struct answer *a, uint64_t now_ms)
{
    if (number == e->requests.init.id)
        engine_initialize_answered(e, a, now_ms);
    else if (number == e->requests.poll.id)
        engine_agents_answered(e, a, now_ms);
    else if (number == e->requests.ping.id)
        engine_ping_answered(e, now_ms);
    else
        count_stray(e, number < e->next_request_id, a);
}

void engine_answer(struct engine *e, const char *id, size_t id_len, const struct answer *a, uint64_t now_ms)
{
    uint64_t number;
    if (rpc_parse_id(id, id_len, &number)) {
        struct call *c = engine_call_find(e, number);
        if (c && c->state == CALL_IN_FLIGHT)
            answer_call(e, c, a, now_ms);
        else
            count_stray(e, number > 0 && number <= e->sent_id, a);
        return;
    }
    number = engine_request_number(id, id_len);
    if (number != 0)
        answer_request(e, number, a, now_ms);
    else
        count_stray(e, false, a);
}

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
#include "wire/json_member.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"

/* ---- what an error says ---- */

/* The member is there, and is this literal. */
static bool member_is(const char *object, size_t len, const char *key, const char *literal)
{
    struct span value;
    return json_member_find(object, len, key, &value) && value.len == strlen(literal) &&
           memcmp(object + value.off, literal, value.len) == 0;
}

/* Whole numbers that fit; anything else is `otherwise`. */
static int64_t number_of(const char *object, size_t len, const char *key, int64_t otherwise)
{
    struct span value;
    if (!json_member_find(object, len, key, &value))
        return otherwise;
    const char *lexeme = object + value.off;
    bool negative = value.len > 0 && lexeme[0] == '-';
    uint64_t magnitude;
    if (!rpc_parse_id(lexeme + negative, value.len - negative, &magnitude))
        return otherwise;
    return negative ? -(int64_t)magnitude : (int64_t)magnitude;
}

void relay_error_read(struct relay_error *ret_error, const char *error, size_t len)
{
    struct span data;
    int64_t code = number_of(error, len, "code", 0);
    *ret_error = (struct relay_error){.code = code < INT32_MIN || code > INT32_MAX ? 0 : (int)code};
    if (!json_member_find(error, len, "data", &data))
        return;
    const char *json = error + data.off;
    ret_error->relay = member_is(json, data.len, "relay", "true");
    if (!ret_error->relay)
        return;
    ret_error->retryable = member_is(json, data.len, "retryable", "true");
    ret_error->sent = !member_is(json, data.len, "sent", "false"); /* in doubt it may have run */
    int64_t after_ms = number_of(json, data.len, "retryAfterMs", 0);
    ret_error->retry_after_ms = after_ms > 0 ? earlier((uint64_t)after_ms, ENGINE_RETRY_MAX_MS) : 0;
}

/* ---- a call's ---- */

static void answer_error(struct engine *e, struct call *c, const struct answer *a, uint64_t now_ms)
{
    struct relay_error relay;
    relay_error_read(&relay, a->json, a->len);
    if (relay.relay && relay.code == RPC_E_SERVER_UNAVAILABLE && !c->to_relay)
        engine_agents_push(e, now_ms);
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
    struct reply_error error = {.code = relay.code, .may_have_run = !relay.relay || relay.sent};
    struct span message;
    struct span data;
    if (json_member_find(a->json, a->len, "message", &message)) {
        error.message = a->json + message.off;
        error.message_len = message.len;
    }
    if (json_member_find(a->json, a->len, "data", &data)) {
        error.data = a->json + data.off;
        error.data_len = data.len;
    }
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

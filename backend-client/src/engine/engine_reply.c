/* Replies: what a completion carries, copied to where it ends in NUL, and the mock's answers.
 *
 * Happy path: a result's bytes are copied into `text`, which keeps its storage from one reply to the next, so
 * that a call costs no allocation here; the callback borrows it.
 *
 * Failure modes: no memory for the copy: the call gets AR_E_NO_MEMORY, and it may have run. A message that is
 * no string: ar_code_text stands in. A method that the mock does not know is AR_E_NOT_MOCKED.
 */
#include <errno.h>
#include <string.h>

#include "backend-client/src/errors/reply_error.h"
#include "engine_internal.h"
#include "wire/rpc.h"

/* ---- completion ---- */

/* A call that waited in vain for the relay has the outage's name or, where it ran out of time, its own. */
static void name_error(const struct engine *e, struct ar_reply *reply)
{
    bool outage = e->fault.text[0] && !engine_is_live(e) && !reply->may_have_run;
    if (outage && reply->code == AR_E_DEGRADED)
        reply->error_name = e->fault.name;
    if (outage && (reply->code == AR_E_DEGRADED || reply->code == AR_E_TIMEOUT))
        reply->suggestion = e->fault.suggestion;
    reply_error_fill(reply);
}

void engine_complete(struct engine *e, struct call *c, struct ar_reply *reply, uint64_t now_ms)
{
    if (c->state != CALL_DONE)
        engine_call_remove(e, c);
    reply->elapsed_ms = now_ms > c->began_at_ms ? now_ms - c->began_at_ms : 0;
    name_error(e, reply);
    e->counters.completions++;
    e->ops->complete(e, c, reply);
}

void engine_fail(struct engine *e, struct call *c, int code, bool may_have_run, const char *message,
                 uint64_t now_ms)
{
    struct ar_reply reply = {
        .code = code, .may_have_run = may_have_run || c->may_have_run, .message = message};
    engine_complete(e, c, &reply, now_ms);
}

/* ---- what a reply borrows ---- */

char *engine_text(struct engine *e, size_t len)
{
    char *room;
    buf_clear(&e->text);
    return buf_reserve(&e->text, len, &room) == 0 ? room : NULL;
}

/* A lone surrogate is decoded to the three bytes of its number, which are no UTF-8: U+FFFD has three as well.
 * A NUL would end the text early. */
static void sanitize(char *text, size_t len)
{
    static const char replacement[] = {'\xEF', '\xBF', '\xBD'};
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == 0)
            text[i] = ' ';
        if (c == 0xED && i + 2 < len && (unsigned char)text[i + 1] >= 0xA0)
            memcpy(text + i, replacement, sizeof(replacement));
    }
}

size_t engine_decode(const char *quoted, size_t len, char *out)
{
    size_t decoded = len < 2 ? SIZE_MAX : rpc_decode_string(quoted, len, out, len - 1);
    if (decoded == SIZE_MAX)
        return SIZE_MAX;
    sanitize(out, decoded);
    out[decoded] = '\0';
    return decoded;
}

void engine_reply_result(struct engine *e, struct call *c, enum ar_source source, const char *json,
                         size_t len, uint64_t now_ms)
{
    bool ran = source == AR_SOURCE_LIVE;
    char *text = engine_text(e, len + 1);
    if (!text) {
        engine_fail(e, c, AR_E_NO_MEMORY, ran, NULL, now_ms);
        return;
    }
    memcpy(text, json, len);
    text[len] = '\0';
    struct ar_reply reply = {.code = AR_OK,
                             .source = source,
                             .may_have_run = ran || c->may_have_run,
                             .result = text,
                             .result_len = len};
    engine_complete(e, c, &reply, now_ms);
}

void engine_reply_error(struct engine *e, struct call *c, enum ar_source source,
                        const struct reply_error *error, uint64_t now_ms)
{
    struct ar_reply reply = {.code = AR_E_SERVER,
                             .source = source,
                             .may_have_run = error->may_have_run || c->may_have_run,
                             .error_code = error->code,
                             .from_relay = error->from_relay,
                             .error_name = error->name,
                             .error_text = error->text,
                             .suggestion = error->suggestion};
    char *text = engine_text(e, error->message_len + error->data_len + 2);
    if (!text) {
        engine_fail(e, c, AR_E_NO_MEMORY, error->may_have_run, NULL, now_ms);
        return;
    }
    if (error->data) {
        memcpy(text, error->data, error->data_len);
        text[error->data_len] = '\0';
        reply.error_data = text;
        reply.error_data_len = error->data_len;
    }
    char *message = text + error->data_len + 1;
    size_t said = error->message ? engine_decode(error->message, error->message_len, message) : 0;
    if (said > 0 && said != SIZE_MAX)
        reply.message = message;
    engine_complete(e, c, &reply, now_ms);
}

/* ---- the mock ---- */

static int mock_failure(int rc)
{
    switch (rc) {
    case ERR_NOT_FOUND:
        return AR_E_NOT_MOCKED;
    case ERR_TOO_LARGE:
        return AR_E_TOO_LARGE;
    case -ENOMEM:
        return AR_E_NO_MEMORY;
    default: /* it says no other */
        return AR_E_INVALID;
    }
}

void engine_call_mocked(struct engine *e, struct call *c, uint64_t now_ms)
{
    struct mock_answer answer;
    uint64_t at_ms = (uint64_t)((int64_t)now_ms + e->mock_offset_ms);
    int rc = mock_view_call(e->mock, c->method, c->params, c->params_len, at_ms, &answer);
    if (rc != 0) {
        engine_fail(e, c, mock_failure(rc), false, NULL, now_ms);
        return;
    }
    if (answer.result) {
        engine_reply_result(e, c, AR_SOURCE_MOCK, answer.result, answer.result_len, now_ms);
        return;
    }
    struct fault why;
    fault_mock(&why, c->method, answer.error_code, answer.message, answer.message_len);
    const struct reply_error error = {.code = answer.error_code,
                                      .message = answer.message,
                                      .message_len = answer.message_len,
                                      .name = why.name,
                                      .text = why.text,
                                      .suggestion = why.suggestion};
    engine_reply_error(e, c, AR_SOURCE_MOCK, &error, now_ms);
}

/* One request and its answer.
 *
 * Happy path of a call: the handler suspends the exchange (first: the completion may come before ar_call has
 * returned), exchange_call submits the call, the completion writes the answer and resumes; libmicrohttpd then
 * runs the handler again, which queues the answer. Failure modes: each ends in an answer of its own; without
 * memory for that, in a 503 with an empty body, which needs none.
 */
#include "exchange.h"

#include <errno.h>

#include "base/alloc.h"
#include "mock/iso_time.h"

#define RETRY_AFTER_S 5 /* slow readers are ended within some seconds more */

static const char json_type_text[] = "application/json; charset=utf-8";

struct exchange *exchange_new(struct service *s, struct MHD_Connection *connection)
{
    struct exchange *x = mem_zalloc(sizeof(*x));
    if (!x)
        return NULL;
    x->service = s;
    x->connection = connection;
    x->content_type = json_type_text;
    list_init(&x->waiting.node);
    buf_init(&x->body, REQUEST_MAX_BYTES);
    buf_init(&x->answer, ANSWER_MAX_BYTES);
    return x;
}

void exchange_free(struct exchange *x)
{
    if (x->job)
        x->free_job(x->job);
    exchange_forget_tools(x);
    budget_give(&x->service->held, x->held_bytes);
    places_give(&x->service->places, x->place);
    shared_text_release(x->shared);
    if (x->stream)
        MHD_destroy_response(x->stream);
    buf_done(&x->body);
    buf_done(&x->answer);
    mem_free(x);
}

/* ---- answers ---- */

void exchange_begin(struct exchange *x, struct writer *w)
{
    buf_clear(&x->answer);
    writer_init(w, &x->answer);
}

void exchange_end(struct exchange *x, struct writer *w, unsigned status, int rc)
{
    struct failure f;
    if (rc == 0)
        rc = writer_end(w);
    x->status = status;
    if (rc == 0)
        return;
    failure_format(&f, rc == -ENOMEM ? 503 : 500, rc == -ENOMEM ? "OUT_OF_MEMORY" : "TOO_LARGE",
                   "Try again; if it stays so, give the service more memory.",
                   "The answer could not be written: %s", err_text(rc));
    exchange_fail(x, &f);
}

void exchange_fail(struct exchange *x, const struct failure *f)
{
    struct writer w;
    buf_clear(&x->answer);
    writer_init(&w, &x->answer);
    failure_write(f, &w);
    if (writer_end(&w) != 0)
        buf_clear(&x->answer);
    x->status = f->status;
    x->allow = f->allow;
    x->content_type = json_type_text;
}

void exchange_fail_overloaded(struct exchange *x, const char *text, const char *suggestion)
{
    struct failure f;
    failure_set(&f, 503, "OVERLOADED", suggestion, text);
    exchange_fail(x, &f);
    x->retry_after_s = RETRY_AFTER_S;
}

void exchange_fail_memory(struct exchange *x)
{
    struct failure f;
    failure_set(&f, 503, "OUT_OF_MEMORY", "Try again later.", "This service is short of memory.");
    exchange_fail(x, &f);
}

/* ---- calls ---- */

void exchange_park(struct exchange *x)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    x->suspended = true;
    exchange_renew(x);
    suspended_requests_add(&x->service->suspended, &x->waiting, info ? info->connect_fd : -1);
    MHD_suspend_connection(x->connection);
}

void exchange_finish(struct exchange *x)
{
    suspended_requests_remove(&x->service->suspended, &x->waiting);
    MHD_resume_connection(x->connection);
}

void exchange_health(const struct exchange *x, struct ar_health *ret)
{
    ar_health_init(ret);
    (void)ar_health(x->service->client, ret); /* fails for a size that is none only */
}

int exchange_read_tool(const struct exchange *x, const char *tool, const struct ar_reply *reply,
                       struct tool_result *ret_result, struct failure *ret_failure)
{
    struct ar_health health;
    exchange_health(x, &health);
    if (reply->code != AR_OK) {
        if (reply->code == AR_E_SERVER) /* its tools may not be those that it listed any more */
            tool_cache_drop(&x->service->tools);
        failure_from_reply(ret_failure, reply, &health);
        return -1;
    }
    int rc = tool_result_read(reply->result, reply->result_len, ret_result);
    if (rc == 0 && !ret_result->failed)
        return 0;
    if (rc == 0) {
        failure_from_tool(ret_failure, tool, ret_result->words, ret_result->words_len, reply->source,
                          &health);
        tool_result_done(ret_result);
    } else {
        failure_from_code(ret_failure, rc == -ENOMEM ? AR_E_NO_MEMORY : AR_E_BAD_REPLY, &health);
        ret_failure->may_have_run = true;
    }
    return -1;
}

const char *exchange_read_id(const struct exchange *x, const char *tool, const char *thing,
                             const struct ar_reply *reply, const struct tool_result *r, size_t *ret_len,
                             struct failure *ret_failure)
{
    struct ar_health health;
    size_t len;
    const char *id = tool_result_id(r, thing, ret_len);
    if (id)
        return id;
    const char *words = tool_result_words(r, &len);
    exchange_health(x, &health);
    failure_from_nameless(ret_failure, tool, thing, words, len, reply->source, &health);
    return NULL;
}

void exchange_refuse(struct exchange *x, const struct failure *f)
{
    exchange_fail(x, f);
    exchange_finish(x);
}

void exchange_refuse_memory(struct exchange *x, bool may_have_run)
{
    struct ar_health health;
    struct failure f;
    exchange_health(x, &health);
    failure_from_code(&f, AR_E_NO_MEMORY, &health);
    f.may_have_run = may_have_run;
    exchange_refuse(x, &f);
}

void exchange_write_markers(struct writer *w, enum ar_source source, bool mock)
{
    char now[ISO_TIME_SIZE];
    iso_time_format((uint64_t)service_unix_ms(), now);
    write_member_string(w, "source", ar_source_name(source));
    write_member_bool(w, "mock", mock);
    write_member_string(w, "timestamp", now);
}

bool exchange_is_mock(const struct ar_reply *reply, const struct tool_result *r)
{
    return reply->source == AR_SOURCE_MOCK || tool_result_is_mock(r);
}

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct exchange *x = data;
    (void)client;
    x->on_reply(x, reply);
}

void exchange_renew(struct exchange *x)
{
    x->until_ms = service_now_ms() + x->service->settings->client.call_timeout_ms;
}

void exchange_request(struct exchange *x, const char *method, const struct buf *params, enum ar_policy policy,
                      bool idempotent, exchange_reply_cb *reply_cb)
{
    struct ar_call call;
    uint64_t id;
    uint64_t now_ms = service_now_ms();
    x->on_reply = reply_cb;
    ar_call_init(&call);
    call.method = method;
    call.params = buf_data(params);
    call.params_len = buf_len(params);
    call.deadline_ms = x->until_ms > now_ms ? (uint32_t)(x->until_ms - now_ms) : 1;
    call.policy = policy;
    call.idempotent = idempotent;
    call.on_reply = on_reply;
    call.data = x;
    int rc = ar_call(x->service->client, &call, &id);
    if (rc == AR_OK)
        suspended_requests_wait_for(&x->service->suspended, &x->waiting, id);
    else
        reply_cb(x, &(struct ar_reply){.code = rc});
}

void exchange_call(struct exchange *x, const struct buf *params, enum ar_policy policy, bool idempotent,
                   exchange_reply_cb *reply_cb)
{
    exchange_request(x, "tools/call", params, policy, idempotent, reply_cb);
}

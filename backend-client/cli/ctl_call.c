/* A call, as a blocking function for the commands.
 *
 * Failure modes: a signal while it is in flight: it is cancelled at the server first, bounded by CANCEL_MS.
 * The relay goes, or was never there: given up at once unless the policy is to wait. The library does not
 * complete it (it promises to): LATE_MS after the deadline the wait ends all the same.
 */
#include "backend-client/cli/ctl.h"

#include <stdio.h>
#include <string.h>

#include "backend-client/cli/json_text.h"
#include "backend-client/cli/progress.h"
#include "base/alloc.h"
#include "wire/rpc_error.h"

#define CANCEL_MS 300
#define LATE_MS   1000
#define TICK_MS   250  /* the seconds in the progress line move */
#define SILENT_MS 2000 /* a call without progress is "waiting" from then on */

/* ---- completion ---- */

static char *copy(const char *text, size_t len)
{
    return mem_strndup(text ? text : "", text ? len : 0);
}

static char *copy_string(const char *text)
{
    return copy(text, text ? strlen(text) : 0);
}

static void keep_reply(struct answer *a, const struct ar_reply *reply)
{
    a->reply = *reply;
    a->reply.result = copy(reply->result, reply->result_len);
    a->reply.message = copy_string(reply->message);
    a->reply.error_data = copy(reply->error_data, reply->error_data_len);
    a->reply.error_name = copy_string(reply->error_name);
    a->reply.error_text = copy_string(reply->error_text);
    a->reply.suggestion = copy_string(reply->suggestion);
    if (!a->reply.result || !a->reply.message || !a->reply.error_data || !a->reply.error_name ||
        !a->reply.error_text || !a->reply.suggestion)
        a->reply.code = AR_E_NO_MEMORY;
}

static void on_reply(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct answer *a = data;
    (void)client;
    a->answered_ns = uv_hrtime();
    keep_reply(a, reply);
    a->done = true;
}

static void on_progress(struct ar_client *client, const char *params, size_t params_len, void *data)
{
    struct answer *a = data;
    (void)client;
    if (a->progress)
        progress_take(a->progress, params, params_len);
}

static void answer_free(struct answer *a)
{
    list_remove(&a->node);
    mem_free((char *)(uintptr_t)a->reply.result); /* ours: keep_reply's copies */
    mem_free((char *)(uintptr_t)a->reply.message);
    mem_free((char *)(uintptr_t)a->reply.error_data);
    mem_free((char *)(uintptr_t)a->reply.error_name);
    mem_free((char *)(uintptr_t)a->reply.error_text);
    mem_free((char *)(uintptr_t)a->reply.suggestion);
    mem_free(a);
}

/* What is not complete is the library's still: it will write there. Once it has closed, all is. */
void ctl_answers_free(struct ctl *ctl)
{
    LIST_EACH(it, safe, &ctl->answers)
    {
        struct answer *a = CONTAINER_OF(it, struct answer, node);
        if (a->done)
            answer_free(a);
    }
}

/* ---- waiting ---- */

static bool relay_is_gone(const struct ctl *ctl)
{
    return ctl->health.state == AR_DEGRADED && ctl->health.relay != AR_REACH_UP;
}

static bool has_come(void *data)
{
    const struct answer *a = data;
    return a->done || (a->gives_up && relay_is_gone(a->ctl));
}

static bool is_complete(void *data)
{
    const struct answer *a = data;
    return a->done;
}

static void draw_progress(struct ctl *ctl, const struct answer *a)
{
    char line[1024];
    uint64_t elapsed = ctl_now_ms(ctl) - ctl->started_ms;
    if (!a->progress->reported && elapsed < SILENT_MS)
        return;
    size_t columns = term_columns(2);
    progress_line(a->progress, elapsed, columns > 1 ? columns - 1 : 79, line, sizeof(line));
    term_progress(&ctl->term, line);
}

static enum ctl_wait wait_for(struct ctl *ctl, struct answer *a)
{
    uint64_t end = ctl->deadline_ms + LATE_MS;
    if (!a->progress)
        return ctl_wait(ctl, has_come, a, end);
    for (;;) {
        uint64_t tick = ctl_now_ms(ctl) + TICK_MS;
        enum ctl_wait how = ctl_wait(ctl, has_come, a, tick < end ? tick : end);
        if (how != CTL_LATE || tick >= end)
            return how;
        draw_progress(ctl, a);
    }
}

/* Called when a signal has come, or the wait is over without a completion. */
static void cancel(struct ctl *ctl, struct answer *a, uint64_t id)
{
    bool stopping = ctl->stopping;
    ctl->stopping = true;
    if (ar_cancel(ctl->client, id) == AR_OK)
        (void)ctl_wait(ctl, is_complete, a, ctl_now_ms(ctl) + CANCEL_MS);
    ctl->stopping = stopping;
}

/* ---- the call ---- */

static void fill_call(struct ctl *ctl, const struct ctl_ask *ask, struct answer *a, struct ar_call *call)
{
    uint64_t now = ctl_now_ms(ctl);
    ar_call_init(call);
    call->method = ask->method;
    call->params = ask->params;
    call->params_len = ask->params_len;
    call->deadline_ms = ctl->deadline_ms > now ? (uint32_t)(ctl->deadline_ms - now) : 1;
    call->policy = ask->policy;
    call->on_progress = a->progress ? on_progress : NULL;
    call->on_reply = on_reply;
    call->data = a;
}

static enum ctl_exit refuse(struct ctl *ctl, struct answer *a, int rc)
{
    static const char prefix[] = "AR_E_";
    struct ar_reply reply = {
        .code = rc, .message = ar_code_text(rc), .error_name = ar_code_name(rc) + sizeof(prefix) - 1};
    keep_reply(a, &reply);
    a->done = true;
    ctl_refresh_health(ctl);
    return exit_code_of_reply(&a->reply, &ctl->health);
}

enum ctl_exit ctl_call(struct ctl *ctl, const struct ctl_ask *ask, struct answer **ret_answer)
{
    struct progress progress = {0};
    struct ar_call call;
    uint64_t id;
    struct answer *a = mem_zalloc(sizeof(*a));
    *ret_answer = NULL;
    if (!a) {
        term_say(&ctl->term, "out of memory");
        return CTL_EXIT_ERROR;
    }
    a->ctl = ctl;
    a->to_relay = ask->to_relay;
    a->gives_up = ask->to_relay && ctl->args->policy != AR_WAIT;
    a->progress = ask->progress && ctl->term.err_tty ? &progress : NULL;
    list_push_back(&ctl->answers, &a->node);
    *ret_answer = a;
    fill_call(ctl, ask, a, &call);
    a->asked_ns = uv_hrtime();
    int rc = ar_call(ctl->client, &call, &id);
    if (rc != AR_OK)
        return refuse(ctl, a, rc);
    enum ctl_wait how = wait_for(ctl, a);
    if (!a->done)
        cancel(ctl, a, id);
    a->progress = NULL;
    term_progress(&ctl->term, NULL);
    ctl_refresh_health(ctl);
    if (how == CTL_STOPPED)
        return CTL_EXIT_INTERRUPTED;
    if (how == CTL_CAME && a->done && a->reply.code != AR_E_CANCELLED)
        return exit_code_of_reply(&a->reply, &ctl->health);
    *ret_answer = NULL;
    return how == CTL_LATE ? CTL_EXIT_TIMEOUT : CTL_EXIT_UNREACHABLE;
}

/* ---- reporting ---- */

void ctl_reply_text(const struct ctl *ctl, const struct answer *answer, char *out, size_t size)
{
    const struct ar_reply *r = &answer->reply;
    if (r->code == AR_E_TIMEOUT)
        (void)snprintf(out, size, "no answer within %u ms; give it a longer --timeout", ctl->timeout_ms);
    else
        (void)snprintf(out, size, "%s", r->message[0] ? r->message : ar_code_text(r->code));
    size_t len = strlen(out);
    if (r->may_have_run && !answer->to_relay)
        (void)snprintf(out + len, size - len, "; it may have run all the same");
}

/* The peer at the relay's address does not know a method of the relay's. */
static bool is_no_relay(const struct answer *a)
{
    return a->to_relay && a->reply.error_code == RPC_E_METHOD_NOT_FOUND && !a->reply.from_relay;
}

/* "method: message (error -32601)"; the stderr of a server that never came up says most. */
static void report_server_error(struct ctl *ctl, const struct answer *a, const char *what)
{
    const struct ar_reply *r = &a->reply;
    bool made_up = r->source == AR_SOURCE_MOCK;
    bool foreign = is_no_relay(a);
    term_say(&ctl->term, "%s: %s%s (error %d)%s%s%s", what, made_up ? "the mock says: " : "", r->message,
             r->error_code, foreign ? "; what answers at " : "", foreign ? ctl->health.address : "",
             foreign ? " is no Agent Relay" : "");
    if (r->error_data_len > 0) {
        struct buf data;
        buf_init(&data, 1 << 20);
        if (json_text_print(&data, r->error_data, r->error_data_len, JSON_COMPACT, true) == 0)
            term_say(&ctl->term, "  %.*s", (int)(buf_len(&data) < 1500 ? buf_len(&data) : 1500),
                     buf_data(&data));
        buf_done(&data);
    }
    if (made_up)
        ctl_report_mock(ctl);
}

/* The texts of this program name their own options; the library's suggestion is for all else. */
static const char *suggestion_of(const struct answer *a)
{
    const struct ar_reply *r = &a->reply;
    bool own = r->code == AR_E_TIMEOUT || r->source == AR_SOURCE_MOCK || is_no_relay(a);
    return own ? "" : r->suggestion;
}

static void report_reply(struct ctl *ctl, enum ctl_exit code, const struct answer *a, const char *what)
{
    char text[800];
    const struct ar_reply *r = &a->reply;
    const char *suggestion = suggestion_of(a);
    struct ctl_error error = {.name = r->error_name, .message = text, .suggestion = suggestion};
    if (r->code == AR_E_SERVER) {
        report_server_error(ctl, a, what);
        error.code = r->error_code;
        error.message = r->message;
        error.data = r->error_data;
        error.data_len = r->error_data_len;
        error.mock = r->source == AR_SOURCE_MOCK;
    } else {
        ctl_reply_text(ctl, a, text, sizeof(text));
        term_say(&ctl->term, "%s: %s", what, text);
    }
    if (suggestion[0] != '\0')
        term_say(&ctl->term, "  %s", suggestion);
    ctl_write_error(ctl, code, &error);
}

/* The relay, or the network to it, does not answer: report that instead. */
static bool is_outage(const struct ctl *ctl, const struct answer *a)
{
    if (!a)
        return true;
    bool late = a->reply.code == AR_E_TIMEOUT;
    if (late && a->to_relay && ctl->health.relay != AR_REACH_UP)
        return true;
    return ctl->health.state != AR_LIVE &&
           (a->reply.code == AR_E_DEGRADED || (late && !a->reply.may_have_run));
}

enum ctl_exit ctl_report_failure(struct ctl *ctl, enum ctl_exit code, const struct answer *answer,
                                 const char *what)
{
    if (code == CTL_EXIT_INTERRUPTED)
        return code;
    if (is_outage(ctl, answer))
        return ctl_report_outage(ctl, code);
    report_reply(ctl, code, answer, what);
    return code;
}

/* POST /api/bots/submit-task and GET /api/bots/task-status/ID: one call each.
 *
 * A task that no server accepted must not look accepted: while the relay is not reachable the request fails,
 * unless it asked for whenDown=mock (and is answered with "source":"mock") or whenDown=wait. Failure modes:
 * those of failure.h; a task that the server does not know is 404.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mock/iso_time.h"
#include "routes.h"

#define PARAMS_MAX_BYTES ((size_t)256 << 10)
#define TOOL_ERROR       "TOOL_ERROR" /* failure_from_tool's */

static bool says_not_found(const char *text)
{
    static const char words[] = "not found";
    for (; *text != '\0'; text++)
        if (strncasecmp(text, words, sizeof(words) - 1) == 0)
            return true;
    return false;
}

/* The result of the call as an object, or the exchange is finished with why not. */
static bool read_result(struct exchange *x, const char *tool, const struct ar_reply *reply,
                        struct tool_result *ret)
{
    struct failure f;
    if (exchange_read_tool(x, tool, reply, ret, &f) == 0)
        return true;
    if (strcmp(f.code, TOOL_ERROR) == 0 && x->id[0] != '\0' && says_not_found(f.text)) {
        f.status = 404;
        f.may_have_run = false;
        (void)snprintf(f.code, sizeof(f.code), "TASK_NOT_FOUND");
        (void)snprintf(
            f.suggestion, sizeof(f.suggestion), "%s",
            f.from_mock
                ? "The mock knows its own tasks only: leave whenDown away to ask the server when it is back."
                : "Write the taskId that submit-task answered with.");
    }
    exchange_fail(x, &f);
    exchange_finish(x);
    return false;
}

static void write_markers(struct writer *w, const struct ar_reply *reply, const struct tool_result *r)
{
    char now[ISO_TIME_SIZE];
    iso_time_format((uint64_t)service_unix_ms(), now);
    write_member_string(w, "source", ar_source_name(reply->source));
    write_member_bool(w, "mock", reply->source == AR_SOURCE_MOCK || tool_result_is_mock(r));
    write_member_string(w, "timestamp", now);
}

/* ---- submit-task ---- */

static void on_submitted(struct exchange *x, const struct ar_reply *reply)
{
    struct tool_result r;
    struct failure f;
    struct writer w;
    size_t len;
    if (!read_result(x, "task_orchestrate", reply, &r))
        return;
    bool mock = reply->source == AR_SOURCE_MOCK;
    const char *id = exchange_read_id(x, "task_orchestrate", "task", reply, &r, &len, &f);
    if (!id) {
        exchange_fail(x, &f);
        tool_result_done(&r);
        exchange_finish(x);
        return;
    }
    exchange_begin(x, &w);
    write_object(&w);
    write_member_bool(&w, "success", true);
    write_member_string(&w, "message",
                        mock ? "No agent works on it: the mock took the task" : "Task submitted");
    write_key(&w, "taskId");
    write_string(&w, id, len);
    write_member_string(&w, "status", tool_result_string(&r, "task", "status"));
    write_markers(&w, reply, &r);
    write_object_end(&w);
    exchange_end(x, &w, 200, 0);
    tool_result_done(&r);
    exchange_finish(x);
}

static int write_task(const struct task_request *t, struct buf *params)
{
    struct writer w;
    writer_init(&w, params);
    tool_params_begin(&w, "task_orchestrate");
    write_member_string(&w, "task", t->task);
    if (t->priority)
        write_member_string(&w, "priority", t->priority);
    if (t->strategy)
        write_member_string(&w, "strategy", t->strategy);
    tool_params_end(&w);
    return writer_end(&w);
}

void endpoint_submit(struct exchange *x)
{
    struct task_request t;
    struct failure f;
    struct buf params;
    const char *when_down = x->when_down_given ? x->when_down : NULL;
    if (request_task(buf_data(&x->body), buf_len(&x->body), when_down, &t, &f) != 0) {
        exchange_fail(x, &f);
        return;
    }
    buf_init(&params, PARAMS_MAX_BYTES);
    int rc = write_task(&t, &params);
    json_free(t.doc);
    if (rc != 0) {
        exchange_fail_memory(x);
    } else {
        exchange_park(x);
        exchange_call(x, &params, t.when_down, false, on_submitted);
    }
    buf_done(&params);
}

/* ---- task-status ---- */

/* The server's whole answer: an object, or text. */
static void write_said(struct writer *w, const struct tool_result *r)
{
    size_t len;
    write_key(w, "task");
    if (r->doc) {
        const char *object = json_raw(r->doc, r->root, &len);
        write_raw(w, object, len);
    } else if (r->words) {
        write_string(w, r->words, r->words_len);
    } else {
        write_null(w);
    }
}

static void on_status(struct exchange *x, const struct ar_reply *reply)
{
    struct tool_result r;
    struct writer w;
    if (!read_result(x, "task_status", reply, &r))
        return;
    exchange_begin(x, &w);
    write_object(&w);
    write_member_bool(&w, "success", true);
    write_member_string(&w, "taskId", x->id);
    write_member_string(&w, "status", tool_result_string(&r, "task", "status"));
    write_markers(&w, reply, &r);
    write_said(&w, &r);
    write_object_end(&w);
    exchange_end(x, &w, 200, 0);
    tool_result_done(&r);
    exchange_finish(x);
}

static int write_query(const char *id, struct buf *params)
{
    struct writer w;
    writer_init(&w, params);
    tool_params_begin(&w, "task_status");
    write_member_string(&w, "taskId", id);
    tool_params_end(&w);
    return writer_end(&w);
}

void endpoint_task(struct exchange *x)
{
    struct failure f;
    struct buf params;
    enum ar_policy policy;
    if (request_task_id(x->id, &f) != 0 ||
        request_when_down(x->when_down_given ? x->when_down : NULL, &policy, &f) != 0) {
        exchange_fail(x, &f);
        return;
    }
    buf_init(&params, PARAMS_MAX_BYTES);
    if (write_query(x->id, &params) != 0) {
        exchange_fail_memory(x);
    } else {
        exchange_park(x);
        exchange_call(x, &params, policy, true, on_status);
    }
    buf_done(&params);
}

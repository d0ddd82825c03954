/* GET /api/bots/task-status/ID: one call of task_status.
 *
 * Failure modes: those of failure.h; a task that the server does not know is 404.
 */
#include <stdio.h>

#include "routes.h"

#define PARAMS_MAX_BYTES ((size_t)256 << 10)

static const char *const status_tools[] = {"task_status", NULL};

/* The result of the call as an object, or the exchange is finished with why not. */
static bool read_result(struct exchange *x, const char *tool, const struct ar_reply *reply,
                        struct tool_result *ret)
{
    struct failure f;
    if (exchange_read_tool(x, tool, reply, ret, &f) == 0)
        return true;
    if (x->id[0] != '\0' && failure_says_not_found(&f)) {
        f.status = 404;
        f.may_have_run = false;
        (void)snprintf(f.code, sizeof(f.code), "TASK_NOT_FOUND");
        (void)snprintf(
            f.suggestion, sizeof(f.suggestion), "%s",
            f.from_mock
                ? "The mock knows its own tasks only: leave whenDown away to ask the server when it is back."
                : "Write the taskId that submit-task answered with.");
    }
    exchange_refuse(x, &f);
    return false;
}

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
    if (!read_result(x, status_tools[0], reply, &r))
        return;
    exchange_begin(x, &w);
    write_object(&w);
    write_member_bool(&w, "success", true);
    write_member_string(&w, "taskId", x->id);
    write_member_string(&w, "status", tool_result_string(&r, "task", "status"));
    exchange_write_markers(&w, reply->source, exchange_is_mock(reply, &r));
    write_said(&w, &r);
    write_object_end(&w);
    exchange_end(x, &w, 200, 0);
    tool_result_done(&r);
    exchange_finish(x);
}

static void start_status(struct exchange *x)
{
    struct tool_params p;
    struct failure f;
    struct buf params;
    if (!exchange_choose_tool(x, "tell how far a task is", status_tools, &f)) {
        exchange_refuse(x, &f);
        return;
    }
    buf_init(&params, PARAMS_MAX_BYTES);
    tool_params_begin(&p, &params, x->tools, status_tools[0]);
    tool_params_string(&p, "taskId", x->id);
    if (tool_params_end(&p) == 0)
        exchange_call(x, &params, x->policy, true, on_status);
    else
        exchange_refuse_memory(x, false);
    buf_done(&params);
}

void endpoint_task(struct exchange *x)
{
    struct failure f;
    if (request_task_id(x->id, &f) != 0 ||
        request_when_down(x->when_down_given ? x->when_down : NULL, &x->policy, &f) != 0) {
        exchange_fail(x, &f);
        return;
    }
    exchange_park(x);
    exchange_get_tools(x, x->policy, start_status);
}

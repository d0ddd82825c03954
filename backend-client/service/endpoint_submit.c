/* POST /api/bots/submit-task: gives the agents a task, with the tools that the server has.
 *
 * claude-flow 2, ruv-swarm and the mock take a task and give it to agents (task_orchestrate); claude-flow 3 makes
 * one (task_create), and then assigns it (task_assign). A task that no server accepted must not look accepted:
 * while the relay is not reachable the request fails, unless it asked for whenDown=mock (and is answered with
 * "source":"mock") or whenDown=wait. Failure modes: those of failure.h; a task that was made and could not be
 * assigned is there: the answer says so.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "routes.h"
#include "view.h"

#define PARAMS_MAX_BYTES ((size_t)256 << 10)
#define ASSIGN_TOOL      "task_assign"

enum { ORCHESTRATE, CREATE };
static const char *const submit_tools[] = {
    [ORCHESTRATE] = "task_orchestrate", [CREATE] = "task_create", NULL};

struct task_job {
    struct task_request request; /* owned */
    const char *tool;            /* of submit_tools */
    enum ar_source source;       /* of its answer */
    bool mock;                   /* or the server says so of the task */
    char *task_id;               /* owned */
    char *status;                /* owned; NULL: it gave none */
    char *agent_id;              /* owned: whom it is assigned to; NULL: none */
};

static void job_free(void *data)
{
    struct task_job *job = data;
    json_free(job->request.doc);
    mem_free(job->task_id);
    mem_free(job->status);
    mem_free(job->agent_id);
    mem_free(job);
}

/* ---- the answer ---- */

/* The whole answer. `unassigned`: why a task that was made has no agent; NULL. */
static void finish_submit(struct exchange *x, const char *unassigned)
{
    const struct task_job *job = x->job;
    const char *done =
        job->source == AR_SOURCE_MOCK ? "No agent works on it: the mock took the task" : "Task submitted";
    char message[FAILURE_TEXT_SIZE + 64];
    struct writer w;
    (void)snprintf(message, sizeof(message), "%s%s%s", done,
                   unassigned ? ", but no agent was given it: " : "", unassigned ? unassigned : "");
    exchange_begin(x, &w);
    write_object(&w);
    write_member_bool(&w, "success", true);
    write_member_string(&w, "message", message);
    write_member_string(&w, "taskId", job->task_id);
    write_member_string(&w, "status", job->status);
    if (job->tool == submit_tools[CREATE])
        write_member_string(&w, "assignedTo", unassigned ? NULL : job->agent_id);
    exchange_write_markers(&w, job->source, job->mock);
    write_object_end(&w);
    exchange_end(x, &w, 200, 0);
    exchange_finish(x);
}

/* ---- task_assign ---- */

/* A coordinator, who can hand it on; else one that is idle; else any. NULL: there is none. */
static const struct ar_agent *choose_agent(const struct ar_snapshot *agents)
{
    const struct ar_agent *chosen = NULL;
    for (size_t i = 0; i < ar_snapshot_count(agents); i++) {
        const struct ar_agent *agent = ar_snapshot_agent(agents, i);
        if (view_is_coordinator(agent))
            return agent;
        bool idle = strcmp(view_status_kind(agent), "idle") == 0;
        if (!chosen || (idle && strcmp(view_status_kind(chosen), "idle") != 0))
            chosen = agent;
    }
    return chosen;
}

static void on_assigned(struct exchange *x, const struct ar_reply *reply)
{
    struct tool_result r;
    struct failure f;
    if (exchange_read_tool(x, ASSIGN_TOOL, reply, &r, &f) != 0) {
        finish_submit(x, f.text);
        return;
    }
    tool_result_done(&r);
    finish_submit(x, NULL);
}

static void assign(struct exchange *x)
{
    struct task_job *job = x->job;
    struct tool_params p;
    struct buf params;
    buf_init(&params, PARAMS_MAX_BYTES);
    tool_params_begin(&p, &params, x->tools, ASSIGN_TOOL);
    tool_params_string(&p, "taskId", job->task_id);
    tool_params_list(&p, "agentIds", job->agent_id);
    if (tool_params_end(&p) == 0)
        exchange_call(x, &params, AR_FAIL_FAST, false, on_assigned);
    else
        finish_submit(x, "this service is short of memory");
    buf_done(&params);
}

/* The task is there. Where the server gives it to nobody by itself, an agent is assigned. */
static void finish_or_assign(struct exchange *x)
{
    struct task_job *job = x->job;
    if (job->tool != submit_tools[CREATE]) {
        finish_submit(x, NULL);
        return;
    }
    if (!x->tools || !tool_list_has(x->tools, ASSIGN_TOOL)) {
        finish_submit(x, "the server has no tool " ASSIGN_TOOL);
        return;
    }
    const struct ar_snapshot *agents = ar_agents(x->service->client);
    bool live = ar_snapshot_source(agents) == AR_SOURCE_LIVE;
    const struct ar_agent *agent = live ? choose_agent(agents) : NULL;
    bool chosen = agent;
    job->agent_id = agent ? mem_strdup(agent->id) : NULL;
    ar_snapshot_release(agents);
    if (job->agent_id)
        assign(x);
    else
        finish_submit(x, chosen ? "this service is short of memory" : "the server lists none");
}

/* ---- the task itself ---- */

static bool keep_task(struct task_job *job, const struct ar_reply *reply, const struct tool_result *r,
                      const char *id, size_t len)
{
    const char *status = tool_result_string(r, "task", "status");
    job->source = reply->source;
    job->mock = exchange_is_mock(reply, r);
    job->task_id = mem_strndup(id, len);
    job->status = status ? mem_strdup(status) : NULL;
    return job->task_id && (!status || job->status);
}

static void on_submitted(struct exchange *x, const struct ar_reply *reply)
{
    struct task_job *job = x->job;
    struct tool_result r;
    struct failure f;
    size_t len;
    if (exchange_read_tool(x, job->tool, reply, &r, &f) != 0) {
        exchange_refuse(x, &f);
        return;
    }
    const char *id = exchange_read_id(x, job->tool, "task", reply, &r, &len, &f);
    bool kept = id && keep_task(job, reply, &r, id, len);
    tool_result_done(&r);
    if (!id)
        exchange_refuse(x, &f);
    else if (!kept)
        exchange_refuse_memory(x, true);
    else
        finish_or_assign(x);
}

/* claude-flow 3 has no medium priority, and wants to know what kind of task it is: feature, bugfix, research or
 * refactor. */
static void write_created(struct tool_params *p, const struct task_request *t)
{
    bool medium = t->priority && strcmp(t->priority, "medium") == 0;
    tool_params_string(p, "type", "feature");
    tool_params_string(p, "description", t->task);
    tool_params_string(p, "priority", medium ? "normal" : t->priority);
}

static int write_task(const struct exchange *x, struct buf *params)
{
    const struct task_job *job = x->job;
    const struct task_request *t = &job->request;
    struct tool_params p;
    tool_params_begin(&p, params, x->tools, job->tool);
    if (job->tool == submit_tools[CREATE]) {
        write_created(&p, t);
    } else {
        tool_params_string(&p, "task", t->task);
        tool_params_string(&p, "priority", t->priority);
        tool_params_string(&p, "strategy", t->strategy);
    }
    return tool_params_end(&p);
}

static void start_submit(struct exchange *x)
{
    struct task_job *job = x->job;
    struct failure f;
    struct buf params;
    job->tool = exchange_choose_tool(x, "take tasks", submit_tools, &f);
    if (!job->tool) {
        exchange_refuse(x, &f);
        return;
    }
    buf_init(&params, PARAMS_MAX_BYTES);
    if (write_task(x, &params) == 0)
        exchange_call(x, &params, job->request.when_down, false, on_submitted);
    else
        exchange_refuse_memory(x, false);
    buf_done(&params);
}

void endpoint_submit(struct exchange *x)
{
    struct task_request t;
    struct failure f;
    const char *when_down = x->when_down_given ? x->when_down : NULL;
    if (request_task(buf_data(&x->body), buf_len(&x->body), when_down, &t, &f) != 0) {
        exchange_fail(x, &f);
        return;
    }
    struct task_job *job = mem_zalloc(sizeof(*job));
    if (!job) {
        json_free(t.doc);
        exchange_fail_memory(x);
        return;
    }
    job->request = t;
    x->job = job;
    x->free_job = job_free;
    exchange_park(x);
    exchange_get_tools(x, t.when_down, start_submit);
}

/* POST /api/bots/initialize-swarm: swarm_init, then agent_spawn for each of agentTypes, one after the other,
 * with those arguments that the server's tools take.
 *
 * The steps are one operation for the caller, so they are answered from one source: an operation that begins
 * live must not end in the mock, or the reverse. The answer names the objects made before a step failed, so
 * that the caller can use or destroy them. Failure modes: swarm_init fails: nothing was made, a plain
 * failure; a spawn fails, or the source changes under way: 502 AGENTS_NOT_SPAWNED with swarm_id, the agents
 * that there are, and what went wrong.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "mock/iso_time.h"
#include "routes.h"

#define PARAMS_MAX_BYTES  ((size_t)256 << 10)
#define ANSWERS_MAX_BYTES ((size_t)1 << 20)

static const char *const swarm_tools[] = {"swarm_init", NULL};
static const char *const spawn_tools[] = {"agent_spawn", NULL};

struct swarm_job {
    struct swarm_request request; /* owned */
    char *swarm_id;               /* owned */
    enum ar_source source;        /* of swarm_init's answer */
    bool mock;                    /* or the server says so of what it made */
    size_t done;                  /* of request.types */
    struct buf agents;            /* their objects, comma-separated */
};

static void job_free(void *data)
{
    struct swarm_job *job = data;
    json_free(job->request.doc);
    mem_free(job->swarm_id);
    buf_done(&job->agents);
    mem_free(job);
}

/* ---- the answer ---- */

static void write_made(struct writer *w, const struct swarm_job *job)
{
    write_member_string(w, "swarm_id", job->swarm_id);
    write_key(w, "agents");
    write_array(w);
    if (buf_len(&job->agents) > 0)
        write_raw(w, buf_data(&job->agents), buf_len(&job->agents));
    write_array_end(w);
    write_member_string(w, "source", ar_source_name(job->source));
    write_member_bool(w, "mock", job->mock);
}

static void say_made(const struct swarm_job *job, char *message, size_t size)
{
    const char *what =
        job->source == AR_SOURCE_MOCK ? "Nothing real was made: the mock made a swarm" : "Swarm initialized";
    if (job->done == 0)
        (void)snprintf(message, size, "%s; no agents were asked for (agentTypes)", what);
    else
        (void)snprintf(message, size, "%s with %zu agent%s", what, job->done, job->done == 1 ? "" : "s");
}

static void finish_well(struct exchange *x, const struct swarm_job *job)
{
    struct writer w;
    char now[ISO_TIME_SIZE];
    char message[96];
    iso_time_format((uint64_t)service_unix_ms(), now);
    say_made(job, message, sizeof(message));
    exchange_begin(x, &w);
    write_object(&w);
    write_member_bool(&w, "success", true);
    write_member_string(&w, "message", message);
    write_made(&w, job);
    write_member_string(&w, "topology", job->request.topology);
    write_member_int(&w, "max_agents", job->request.max_agents);
    write_member_string(&w, "strategy", job->request.strategy);
    write_member_string(&w, "timestamp", now);
    write_object_end(&w);
    exchange_end(x, &w, 200, 0);
    exchange_finish(x);
}

/* Some of it is there, the rest is not. */
static void finish_half(struct exchange *x, const struct swarm_job *job, const struct failure *why)
{
    struct failure f = *why;
    struct writer w;
    f.status = 502;
    f.from_mock = false; /* write_made writes the source */
    (void)snprintf(f.code, sizeof(f.code), "AGENTS_NOT_SPAWNED");
    failure_set_text(&f, "The swarm was made, but %zu of its %zu agents were not: %s",
                     job->request.type_count - job->done, job->request.type_count, why->text);
    exchange_begin(x, &w);
    failure_write_open(&f, &w);
    write_member_string(&w, "cause", why->code);
    write_made(&w, job);
    write_object_end(&w);
    write_object_end(&w);
    exchange_end(x, &w, 502, 0);
    exchange_finish(x);
}

/* ---- agent_spawn ---- */

static void say_moved(struct failure *f, const struct ar_health *health)
{
    failure_format(f, 502, "SOURCE_CHANGED", "Send the request again.",
                   "the relay at %s came or went in the middle of it", health->address);
}

static void next_agent(struct exchange *x);

static int add_agent(struct swarm_job *job, const char *id, size_t id_len, const struct tool_result *r)
{
    struct writer w;
    const char *type = job->request.types[job->done];
    if (buf_len(&job->agents) > 0 && buf_append(&job->agents, ",", 1) != 0)
        return -ENOMEM;
    writer_init(&w, &job->agents);
    write_object(&w);
    write_key(&w, "id");
    write_string(&w, id, id_len);
    write_member_string(&w, "type", type);
    write_member_string(&w, "name", tool_result_string(r, "agent", "name"));
    write_member_string(&w, "status", tool_result_string(r, "agent", "status"));
    write_member_string(&w, "swarm_id", job->swarm_id);
    write_member_bool(&w, "mock", job->mock || tool_result_is_mock(r));
    write_object_end(&w);
    return writer_end(&w);
}

static void on_spawned(struct exchange *x, const struct ar_reply *reply)
{
    struct swarm_job *job = x->job;
    struct tool_result r;
    struct failure f;
    struct ar_health health;
    size_t len;
    if (exchange_read_tool(x, "agent_spawn", reply, &r, &f) != 0) {
        finish_half(x, job, &f);
        return;
    }
    const char *id = exchange_read_id(x, "agent_spawn", "agent", reply, &r, &len, &f);
    if (!id) {
        tool_result_done(&r);
        finish_half(x, job, &f);
        return;
    }
    int rc = add_agent(job, id, len, &r);
    tool_result_done(&r);
    if (rc == 0 && reply->source == job->source) {
        job->done++;
        next_agent(x);
        return;
    }
    exchange_health(x, &health);
    if (rc != 0)
        failure_from_code(&f, AR_E_NO_MEMORY, &health);
    else
        say_moved(&f, &health);
    finish_half(x, job, &f);
}

/* claude-flow 2 and ruv-swarm read "type", claude-flow 3 "agentType"; ruv-swarm knows no "swarmId". */
static int write_agent(const struct exchange *x, struct buf *params)
{
    const struct swarm_job *job = x->job;
    struct tool_params p;
    tool_params_begin(&p, params, x->tools, spawn_tools[0]);
    tool_params_string(&p, "type", job->request.types[job->done]);
    tool_params_string(&p, "agentType", job->request.types[job->done]);
    tool_params_string(&p, "swarmId", job->swarm_id);
    return tool_params_end(&p);
}

static void next_agent(struct exchange *x)
{
    struct swarm_job *job = x->job;
    struct ar_health health;
    struct failure f;
    struct buf params;
    if (job->done == job->request.type_count) {
        finish_well(x, job);
        return;
    }
    exchange_health(x, &health);
    if ((job->source == AR_SOURCE_MOCK) == (health.state == AR_LIVE)) {
        say_moved(&f, &health);
        finish_half(x, job, &f);
        return;
    }
    buf_init(&params, PARAMS_MAX_BYTES);
    if (write_agent(x, &params) != 0) {
        failure_from_code(&f, AR_E_NO_MEMORY, &health);
        finish_half(x, job, &f);
    } else {
        exchange_renew(x);
        exchange_call(x, &params, job->source == AR_SOURCE_MOCK ? AR_MOCK : AR_FAIL_FAST, false, on_spawned);
    }
    buf_done(&params);
}

/* ---- swarm_init ---- */

static void on_swarm(struct exchange *x, const struct ar_reply *reply)
{
    struct swarm_job *job = x->job;
    struct tool_result r;
    struct failure f;
    size_t len;
    if (exchange_read_tool(x, "swarm_init", reply, &r, &f) != 0) {
        exchange_refuse(x, &f);
        return;
    }
    const char *id = exchange_read_id(x, "swarm_init", "swarm", reply, &r, &len, &f);
    job->source = reply->source;
    job->mock = reply->source == AR_SOURCE_MOCK || tool_result_is_mock(&r);
    job->swarm_id = id ? mem_strndup(id, len) : NULL;
    tool_result_done(&r);
    if (job->swarm_id) {
        next_agent(x);
        return;
    }
    if (id)
        exchange_refuse_memory(x, true);
    else
        exchange_refuse(x, &f);
}

static int write_swarm(const struct exchange *x, struct buf *params)
{
    const struct swarm_job *job = x->job;
    const struct swarm_request *s = &job->request;
    struct tool_params p;
    tool_params_begin(&p, params, x->tools, swarm_tools[0]);
    tool_params_string(&p, "topology", s->topology);
    tool_params_int(&p, "maxAgents", s->max_agents);
    tool_params_string(&p, "strategy", s->strategy);
    if (s->neural_given)
        tool_params_bool(&p, "enableNeural", s->enable_neural);
    tool_params_string(&p, "customPrompt", s->custom_prompt);
    return tool_params_end(&p);
}

/* Both tools must be there: a swarm without the agents that were asked for is of no use. */
static void start_swarm(struct exchange *x)
{
    const struct swarm_job *job = x->job;
    struct failure f;
    struct buf params;
    if (!exchange_choose_tool(x, "make a swarm", swarm_tools, &f) ||
        (job->request.type_count > 0 && !exchange_choose_tool(x, "make agents", spawn_tools, &f))) {
        exchange_refuse(x, &f);
        return;
    }
    buf_init(&params, PARAMS_MAX_BYTES);
    if (write_swarm(x, &params) == 0) {
        exchange_call(x, &params, job->request.when_down, false, on_swarm);
    } else {
        exchange_refuse_memory(x, false);
    }
    buf_done(&params);
}

static struct swarm_job *job_new(const struct swarm_request *request)
{
    struct swarm_job *job = mem_zalloc(sizeof(*job));
    if (!job)
        return NULL;
    job->request = *request;
    buf_init(&job->agents, ANSWERS_MAX_BYTES);
    return job;
}

void endpoint_swarm(struct exchange *x)
{
    struct swarm_request s;
    struct failure f;
    const char *when_down = x->when_down_given ? x->when_down : NULL;
    if (request_swarm(buf_data(&x->body), buf_len(&x->body), when_down, &s, &f) != 0) {
        exchange_fail(x, &f);
        return;
    }
    struct swarm_job *job = job_new(&s);
    if (!job) {
        json_free(s.doc);
        exchange_fail_memory(x);
        return;
    }
    x->job = job;
    x->free_job = job_free;
    exchange_park(x);
    exchange_get_tools(x, s.when_down, start_swarm);
}

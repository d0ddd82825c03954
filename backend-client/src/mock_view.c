/* The mock behind the client.
 *
 * Purpose: give the engine invented agents and invented answers from one world, so that an agent spawned by a
 * call is there in the next snapshot. Happy path of a call: write the request as a line, hand it to
 * agent-mock's server (a struct in this process, no descriptor), let slow calls end, find the answer among
 * the lines that it wrote.
 *
 * Time stands still for the server, and slow calls would wait for real time: their own clock is put forward
 * instead, one step at a time, for at most as many steps as a slow call may have: no call waits here,
 * whatever it asks for.
 *
 * Failure modes: no memory, or an answer over the server's limit: the server takes the line back and says so;
 * the world stays whole, and the next call begins afresh. A request that is no JSON-RPC is answered by the
 * server's own error. No answer at all would be our bug; it becomes an internal error, never silence.
 */
#include "mock_view.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "mock/mcp.h"
#include "mock/mock.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"
#include "wire/writer.h"

#define KEEP_BYTES ((size_t)64 << 10) /* of the buffers, from one call to the next */

#define CODE_INTERNAL_ERROR (-32603)

/* The slow tool has 1,000 steps of 60 s at most, and then its answer. */
#define SLOW_MAX_TURNS   1001
#define SLOW_MAX_STEP_MS 60000

#define INITIALIZE                                                                                           \
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"libagentrelay\","    \
    "\"version\":\"" AGENT_RELAY_VERSION "\"}}"

struct mock_view {
    struct mock *mock; /* owned */
    struct mcp server;
    struct buf request;     /* the one being answered */
    struct json_doc *error; /* owned; of the last answer, whose message may be borrowed from it */
};

/* ---- its life ---- */

static int initialize(struct mock_view *v, uint64_t now_unix_ms)
{
    struct mock_answer answer;
    int rc = mock_view_call(v, "initialize", INITIALIZE, sizeof INITIALIZE - 1, now_unix_ms, &answer);
    if (rc != 0)
        return rc;
    return answer.result ? 0 : -ENOMEM; /* the one reason why the server could refuse this */
}

int mock_view_new(const char *cast, uint64_t seed, uint64_t start_unix_ms, struct mock_view **ret_view,
                  char *ret_problem, size_t problem_size)
{
    struct mock_options options = {
        .seed = seed, .start_ms = start_unix_ms, .cast = cast, .cast_len = cast ? strlen(cast) : 0};
    if (problem_size > 0)
        ret_problem[0] = '\0';
    struct mock_view *v = mem_zalloc(sizeof *v);
    if (!v)
        return -ENOMEM;
    int rc = mock_new(&options, &v->mock, ret_problem, problem_size);
    if (rc != 0) {
        if (problem_size > 0 && ret_problem[0] == '\0')
            snprintf(ret_problem, problem_size, "%s", err_text(rc));
        mem_free(v);
        return rc;
    }
    mcp_init(&v->server, v->mock);
    v->server.clock_stands = true;
    buf_init(&v->request, MCP_MAX_FRAME_BYTES);
    rc = initialize(v, start_unix_ms);
    if (rc != 0) {
        mock_view_free(v);
        return rc;
    }
    *ret_view = v;
    return 0;
}

void mock_view_free(struct mock_view *v)
{
    if (!v)
        return;
    json_free(v->error);
    buf_done(&v->request);
    mcp_done(&v->server);
    mock_free(v->mock);
    mem_free(v);
}

/* ---- agents ---- */

static struct ar_agent as_agent(const struct mock_agent *m)
{
    return (struct ar_agent){
        .id = m->id,
        .name = m->name,
        .type = m->type,
        .status = m->status,
        .swarm_id = m->swarm_id,
        .activity = m->activity,
        .capabilities = m->capabilities,
        .capability_count = m->capability_count,
        .health = m->health,
        .cpu = m->cpu,
        .memory = m->memory,
        .workload = m->workload,
        .success_rate = m->success_rate,
        .tasks_active = (int64_t)m->tasks_active,
        .tasks_completed = (int64_t)m->tasks_completed,
        .tasks_failed = (int64_t)m->tasks_failed,
        .tokens = (int64_t)m->tokens,
        .created_at_ms = (int64_t)m->created_at_ms,
        .last_activity_ms = (int64_t)m->last_active_ms,
        .mock = true,
    };
}

int mock_view_agents(struct mock_view *v, uint64_t now_unix_ms, struct agent_set **ret_set)
{
    struct set_builder builder;
    struct mock_agent m;
    int rc = 0;
    set_builder_init(&builder);
    for (size_t i = 0; rc == 0 && mock_agent_get(v->mock, i, now_unix_ms, &m); i++) {
        struct ar_agent agent = as_agent(&m);
        rc = set_builder_add(&builder, &agent);
    }
    if (rc == 0)
        rc = set_builder_finish(&builder, ret_set);
    set_builder_done(&builder);
    return rc;
}

/* ---- calls ---- */

/* Nothing of the last call is left, and no more storage than a call usually needs. */
static void begin(struct mock_view *v, uint64_t now_unix_ms)
{
    json_free(v->error);
    v->error = NULL;
    buf_clear(&v->server.out);
    buf_trim(&v->server.out, KEEP_BYTES);
    buf_clear(&v->server.scratch);
    buf_trim(&v->server.scratch, KEEP_BYTES);
    buf_clear(&v->request);
    buf_trim(&v->request, KEEP_BYTES);
    v->server.failed = 0;
    v->server.fixed_now_ms = now_unix_ms;
}

/* In JSON a newline stands between values only, where any blank does; the scan takes it for the line's end.
 */
static void make_one_line(struct buf *request)
{
    char *at = buf_data(request);
    char *end = at + buf_len(request);
    while ((at = memchr(at, '\n', (size_t)(end - at))))
        *at++ = ' ';
}

static int write_request(struct mock_view *v, const char *method, const char *params, size_t params_len)
{
    struct writer w;
    writer_init(&w, &v->request);
    write_object(&w);
    write_member_string(&w, "jsonrpc", "2.0");
    write_member_int(&w, "id", 1);
    write_member_string(&w, "method", method);
    if (params)
        write_member_raw(&w, "params", params, params_len);
    write_object_end(&w);
    int rc = writer_end(&w);
    if (rc == 0)
        make_one_line(&v->request);
    return rc;
}

/* Ends what would take its time: each turn makes one step due, by letting more time seem to have passed than
 * a step can last. */
static void end_slow_calls(struct mcp *s)
{
    for (unsigned i = 0; i < SLOW_MAX_TURNS && s->slow_count > 0; i++) {
        s->slow_real_ms -= SLOW_MAX_STEP_MS;
        (void)mcp_slow_advance(s);
    }
    mcp_slow_free_all(s); /* there is none, or the answer is missing, which is seen below */
}

/* The line that answers; the others are notifications. */
static bool find_answer(const struct mcp *s, const char **ret_line, struct rpc_envelope *ret_env)
{
    const char *at = buf_data(&s->out);
    const char *end = at ? at + buf_len(&s->out) : NULL;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        assert(newline); /* the server writes whole lines */
        rpc_scan_line(at, (size_t)(newline - at), ret_env);
        *ret_line = at;
        if (ret_env->kind == RPC_RESULT || ret_env->kind == RPC_ERROR)
            return true;
        at = newline + 1;
    }
    return false;
}

static int take_error(struct mock_view *v, const char *line, struct span error, struct mock_answer *ret)
{
    int64_t code = CODE_INTERNAL_ERROR;
    int rc = json_parse(line + error.off, error.len, JSON_STRICT, MCP_MAX_TOKENS, &v->error, NULL);
    if (rc != 0)
        return rc;
    json_node root = json_root(v->error);
    if (!json_int(v->error, json_get(v->error, root, "code"), INT32_MIN, INT32_MAX, &code))
        code = CODE_INTERNAL_ERROR;
    if (code == RPC_E_METHOD_NOT_FOUND)
        return ERR_NOT_FOUND;
    ret->error_code = (int)code;
    ret->message = json_raw(v->error, json_get(v->error, root, "message"), &ret->message_len);
    return 0;
}

static int take_answer(struct mock_view *v, struct mock_answer *ret)
{
    static const char missing[] = "\"The mock gave no answer\"";
    const char *line;
    struct rpc_envelope env;
    if (!find_answer(&v->server, &line, &env)) {
        ret->error_code = CODE_INTERNAL_ERROR;
        ret->message = missing;
        ret->message_len = sizeof missing - 1;
        return 0;
    }
    if (env.kind == RPC_ERROR)
        return take_error(v, line, env.error, ret);
    ret->result = line + env.result.off;
    ret->result_len = env.result.len;
    return 0;
}

int mock_view_call(struct mock_view *v, const char *method, const char *params, size_t params_len,
                   uint64_t now_unix_ms, struct mock_answer *ret_answer)
{
    struct rpc_envelope env;
    struct mock_answer answer = {0};
    begin(v, now_unix_ms);
    int rc = write_request(v, method, params, params_len);
    if (rc != 0)
        return rc;
    const char *line = buf_data(&v->request);
    rpc_scan_line(line, buf_len(&v->request), &env);
    mcp_frame(&v->server, line, buf_len(&v->request), &env);
    end_slow_calls(&v->server);
    rc = v->server.failed != 0 ? v->server.failed : take_answer(v, &answer);
    if (rc == 0)
        *ret_answer = answer;
    return rc;
}

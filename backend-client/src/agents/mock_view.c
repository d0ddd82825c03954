/* The mock behind the client.
 *
 * Purpose: give the engine invented agents and invented answers from one world, so that an agent spawned by a
 * call is there in the next snapshot. Happy path of a call: write the request as a line, hand it to
 * agent-mock's server (a struct in this process, no descriptor), let slow calls end, find the answer among
 * the lines that it wrote.
 *
 * Most clients are live nearly all the time, and ask the mock for nothing but a look at its agents. So the
 * world and its server stand only from the first call on; until then, each look makes the world anew from
 * its recipe (agents, seed, start), which gives the same world each time, and frees it. A world is five times
 * the size of its recipe.
 *
 * Time stands still for the server, and slow calls would wait for real time: their own clock is put forward
 * instead, one step at a time, for at most as many steps as a slow call may have: no call waits here,
 * whatever it asks for.
 *
 * Failure modes: no memory for a world: that look or call says so, and the next one tries again. No memory
 * for an answer, or one over the server's limit: the server takes the line back and says so; the world stays
 * whole, and the next call begins afresh. A request that is no JSON-RPC is answered by the
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
#define SLOW_MAX_STEPS   1001
#define SLOW_MAX_STEP_MS 60000

#define INITIALIZE                                                                                           \
    "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{},\"clientInfo\":{\"name\":\"libagentrelay\","    \
    "\"version\":\"" AGENT_RELAY_VERSION "\"}}"

/* A world with agent-mock's server before it. */
struct mock_stage {
    struct mock *mock; /* owned */
    struct mcp server;
    struct buf request;     /* the one being answered */
    struct json_doc *error; /* owned; of the last answer, whose message may be borrowed from it */
};

struct mock_view {
    struct mock_options recipe; /* its agents are `agents`, or NULL */
    struct mock_stage *stage;   /* owned; NULL until the first call */
    char agents[];              /* the caller's, copied */
};

/* ---- its life ---- */

static int stage_call(struct mock_stage *stage, const char *method, const char *params, size_t params_len,
                      uint64_t now_unix_ms, struct mock_answer *ret_answer);

static void stage_free(struct mock_stage *stage)
{
    if (!stage)
        return;
    json_free(stage->error);
    buf_done(&stage->request);
    mcp_done(&stage->server);
    mock_free(stage->mock);
    mem_free(stage);
}

/* -ENOMEM; the recipe is known to be good. */
static int stage_new(const struct mock_options *recipe, struct mock_stage **ret_stage)
{
    struct mock_stage *stage = mem_zalloc(sizeof(*stage));
    if (!stage)
        return -ENOMEM;
    int rc = mock_new(recipe, &stage->mock, NULL, 0);
    if (rc != 0) {
        mem_free(stage);
        return rc;
    }
    mcp_init(&stage->server, stage->mock);
    stage->server.clock_is_fixed = true;
    buf_init(&stage->request, MCP_MAX_FRAME_BYTES);
    struct mock_answer answer;
    rc = stage_call(stage, "initialize", INITIALIZE, sizeof(INITIALIZE) - 1, recipe->start_ms, &answer);
    if (rc == 0 && !answer.result)
        rc = -ENOMEM; /* the one reason why the server could refuse this */
    if (rc != 0) {
        stage_free(stage);
        return rc;
    }
    *ret_stage = stage;
    return 0;
}

/* Whether the recipe makes a world. */
static int check_recipe(const struct mock_options *recipe, char *ret_problem, size_t problem_size)
{
    struct mock *world;
    int rc = mock_new(recipe, &world, ret_problem, problem_size);
    if (rc == 0)
        mock_free(world);
    else if (problem_size > 0 && ret_problem[0] == '\0')
        (void)snprintf(ret_problem, problem_size, "%s", err_text(rc));
    return rc;
}

int mock_view_new(const char *agents, uint64_t seed, uint64_t start_unix_ms, struct mock_view **ret_view,
                  char *ret_problem, size_t problem_size)
{
    size_t agents_len = agents ? strlen(agents) : 0;
    if (problem_size > 0)
        ret_problem[0] = '\0';
    struct mock_view *v = mem_zalloc(sizeof(*v) + agents_len);
    if (!v)
        return -ENOMEM;
    if (agents)
        memcpy(v->agents, agents, agents_len);
    v->recipe = (struct mock_options){.seed = seed,
                                      .start_ms = start_unix_ms,
                                      .agents = agents ? v->agents : NULL,
                                      .agents_len = agents_len};
    int rc = check_recipe(&v->recipe, ret_problem, problem_size);
    if (rc != 0) {
        mem_free(v);
        return rc;
    }
    *ret_view = v;
    return 0;
}

void mock_view_free(struct mock_view *v)
{
    if (!v)
        return;
    stage_free(v->stage);
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

static int read_world(const struct mock *world, uint64_t now_unix_ms, struct agent_set **ret_set)
{
    struct set_builder builder;
    struct mock_agent m;
    int rc = 0;
    set_builder_init(&builder);
    for (size_t i = 0; rc == 0 && mock_agent_get(world, i, now_unix_ms, &m); i++) {
        struct ar_agent agent = as_agent(&m);
        rc = set_builder_add(&builder, &agent);
    }
    if (rc == 0)
        rc = set_builder_finish(&builder, ret_set);
    set_builder_done(&builder);
    return rc;
}

int mock_view_agents(const struct mock_view *v, uint64_t now_unix_ms, struct agent_set **ret_set)
{
    struct mock *world;
    if (v->stage)
        return read_world(v->stage->mock, now_unix_ms, ret_set);
    int rc = mock_new(&v->recipe, &world, NULL, 0);
    if (rc != 0)
        return rc;
    rc = read_world(world, now_unix_ms, ret_set);
    mock_free(world);
    return rc;
}

/* ---- calls ---- */

/* Nothing of the last call is left, and no more storage than a call usually needs. */
static void begin(struct mock_stage *stage, uint64_t now_unix_ms)
{
    json_free(stage->error);
    stage->error = NULL;
    buf_clear(&stage->server.out);
    buf_trim(&stage->server.out, KEEP_BYTES);
    buf_clear(&stage->server.scratch);
    buf_trim(&stage->server.scratch, KEEP_BYTES);
    buf_clear(&stage->request);
    buf_trim(&stage->request, KEEP_BYTES);
    stage->server.failed = 0;
    stage->server.fixed_now_ms = now_unix_ms;
}

static int write_request(struct mock_stage *stage, const char *method, const char *params, size_t params_len)
{
    struct writer w;
    writer_init(&w, &stage->request);
    write_object(&w);
    write_member_string(&w, "jsonrpc", "2.0");
    write_member_int(&w, "id", 1);
    write_member_string(&w, "method", method);
    if (params)
        write_member_raw(&w, "params", params, params_len);
    write_object_end(&w);
    int rc = writer_end(&w);
    if (rc != 0)
        return rc;
    /* In JSON a newline stands between values only, where any blank does; the scan would take it for the line's
     * end. */
    char *at = buf_data(&stage->request);
    char *end = at + buf_len(&stage->request);
    while ((at = memchr(at, '\n', (size_t)(end - at))))
        *at++ = ' ';
    return 0;
}

/* Ends what would take its time: each pass makes one step due, by letting more time seem to have passed than
 * a step can last. */
static void end_slow_calls(struct mcp *s)
{
    for (unsigned i = 0; i < SLOW_MAX_STEPS && s->slow_count > 0; i++) {
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

static int take_error(struct mock_stage *stage, const char *line, struct span error, struct mock_answer *ret)
{
    int64_t code = CODE_INTERNAL_ERROR;
    int rc = json_parse(line + error.off, error.len, JSON_STRICT, MCP_MAX_TOKENS, &stage->error, NULL);
    if (rc != 0)
        return rc;
    json_node root = json_root(stage->error);
    if (!json_int(stage->error, json_get(stage->error, root, "code"), INT32_MIN, INT32_MAX, &code))
        code = CODE_INTERNAL_ERROR;
    if (code == RPC_E_METHOD_NOT_FOUND)
        return ERR_NOT_FOUND;
    ret->error_code = (int)code;
    ret->message = json_raw(stage->error, json_get(stage->error, root, "message"), &ret->message_len);
    return 0;
}

static int take_answer(struct mock_stage *stage, struct mock_answer *ret)
{
    static const char missing[] = "\"The mock gave no answer\"";
    const char *line;
    struct rpc_envelope env;
    if (!find_answer(&stage->server, &line, &env)) {
        ret->error_code = CODE_INTERNAL_ERROR;
        ret->message = missing;
        ret->message_len = sizeof(missing) - 1;
        return 0;
    }
    if (env.kind == RPC_ERROR)
        return take_error(stage, line, env.error, ret);
    ret->result = line + env.result.off;
    ret->result_len = env.result.len;
    return 0;
}

static int stage_call(struct mock_stage *stage, const char *method, const char *params, size_t params_len,
                      uint64_t now_unix_ms, struct mock_answer *ret_answer)
{
    struct rpc_envelope env;
    struct mock_answer answer = {0};
    begin(stage, now_unix_ms);
    int rc = write_request(stage, method, params, params_len);
    if (rc != 0)
        return rc;
    const char *line = buf_data(&stage->request);
    rpc_scan_line(line, buf_len(&stage->request), &env);
    mcp_frame(&stage->server, line, buf_len(&stage->request), &env);
    end_slow_calls(&stage->server);
    rc = stage->server.failed != 0 ? stage->server.failed : take_answer(stage, &answer);
    if (rc == 0)
        *ret_answer = answer;
    return rc;
}

int mock_view_call(struct mock_view *v, const char *method, const char *params, size_t params_len,
                   uint64_t now_unix_ms, struct mock_answer *ret_answer)
{
    int rc = v->stage ? 0 : stage_new(&v->recipe, &v->stage);
    if (rc != 0)
        return rc;
    return stage_call(v->stage, method, params, params_len, now_unix_ms, ret_answer);
}

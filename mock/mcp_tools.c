/* The tools of agent-mock: tools/list and tools/call.
 *
 * Purpose: each row of one table has a tool's name, description, JSON schema and function. The agent tools
 * answer as claude-flow 2 does: one text content whose text is JSON; that JSON is made in the scratch buffer
 * and then written as a string. Failure modes: an unknown tool is a protocol error (-32602), as the
 * specification has it; wrong arguments and commands that fail (no such swarm, a full one) are tool errors,
 * isError with the reason as text, so that a model can read them. No memory: an internal error.
 */
#include <stdio.h>
#include <string.h>

#include "mock/mcp.h"
#include "mock/mcp_args.h"
#include "mock/views.h"
#include "wire/rpc_error.h"

/* One call under way. */
struct call {
    struct mcp *s;
    const struct mcp_request *r;
    struct mcp_args args;
    uint64_t now_ms;
    struct writer w; /* the tool writes its answer here */
};

enum outcome {
    DONE,     /* the answer was written to call.w */
    FAILED,   /* the reason is in args.problem */
    ANSWERED, /* the answer was written already, or comes later */
};

#define WORD   MOCK_MAX_WORD_BYTES
#define ANY_ID SIZE_MAX /* it is looked up: one that is longer than any is not found */

static const char *const topologies[] = {"hierarchical", "mesh", "ring", "star", NULL};
static const char *const filters[] = {"all", "active", "idle", "busy", NULL};
static const char *const strategies[] = {"adaptive",   "balanced",    "parallel",
                                         "sequential", "specialized", NULL};
static const char *const priorities[] = {"low", "medium", "high", "critical", NULL};

static enum outcome fail(struct call *c, int code, const char *what)
{
    (void)snprintf(c->args.problem, sizeof(c->args.problem), "%s %s", what, err_text(code));
    return FAILED;
}

/* ---- agents ---- */

static enum outcome agent_list(struct call *c)
{
    struct mock_swarm swarm;
    const char *filter = arg_choice(&c->args, "filter", filters, "all");
    const char *swarm_id = arg_string(&c->args, "swarmId", ANY_ID, NULL);
    if (args_wrong(&c->args))
        return FAILED;
    if (swarm_id && !mock_swarm_get(c->s->mock, swarm_id, &swarm))
        return fail(c, ERR_NOT_FOUND, "the swarm was");
    const char *status = strcmp(filter, "all") == 0 ? NULL : strcmp(filter, "busy") == 0 ? "active" : filter;
    mock_write_agent_list(c->s->mock, status, swarm_id, c->now_ms, &c->w);
    return DONE;
}

static void write_spawned(struct call *c, size_t index)
{
    struct mock_agent agent;
    if (!mock_agent_get(c->s->mock, index, c->now_ms, &agent))
        return;
    write_object(&c->w);
    write_member_bool(&c->w, "success", true);
    write_member_string(&c->w, "agentId", agent.id);
    write_member_string(&c->w, "swarmId", agent.swarm_id);
    write_member_string(&c->w, "type", agent.type);
    write_member_string(&c->w, "name", agent.name);
    write_member_string(&c->w, "status", agent.status);
    write_member_words(&c->w, "capabilities", agent.capabilities, agent.capability_count);
    write_member_bool(&c->w, "persisted", false);
    write_member_time(&c->w, "timestamp", c->now_ms);
    write_member_bool(&c->w, "mock", true);
    write_object_end(&c->w);
}

static enum outcome agent_spawn(struct call *c)
{
    size_t index;
    const char *words[MOCK_MAX_CAPABILITIES];
    struct mock_spawn spawn = {
        .type = arg_required(&c->args, "type", WORD),
        .name = arg_string(&c->args, "name", WORD, NULL),
        .capabilities = words,
        .capability_count = arg_words(&c->args, "capabilities", words),
        .swarm_id = arg_string(&c->args, "swarmId", ANY_ID, NULL),
    };
    if (args_wrong(&c->args))
        return FAILED;
    int rc = mock_spawn(c->s->mock, &spawn, c->now_ms, &index);
    if (rc != 0)
        return fail(c, rc, "no agent was spawned: the swarm");
    write_spawned(c, index);
    mcp_log(c->s, "info", "an agent was spawned");
    return DONE;
}

static void write_metrics(struct writer *w, const struct mock_agent *a)
{
    write_object(w);
    write_member_string(w, "agentId", a->id);
    write_member_string(w, "status", a->status);
    write_member_double(w, "health", a->health);
    write_member_double(w, "cpuUsage", a->cpu);
    write_member_double(w, "memoryUsage", a->memory);
    write_member_double(w, "workload", a->workload);
    write_member_uint(w, "tasksActive", a->tasks_active);
    write_member_uint(w, "tasksCompleted", a->tasks_completed);
    write_member_uint(w, "tasksFailed", a->tasks_failed);
    write_member_double(w, "successRate", a->success_rate);
    write_member_uint(w, "tokens", a->tokens);
    write_member_uint(w, "tokenRate", a->tokens_per_minute);
    write_member_bool(w, "mock", true);
    write_object_end(w);
}

static enum outcome agent_metrics(struct call *c)
{
    struct mock_agent agent;
    uint64_t count = 0;
    const char *id = arg_string(&c->args, "agentId", ANY_ID, NULL);
    if (args_wrong(&c->args))
        return FAILED;
    write_object(&c->w);
    write_key(&c->w, "metrics");
    write_array(&c->w);
    for (size_t i = 0; mock_agent_get(c->s->mock, i, c->now_ms, &agent); i++) {
        if (id && strcmp(id, agent.id) != 0)
            continue;
        write_metrics(&c->w, &agent);
        count++;
    }
    write_array_end(&c->w);
    write_member_bool(&c->w, "success", true);
    write_member_uint(&c->w, "count", count);
    write_member_time(&c->w, "timestamp", c->now_ms);
    write_member_bool(&c->w, "mock", true);
    write_object_end(&c->w);
    return id && count == 0 ? fail(c, ERR_NOT_FOUND, "the agent was") : DONE;
}

/* ---- swarms ---- */

static enum outcome swarm_init(struct call *c)
{
    const char *topology = arg_choice(&c->args, "topology", topologies, "hierarchical");
    const char *strategy = arg_string(&c->args, "strategy", WORD, "balanced");
    uint64_t max_agents = arg_uint(&c->args, "maxAgents", 1, 100, 8);
    const char *id;
    if (args_wrong(&c->args))
        return FAILED;
    int rc = mock_swarm_init(c->s->mock, topology, strategy, max_agents, MOCK_ID_LONG, c->now_ms, &id);
    if (rc != 0)
        return fail(c, rc, "no swarm was made:");
    write_object(&c->w);
    write_member_bool(&c->w, "success", true);
    write_member_string(&c->w, "swarmId", id);
    write_member_string(&c->w, "topology", topology);
    write_member_uint(&c->w, "maxAgents", max_agents);
    write_member_string(&c->w, "strategy", strategy);
    write_member_string(&c->w, "status", "initialized");
    write_member_bool(&c->w, "persisted", false);
    write_member_time(&c->w, "timestamp", c->now_ms);
    write_member_bool(&c->w, "mock", true);
    write_object_end(&c->w);
    mcp_log(c->s, "info", "a swarm was initialized");
    return DONE;
}

static enum outcome swarm_status(struct call *c)
{
    struct mock_swarm swarm;
    const char *id = arg_string(&c->args, "swarmId", ANY_ID, NULL);
    if (args_wrong(&c->args))
        return FAILED;
    if (!mock_swarm_get(c->s->mock, id, &swarm))
        return fail(c, ERR_NOT_FOUND, "the swarm was");
    mock_write_swarm_status(c->s->mock, &swarm, c->now_ms, &c->w);
    return DONE;
}

static enum outcome swarm_destroy(struct call *c)
{
    struct mock_swarm swarm;
    size_t ended;
    const char *id = arg_string(&c->args, "swarmId", ANY_ID, NULL);
    if (args_wrong(&c->args))
        return FAILED;
    if (!mock_swarm_get(c->s->mock, id, &swarm))
        return fail(c, ERR_NOT_FOUND, "the swarm was");
    write_object(&c->w);
    write_member_bool(&c->w, "success", true);
    write_member_string(&c->w, "swarmId", swarm.id);
    int rc = mock_swarm_destroy(c->s->mock, swarm.id, &ended); /* swarm's strings are freed here */
    if (rc != 0)
        ended = 0;
    write_member_string(&c->w, "status", "destroyed");
    write_member_uint(&c->w, "agentsEnded", ended);
    write_member_time(&c->w, "timestamp", c->now_ms);
    write_member_bool(&c->w, "mock", true);
    write_object_end(&c->w);
    mcp_log(c->s, "info", "a swarm was destroyed");
    return DONE;
}

/* ---- tasks ---- */

static enum outcome task_orchestrate(struct call *c)
{
    struct mock_task task;
    const char *text = arg_required(&c->args, "task", MOCK_MAX_TASK_BYTES);
    const char *strategy = arg_choice(&c->args, "strategy", strategies, "adaptive");
    const char *priority = arg_choice(&c->args, "priority", priorities, "medium");
    const char *swarm_id = arg_string(&c->args, "swarmId", ANY_ID, NULL);
    const char *id;
    if (args_wrong(&c->args))
        return FAILED;
    int rc = mock_task_add(c->s->mock, text, strategy, priority, swarm_id, c->now_ms, &id);
    if (rc != 0 || !mock_task_find(c->s->mock, id, c->now_ms, &task))
        return fail(c, rc, "the task was not taken: the swarm");
    write_object(&c->w);
    write_member_bool(&c->w, "success", true);
    write_member_string(&c->w, "taskId", task.id);
    write_member_string(&c->w, "task", task.text);
    write_member_string(&c->w, "strategy", task.strategy);
    write_member_string(&c->w, "priority", task.priority);
    write_member_string(&c->w, "status", mock_task_status_text(task.status));
    write_member_words(&c->w, "assignedAgents", &task.agent_id, 1);
    write_member_bool(&c->w, "persisted", false);
    write_member_time(&c->w, "timestamp", c->now_ms);
    write_member_bool(&c->w, "mock", true);
    write_object_end(&c->w);
    mcp_log(c->s, "info", "a task was taken");
    return DONE;
}

static void write_all_tasks(struct call *c)
{
    struct mock_task task;
    write_key(&c->w, "tasks");
    write_array(&c->w);
    for (size_t i = 0; mock_task_get(c->s->mock, i, c->now_ms, &task); i++)
        mock_write_task(&task, &c->w);
    write_array_end(&c->w);
    write_member_uint(&c->w, "count", mock_task_count(c->s->mock));
}

static enum outcome task_status(struct call *c)
{
    struct mock_task task;
    const char *id = arg_string(&c->args, "taskId", ANY_ID, NULL);
    if (args_wrong(&c->args))
        return FAILED;
    if (id && !mock_task_find(c->s->mock, id, c->now_ms, &task))
        return fail(c, ERR_NOT_FOUND, "the task was");
    write_object(&c->w);
    write_member_bool(&c->w, "success", true);
    if (id)
        mock_write_task_members(&task, &c->w);
    else
        write_all_tasks(c);
    write_member_time(&c->w, "timestamp", c->now_ms);
    write_member_bool(&c->w, "mock", true);
    write_object_end(&c->w);
    return DONE;
}

/* ---- for trying things out ---- */

/* The message is returned byte for byte, escapes included. */
static enum outcome echo(struct call *c)
{
    size_t len;
    json_node at = c->args.doc ? json_get(c->args.doc, c->args.node, "message") : JSON_ABSENT;
    if (!c->args.doc || json_type(c->args.doc, at) != JSON_STRING) {
        (void)snprintf(c->args.problem, sizeof(c->args.problem), "message is required, a string");
        return FAILED;
    }
    const char *text = json_raw(c->args.doc, at, &len);
    mcp_tool_result(c->s, c->r, text, len, true, false);
    return ANSWERED;
}

static enum outcome slow(struct call *c)
{
    uint64_t steps = arg_uint(&c->args, "steps", 1, 1000, 5);
    uint64_t step_ms = arg_uint(&c->args, "stepMs", 0, 60000, 200);
    const char *message = arg_string(&c->args, "message", MOCK_MAX_TASK_BYTES, "done");
    if (args_wrong(&c->args))
        return FAILED;
    int rc = mcp_slow_start(c->s, c->r, (unsigned)steps, step_ms, message);
    return rc == 0 ? ANSWERED : fail(c, rc, "the list of slow calls");
}

/* ---- the table ---- */

#define STRING(name, text)   "\"" name "\":{\"type\":\"string\",\"description\":\"" text "\"}"
#define SWARM_ID             STRING("swarmId", "Default: the newest swarm")
#define SCHEMA(members, end) "{\"type\":\"object\",\"properties\":{" members "}" end "}"
#define ENUM(name, list, preset)                                                                             \
    "\"" name "\":{\"type\":\"string\",\"enum\":[" list "],\"default\":\"" preset "\"}"
#define INTEGER(name, min, max, preset)                                                                      \
    "\"" name "\":{\"type\":\"integer\",\"minimum\":" min ",\"maximum\":" max ",\"default\":" preset "}"
#define REQUIRED(name) ",\"required\":[\"" name "\"]"

static const struct tool {
    const char *name;
    const char *description;
    const char *schema;
    enum outcome (*run)(struct call *c);
    bool reads_only;
} tools[] = {
    {"agent_list", "Lists the mock agents with their loads and counters",
     SCHEMA(ENUM("filter", "\"all\",\"active\",\"idle\",\"busy\"",
                 "all") "," STRING("swarmId", "Only the agents of this swarm"),
            ""),
     agent_list, true},
    {"swarm_init", "Makes a new mock swarm, which becomes the newest",
     SCHEMA(ENUM("topology", "\"hierarchical\",\"mesh\",\"ring\",\"star\"", "hierarchical") "," INTEGER(
                "maxAgents", "1", "100", "8") "," STRING("strategy", "Any word; balanced when absent"),
            ""),
     swarm_init, false},
    {"agent_spawn", "Adds a mock agent to a swarm",
     SCHEMA(STRING("type", "coordinator, researcher, coder, analyst, tester, or any other word") "," STRING(
                "name", "Made from the type when absent") ",\"capabilities\":{\"type\":\"array\",\"items\":{"
                                                          "\"type\":\"string\"},\"maxItems\":32}," SWARM_ID,
            REQUIRED("type")),
     agent_spawn, false},
    {"agent_metrics", "The figures of one mock agent, or of all",
     SCHEMA(STRING("agentId", "Default: all agents"), ""), agent_metrics, true},
    {"swarm_status", "Counts the agents and tasks of a mock swarm", SCHEMA(SWARM_ID, ""), swarm_status, true},
    {"swarm_destroy", "Ends a mock swarm with its spawned agents and tasks; the initial agents stay",
     SCHEMA(SWARM_ID, ""), swarm_destroy, false},
    {"task_orchestrate", "Gives a task to the mock agents; it is completed after some seconds",
     SCHEMA(STRING("task", "What is to be done") "," ENUM(
                "strategy", "\"adaptive\",\"balanced\",\"parallel\",\"sequential\",\"specialized\"",
                "adaptive") "," ENUM("priority", "\"low\",\"medium\",\"high\",\"critical\"",
                                     "medium") "," SWARM_ID,
            REQUIRED("task")),
     task_orchestrate, false},
    {"task_status", "How far a mock task is, or all of them",
     SCHEMA(STRING("taskId", "Default: all tasks"), ""), task_status, true},
    {"echo", "Gives the message back as it came", SCHEMA(STRING("message", "Any text"), REQUIRED("message")),
     echo, true},
    {"slow", "Takes its time, with progress after each step when the caller wants it",
     SCHEMA(INTEGER("steps", "1", "1000", "5") "," INTEGER("stepMs", "0", "60000", "200") "," STRING(
                "message", "The answer; done when absent"),
            ""),
     slow, true},
};

#define TOOL_COUNT (sizeof(tools) / sizeof(tools[0]))

void mcp_tools_list(struct mcp *s, const struct mcp_request *r)
{
    struct mcp_line line;
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_key(&line.w, "tools");
    write_array(&line.w);
    for (size_t i = 0; i < TOOL_COUNT; i++) {
        write_object(&line.w);
        write_member_string(&line.w, "name", tools[i].name);
        write_member_string(&line.w, "description", tools[i].description);
        write_member_raw(&line.w, "inputSchema", tools[i].schema, strlen(tools[i].schema));
        write_key(&line.w, "annotations");
        write_object(&line.w);
        write_member_bool(&line.w, "readOnlyHint", tools[i].reads_only);
        write_object_end(&line.w);
        write_object_end(&line.w);
    }
    write_array_end(&line.w);
    write_object_end(&line.w);
    mcp_result_end(&line);
}

static void run_tool(struct mcp *s, const struct mcp_request *r, const struct tool *tool)
{
    struct call c = {
        .s = s, .r = r, .args = {.doc = r->params, .node = r->arguments}, .now_ms = mcp_now_ms(s)};
    buf_clear(&s->scratch);
    writer_init(&c.w, &s->scratch);
    enum outcome outcome = tool->run(&c);
    if (outcome == ANSWERED)
        return;
    int rc = writer_end(&c.w);
    if (outcome == FAILED)
        mcp_tool_result(s, r, c.args.problem, strlen(c.args.problem), false, true);
    else if (rc != 0)
        mcp_internal_error(s, r, rc);
    else
        mcp_tool_result(s, r, buf_data(&s->scratch), buf_len(&s->scratch), false, false);
    buf_clear(&s->scratch);
    buf_trim(&s->scratch, MCP_OUT_HIGH_BYTES);
}

static void unknown_tool(struct mcp *s, const struct mcp_request *r, const char *name)
{
    char text[MOCK_MAX_WORD_BYTES + 32];
    (void)snprintf(text, sizeof(text), "Unknown tool: %s", name);
    mcp_error(s, r->id, r->id_len, RPC_E_INVALID_PARAMS, text);
}

void mcp_tools_call(struct mcp *s, struct mcp_request *r)
{
    json_node root = r->params ? json_root(r->params) : JSON_ABSENT;
    const char *name = r->params ? json_string(r->params, json_get(r->params, root, "name"), NULL) : NULL;
    if (!name) {
        mcp_error(s, r->id, r->id_len, RPC_E_INVALID_PARAMS, "name is required, a string");
        return;
    }
    r->arguments = json_get(r->params, root, "arguments");
    if (r->arguments != JSON_ABSENT && json_type(r->params, r->arguments) != JSON_OBJECT) {
        mcp_error(s, r->id, r->id_len, RPC_E_INVALID_PARAMS, "arguments must be an object");
        return;
    }
    for (size_t i = 0; i < TOOL_COUNT; i++) {
        if (strcmp(tools[i].name, name) == 0) {
            run_tool(s, r, &tools[i]);
            return;
        }
    }
    if (!mcp_control_call(s, r, name))
        unknown_tool(s, r, name);
}

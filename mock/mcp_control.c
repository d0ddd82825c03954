/* The methods of the agent control system: agents/list, and the three tools whose results are not wrapped in
 * content.
 *
 * Purpose: answer the clients of that system in its own shapes. Their `tools/call` results are not wrapped in
 * MCP content, so these tools are not in tools/list: an MCP client could not read their results. Failure
 * modes: wrong arguments are -32602 with the request's id (the system itself answered id null). A command
 * that fails is -32603.
 */
#include <string.h>

#include "mock/mcp.h"
#include "mock/mcp_args.h"
#include "mock/views.h"
#include "wire/rpc_error.h"

#define WORD       MOCK_MAX_WORD_BYTES
#define MAX_AGENTS 20 /* that system's own default */

static bool refused(struct mcp *s, const struct mcp_request *r, const struct mcp_args *args)
{
    if (!args_wrong(args))
        return false;
    mcp_error(s, r->id, r->id_len, RPC_E_INVALID_PARAMS, args->problem);
    return true;
}

void mcp_control_agents(struct mcp *s, const struct mcp_request *r)
{
    struct mcp_args args = {.doc = r->params};
    struct mcp_line line;
    const char *type = arg_string(&args, "type", WORD, NULL);
    const char *status = arg_string(&args, "status", WORD, NULL);
    const char *source = arg_string(&args, "source", WORD, NULL);
    if (refused(s, r, &args))
        return;
    mcp_result_start(s, r, &line);
    mock_write_control_agents(s->mock, type, status, source, mcp_now_ms(s), &line.w);
    mcp_result_end(&line);
}

static void snapshot(struct mcp *s, const struct mcp_request *r, struct mcp_args *args)
{
    struct mcp_line line;
    bool positions = arg_bool(args, "includePositions", true);
    bool connections = arg_bool(args, "includeConnections", true);
    if (refused(s, r, args))
        return;
    mcp_result_start(s, r, &line);
    mock_write_snapshot(s->mock, positions, connections, mcp_now_ms(s), &line.w);
    mcp_result_end(&line);
}

/* includeAgents and includePerformance are checked and ignored: the clients need both parts. */
static void metrics(struct mcp *s, const struct mcp_request *r, struct mcp_args *args)
{
    struct mcp_line line;
    arg_bool(args, "includeAgents", true);
    arg_bool(args, "includePerformance", true);
    if (refused(s, r, args))
        return;
    mcp_result_start(s, r, &line);
    mock_write_metrics(s->mock, mcp_now_ms(s), &line.w);
    mcp_result_end(&line);
}

struct plan {
    const char *topology;
    uint64_t max_agents;
    const char *types[MOCK_MAX_CAPABILITIES];
    size_t type_count;
};

/* All the requested agents, up to the swarm's limit, or none and no swarm. */
static int make_swarm(struct mcp *s, const struct plan *p, uint64_t now_ms, const char **ret_id)
{
    const char *id;
    int rc = mock_swarm_init(s->mock, p->topology, "adaptive", p->max_agents, MOCK_ID_SHORT, now_ms, &id);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < p->type_count; i++) {
        size_t index;
        struct mock_spawn spawn = {.type = p->types[i], .swarm_id = id};
        rc = mock_spawn(s->mock, &spawn, now_ms, &index);
        if (rc == ERR_FULL)
            break;
        if (rc != 0) {
            size_t ended;
            (void)!mock_swarm_destroy(s->mock, id, &ended);
            return rc;
        }
    }
    *ret_id = id;
    return 0;
}

static void write_swarm(struct mcp *s, const struct mcp_request *r, const struct plan *p, const char *id,
                        uint64_t now_ms)
{
    struct mcp_line line;
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_member_string(&line.w, "status", "initialized");
    write_member_string(&line.w, "topology", p->topology);
    write_member_words(&line.w, "agentTypes", p->types, p->type_count);
    write_member_string(&line.w, "swarmId", id);
    write_member_time(&line.w, "timestamp", now_ms);
    write_member_bool(&line.w, "mock", true);
    write_object_end(&line.w);
    mcp_result_end(&line);
}

static void initialize_swarm(struct mcp *s, const struct mcp_request *r, struct mcp_args *args)
{
    uint64_t now_ms = mcp_now_ms(s);
    const char *id;
    struct plan p = {.topology = arg_string(args, "topology", WORD, "hierarchical"),
                     .max_agents = arg_uint(args, "maxAgents", 1, MOCK_MAX_AGENTS, MAX_AGENTS)};
    p.type_count = arg_words(args, "agentTypes", p.types);
    if (refused(s, r, args))
        return;
    int rc = make_swarm(s, &p, now_ms, &id);
    if (rc != 0)
        mcp_internal_error(s, r, rc);
    else
        write_swarm(s, r, &p, id, now_ms);
}

bool mcp_control_call(struct mcp *s, const struct mcp_request *r, const char *name)
{
    struct mcp_args args = {.doc = r->params, .node = r->arguments};
    if (strcmp(name, "swarm.initialize") == 0)
        initialize_swarm(s, r, &args);
    else if (strcmp(name, "visualization.snapshot") == 0)
        snapshot(s, r, &args);
    else if (strcmp(name, "metrics.get") == 0)
        metrics(s, r, &args);
    else
        return false;
    return true;
}

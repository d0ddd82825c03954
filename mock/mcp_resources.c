/* The resources of agent-mock: mock://agents (all agents) and mock://agents/ID (one agent).
 *
 * Purpose: resources/list, resources/templates/list, resources/read. The text of a resource is the JSON of
 * the agent tools. Failure modes: an unknown URI is -32002 with the URI in data, as revisions up to
 * 2025-11-25 have it.
 */
#include <stdio.h>
#include <string.h>

#include "mock/mcp.h"
#include "wire/rpc_error.h"

#define ALL_AGENTS "mock://agents"

static void write_resource(struct writer *w, const char *uri, const char *name, const char *description)
{
    write_object(w);
    write_member_string(w, "uri", uri);
    write_member_string(w, "name", name);
    write_member_string(w, "description", description);
    write_member_string(w, "mimeType", "application/json");
    write_object_end(w);
}

void mcp_resources_list(struct mcp *s, const struct mcp_request *r)
{
    struct mcp_line line;
    struct mock_agent agent;
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_key(&line.w, "resources");
    write_array(&line.w);
    write_resource(&line.w, ALL_AGENTS, "agents", "All mock agents");
    for (size_t i = 0; mock_agent_get(s->mock, i, mcp_now_ms(s), &agent); i++) {
        char uri[MOCK_MAX_WORD_BYTES + 32];
        (void)snprintf(uri, sizeof(uri), ALL_AGENTS "/%s", agent.id);
        write_resource(&line.w, uri, agent.name, "A mock agent");
    }
    write_array_end(&line.w);
    write_object_end(&line.w);
    mcp_result_end(&line);
}

void mcp_resources_templates(struct mcp *s, const struct mcp_request *r)
{
    static const char templates[] = "{\"resourceTemplates\":[{\"uriTemplate\":\"" ALL_AGENTS
                                    "/{id}\",\"name\":\"agent\",\"description\":\"One "
                                    "mock agent\",\"mimeType\":\"application/json\"}]}";
    struct mcp_line line;
    mcp_result_start(s, r, &line);
    write_raw(&line.w, templates, sizeof(templates) - 1);
    mcp_result_end(&line);
}

/* Writes the resource's text; false when no resource has that URI. */
static bool write_text(struct mcp *s, const char *uri, struct writer *w)
{
    uint64_t now_ms = mcp_now_ms(s);
    struct mock_agent agent;
    const size_t prefix = sizeof(ALL_AGENTS) - 1;
    if (strcmp(uri, ALL_AGENTS) == 0) {
        mock_write_agent_list(s->mock, NULL, NULL, now_ms, w);
        return true;
    }
    if (strncmp(uri, ALL_AGENTS "/", prefix + 1) != 0)
        return false;
    for (size_t i = 0; mock_agent_get(s->mock, i, now_ms, &agent); i++) {
        if (strcmp(agent.id, uri + prefix + 1) == 0) {
            mock_write_agent(s->mock, &agent, now_ms, w);
            return true;
        }
    }
    return false;
}

static void write_contents(struct mcp *s, const struct mcp_request *r, const char *uri)
{
    struct mcp_line line;
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_key(&line.w, "contents");
    write_array(&line.w);
    write_object(&line.w);
    write_member_string(&line.w, "uri", uri);
    write_member_string(&line.w, "mimeType", "application/json");
    write_key(&line.w, "text");
    write_string(&line.w, buf_data(&s->scratch), buf_len(&s->scratch));
    write_object_end(&line.w);
    write_array_end(&line.w);
    write_object_end(&line.w);
    mcp_result_end(&line);
}

void mcp_resources_read(struct mcp *s, const struct mcp_request *r)
{
    const char *uri =
        r->params ? json_string(r->params, json_get(r->params, json_root(r->params), "uri"), NULL) : NULL;
    if (!uri) {
        mcp_error(s, r->id, r->id_len, RPC_E_INVALID_PARAMS, "uri is required, a string");
        return;
    }
    struct writer w;
    buf_clear(&s->scratch);
    writer_init(&w, &s->scratch);
    bool found = write_text(s, uri, &w);
    int rc = writer_end(&w);
    if (!found)
        mcp_no_resource(s, r, uri);
    else if (rc != 0)
        mcp_internal_error(s, r, rc);
    else
        write_contents(s, r, uri);
    buf_clear(&s->scratch);
}

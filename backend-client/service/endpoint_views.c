/* The read-only endpoints: each writes one view of a snapshot and the health. They never wait for the relay,
 * since there is always a snapshot.
 */
#include "publish.h"
#include "routes.h"
#include "view.h"

static int write_health(const struct view *v, struct writer *w)
{
    view_health(v, w);
    return 0;
}

static int write_agents(const struct view *v, struct writer *w)
{
    return view_agents(v, false, w);
}

static void write_answer(struct exchange *x, const struct view *view, view_write_cb *write)
{
    struct writer w;
    exchange_begin(x, &w);
    exchange_end(x, &w, 200, write(view, &w));
}

/* Many agents: the text that others get as well. */
static void share_answer(struct exchange *x, enum view_kind kind, const struct view *view,
                         view_write_cb *write)
{
    struct writer w;
    int rc = view_cache_get(&x->service->views, kind, view, write, service_now_ms(), &x->shared);
    x->status = 200;
    if (rc == ERR_FULL)
        exchange_fail_overloaded(x, "Too many large answers are being read at once.",
                                 "Try again in a moment; GET /api/bots/events needs less.");
    else if (rc != 0) {
        exchange_begin(x, &w);
        exchange_end(x, &w, 200, rc);
    }
}

static void show(struct exchange *x, enum view_kind kind, const struct client_state *state,
                 view_write_cb *write)
{
    if (ar_snapshot_count(state->view.snapshot) < VIEW_SHARED_AGENTS)
        write_answer(x, &state->view, write);
    else
        share_answer(x, kind, &state->view, write);
}

/* Never shared, and never behind a text that is being rendered. */
void endpoint_health(struct exchange *x)
{
    struct client_state state;
    client_state_take(&state, x->service->client);
    write_answer(x, &state.view, write_health);
    client_state_done(&state);
}

void endpoint_agents(struct exchange *x)
{
    struct client_state state;
    client_state_take(&state, x->service->client);
    show(x, VIEW_AGENTS, &state, write_agents);
    client_state_done(&state);
}

void endpoint_data(struct exchange *x)
{
    struct client_state state;
    client_state_take(&state, x->service->client);
    show(x, VIEW_GRAPH, &state, view_graph);
    client_state_done(&state);
}

/* Telemetry without agents is an error; the error names the source all the same. */
static void refuse_empty(struct exchange *x, const struct client_state *state)
{
    struct failure f;
    struct writer w;
    failure_set(
        &f, 503, "NO_AGENTS",
        state->health.agents_unsupported
            ? "The server behind the relay has no way to list agents; choose another server for it."
            : "The server behind the relay lists no agents; POST /api/bots/initialize-swarm makes some.",
        "No agent telemetry data available");
    exchange_begin(x, &w);
    failure_write_open(&f, &w);
    write_object_end(&w);
    view_write_markers(&state->view, &w);
    view_write_time(&w, "timestamp", state->view.now_unix_ms);
    write_object_end(&w);
    exchange_end(x, &w, f.status, 0);
}

void endpoint_status(struct exchange *x)
{
    struct client_state state;
    client_state_take(&state, x->service->client);
    if (ar_snapshot_count(state.view.snapshot) == 0)
        refuse_empty(x, &state);
    else
        show(x, VIEW_STATUS, &state, view_status);
    client_state_done(&state);
}

/* The read-only endpoints: each writes one view of a snapshot and the health. They never wait for the relay,
 * since there is always a snapshot.
 */
#include "publish.h"
#include "routes.h"
#include "view.h"

typedef int view_fn(const struct view *v, struct writer *w);

static int write_health(const struct view *v, struct writer *w)
{
    view_health(v, w);
    return 0;
}

static int write_agents(const struct view *v, struct writer *w)
{
    return view_agents(v, false, w);
}

static void show(struct exchange *x, view_fn *write)
{
    struct client_state state;
    struct writer w;
    client_state_take(&state, x->service->client);
    exchange_begin(x, &w);
    exchange_end(x, &w, 200, write(&state.view, &w));
    client_state_done(&state);
}

void endpoint_health(struct exchange *x)
{
    show(x, write_health);
}

void endpoint_agents(struct exchange *x)
{
    show(x, write_agents);
}

void endpoint_data(struct exchange *x)
{
    show(x, view_graph);
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
    struct writer w;
    client_state_take(&state, x->service->client);
    if (ar_snapshot_count(state.view.snapshot) == 0) {
        refuse_empty(x, &state);
    } else {
        exchange_begin(x, &w);
        exchange_end(x, &w, 200, view_status(&state.view, &w));
    }
    client_state_done(&state);
}

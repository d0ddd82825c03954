/* From the client to the hub.
 *
 * Purpose: an agents event for each new snapshot, a health event when only the health changed (another
 * attempt, another error). Failure modes: without memory an event is left out; readers keep what they have,
 * and the tick of the main thread publishes again as soon as something changes.
 */
#include "publish.h"

#include <string.h>

#include "base/map.h"
#include "exchange.h"
#include "service.h"

void client_state_take(struct client_state *state, const struct ar_client *client)
{
    ar_health_init(&state->health);
    (void)ar_health(client, &state->health); /* fails for a size that is none only */
    state->view = (struct view){
        .snapshot = ar_agents(client), .health = &state->health, .now_unix_ms = service_unix_ms()};
}

void client_state_done(struct client_state *state)
{
    ar_snapshot_release(state->view.snapshot);
}

int publish_write_agents(const struct client_state *state, struct buf *json)
{
    struct writer w;
    writer_init(&w, json);
    int rc = view_agents(&state->view, true, &w);
    return rc == 0 ? writer_end(&w) : rc;
}

static int write_health(const struct client_state *state, struct buf *json)
{
    struct writer w;
    writer_init(&w, json);
    view_health(&state->view, &w);
    return writer_end(&w);
}

static void publish(struct hub *hub, const struct ar_client *client, enum hub_kind kind)
{
    struct client_state state;
    struct buf json;
    buf_init(&json, ANSWER_MAX_BYTES);
    client_state_take(&state, client);
    int rc = kind == HUB_AGENTS ? publish_write_agents(&state, &json) : write_health(&state, &json);
    if (rc == 0)
        (void)!hub_publish(hub, kind, ar_snapshot_version(state.view.snapshot), buf_data(&json),
                           buf_len(&json));
    client_state_done(&state);
    buf_done(&json);
}

void publish_agents(struct hub *hub, const struct ar_client *client)
{
    publish(hub, client, HUB_AGENTS);
}

void publish_health(struct hub *hub, const struct ar_client *client)
{
    publish(hub, client, HUB_HEALTH);
}

uint64_t publish_health_mark(const struct ar_health *h)
{
    const uint64_t facts[] = {(uint64_t)h->state,
                              (uint64_t)h->source,
                              (uint64_t)h->relay,
                              (uint64_t)h->server,
                              (uint64_t)h->health_probe,
                              (uint64_t)h->health_probe_status,
                              h->attempts,
                              h->links,
                              h->losses,
                              h->next_attempt_in_ms >= 0,
                              (uint64_t)h->last_error_at_ms,
                              hash_bytes(h->peer, strlen(h->peer)),
                              hash_bytes(h->last_error, strlen(h->last_error))};
    return hash_bytes(facts, sizeof(facts));
}

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

void look_take(struct look *look, const struct ar_client *client)
{
    ar_health_init(&look->health);
    (void)ar_health(client, &look->health); /* fails for a size that is none only */
    look->view = (struct view){
        .snapshot = ar_agents(client), .health = &look->health, .now_unix_ms = service_unix_ms()};
}

void look_done(struct look *look)
{
    ar_snapshot_release(look->view.snapshot);
}

int publish_write_agents(const struct look *look, struct buf *json)
{
    struct writer w;
    writer_init(&w, json);
    int rc = view_agents(&look->view, true, &w);
    return rc == 0 ? writer_end(&w) : rc;
}

static int write_health(const struct look *look, struct buf *json)
{
    struct writer w;
    writer_init(&w, json);
    view_health(&look->view, &w);
    return writer_end(&w);
}

static void publish(struct hub *hub, const struct ar_client *client, enum hub_kind kind)
{
    struct look look;
    struct buf json;
    buf_init(&json, ANSWER_MAX_BYTES);
    look_take(&look, client);
    int rc = kind == HUB_AGENTS ? publish_write_agents(&look, &json) : write_health(&look, &json);
    if (rc == 0)
        (void)!hub_publish(hub, kind, ar_snapshot_version(look.view.snapshot), buf_data(&json),
                           buf_len(&json));
    look_done(&look);
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

/* The end in order.
 *
 * draining   listeners are closed, the router refuses new requests; over when nothing is in flight or waiting
 * any more, or at drain_ms stopping   children are stopped, all at once. Clients are closed as soon as
 * nothing is owed to them: now, or when the last child has gone and everything in flight has been answered
 * stopped    no child, no client: the handles close and the loop runs out
 *
 * The whole has an end of its own: drain_ms, twice the grace of children, and END_SLACK_MS (with the
 * defaults 7.7 s). What is left then is killed; if even that does not help, relay_run gives up.
 */
#include "relay.h"

#include "log/log.h"

#define END_SLACK_MS  700
#define KILL_MS       250
#define LAST_FLUSH_MS 500

static void on_servers_stopped(void *data)
{
    struct relay *r = data;
    r->servers_stopped = true;
}

static void begin_stopping(struct relay *r)
{
    r->phase = RELAY_STOPPING;
    timer_set(&r->deadline, r->end_by_ms);
    server_set_stop(r->servers, on_servers_stopped, r);
}

static void finish(struct relay *r)
{
    LOG(LOG_INFO, "stopped");
    r->phase = RELAY_STOPPED;
    relay_close_handles(r);
    r->options.on_stopped(r->options.data);
}

void relay_check_phase(struct relay *r)
{
    if (r->phase == RELAY_DRAINING && router_pending(r->router) == 0)
        begin_stopping(r);
    if (r->phase != RELAY_STOPPING)
        return;
    if (!r->clients_closed && (r->servers_stopped || router_pending(r->router) == 0)) {
        r->clients_closed = true;
        front_close_clients(&r->front, "the relay is stopping", LAST_FLUSH_MS);
    }
    if (r->clients_closed && r->servers_stopped && front_is_empty(&r->front))
        finish(r);
}

static void end_now(struct relay *r)
{
    LOG(LOG_WARN, "the end takes too long: closing what is left", F_UINT("clients", r->front.client_count),
        F_BOOL("children_left", !r->servers_stopped));
    front_drop_clients(&r->front, "the relay is stopping");
    r->clients_closed = true;
    if (!r->servers_stopped)
        server_set_kill(r->servers);
    timer_set(&r->deadline, r->end_by_ms + KILL_MS);
}

void relay_on_deadline(struct timer *t)
{
    struct relay *r = CONTAINER_OF(t, struct relay, deadline);
    uint64_t now_ms = loop_now_ms(&r->loop);
    if (r->phase == RELAY_DRAINING) {
        LOG(LOG_WARN, "requests are still in flight: stopping anyway",
            F_UINT("pending", router_pending(r->router)));
        begin_stopping(r);
    } else if (now_ms < r->end_by_ms + KILL_MS) {
        end_now(r);
    } else {
        LOG(LOG_ERROR, "the children did not go: giving up");
        r->stuck = true;
        loop_stop(&r->loop);
    }
}

void relay_drain(struct relay *r)
{
    if (r->phase != RELAY_SERVING)
        return;
    uint64_t now_ms = loop_now_ms(&r->loop);
    LOG(LOG_INFO, "draining", F_UINT("clients", r->front.client_count),
        F_UINT("pending", router_pending(r->router)), F_UINT("drain_ms", r->config->drain_ms));
    r->phase = RELAY_DRAINING;
    r->ops.draining = true;
    r->end_by_ms = now_ms + r->config->drain_ms + 2 * r->config->stop_grace_ms + END_SLACK_MS;
    front_stop_listening(&r->front);
    router_drain(r->router);
    timer_set(&r->deadline, now_ms + r->config->drain_ms);
}

static void on_nothing(void *data)
{
    (void)data;
}

void relay_abort(struct relay *r)
{
    front_stop_listening(&r->front);
    if (r->phase < RELAY_STOPPING)
        server_set_stop(r->servers, on_nothing, NULL);
    if (!r->servers_stopped)
        server_set_kill(r->servers);
    pidfile_close(&r->pidfile);
}

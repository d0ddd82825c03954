/* The end in order.
 *
 *   phase      what happens                                      over
 *   draining   listeners are closed, the router refuses          when nothing is in flight or waiting any more,
 *              new requests                                      drain_ms later at the latest
 *   stopping   children are stopped, all at once; clients are    when no child and no client is left
 *              closed when nothing is in flight any more, or
 *              the last child is gone
 *   stopped    the handles close and the loop runs out           when relay_run returns
 *
 * The whole has an end of its own: drain_ms, twice the grace of children, and END_SLACK_MS (with the defaults
 * 7.7 s). Children that are left then are killed and clients dropped; if even that does not help, relay_run
 * gives up.
 */
#include "relay.h"

#include <assert.h>

#include "log/log.h"

#define END_SLACK_MS  700
#define KILL_MS       250
#define LAST_FLUSH_MS 500

#define BIT(phase) (1U << (phase))

static const unsigned allowed_moves[] = {
    [RELAY_SERVING] = BIT(RELAY_DRAINING) | BIT(RELAY_STOPPED),
    [RELAY_DRAINING] = BIT(RELAY_STOPPING) | BIT(RELAY_STOPPED),
    [RELAY_STOPPING] = BIT(RELAY_STOPPED),
    [RELAY_STOPPED] = 0,
};

static void move(struct relay *r, enum relay_phase to)
{
    assert((allowed_moves[r->phase] & BIT(to)) != 0);
    r->phase = to;
}

static void on_servers_stopped(void *data)
{
    struct relay *r = data;
    r->servers_stopped = true;
}

/* For a relay that never ran: there is nobody to wait for, and nothing to flush. */
void relay_stop_servers(struct relay *r)
{
    server_set_stop(r->servers, on_servers_stopped, r);
    server_set_kill(r->servers);
    while (!r->servers_stopped)
        (void)uv_run(&r->loop.uv, UV_RUN_ONCE);
}

static void begin_stopping(struct relay *r)
{
    move(r, RELAY_STOPPING);
    timer_set(&r->deadline, r->end_by_ms);
    server_set_stop(r->servers, on_servers_stopped, r);
}

void relay_finish(struct relay *r)
{
    move(r, RELAY_STOPPED);
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
    if (r->clients_closed && r->servers_stopped && front_is_empty(&r->front)) {
        LOG(LOG_INFO, "stopped");
        relay_finish(r);
    }
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
    move(r, RELAY_DRAINING);
    r->ops.draining = true;
    r->end_by_ms = now_ms + r->config->drain_ms + 2 * r->config->stop_grace_ms + END_SLACK_MS;
    front_stop_listening(&r->front);
    router_drain(r->router);
    timer_set(&r->deadline, now_ms + r->config->drain_ms);
}

static void ignore_stopped(void *data)
{
    (void)data;
}

void relay_abort(struct relay *r)
{
    front_stop_listening(&r->front);
    if (r->phase < RELAY_STOPPING)
        server_set_stop(r->servers, ignore_stopped, NULL);
    if (!r->servers_stopped)
        server_set_kill(r->servers);
    pidfile_close(&r->pidfile);
}

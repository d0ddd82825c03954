/* The life of an upstream: children come and go, the upstream and who waits in it stay.
 *
 * Happy path: (a request) -> upstream_wanted -> ops->start -> upstream_starting -> upstream_attach -> [handshake] ->
 * READY -> ... -> upstream_down or upstream_idle. What each failure does to the requests stands at upstream_down.
 */
#include "route/upstream.h"

#include <assert.h>

#include "base/alloc.h"
#include "route/outage.h"
#include "route/outbox.h"
#include "route/replies.h"
#include "route/scheduler.h"
#include "route/stray_lines.h"
#include "wire/rpc_error.h"

/* An outage's text: state, detail and 2 KiB of stderr, each byte of which may become six. */
#define OUTAGE_BYTES_MAX ((size_t)64 << 10)

static void init_lists(struct upstream *upstream)
{
    list_init(&upstream->server_node);
    list_init(&upstream->sessions);
    list_init(&upstream->in_flight);
    list_init(&upstream->abandoned);
    list_init(&upstream->tasks_running);
    list_init(&upstream->own);
    list_init(&upstream->outbox);
    list_init(&upstream->deferred_sends);
}

struct upstream *upstream_new(struct route_server *server)
{
    const struct route_protocol *protocol = server->router->options.protocol;
    struct upstream *upstream = mem_zalloc(sizeof(*upstream) + protocol->upstream_bytes);
    if (!upstream)
        return NULL;
    upstream->protocol = (struct upstream_protocol *)(void *)(upstream + 1);
    init_lists(upstream);
    upstream->router = server->router;
    upstream->server = server;
    upstream->sharing = server->limits.sharing;
    map_init(&upstream->calls);
    map_init(&upstream->peers);
    scheduler_init(upstream);
    hold_init(upstream);
    buf_init(&upstream->outage, OUTAGE_BYTES_MAX);
    protocol->upstream_init(upstream);
    list_push_back(&server->upstreams, &upstream->server_node);
    return upstream;
}

void upstream_free(struct upstream *upstream)
{
    assert(list_empty(&upstream->sessions));
    upstream_forget_link(upstream, NULL, 0);
    list_remove(&upstream->server_node);
    upstream->router->options.protocol->upstream_done(upstream);
    map_done(&upstream->calls);
    assert(upstream->peers.count == 0);
    map_done(&upstream->peers);
    outage_done(upstream);
    stray_lines_forget(upstream);
    mem_free(upstream);
}

void upstream_move(struct upstream *upstream, enum upstream_state to)
{
#define TO(state) (1U << (state))
    static const unsigned allowed[] = {
        [UPSTREAM_IDLE] = TO(UPSTREAM_IDLE) | TO(UPSTREAM_STARTING) | TO(UPSTREAM_HANDSHAKE) |
                          TO(UPSTREAM_READY) | TO(UPSTREAM_DOWN),
        [UPSTREAM_STARTING] = TO(UPSTREAM_STARTING) | TO(UPSTREAM_HANDSHAKE) | TO(UPSTREAM_READY) |
                              TO(UPSTREAM_DOWN) | TO(UPSTREAM_IDLE),
        [UPSTREAM_HANDSHAKE] = TO(UPSTREAM_READY) | TO(UPSTREAM_DOWN) | TO(UPSTREAM_IDLE),
        [UPSTREAM_READY] = TO(UPSTREAM_DOWN) | TO(UPSTREAM_IDLE),
        [UPSTREAM_DOWN] = TO(UPSTREAM_DOWN) | TO(UPSTREAM_STARTING) | TO(UPSTREAM_HANDSHAKE) |
                          TO(UPSTREAM_READY) | TO(UPSTREAM_IDLE),
    };
#undef TO
    assert(allowed[upstream->state] & (1U << to));
    upstream->state = to;
    upstream->stats.ready = to == UPSTREAM_READY;
}

/* ---- starting ---- */

static void start(struct upstream *upstream)
{
    upstream_move(upstream, UPSTREAM_STARTING);
    upstream->in_start = true;
    upstream->server->ops->start(upstream->server->data, upstream);
    upstream->in_start = false;
}

bool upstream_wanted(struct upstream *upstream, uint64_t now_ms)
{
    switch (upstream->state) {
    case UPSTREAM_STARTING:
    case UPSTREAM_HANDSHAKE:
    case UPSTREAM_READY:
        return true;
    case UPSTREAM_DOWN:
        if (upstream->retry_at_ms)
            return outage_is_short(upstream, now_ms);
        break;
    case UPSTREAM_IDLE:
        break;
    }
    start(upstream);
    return upstream->state != UPSTREAM_DOWN || outage_is_short(upstream, now_ms);
}

void upstream_starting(struct upstream *upstream)
{
    if (!upstream->released)
        upstream_move(upstream, UPSTREAM_STARTING);
}

void upstream_attach(struct upstream *upstream, struct link *child, uint64_t now_ms)
{
    if (upstream->released)
        return;
    assert(!upstream->link);
    stray_lines_forget(upstream);
    upstream->link = child;
    upstream->link_closing = false;
    upstream->draining = false;
    upstream->ready_reported = false;
    if (upstream_is_shared(upstream)) {
        upstream_move(upstream, UPSTREAM_HANDSHAKE);
        upstream->router->options.protocol->on_attached(upstream, now_ms);
    } else {
        upstream_move(upstream, UPSTREAM_READY);
        scheduler_run(upstream, now_ms);
    }
}

void upstream_report_ready(struct upstream *upstream, uint64_t now_ms)
{
    upstream->ready_reported = true;
    upstream->ready_at_ms = now_ms;
    upstream->server->ops->ready(upstream->server->data, upstream);
}

void upstream_frame(struct upstream *upstream, const struct frame *frame, uint64_t now_ms)
{
    if (!upstream->released && upstream->link)
        upstream->router->options.protocol->on_upstream_frame(upstream, frame, now_ms);
}

void upstream_writable(struct upstream *upstream, uint64_t now_ms)
{
    scheduler_run(upstream, now_ms);
}

void upstream_drain(struct upstream *upstream, uint64_t now_ms)
{
    upstream->draining = true;
    scheduler_drain(upstream, now_ms);
}

void upstream_undrain(struct upstream *upstream, uint64_t now_ms)
{
    upstream->draining = false;
    scheduler_run(upstream, now_ms);
}

/* ---- ending ---- */

static void close_all(struct list *calls)
{
    while (!list_empty(calls))
        call_close(CONTAINER_OF(calls->next, struct call, upstream_node));
}

void upstream_forget_link(struct upstream *upstream, const struct refusal *why, uint64_t now_ms)
{
    upstream->link = NULL;
    upstream->link_closing = false;
    if (upstream
            ->ready_reported) /* else the outage may be told again, with what explains the start's failure */
        stray_lines_forget(upstream);
    upstream->ready_reported = false;
    scheduler_reset(upstream);
    hold_clear(upstream);
    outbox_clear(upstream);
    while (!list_empty(&upstream->in_flight))
        call_fail(CONTAINER_OF(upstream->in_flight.next, struct call, upstream_node), why);
    close_all(&upstream->abandoned);
    close_all(&upstream->own);
    upstream->router->options.protocol->on_detached(upstream, now_ms);
    close_all(&upstream->tasks_running);
}

/* Held calls first: a call in a queue that ends may move a held one up. */
void upstream_fail_waiting(struct upstream *upstream, const struct refusal *why)
{
    LIST_EACH(node, next, &upstream->sessions)
    {
        calls_fail_held(CONTAINER_OF(node, struct route_session, upstream_node), why);
    }
    LIST_EACH(node, next, &upstream->sessions)
    {
        calls_fail_waiting(CONTAINER_OF(node, struct route_session, upstream_node), why);
    }
}

static void hang_up_all(struct upstream *upstream, const char *reason)
{
    LIST_EACH(node, next, &upstream->sessions)
    {
        session_hang_up(CONTAINER_OF(node, struct route_session, upstream_node), RPC_E_SERVER_UNAVAILABLE,
                        reason);
    }
}

/* A start that failed, and the end of an own child, answer all that waits; else a restart that is near is
 * waited for. */
void upstream_down(struct upstream *upstream, const struct outage *why, uint64_t now_ms)
{
    if (upstream->released)
        return;
    bool start_failed = upstream->state == UPSTREAM_STARTING || upstream->state == UPSTREAM_HANDSHAKE;
    upstream_move(upstream, UPSTREAM_DOWN);
    outage_note(upstream, why);
    const struct refusal refusal = outage_refusal(upstream, now_ms);
    upstream_forget_link(upstream, &refusal, now_ms);
    if (start_failed || !upstream_is_shared(upstream) || !outage_is_short(upstream, now_ms))
        upstream_fail_waiting(upstream, &refusal);
    if (!upstream_is_shared(upstream) && !upstream->in_start && refusal.code != RPC_E_OVERLOADED)
        hang_up_all(upstream, refusal.message ? refusal.message : "the server's process is gone");
}

void upstream_idle(struct upstream *upstream)
{
    static const struct refusal none = {.code = RPC_E_SERVER_UNAVAILABLE};
    if (upstream->released)
        return;
    upstream_move(upstream, UPSTREAM_IDLE);
    upstream_forget_link(upstream, &none, 0);
    if (upstream->stats.waiting > 0 && !upstream->draining)
        start(upstream);
}

void upstream_release(struct upstream *upstream, bool server_goes, uint64_t now_ms)
{
    struct route_server *server = upstream->server;
    upstream->released = true;
    upstream_move(upstream, UPSTREAM_DOWN);
    upstream_forget_link(upstream, NULL, now_ms);
    if (server_goes) {
        list_remove(&upstream->server_node);
        upstream->server = NULL;
    }
    server->ops->release(server->data, upstream);
}

/* ---- looking ---- */

const struct peer_key *upstream_own_peer(const struct upstream *upstream)
{
    const struct route_session *s = upstream_own_session(upstream);
    assert(s);
    return &s->peer->key;
}

void upstream_set_data(struct upstream *upstream, void *data)
{
    upstream->data = data;
}

void *upstream_data(const struct upstream *upstream)
{
    return upstream->data;
}

void upstream_get_stats(const struct upstream *upstream, struct upstream_stats *ret_stats)
{
    *ret_stats = upstream->stats;
}

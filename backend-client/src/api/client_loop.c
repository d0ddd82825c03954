/* The I/O driver of the engine: what runs on the loop's thread.
 *
 * Each event (bytes, a link that came up or broke, the timer, the inbox, a probe's result) is bracketed:
 * client_event_begin reads the clock, the engine takes the event, client_event_end takes in what callbacks
 * pushed, sends what stands in `out`, begins to close if that was asked for, sets the timer, publishes the
 * health.
 *
 * Callbacks of the user's run inside the engine's functions, on this thread. They never enter the engine
 * again: whatever they call goes into the inbox, ar_close included.
 *
 * Failure modes: sending fails: the link reports it by on_lost, later. The kernel takes less: on_writable
 * goes on. A callback that calls for ever: the inbox is read a bounded number of times per event, so that the
 * loop's other handles run too.
 */
#include "client.h"

#include <time.h>

/* Calls made by callbacks go out with the same event, to this depth. */
#define INBOX_PASSES 4

static struct ar_client *of_engine(struct engine *e)
{
    return e->data;
}

static struct ar_client *of_link(struct link_conn *l)
{
    return l->data;
}

/* ---- what the engine asks for ---- */

static void maybe_probe(struct ar_client *c, uint64_t apart_ms)
{
    if (!c->probe || c->closing || c->engine.fallback.state != AR_DEGRADED)
        return;
    if (c->probed && c->now_ms - c->probe_at_ms < apart_ms)
        return;
    c->probed = true;
    c->probe_at_ms = c->now_ms;
    probe_start(c->probe);
}

static void op_connect(struct engine *e)
{
    link_open(of_engine(e)->link);
    maybe_probe(of_engine(e), CLIENT_PROBE_APART_MS);
}

static void op_drop(struct engine *e)
{
    link_close(of_engine(e)->link);
}

static void op_second(struct engine *e, bool wanted)
{
    struct link_conn *l = of_engine(e)->second;
    link_close(l);
    if (wanted)
        link_open(l);
}

static bool op_is_held(struct engine *e)
{
    return link_is_held(of_engine(e)->link);
}

static size_t op_unacked(struct engine *e)
{
    return link_unacked(of_engine(e)->link);
}

static void op_complete(struct engine *e, struct call *call, const struct ar_reply *reply)
{
    if (call->on_reply)
        call->on_reply(of_engine(e), reply, call->data);
    call_free(call);
}

static void op_progress(struct engine *e, struct call *call, const char *params, size_t len)
{
    if (call->on_progress)
        call->on_progress(of_engine(e), params, len, call->data);
}

static void op_notification(struct engine *e, const char *method, const char *params, size_t len)
{
    struct ar_client *c = of_engine(e);
    if (c->options.values.on_notification)
        c->options.values.on_notification(c, method, params, len, c->options.values.data);
}

static void publish_health(struct ar_client *c, struct ar_health *ret_health)
{
    engine_health(&c->engine, c->now_ms, ret_health);
    ret_health->size = sizeof(*ret_health);
    client_view_put_health(&c->published, ret_health, c->now_ms);
}

static void op_publish(struct engine *e, const struct ar_snapshot *s, bool changed)
{
    struct ar_client *c = of_engine(e);
    ar_agents_cb *on_agents = c->options.values.on_agents;
    client_view_put_snapshot(&c->published, s);
    if (c->quiet) {
        c->announce = true;
    } else if (changed && on_agents && !inbox_is_closing(&c->inbox)) { /* closing brings none */
        struct ar_health h;
        publish_health(c, &h); /* a callback that asks for it sees what belongs to the snapshot */
        on_agents(c, s, c->options.values.data);
    }
}

static void op_state(struct engine *e)
{
    struct ar_client *c = of_engine(e);
    struct ar_health h;
    publish_health(c, &h);
    maybe_probe(c, CLIENT_PROBE_APART_MS);
    if (!c->quiet && c->options.values.on_state)
        c->options.values.on_state(c, &h, c->options.values.data);
}

const struct engine_ops client_engine_ops = {.connect = op_connect,
                                             .drop = op_drop,
                                             .second = op_second,
                                             .is_held = op_is_held,
                                             .unacked = op_unacked,
                                             .complete = op_complete,
                                             .progress = op_progress,
                                             .notification = op_notification,
                                             .publish = op_publish,
                                             .state = op_state};

/* ---- the bracket around an event ---- */

static int64_t wall_offset_ms(uint64_t now_ms)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t); /* cannot fail for this clock */
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 - (int64_t)now_ms;
}

void client_event_begin(struct ar_client *c)
{
    uint64_t now_ns = uv_hrtime();
    c->now_ms = now_ns / CLIENT_MS_NS;
    c->engine.fraction_ms = (double)(now_ns % CLIENT_MS_NS) / (double)CLIENT_MS_NS;
    c->engine.wall_offset_ms = wall_offset_ms(c->now_ms);
    c->inbox.in_event = true;
    if (c->announce && !c->quiet) {
        c->announce = false;
        if (c->options.values.on_agents && !inbox_is_closing(&c->inbox))
            c->options.values.on_agents(c, c->published.snapshot, c->options.values.data);
    }
}

static bool take_inbox(struct ar_client *c)
{
    struct inbox_load load;
    struct call *call;
    struct inbox_item *item;
    if (!inbox_take(&c->inbox, &load))
        return false;
    while (inbox_next(&load, &call, &item)) {
        if (call) {
            engine_submit(&c->engine, call, c->now_ms);
            continue;
        }
        if (item->kind == INBOX_CANCEL)
            engine_cancel(&c->engine, item->id, c->now_ms);
        else
            engine_notify(&c->engine, item->method, item->params->params, item->params->params_len);
        inbox_item_free(item);
    }
    c->close_wanted = c->close_wanted || load.closing;
    return true;
}

static void flush(struct ar_client *c)
{
    struct engine *e = &c->engine;
    /* Room in `out` may let waiting calls in, so it goes on until nothing is left or the kernel is full. */
    while (c->link->phase == LINK_UP && !c->link->watching_write && buf_len(&e->out) > 0) {
        ssize_t sent = link_send(c->link, buf_data(&e->out), buf_len(&e->out));
        if (sent <= 0)
            return;
        engine_link_sent(e, (size_t)sent, c->now_ms);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct ar_client *c = timer->data;
    c->armed_ms = UINT64_MAX;
    link_read_pending(c->link);
    if (c->closing)
        return;
    client_event_begin(c);
    engine_tick(&c->engine, c->now_ms);
    maybe_probe(c, CLIENT_PROBE_EVERY_MS);
    client_event_end(c);
}

static void arm(struct ar_client *c)
{
    uint64_t due_ms = engine_due_ms(&c->engine);
    if (c->probe && c->engine.fallback.state == AR_DEGRADED) {
        uint64_t probe_ms = c->probed ? c->probe_at_ms + CLIENT_PROBE_EVERY_MS : c->now_ms;
        due_ms = probe_ms < due_ms ? probe_ms : due_ms;
    }
    if (due_ms == c->armed_ms)
        return;
    c->armed_ms = due_ms;
    if (due_ms == UINT64_MAX) {
        (void)uv_timer_stop(&c->timer); /* cannot fail */
        return;
    }
    /* Against the loop's own, possibly older idea of now: it never fires early then. */
    uint64_t loop_ms = uv_now(c->loop);
    (void)uv_timer_start(&c->timer, on_timer, due_ms > loop_ms ? due_ms - loop_ms : 0, 0); /* open: cannot */
}

/* The inbox before the flush, so that what callbacks of this event submitted leaves with it; closing instead of
 * the timer, which has no handle afterwards; the health last, with all that the event changed. */
void client_event_end(struct ar_client *c)
{
    for (int pass = 0; pass < INBOX_PASSES && take_inbox(c); pass++)
        ;
    flush(c);
    if (c->close_wanted) {
        client_begin_close(c);
    } else {
        arm(c);
        if (atomic_load_explicit(&c->inbox.filled, memory_order_relaxed))
            (void)uv_async_send(&c->async); /* open: cannot fail */
    }
    struct ar_health h;
    publish_health(c, &h);
    c->inbox.in_event = false;
}

/* ---- events of the loop ---- */

void client_on_async(uv_async_t *async)
{
    struct ar_client *c = async->data;
    link_wake(c->link);
    link_wake(c->second); /* an event of its own, if the wake-up was the link's */
    if (c->probe && !c->closing)
        probe_wake(c->probe);
    if (c->closing)
        return;
    client_event_begin(c);
    client_event_end(c);
}

void client_on_probe(void *data, int status, const char *text)
{
    struct ar_client *c = data;
    client_event_begin(c);
    engine_probe(&c->engine, status, text, c->now_ms);
    client_event_end(c);
}

/* ---- events of the second attempt ---- */

static void second_up(struct ar_client *c)
{
    char line[ENGINE_SECOND_LINE];
    size_t len = engine_second_line(&c->engine, line);
    if (link_send(c->second, line, len) == (ssize_t)len)
        return; /* a new socket has room for a line; whatever else is wrong with it is reported by itself */
    link_close(c->second);
    engine_second_failed(&c->engine, c->now_ms);
}

static void second_answered(struct ar_client *c, const char *bytes, size_t len)
{
    struct link_conn *l = c->second;
    /* First, so that the engine drops the link that stood still, and writes to this one. */
    c->second = c->link;
    c->link = l;
    link_close(c->second);
    if (engine_second_answered(&c->engine, l->peer, c->now_ms))
        engine_link_bytes(&c->engine, bytes, len, c->now_ms);
}

/* ---- events of the link ---- */

static void on_up(struct link_conn *l, const char *peer)
{
    struct ar_client *c = of_link(l);
    client_event_begin(c);
    if (l == c->second)
        second_up(c);
    else
        engine_link_up(&c->engine, peer, c->now_ms);
    client_event_end(c);
}

static void on_failed(struct link_conn *l, const struct fault *why, const char *peer)
{
    struct ar_client *c = of_link(l);
    client_event_begin(c);
    if (l == c->second)
        engine_second_failed(&c->engine, c->now_ms);
    else
        engine_link_failed(&c->engine, why, peer, c->now_ms);
    client_event_end(c);
}

static void on_bytes(struct link_conn *l, const char *bytes, size_t len)
{
    struct ar_client *c = of_link(l);
    client_event_begin(c);
    if (l == c->second)
        second_answered(c, bytes, len);
    else
        engine_link_bytes(&c->engine, bytes, len, c->now_ms);
    client_event_end(c);
}

static void on_writable(struct link_conn *l)
{
    client_event_begin(of_link(l));
    client_event_end(of_link(l));
}

static void on_lost(struct link_conn *l, const struct fault *why)
{
    struct ar_client *c = of_link(l);
    client_event_begin(c);
    if (l == c->second)
        engine_second_failed(&c->engine, c->now_ms);
    else
        engine_link_lost(&c->engine, why, c->now_ms);
    client_event_end(c);
}

static void on_link_closed(struct link_conn *l)
{
    client_handle_closed(of_link(l));
}

const struct link_conn_ops client_link_ops = {.on_up = on_up,
                                              .on_failed = on_failed,
                                              .on_bytes = on_bytes,
                                              .on_writable = on_writable,
                                              .on_lost = on_lost,
                                              .on_closed = on_link_closed};

/* How children end, asked and unasked, and what follows.
 *
 * Asked: supervisor_stop -> the child's ladder -> its exit -> by the reason: rest, start again, free the
 * upstream. Unasked: its exit -> what is in flight is answered in the same iteration (upstream_down) -> back-off or
 * crash-loop. A child that failed without an exit (start time-out, refused handshake, closed stdout) goes
 * down for the router at once, and its exit, when it comes, only tells when the next start is.
 */
#include <errno.h>

#include "base/alloc.h"
#include "log/log.h"
#include "server/server_internal.h"
#include "server/supervisor_internal.h"

static void log_exit(const struct supervisor *s, bool asked, int exit_status, int term_signal)
{
    LOG(asked ? LOG_INFO : LOG_WARN, asked ? "child stopped" : "child exited",
        F_STR("server", s->server->name), F_INT("pid", supervisor_pids(s).pid), F_INT("status", exit_status),
        F_INT("signal", term_signal), F_BOOL("was_ready", s->was_ready));
}

static void keep_tail(struct supervisor *s)
{
    if (s->was_ready || !s->instance || (!s->tail && !(s->tail = mem_alloc(INSTANCE_TAIL_BYTES))))
        return;
    s->tail_len = s->instance->driver->tail(s->instance, s->tail, INSTANCE_TAIL_BYTES);
}

void supervisor_stop(struct supervisor *s, enum supervisor_stop why)
{
    supervisor_move(s, SUPERVISOR_STOPPING, 0);
    s->stop = why;
    if (why == STOP_IDLE) {
        LOG(LOG_INFO, "child is idle", F_STR("server", s->server->name));
        supervisor_report_idle(s);
    }
    s->instance->driver->stop(s->instance, s->server->set->config->stop_grace_ms);
}

void supervisor_give_up(struct supervisor *s, const char *detail)
{
    if (detail)
        supervisor_set_detail(s, detail);
    LOG(LOG_WARN, "child failed", F_STR("server", s->server->name), F_STR("reason", s->detail));
    keep_tail(s);
    supervisor_stop(s, STOP_FAILED);
    supervisor_report_down(s);
}

/* ---- unasked ---- */

/* A session's child that served and died concerns its session alone (supervisor.h). */
static bool counts_for_server(const struct supervisor *s)
{
    return s->server->sharing == SHARING_SHARED || !s->was_ready;
}

void supervisor_unasked_end(struct supervisor *s)
{
    struct server *server = s->server;
    uint64_t now_ms = supervisor_now_ms(s);
    s->failed = true;
    if (counts_for_server(s))
        backoff_note_exit(&server->backoff, s->was_ready ? now_ms - s->ready_at_ms : 0, now_ms);
    if (server->sharing == SHARING_PER_SESSION) {
        supervisor_move(s, SUPERVISOR_DOWN, 0);
    } else if (server->backoff.open) {
        LOG(LOG_ERROR, "server keeps failing: only probed from now on", F_STR("server", server->name),
            F_UINT("probe_in_ms", server->backoff.next_at_ms - now_ms));
        supervisor_move(s, SUPERVISOR_CRASH_LOOP, server->backoff.next_at_ms);
    } else {
        supervisor_move(s, SUPERVISOR_BACKING_OFF, server->backoff.next_at_ms);
    }
    supervisor_report_down(s);
}

/* ---- asked ---- */

static void restart_now(struct supervisor *s)
{
    supervisor_move(s, SUPERVISOR_DOWN, 0);
    backoff_reset(&s->server->backoff);
    if (server_unavailable(s->server)) {
        supervisor_report_down(s);
        return;
    }
    bool needed = supervisor_is_needed(s);
    struct outage outage = {.state = "stopping",
                            .detail = "it is restarted with a changed configuration",
                            .retry_at_ms = supervisor_now_ms(s)};
    upstream_down(s->upstream, &outage, supervisor_now_ms(s));
    s->attached = false;
    if (needed) {
        supervisor_start(s); /* upstream_attach ends the drain */
        return;
    }
    upstream_undrain(s->upstream, supervisor_now_ms(s));
    supervisor_report_idle(s);
}

static void idle_done(struct supervisor *s)
{
    supervisor_move(s, SUPERVISOR_DOWN, 0);
    if (server_unavailable(s->server))
        supervisor_report_down(s);
    else if (s->wanted)
        supervisor_start(s);
}

static void free_upstream(struct supervisor *s)
{
    struct upstream *upstream = s->upstream;
    s->upstream = NULL;
    s->attached = false;
    if (upstream)
        upstream_free(upstream);
    supervisor_close(s);
}

static void shut_down(struct supervisor *s)
{
    if (s->state != SUPERVISOR_DOWN)
        supervisor_move(s, SUPERVISOR_DOWN, 0);
    supervisor_report_down(s);
}

static void asked_end(struct supervisor *s)
{
    switch (s->stop) {
    case STOP_IDLE:
        idle_done(s);
        break;
    case STOP_RESTART:
        restart_now(s);
        break;
    case STOP_RELEASED:
        supervisor_move(s, SUPERVISOR_DOWN, 0);
        free_upstream(s);
        break;
    case STOP_SHUTDOWN:
        shut_down(s);
        break;
    case STOP_NONE:
    case STOP_FAILED:
        break; /* unasked */
    }
}

/* ---- the child's callbacks ---- */

static struct supervisor *of(const struct instance *i)
{
    return i->data;
}

static void on_frame(struct instance *i, const struct frame *frame)
{
    struct supervisor *s = of(i);
    if (s->attached)
        upstream_frame(s->upstream, frame, supervisor_now_ms(s));
}

static void on_writable(struct instance *i)
{
    struct supervisor *s = of(i);
    if (s->attached)
        upstream_writable(s->upstream, supervisor_now_ms(s));
}

static void on_lost(struct instance *i, const char *why)
{
    supervisor_give_up(of(i), why);
}

static void note_exit(struct supervisor *s, int exit_status, int term_signal)
{
    struct server *server = s->server;
    s->exited = server->exited = true;
    s->exit_status = server->exit_status = exit_status;
    s->term_signal = server->term_signal = term_signal;
}

static void on_exit(struct instance *i, int exit_status, int term_signal)
{
    struct supervisor *s = of(i);
    if (s->state == SUPERVISOR_DRAINING)
        supervisor_stop(s, STOP_RESTART); /* it would have been stopped anyway */
    bool asked = s->state == SUPERVISOR_STOPPING && s->stop != STOP_FAILED;
    if (!asked) {
        note_exit(s, exit_status, term_signal);
        keep_tail(s);
    }
    log_exit(s, asked, exit_status, term_signal);
    s->instance = NULL;
    if (asked)
        asked_end(s);
    else
        supervisor_unasked_end(s);
}

static void handle_closed(struct supervisor *s)
{
    s->open--;
    if (s->open == 0)
        server_supervisor_closed(s);
    else
        server_supervisor_rests(s);
}

static void on_closed(struct instance *i)
{
    handle_closed(of(i));
}

const struct instance_events supervisor_events = {on_frame, on_writable, on_lost, on_exit, on_closed};

/* ---- the end of the upstream, and of the relay ---- */

static void end_upstream(struct supervisor *s)
{
    s->attached = false;
    if (!s->instance) {
        if (s->state != SUPERVISOR_DOWN)
            supervisor_move(s, SUPERVISOR_DOWN, 0);
        free_upstream(s);
        return;
    }
    if (s->state != SUPERVISOR_STOPPING)
        supervisor_stop(s, STOP_RELEASED);
    s->stop = STOP_RELEASED;
}

void supervisor_release(struct supervisor *s)
{
    end_upstream(s);
}

void supervisor_detach(struct supervisor *s, const char *reason)
{
    struct outage outage = {.state = "down", .detail = reason};
    upstream_down(s->upstream, &outage, supervisor_now_ms(s));
    s->upstream = NULL;
    end_upstream(s);
}

void supervisor_shutdown(struct supervisor *s)
{
    if (!s->instance) {
        shut_down(s);
        return;
    }
    if (s->state != SUPERVISOR_STOPPING)
        supervisor_stop(s, STOP_SHUTDOWN);
    if (s->stop != STOP_RELEASED)
        s->stop = STOP_SHUTDOWN;
}

void supervisor_kill(struct supervisor *s)
{
    if (s->instance)
        s->instance->driver->kill(s->instance);
}

static void on_timer_closed(struct timer *t)
{
    handle_closed(CONTAINER_OF(t, struct supervisor, timer));
}

void supervisor_close(struct supervisor *s)
{
    if (s->closing) {
        if (s->open == 0)
            server_supervisor_closed(s);
        return;
    }
    s->closing = true;
    loop_unmark(&s->after);
    timer_close(&s->timer, on_timer_closed);
}

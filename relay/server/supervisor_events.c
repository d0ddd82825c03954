/* What an instance reports: frames, room in its queue, failures, its exit.
 *
 * Happy path: on_frame and on_writable go straight to the router. After a requested stop the exit leads on by
 * the reason of the stop: stay down, start again, free the upstream.
 *
 * Failure modes:
 *  - unexpected exit: what is in flight is answered in the same iteration (upstream_down), then back-off or
 *    crash-loop
 *  - it can serve no more, but lives on: the upstream goes down and the instance is stopped; its exit, when
 *    it comes, only decides when the next start is
 */
#include <stdio.h>
#include <string.h>

#include "log/log.h"
#include "server/server_internal.h"
#include "server/supervisor_internal.h"

static struct supervisor *supervisor_of(const struct instance *i)
{
    return i->data;
}

/* ---- traffic ---- */

static void on_frame(struct instance *i, const struct frame *frame)
{
    struct supervisor *s = supervisor_of(i);
    if (s->attached)
        upstream_frame(s->upstream, frame, supervisor_now_ms(s));
}

static void on_writable(struct instance *i)
{
    struct supervisor *s = supervisor_of(i);
    if (s->attached)
        upstream_writable(s->upstream, supervisor_now_ms(s));
}

static void on_lost(struct instance *i, const char *why)
{
    supervisor_give_up(supervisor_of(i), why);
}

/* ---- unexpected exit ---- */

/* Whom the end of the instance counts against (supervisor.h); NULL: nobody, a session's instance that served and died
 * concerns its session alone. */
static struct backoff *blamed(const struct supervisor *s)
{
    if (!s->peer)
        return &s->server->backoff;
    if (s->was_ready)
        return NULL;
    return s->read_by_child ? &s->peer->backoff : &s->server->backoff;
}

void supervisor_unexpected_exit(struct supervisor *s)
{
    struct server *server = s->server;
    uint64_t now_ms = supervisor_now_ms(s);
    s->failed = true;
    struct backoff *backoff = blamed(s);
    if (backoff) {
        server_note_failure(server, s->detail);
        backoff_note_exit(backoff, s->was_ready ? now_ms - s->ready_at_ms : 0, now_ms);
    }
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

/* ---- the exit after a requested stop ---- */

/* The restart is no failure: the back-off starts afresh, and sessions that wait are served by the new
 * instance. */
static void restart_stopped(struct supervisor *s)
{
    supervisor_move(s, SUPERVISOR_DOWN, 0);
    backoff_reset(&s->server->backoff);
    if (server_unavailable(s->server)) {
        supervisor_report_down(s);
        return;
    }
    bool needed = supervisor_is_needed(s);
    uint64_t now_ms = supervisor_now_ms(s);
    struct outage outage = {
        .state = "stopping", .detail = "it is restarted with a changed configuration", .retry_at_ms = now_ms};
    upstream_down(s->upstream, &outage, now_ms);
    s->attached = false;
    if (needed) {
        supervisor_start(s); /* upstream_attach ends the drain */
        return;
    }
    upstream_undrain(s->upstream, now_ms);
    supervisor_report_idle(s);
}

static void idle_stopped(struct supervisor *s)
{
    supervisor_move(s, SUPERVISOR_DOWN, 0);
    if (server_unavailable(s->server))
        supervisor_report_down(s);
    else if (s->wanted)
        supervisor_start(s);
}

static void requested_stop_done(struct supervisor *s)
{
    switch (s->stop) {
    case STOP_IDLE:
        idle_stopped(s);
        break;
    case STOP_RESTART:
        restart_stopped(s);
        break;
    case STOP_RELEASED:
        supervisor_move(s, SUPERVISOR_DOWN, 0);
        supervisor_free_upstream(s);
        break;
    case STOP_SHUTDOWN:
        supervisor_move(s, SUPERVISOR_DOWN, 0);
        supervisor_report_down(s);
        break;
    case STOP_NONE:
    case STOP_FAILED:
        break; /* an unexpected exit */
    }
}

/* ---- the exit ---- */

static void log_exit(const struct supervisor *s, bool requested, int exit_status, int term_signal)
{
    LOG(requested ? LOG_INFO : LOG_WARN, requested ? "child stopped" : "child exited",
        F_STR("server", s->server->name), F_INT("pid", supervisor_pids(s).pid), F_INT("status", exit_status),
        F_INT("signal", term_signal), F_BOOL("was_ready", s->was_ready),
        F_STR("reason", requested ? NULL : s->detail));
}

static void note_exit(struct supervisor *s, int exit_status, int term_signal)
{
    struct server *server = s->server;
    s->exited = server->exited = true;
    s->exit_status = server->exit_status = exit_status;
    s->term_signal = server->term_signal = term_signal;
}

/* One that had failed before it ended has its reason already. */
static void explain_exit(struct supervisor *s)
{
    char text[80];
    if (s->detail)
        return;
    if (s->term_signal)
        (void)snprintf(text, sizeof(text), "it was ended by signal %d (%s)", s->term_signal,
                       strsignal(s->term_signal));
    else
        (void)snprintf(text, sizeof(text), "it exited with status %d", s->exit_status);
    supervisor_set_detail(s, text);
    supervisor_explain(s, true);
}

static void on_exit(struct instance *i, int exit_status, int term_signal)
{
    struct supervisor *s = supervisor_of(i);
    if (s->state == SUPERVISOR_DRAINING)
        supervisor_stop(s, STOP_RESTART); /* the drain's end would have stopped it */
    bool requested = s->state == SUPERVISOR_STOPPING && s->stop != STOP_FAILED;
    if (!requested) {
        note_exit(s, exit_status, term_signal);
        explain_exit(s);
        supervisor_keep_tail(s);
    }
    log_exit(s, requested, exit_status, term_signal);
    struct link_progress progress;
    s->read_by_child = link_get_progress(&i->link, &progress) && progress.read_bytes > 0;
    supervisor_instance_ended(s);
    if (requested)
        requested_stop_done(s);
    else
        supervisor_unexpected_exit(s);
}

static void on_closed(struct instance *i)
{
    struct supervisor *s = supervisor_of(i);
    s->open_instances--;
    if (!s->timer_open && s->open_instances == 0)
        server_supervisor_closed(s);
    else
        server_instance_closed(s->server);
}

const struct instance_events supervisor_events = {on_frame, on_writable, on_lost, on_exit, on_closed};

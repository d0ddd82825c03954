/* What the router and the set want of a supervisor.
 *
 * Happy path: want -> an instance starts -> ready -> ... -> release or shutdown: it is stopped.
 *
 * Failure modes:
 *  - no instance may be started (a remote or disabled entry, the relay is ending), or not yet: upstream_down
 *    with the reason
 *  - the handshake is refused: the instance is stopped as one that failed, after the router's call
 */
#include "log/log.h"
#include "server/server_internal.h"
#include "server/supervisor_internal.h"

/* ---- the router ---- */

void supervisor_want(struct supervisor *s)
{
    if (server_unavailable(s->server)) {
        supervisor_report_down(s);
        return;
    }
    switch (s->state) {
    case SUPERVISOR_DOWN:
        supervisor_start(s);
        break;
    case SUPERVISOR_STOPPING:
        if (s->stop == STOP_IDLE || s->stop == STOP_RESTART) {
            s->wanted = true;
            upstream_starting(s->upstream);
            break;
        }
        supervisor_report_down(s);
        break;
    case SUPERVISOR_BACKING_OFF:
    case SUPERVISOR_CRASH_LOOP:
        supervisor_report_down(s);
        break;
    case SUPERVISOR_STARTING:
    case SUPERVISOR_READY:
    case SUPERVISOR_DRAINING:
        break; /* there is one */
    }
}

void supervisor_ready(struct supervisor *s)
{
    if (s->state != SUPERVISOR_STARTING)
        return;
    s->was_ready = true;
    s->instance->ready = true;
    s->ready_at_ms = supervisor_now_ms(s);
    s->ready_real_ms = loop_real_ms(s->server->set->options.loop);
    backoff_note_ready(&s->server->backoff);
    if (s->peer)
        backoff_note_ready(&s->peer->backoff);
    LOG(LOG_INFO, "child ready", F_STR("server", s->server->name), F_INT("pid", supervisor_pids(s).pid),
        F_UINT("after_ms", s->ready_at_ms - s->began_at_ms));
    /* The timer checks the idle time: no stop may begin inside the router's call. */
    supervisor_move(s, SUPERVISOR_READY, s->ready_at_ms + 1);
}

void supervisor_handshake_failed(struct supervisor *s, const char *reason)
{
    if (s->state != SUPERVISOR_STARTING)
        return;
    supervisor_set_detail(s, reason);
    s->handshake_failed = true;
    loop_mark(s->server->set->options.loop, &s->fail_later);
}

void supervisor_on_fail_later(struct loop_task *task)
{
    struct supervisor *s = CONTAINER_OF(task, struct supervisor, fail_later);
    if (s->state == SUPERVISOR_STARTING && s->handshake_failed)
        supervisor_give_up(s, NULL);
}

void supervisor_release(struct supervisor *s)
{
    s->attached = false;
    if (!s->instance) {
        if (s->state != SUPERVISOR_DOWN)
            supervisor_move(s, SUPERVISOR_DOWN, 0);
        supervisor_free_upstream(s);
        return;
    }
    if (s->state != SUPERVISOR_STOPPING)
        supervisor_stop(s, STOP_RELEASED);
    s->stop = STOP_RELEASED;
}

/* ---- the set ---- */

void supervisor_begin(struct supervisor *s)
{
    if (s->state == SUPERVISOR_DOWN && supervisor_is_needed(s))
        supervisor_start(s);
}

void supervisor_retime(struct supervisor *s)
{
    if (s->state == SUPERVISOR_READY)
        timer_set(&s->timer, supervisor_now_ms(s));
}

void supervisor_restart(struct supervisor *s)
{
    switch (s->state) {
    case SUPERVISOR_READY:
        upstream_drain(s->upstream, supervisor_now_ms(s));
        supervisor_move(s, SUPERVISOR_DRAINING, supervisor_now_ms(s));
        break;
    case SUPERVISOR_STARTING:
        supervisor_stop(s, STOP_RESTART);
        break;
    case SUPERVISOR_STOPPING:
        if (s->stop == STOP_FAILED)
            s->stop = STOP_RESTART;
        break;
    case SUPERVISOR_BACKING_OFF:
    case SUPERVISOR_CRASH_LOOP:
    case SUPERVISOR_DOWN: /* the entry could not run, perhaps, or now it cannot */
        supervisor_start_if_needed(s);
        break;
    case SUPERVISOR_DRAINING:
        break;
    }
}

void supervisor_detach(struct supervisor *s, const char *reason)
{
    struct outage outage = {.state = "down", .detail = reason};
    upstream_down(s->upstream, &outage, supervisor_now_ms(s));
    s->upstream = NULL;
    supervisor_release(s);
}

void supervisor_shutdown(struct supervisor *s)
{
    if (!s->instance) {
        if (s->state != SUPERVISOR_DOWN)
            supervisor_move(s, SUPERVISOR_DOWN, 0);
        supervisor_report_down(s);
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

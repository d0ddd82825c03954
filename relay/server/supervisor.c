/* The states of supervisor.h, how they change, and how a child is started.
 *
 * Happy path: the router wants a child -> starting: keeper, pipes, upstream_attach -> ready -> ...
 * supervisor_end.c.
 *
 * Failure modes:
 *  - the keeper cannot be started: as an exit without a status; back-off
 *  - the child does not prove itself in time, or fails the handshake: supervisor_give_up
 *  - nothing may be started (a remote or disabled entry, the relay is ending): upstream_down with the reason
 */
#include "server/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "log/log.h"
#include "server/server_internal.h"
#include "server/supervisor_internal.h"

/* How often a draining upstream is asked whether it has finished. */
#define DRAIN_POLL_MS 20

#define BIT(state) (1U << (state))

static const unsigned allowed_moves[] = {
    [SUPERVISOR_DOWN] = BIT(SUPERVISOR_STARTING) | BIT(SUPERVISOR_BACKING_OFF) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_STARTING] = BIT(SUPERVISOR_READY) | BIT(SUPERVISOR_STOPPING) | BIT(SUPERVISOR_DOWN) |
                            BIT(SUPERVISOR_BACKING_OFF) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_READY] = BIT(SUPERVISOR_DRAINING) | BIT(SUPERVISOR_STOPPING) | BIT(SUPERVISOR_DOWN) |
                         BIT(SUPERVISOR_BACKING_OFF) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_DRAINING] = BIT(SUPERVISOR_STOPPING) | BIT(SUPERVISOR_DOWN),
    [SUPERVISOR_STOPPING] = BIT(SUPERVISOR_DOWN) | BIT(SUPERVISOR_BACKING_OFF) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_BACKING_OFF] = BIT(SUPERVISOR_STARTING) | BIT(SUPERVISOR_DOWN) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_CRASH_LOOP] = BIT(SUPERVISOR_STARTING) | BIT(SUPERVISOR_DOWN) | BIT(SUPERVISOR_BACKING_OFF),
};

const char *supervisor_state_name(enum supervisor_state state)
{
    static const char *const names[] = {[SUPERVISOR_DOWN] = "down",
                                        [SUPERVISOR_STARTING] = "starting",
                                        [SUPERVISOR_READY] = "ready",
                                        [SUPERVISOR_DRAINING] = "stopping",
                                        [SUPERVISOR_STOPPING] = "stopping",
                                        [SUPERVISOR_BACKING_OFF] = "backing-off",
                                        [SUPERVISOR_CRASH_LOOP] = "crash-loop"};
    return names[state];
}

uint64_t supervisor_now_ms(const struct supervisor *s)
{
    return loop_now_ms(s->server->set->options.loop);
}

void supervisor_move(struct supervisor *s, enum supervisor_state to, uint64_t deadline_at_ms)
{
    assert((allowed_moves[s->state] & BIT(to)) != 0);
    assert((to == SUPERVISOR_DOWN || to == SUPERVISOR_BACKING_OFF || to == SUPERVISOR_CRASH_LOOP)
               ? !s->instance
               : 1);
    LOG(LOG_DEBUG, "server state", F_STR("server", s->server->name),
        F_STR("from", supervisor_state_name(s->state)), F_STR("to", supervisor_state_name(to)));
    s->state = to;
    s->began_at_ms = supervisor_now_ms(s);
    if (deadline_at_ms != 0)
        timer_set(&s->timer, deadline_at_ms);
    else
        timer_clear(&s->timer);
}

struct instance_pids supervisor_pids(const struct supervisor *s)
{
    struct instance_pids pids = {0};
    if (s->instance)
        s->instance->driver->get_pids(s->instance, &pids);
    return pids;
}

void supervisor_set_detail(struct supervisor *s, const char *text)
{
    mem_free(s->detail);
    s->detail = text ? mem_strdup(text) : NULL; /* without memory: an outage without words */
}

/* ---- what the router is told ---- */

void supervisor_report_down(struct supervisor *s)
{
    if (!s->upstream)
        return;
    const char *unavailable = server_unavailable(s->server);
    bool planned = s->state == SUPERVISOR_BACKING_OFF || s->state == SUPERVISOR_CRASH_LOOP;
    struct outage outage = {.state = supervisor_state_name(s->state),
                            .detail = unavailable ? unavailable : s->detail,
                            .exited = s->exited && !unavailable,
                            .exit_status = s->exit_status,
                            .term_signal = s->term_signal,
                            .stderr_tail = s->tail,
                            .stderr_len = s->tail_len,
                            .retry_at_ms = planned ? s->timer.at_ms : 0};
    s->attached = false;
    upstream_down(s->upstream, &outage, supervisor_now_ms(s));
}

void supervisor_report_idle(struct supervisor *s)
{
    s->attached = false;
    if (s->upstream && s->server->sharing == SHARING_SHARED)
        upstream_idle(s->upstream);
}

bool supervisor_is_needed(const struct supervisor *s)
{
    if (!s->upstream || server_unavailable(s->server))
        return false;
    struct upstream_stats stats;
    upstream_get_stats(s->upstream, &stats);
    bool shared = s->server->sharing == SHARING_SHARED;
    return s->wanted || stats.waiting > 0 || (shared && (stats.sessions > 0 || s->server->config->eager));
}

/* ---- starting ---- */

static void forget_last_end(struct supervisor *s)
{
    supervisor_set_detail(s, NULL);
    mem_free(s->tail);
    s->tail = NULL;
    s->tail_len = 0;
    s->exited = false;
    s->was_ready = false;
    s->handshake_failed = false;
    s->wanted = false;
    s->stop = STOP_NONE;
}

static void start_instance(struct supervisor *s)
{
    struct server *server = s->server;
    uint64_t now_ms = supervisor_now_ms(s);
    uint64_t limit_ms = server->config->start_timeout_ms;
    forget_last_end(s);
    supervisor_move(s, SUPERVISOR_STARTING, limit_ms != 0 ? now_ms + limit_ms : 0);
    server->generation++;
    server->restarts += s->failed;
    s->failed = false;
    upstream_starting(s->upstream);
    const struct instance_spec spec = {.name = server->name,
                                       .config = server->config,
                                       .max_frame_bytes = (size_t)server->set->config->max_frame_bytes,
                                       .max_id_bytes = (size_t)server->set->config->max_id_bytes};
    struct driver *driver = driver_of(server);
    struct driver_error error;
    if (driver->ops->start(driver, &spec, &supervisor_events, s, &s->instance, &error) != 0) {
        LOG(LOG_ERROR, "cannot start child", F_STR("server", server->name), F_STR("reason", error.text));
        supervisor_set_detail(s, error.text);
        supervisor_unasked_end(s);
        return;
    }
    s->open++;
    s->attached = true;
    LOG(LOG_INFO, "child started", F_STR("server", server->name), F_STR("command", server->config->shown),
        F_INT("keeper_pid", supervisor_pids(s).keeper_pid), F_UINT("generation", server->generation));
    upstream_attach(s->upstream, &s->instance->link, now_ms);
}

void supervisor_start(struct supervisor *s)
{
    struct backoff *backoff = &s->server->backoff;
    uint64_t now_ms = supervisor_now_ms(s);
    uint64_t wait_ms = backoff_take(backoff, now_ms);
    if (wait_ms == 0) {
        start_instance(s);
        return;
    }
    supervisor_move(s, backoff->open ? SUPERVISOR_CRASH_LOOP : SUPERVISOR_BACKING_OFF, now_ms + wait_ms);
    if (wait_ms > SUPERVISOR_PATIENCE_MS || backoff->open) {
        supervisor_report_down(s);
        return;
    }
    s->wanted = true;
    upstream_starting(s->upstream);
}

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

void supervisor_begin(struct supervisor *s)
{
    if (s->state == SUPERVISOR_DOWN && supervisor_is_needed(s))
        supervisor_start(s);
}

/* ---- verdicts of the router ---- */

static void watch_idle(struct supervisor *s)
{
    uint64_t limit_ms = s->server->config ? s->server->config->idle_timeout_ms : 0;
    if (limit_ms == 0 || s->server->sharing != SHARING_SHARED) {
        timer_clear(&s->timer);
        return;
    }
    struct upstream_stats stats;
    upstream_get_stats(s->upstream, &stats);
    uint64_t now_ms = supervisor_now_ms(s);
    uint64_t since_ms = stats.last_used_ms > s->ready_at_ms ? stats.last_used_ms : s->ready_at_ms;
    /* Who subscribed, or has a task running, waits for word from it. */
    if (stats.in_flight > 0 || stats.waiting > 0 || stats.subscriptions > 0 || stats.tasks > 0)
        since_ms = now_ms;
    if (now_ms - since_ms >= limit_ms)
        supervisor_stop(s, STOP_IDLE);
    else
        timer_set(&s->timer, since_ms + limit_ms);
}

void supervisor_ready(struct supervisor *s)
{
    if (s->state != SUPERVISOR_STARTING)
        return;
    s->was_ready = true;
    s->ready_at_ms = supervisor_now_ms(s);
    backoff_note_ready(&s->server->backoff);
    LOG(LOG_INFO, "child ready", F_STR("server", s->server->name), F_INT("pid", supervisor_pids(s).pid),
        F_UINT("after_ms", s->ready_at_ms - s->began_at_ms));
    /* The idle time is looked at from the loop: no stop can begin inside the router's call. */
    supervisor_move(s, SUPERVISOR_READY, s->ready_at_ms + 1);
}

void supervisor_handshake_failed(struct supervisor *s, const char *reason)
{
    if (s->state != SUPERVISOR_STARTING)
        return;
    supervisor_set_detail(s, reason);
    s->handshake_failed = true;
    loop_mark(s->server->set->options.loop, &s->after);
}

static void on_after(struct loop_task *task)
{
    struct supervisor *s = CONTAINER_OF(task, struct supervisor, after);
    if (s->state == SUPERVISOR_STARTING && s->handshake_failed)
        supervisor_give_up(s, NULL);
}

/* ---- deadlines ---- */

static void start_took_too_long(struct supervisor *s)
{
    char text[120];
    (void)snprintf(text, sizeof(text), "it was started and did not answer within %llu ms",
                   (unsigned long long)s->server->config->start_timeout_ms);
    supervisor_give_up(s, text);
}

static void drained_yet(struct supervisor *s)
{
    struct upstream_stats stats;
    upstream_get_stats(s->upstream, &stats);
    uint64_t now_ms = supervisor_now_ms(s);
    if (stats.in_flight == 0 || now_ms - s->began_at_ms >= s->server->set->config->drain_ms)
        supervisor_stop(s, STOP_RESTART);
    else
        timer_set(&s->timer, now_ms + DRAIN_POLL_MS);
}

static void start_or_rest(struct supervisor *s)
{
    if (supervisor_is_needed(s)) {
        supervisor_start(s);
        return;
    }
    if (s->state != SUPERVISOR_DOWN)
        supervisor_move(s, SUPERVISOR_DOWN, 0);
    if (server_unavailable(s->server))
        supervisor_report_down(s);
    else
        supervisor_report_idle(s);
}

static void on_time(struct timer *t)
{
    struct supervisor *s = CONTAINER_OF(t, struct supervisor, timer);
    switch (s->state) {
    case SUPERVISOR_STARTING:
        start_took_too_long(s);
        break;
    case SUPERVISOR_READY:
        watch_idle(s);
        break;
    case SUPERVISOR_DRAINING:
        drained_yet(s);
        break;
    case SUPERVISOR_BACKING_OFF:
    case SUPERVISOR_CRASH_LOOP:
        start_or_rest(s);
        break;
    case SUPERVISOR_DOWN:
    case SUPERVISOR_STOPPING: /* its deadlines are the child's */
        break;
    }
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
        upstream_drain(s->upstream);
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
    case SUPERVISOR_DOWN: /* perhaps it is an entry that could not run, or now cannot */
        start_or_rest(s);
        break;
    case SUPERVISOR_DRAINING:
        break;
    }
}

/* ---- beginning and end ---- */

int supervisor_new(struct server *server, struct upstream *upstream, struct supervisor **ret_supervisor)
{
    struct supervisor *s = mem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->server = server;
    s->upstream = upstream;
    int rc = timer_init(&s->timer, server->set->options.loop, on_time);
    if (rc != 0) {
        mem_free(s);
        return rc;
    }
    s->open = 1;
    loop_task_init(&s->after, on_after);
    list_push_back(&server->supervisors, &s->node);
    server->set->active++;
    upstream_set_data(upstream, s);
    *ret_supervisor = s;
    return 0;
}

void supervisor_free(struct supervisor *s)
{
    assert(s->open == 0);
    list_remove(&s->node);
    loop_unmark(&s->after);
    s->server->set->active--;
    mem_free(s->detail);
    mem_free(s->tail);
    mem_free(s);
}

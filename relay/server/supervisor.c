/* The states of supervisor.h: how they change, what their deadlines do, how an instance is started and
 * stopped.
 *
 * Happy path: supervisor_start -> starting: the driver starts an instance, upstream_attach -> ready ->
 * supervisor_stop -> stopping -> down. supervisor_requests.c and supervisor_events.c say what leads from one
 * to the next.
 *
 * Failure modes:
 *  - the driver cannot start one: as an exit without a status; back-off
 *  - the handshake is not done in time: supervisor_give_up
 */
#include "server/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "log/log.h"
#include "server/cause.h"
#include "server/server_internal.h"
#include "server/supervisor_internal.h"
#include "wire/rpc_error.h"

/* Children of sessions that one iteration starts: each costs about a millisecond, in which nobody is served. */
#define STARTS_PER_ITERATION 4
/* After so long there may be descriptors, memory or places for children again. */
#define NO_ROOM_RETRY_MS 1000
/* How often a draining upstream is checked for requests in flight. */
#define DRAIN_POLL_MS 20
/* Requests wait for a start that is no further away. */
#define WAIT_FOR_START_MS 1000

#define BIT(state) (1U << (state))

static const unsigned allowed_moves[] = {
    [SUPERVISOR_DOWN] = BIT(SUPERVISOR_STARTING) | BIT(SUPERVISOR_BACKING_OFF) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_STARTING] = BIT(SUPERVISOR_READY) | BIT(SUPERVISOR_STOPPING) | BIT(SUPERVISOR_DOWN) |
                            BIT(SUPERVISOR_BACKING_OFF) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_READY] = BIT(SUPERVISOR_DRAINING) | BIT(SUPERVISOR_STOPPING) | BIT(SUPERVISOR_DOWN) |
                         BIT(SUPERVISOR_BACKING_OFF) | BIT(SUPERVISOR_CRASH_LOOP),
    [SUPERVISOR_DRAINING] = BIT(SUPERVISOR_STOPPING),
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
    s->detail = text ? mem_strdup(text) : NULL; /* without memory: the outage has no detail */
}

/* ---- reports to the router ---- */

/* When the next start is planned; 0: none is. One that failed and is being stopped starts again when it has ended: at the
 * latest so much later, but for what resists SIGTERM. */
static uint64_t retry_at_ms(const struct supervisor *s)
{
    if (s->state == SUPERVISOR_BACKING_OFF || s->state == SUPERVISOR_CRASH_LOOP)
        return s->timer.at_ms;
    if (s->state == SUPERVISOR_STOPPING && s->stop == STOP_FAILED && s->server->sharing == SHARING_SHARED)
        return supervisor_now_ms(s) + s->server->set->config->stop_grace_ms +
               s->server->backoff.options.min_ms;
    return 0;
}

/* The back-off is of instances of other sessions: it has had none of its own, and theirs are the reason. */
static bool waits_for_others(const struct supervisor *s)
{
    return (s->state == SUPERVISOR_BACKING_OFF || s->state == SUPERVISOR_CRASH_LOOP) && !s->detail &&
           !s->exited;
}

void supervisor_report_down(struct supervisor *s)
{
    if (!s->upstream)
        return;
    const char *unavailable = server_unavailable(s->server);
    struct outage outage = {.state = supervisor_state_name(s->state),
                            .detail = unavailable ? unavailable : s->detail,
                            .exited = s->exited && !unavailable,
                            .exit_status = s->exit_status,
                            .term_signal = s->term_signal,
                            .stderr_tail = s->tail,
                            .stderr_len = s->tail_len,
                            .retry_at_ms = unavailable ? 0 : retry_at_ms(s)};
    if (!unavailable && waits_for_others(s)) {
        outage.detail = s->server->last_failure;
        outage.exited = s->server->exited;
        outage.exit_status = s->server->exit_status;
        outage.term_signal = s->server->term_signal;
    }
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
    s->read_by_child = false;
    s->handshake_failed = false;
    s->wanted = false;
    s->stop = STOP_NONE;
}

static bool is_no_room(int rc)
{
    return rc == -EMFILE || rc == -ENFILE || rc == -ENOMEM || rc == -EAGAIN;
}

/* For now: who waits is answered OVERLOADED. A shared instance is tried again by itself. */
static void no_room(struct supervisor *s, const char *why)
{
    uint64_t now_ms = supervisor_now_ms(s);
    bool shared = s->server->sharing == SHARING_SHARED;
    LOG(LOG_WARN, "no room for a child", F_STR("server", s->server->name), F_STR("reason", why));
    supervisor_set_detail(s, why);
    if (shared)
        supervisor_move(s, SUPERVISOR_BACKING_OFF, now_ms + NO_ROOM_RETRY_MS);
    else if (s->state != SUPERVISOR_DOWN)
        supervisor_move(s, SUPERVISOR_DOWN, 0);
    const struct outage outage = {.code = RPC_E_OVERLOADED,
                                  .state = supervisor_state_name(s->state),
                                  .detail = s->detail,
                                  .retry_after_ms = NO_ROOM_RETRY_MS,
                                  .retry_at_ms = shared ? s->timer.at_ms : 0};
    s->attached = false;
    upstream_down(s->upstream, &outage, now_ms);
}

/* A place among the server's children, for this peer? */
static bool has_place(struct supervisor *s)
{
    const struct server *server = s->server;
    uint64_t places = server->config->max_children;
    size_t free = server->children < places ? (size_t)places - server->children : 0;
    if (!s->peer || peer_may_take(s->peer->children, free))
        return true;
    char text[160];
    if (free == 0)
        (void)snprintf(text, sizeof(text), "this server has its %zu children already (maxChildren)",
                       server->children);
    else
        (void)snprintf(
            text, sizeof(text),
            "%zu of this server's children are this client's host's or user's already; what is left of "
            "%llu (maxChildren) is for others",
            s->peer->children, (unsigned long long)places);
    no_room(s, text);
    return false;
}

/* false: so many children were started in this iteration that this one comes in a later one. */
static bool may_start_now(struct supervisor *s)
{
    struct server_set *set = s->server->set;
    if (!s->peer)
        return true;
    loop_mark(set->options.loop, &set->start_task);
    if (set->starts < STARTS_PER_ITERATION) {
        set->starts++;
        return true;
    }
    if (!list_linked(&s->start_node))
        list_push_back(&set->start_queue, &s->start_node);
    s->wanted = true;
    upstream_starting(s->upstream);
    return false;
}

void server_on_starts(struct loop_task *task)
{
    struct server_set *set = CONTAINER_OF(task, struct server_set, start_task);
    set->starts = 0;
    for (unsigned n = 0; n < STARTS_PER_ITERATION; n++) {
        struct list *node = list_pop_front(&set->start_queue);
        if (!node)
            return;
        struct supervisor *s = CONTAINER_OF(node, struct supervisor, start_node);
        if (s->state == SUPERVISOR_DOWN)
            supervisor_start_if_needed(s);
    }
    if (!list_empty(&set->start_queue))
        loop_mark(set->options.loop, &set->start_task);
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
    int rc = driver->ops->start(driver, &spec, &supervisor_events, s, &s->instance, &error);
    if (is_no_room(rc)) {
        no_room(s, error.text);
        return;
    }
    if (rc != 0) {
        LOG(LOG_ERROR, "cannot start child", F_STR("server", server->name), F_STR("reason", error.text));
        supervisor_set_detail(s, error.text);
        supervisor_unexpected_exit(s);
        return;
    }
    s->open_instances++;
    if (s->peer) {
        s->peer->children++;
        server->children++;
    }
    s->attached = true;
    LOG(LOG_INFO, "child started", F_STR("server", server->name), F_STR("command", server->config->shown),
        F_INT("keeper_pid", supervisor_pids(s).keeper_pid), F_UINT("generation", server->generation));
    upstream_attach(s->upstream, &s->instance->link, now_ms);
}

struct backoff *supervisor_backoff(const struct supervisor *s)
{
    struct backoff *of_server = &s->server->backoff;
    if (!s->peer || s->peer->backoff.next_at_ms <= of_server->next_at_ms)
        return of_server;
    return &s->peer->backoff;
}

void supervisor_instance_ended(struct supervisor *s)
{
    s->instance = NULL;
    if (!s->peer)
        return;
    s->peer->children--;
    s->server->children--;
}

void supervisor_start(struct supervisor *s)
{
    uint64_t now_ms = supervisor_now_ms(s);
    struct backoff *backoff = supervisor_backoff(s);
    if (backoff->next_at_ms <= now_ms && (!has_place(s) || !may_start_now(s)))
        return;
    uint64_t wait_ms = backoff_take(backoff, now_ms);
    if (wait_ms == 0) {
        start_instance(s);
        return;
    }
    supervisor_move(s, backoff->open ? SUPERVISOR_CRASH_LOOP : SUPERVISOR_BACKING_OFF, now_ms + wait_ms);
    if (wait_ms > WAIT_FOR_START_MS || backoff->open) {
        supervisor_report_down(s);
        return;
    }
    s->wanted = true;
    upstream_starting(s->upstream);
}

void supervisor_start_if_needed(struct supervisor *s)
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

/* ---- stopping ---- */

void supervisor_keep_tail(struct supervisor *s)
{
    if (s->was_ready || !s->instance || (!s->tail && !(s->tail = mem_alloc(INSTANCE_TAIL_BYTES))))
        return;
    s->tail_len = s->instance->driver->tail(s->instance, s->tail, INSTANCE_TAIL_BYTES);
}

static bool find_cause(const struct supervisor *s, char ret_cause[CAUSE_BYTES])
{
    bool found = false;
    char *text = mem_alloc(INSTANCE_STDERR_BYTES + 1);
    ret_cause[0] = '\0';
    if (text)
        found = cause_find(text, s->instance->driver->tail(s->instance, text, INSTANCE_STDERR_BYTES + 1),
                           ret_cause);
    mem_free(text);
    return found;
}

void supervisor_explain(struct supervisor *s, bool always)
{
    char cause[CAUSE_BYTES];
    char text[CAUSE_BYTES + 200];
    if (s->was_ready || !s->instance || !s->detail || (!find_cause(s, cause) && !always) || !cause[0])
        return;
    (void)snprintf(text, sizeof(text), "%s: %s", s->detail, cause);
    supervisor_set_detail(s, text);
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
    supervisor_explain(s, false);
    LOG(LOG_WARN, "child failed", F_STR("server", s->server->name), F_STR("reason", s->detail));
    supervisor_keep_tail(s);
    supervisor_stop(s, STOP_FAILED);
    supervisor_report_down(s);
}

/* ---- deadlines ---- */

static void check_idle(struct supervisor *s)
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
    /* A subscription or a running task waits for notifications of this very instance. */
    if (stats.in_flight > 0 || stats.waiting > 0 || stats.subscriptions > 0 || stats.tasks > 0)
        since_ms = now_ms;
    if (now_ms - since_ms >= limit_ms)
        supervisor_stop(s, STOP_IDLE);
    else
        timer_set(&s->timer, since_ms + limit_ms);
}

static void start_timed_out(struct supervisor *s)
{
    char text[120];
    (void)snprintf(text, sizeof(text), "it was started and did not answer within %llu ms",
                   (unsigned long long)s->server->config->start_timeout_ms);
    supervisor_give_up(s, text);
}

static void check_drain(struct supervisor *s)
{
    struct upstream_stats stats;
    upstream_get_stats(s->upstream, &stats);
    uint64_t now_ms = supervisor_now_ms(s);
    if (stats.in_flight == 0 || now_ms - s->began_at_ms >= s->server->set->config->drain_ms)
        supervisor_stop(s, STOP_RESTART);
    else
        timer_set(&s->timer, now_ms + DRAIN_POLL_MS);
}

static void on_time(struct timer *t)
{
    struct supervisor *s = CONTAINER_OF(t, struct supervisor, timer);
    switch (s->state) {
    case SUPERVISOR_STARTING:
        start_timed_out(s);
        break;
    case SUPERVISOR_READY:
        check_idle(s);
        break;
    case SUPERVISOR_DRAINING:
        check_drain(s);
        break;
    case SUPERVISOR_BACKING_OFF:
    case SUPERVISOR_CRASH_LOOP:
        supervisor_start_if_needed(s);
        break;
    case SUPERVISOR_DOWN:
    case SUPERVISOR_STOPPING: /* its deadlines are the driver's */
        break;
    }
}

/* ---- beginning and end ---- */

static int join_peer(struct supervisor *s)
{
    struct server *server = s->server;
    if (server->sharing == SHARING_SHARED)
        return 0;
    struct backoff_options backoff = server_backoff_options(server->set->config);
    s->peer = server_peers_join(&server->peers, upstream_own_peer(s->upstream), &backoff, uv_hrtime());
    return s->peer ? 0 : -ENOMEM;
}

static void leave_peer(struct supervisor *s)
{
    if (s->peer)
        server_peers_leave(&s->server->peers, s->peer);
    s->peer = NULL;
}

int supervisor_new(struct server *server, struct upstream *upstream, struct supervisor **ret_supervisor)
{
    struct supervisor *s = mem_zalloc(sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->server = server;
    s->upstream = upstream;
    list_init(&s->start_node);
    int rc = join_peer(s);
    if (rc != 0)
        goto out_supervisor;
    rc = timer_init(&s->timer, server->set->options.loop, on_time);
    if (rc != 0)
        goto out_peer;
    s->timer_open = true;
    loop_task_init(&s->fail_later, supervisor_on_fail_later);
    list_push_back(&server->supervisors, &s->node);
    upstream_set_data(upstream, s);
    *ret_supervisor = s;
    return 0;
out_peer:
    leave_peer(s);
out_supervisor:
    mem_free(s);
    return rc;
}

void supervisor_free_upstream(struct supervisor *s)
{
    struct upstream *upstream = s->upstream;
    s->upstream = NULL;
    s->attached = false;
    list_remove(&s->start_node);
    if (upstream)
        upstream_free(upstream);
    supervisor_close(s);
}

static void on_timer_closed(struct timer *t)
{
    struct supervisor *s = CONTAINER_OF(t, struct supervisor, timer);
    s->timer_open = false;
    if (s->open_instances == 0)
        server_supervisor_closed(s);
}

void supervisor_close(struct supervisor *s)
{
    if (s->closing) {
        if (!s->timer_open && s->open_instances == 0)
            server_supervisor_closed(s);
        return;
    }
    s->closing = true;
    loop_unmark(&s->fail_later);
    timer_close(&s->timer, on_timer_closed);
}

void supervisor_free(struct supervisor *s)
{
    assert(!s->timer_open && s->open_instances == 0);
    list_remove(&s->node);
    list_remove(&s->start_node);
    loop_unmark(&s->fail_later);
    leave_peer(s);
    mem_free(s->detail);
    mem_free(s->tail);
    mem_free(s);
}

/* The set of servers: its router-side callbacks, its beginning and its end. server_apply.c keeps it in step
 * with the configuration, server_info.c describes it to ops/, drivers.c runs the instances.
 *
 * Happy path: new (drivers open) -> apply -> the router's start, ready, release go to supervisors -> stop:
 * every instance is stopped at once; when none is left, timers and drivers close; when they have, on_stopped.
 *
 * Failure modes: no keeper -> new fails. No memory for a supervisor -> that upstream goes down with the
 * reason.
 */
#include "server/server.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "log/log.h"
#include "server/server_internal.h"

void server_free(struct server *server)
{
    server_peers_done(&server->peers);
    mem_free(server->name);
    mem_free(server->last_failure);
    mem_free(server);
}

void server_note_failure(struct server *server, const char *text)
{
    mem_free(server->last_failure);
    server->last_failure = text ? mem_strdup(text) : NULL; /* without memory: a later outage has no detail */
}

const char *server_unavailable(const struct server *server)
{
    const struct server_config *config = server->config;
    if (server->set->stopping)
        return "the relay is stopping";
    if (!config)
        return "it was removed from the configuration";
    if (config->disabled)
        return "it is disabled in the configuration";
    if (config->problem)
        return config->problem;
    return config->remote ? "remote servers are not built in yet" : NULL;
}

struct backoff_options server_backoff_options(const struct config *config)
{
    return (struct backoff_options){.min_ms = config->backoff_min_ms,
                                    .max_ms = config->backoff_max_ms,
                                    .reset_ms = config->backoff_reset_ms,
                                    .breaker_exits = config->breaker_exits,
                                    .breaker_window_ms = config->breaker_window_ms,
                                    .breaker_probe_ms = config->breaker_probe_ms};
}

/* ---- called by the router ---- */

static void upstream_cannot_run(struct upstream *upstream, const char *why, uint64_t now_ms)
{
    struct outage outage = {.state = "down", .detail = why};
    upstream_down(upstream, &outage, now_ms);
}

static void on_route_start(void *server_data, struct upstream *upstream)
{
    struct server *server = server_data;
    struct supervisor *s = upstream_data(upstream);
    uint64_t now_ms = loop_now_ms(server->set->options.loop);
    const char *unavailable = server_unavailable(server);
    if (!s && unavailable) {
        upstream_cannot_run(upstream, unavailable, now_ms);
        return;
    }
    if (!s && supervisor_new(server, upstream, &s) != 0) {
        upstream_cannot_run(upstream, "out of memory", now_ms);
        return;
    }
    supervisor_want(s);
}

static void on_route_ready(void *server_data, struct upstream *upstream)
{
    (void)server_data;
    supervisor_ready(upstream_data(upstream));
}

static void on_route_handshake_failed(void *server_data, struct upstream *upstream, const char *reason)
{
    (void)server_data;
    supervisor_handshake_failed(upstream_data(upstream), reason);
}

static void on_route_release(void *server_data, struct upstream *upstream)
{
    (void)server_data;
    struct supervisor *s = upstream_data(upstream);
    if (s)
        supervisor_release(s);
    else
        upstream_free(upstream); /* it never needed an instance */
}

static void on_route_stray(void *server_data, struct upstream *upstream, const char *looks_like,
                           const char *line)
{
    const struct server *server = server_data;
    (void)upstream;
    LOG(LOG_WARN, "child's stdout: no message", F_STR("server", server->name),
        F_STR("looks_like", looks_like), F_STR("line", line));
}

const struct server_ops server_route_ops = {on_route_start, on_route_ready, on_route_handshake_failed,
                                            on_route_release, on_route_stray};

/* ---- the set ---- */

int server_set_new(const struct server_set_options *options, struct server_set **ret_set)
{
    struct server_set *set = mem_zalloc(sizeof(*set));
    if (!set)
        return -ENOMEM;
    set->options = *options;
    list_init(&set->servers);
    list_init(&set->leaving);
    list_init(&set->start_queue);
    loop_task_init(&set->start_task, server_on_starts);
    int rc = drivers_open(set);
    if (rc != 0) {
        mem_free(set);
        return rc;
    }
    set->options.program_dir = NULL; /* borrowed for this call */
    *ret_set = set;
    return 0;
}

static void free_server(struct server *server)
{
    assert(list_empty(&server->supervisors));
    list_remove(&server->node);
    server_free(server);
}

/* No instance runs and every handle is closed: supervisors that remain have an upstream that is still to
 * be freed. */
static void remove_stopped(struct server *server, uint64_t now_ms)
{
    LIST_EACH(it, safe, &server->supervisors)
    {
        struct supervisor *s = CONTAINER_OF(it, struct supervisor, node);
        if (server->sharing == SHARING_SHARED)
            s->upstream = NULL; /* freed with the server */
    }
    if (server->route)
        route_server_remove(server->route, "the relay is stopping", now_ms);
    LIST_EACH(it, safe, &server->supervisors)
    supervisor_free(CONTAINER_OF(it, struct supervisor, node));
    free_server(server);
}

void server_set_free(struct server_set *set)
{
    if (!set)
        return;
    assert(set->stopped);
    loop_unmark(&set->start_task);
    uint64_t now_ms = loop_now_ms(set->options.loop);
    LIST_EACH(it, safe, &set->servers)
    remove_stopped(CONTAINER_OF(it, struct server, node), now_ms);
    LIST_EACH(it, safe, &set->leaving)
    remove_stopped(CONTAINER_OF(it, struct server, node), now_ms);
    mem_free(set);
}

/* ---- stopping ---- */

/* The verb may close its supervisor, but frees none: that comes from the loop. */
static void each_supervisor(struct list *servers, void (*verb)(struct supervisor *s))
{
    LIST_EACH(it, safe, servers)
    {
        struct server *server = CONTAINER_OF(it, struct server, node);
        LIST_EACH(that, safe_too, &server->supervisors)
        verb(CONTAINER_OF(that, struct supervisor, node));
    }
}

struct open_handles {
    size_t timers;
    size_t instances;
};

static struct open_handles count_open(const struct server_set *set)
{
    struct open_handles open = {0};
    const struct list *const lists[] = {&set->servers, &set->leaving};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        LIST_EACH(it, safe, lists[i])
        {
            const struct server *server = CONTAINER_OF(it, struct server, node);
            LIST_EACH(that, safe_too, &server->supervisors)
            {
                const struct supervisor *s = CONTAINER_OF(that, struct supervisor, node);
                open.timers += s->timer_open ? 1 : 0;
                open.instances += s->open_instances;
            }
        }
    }
    return open;
}

static void maybe_stopped(struct server_set *set)
{
    struct open_handles open = count_open(set);
    if (set->driver || set->stopped || open.timers + open.instances > 0)
        return;
    set->stopped = true;
    set->on_stopped(set->data); /* may free the set */
}

static void on_driver_closed(void *data)
{
    struct server_set *set = data;
    set->driver = NULL;
    maybe_stopped(set);
}

static void maybe_close(struct server_set *set)
{
    if (!set->stopping || set->closing || count_open(set).instances > 0)
        return;
    set->closing = true;
    each_supervisor(&set->servers, supervisor_close);
    each_supervisor(&set->leaving, supervisor_close);
    set->driver->ops->close(set->driver, on_driver_closed, set);
}

void server_set_stop(struct server_set *set, void (*on_stopped)(void *data), void *data)
{
    if (set->stopping)
        return;
    set->stopping = true;
    set->on_stopped = on_stopped;
    set->data = data;
    each_supervisor(&set->servers, supervisor_shutdown);
    maybe_close(set);
}

void server_set_kill(struct server_set *set)
{
    each_supervisor(&set->servers, supervisor_kill);
    each_supervisor(&set->leaving, supervisor_kill);
}

/* ---- called by supervisors ---- */

static bool is_abandoned(const struct server *server)
{
    return !server->route && list_empty(&server->supervisors);
}

void server_supervisor_closed(struct supervisor *s)
{
    struct server *server = s->server;
    struct server_set *set = server->set;
    if (!s->upstream) {
        supervisor_free(s);
        if (is_abandoned(server))
            free_server(server);
    }
    if (set->closing)
        maybe_stopped(set);
    else
        maybe_close(set);
}

void server_instance_closed(struct server *server)
{
    maybe_close(server->set);
}

/* Keeps the set in step with the configuration.
 *
 *   new entry               added; an eager one starts
 *   removed entry           its sessions close, its instances stop
 *   other sharing           removed and added
 *   SERVER_LIVE             the new limits hold at once; children and sessions stay
 *   SERVER_RESTARTS_CHILD   shared: drained, stopped, started again; perSession: new sessions get the new one
 *
 * Failure mode: no memory for a new entry -> it is missing until the next apply; the rest is applied.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "log/log.h"
#include "server/server_internal.h"

static enum sharing sharing_of(const struct server_config *config)
{
    return config->sharing == CONFIG_PER_SESSION ? SHARING_PER_SESSION : SHARING_SHARED;
}

static unsigned clamp(uint64_t value)
{
    return value < UINT_MAX ? (unsigned)value : UINT_MAX;
}

static struct server_limits make_limits(const struct server_set *set, const struct server_config *entry)
{
    return (struct server_limits){.sharing = sharing_of(entry),
                                  .log_messages =
                                      entry->log_broadcast ? LOG_MESSAGES_BROADCAST : LOG_MESSAGES_DROP,
                                  .max_in_flight = clamp(entry->max_in_flight),
                                  .max_waiting = clamp(entry->max_waiting),
                                  .session_waiting_bytes = (size_t)set->config->session_waiting_bytes,
                                  .timeout_ms = entry->timeout_ms,
                                  .timeout_max_ms = entry->timeout_max_ms,
                                  .start_timeout_ms = entry->start_timeout_ms};
}

static struct server *find_server(struct server_set *set, const char *name)
{
    LIST_EACH(it, safe, &set->servers)
    {
        struct server *server = CONTAINER_OF(it, struct server, node);
        if (strcmp(server->name, name) == 0)
            return server;
    }
    return NULL;
}

/* ---- removing ---- */

static void remove_server(struct server *server, const char *reason)
{
    struct server_set *set = server->set;
    LOG(LOG_INFO, "server removed", F_STR("server", server->name), F_STR("reason", reason));
    server->config = NULL;
    list_remove(&server->node);
    list_push_back(&set->leaving, &server->node);
    LIST_EACH(it, safe, &server->supervisors)
    {
        if (server->sharing == SHARING_SHARED)
            supervisor_detach(CONTAINER_OF(it, struct supervisor, node), reason);
    }
    struct route_server *route = server->route;
    server->route = NULL;
    route_server_remove(route, reason, loop_now_ms(set->options.loop));
    if (list_empty(&server->supervisors)) {
        list_remove(&server->node);
        server_free(server);
    }
}

/* ---- adding ---- */

static struct server *make_server(struct server_set *set, const struct config *config,
                                  const struct server_config *entry)
{
    struct server *server = mem_zalloc(sizeof(*server));
    if (!server)
        return NULL;
    server->name = mem_strdup(entry->name);
    if (!server->name) {
        mem_free(server);
        return NULL;
    }
    server->set = set;
    server->config = entry;
    server->sharing = sharing_of(entry);
    list_init(&server->supervisors);
    server_peers_init(&server->peers);
    struct backoff_options backoff = server_backoff_options(config);
    backoff_init(&server->backoff, &backoff, uv_hrtime() ^ hash_bytes(entry->name, strlen(entry->name)));
    return server;
}

static int add_server(struct server_set *set, const struct config *config, const struct server_config *entry)
{
    struct server *server = make_server(set, config, entry);
    if (!server)
        return -ENOMEM;
    struct server_limits limits = make_limits(set, entry);
    int rc = route_server_add(set->options.router, server->name, &limits, &server_route_ops, server,
                              &server->route);
    if (rc != 0)
        goto out_server;
    struct supervisor *s = NULL;
    if (server->sharing == SHARING_SHARED) {
        rc = supervisor_new(server, route_server_upstream(server->route), &s);
        if (rc != 0)
            goto out_route;
    }
    list_push_back(&set->servers, &server->node);
    if (s && server_unavailable(server))
        supervisor_want(s); /* reports the reason to the upstream */
    else if (s)
        supervisor_begin(s);
    return 0;
out_route:
    route_server_remove(server->route, "out of memory", loop_now_ms(set->options.loop));
out_server:
    server_free(server);
    return rc;
}

/* ---- changing ---- */

static void update_server(struct server *server, const struct config *config,
                          const struct server_config *entry)
{
    const struct server_config *before = server->config;
    bool restart = server_config_change(before, entry) == SERVER_RESTARTS_CHILD;
    struct server_limits limits = make_limits(server->set, entry);
    route_server_set_limits(server->route, &limits, loop_now_ms(server->set->options.loop));
    server->config = entry;
    server->backoff.options = server_backoff_options(config);
    if (restart) {
        LOG(LOG_INFO, "server changed", F_STR("server", server->name));
        backoff_reset(&server->backoff);
    }
    LIST_EACH(it, safe, &server->supervisors)
    {
        struct supervisor *s = CONTAINER_OF(it, struct supervisor, node);
        if (restart && server->sharing == SHARING_SHARED)
            supervisor_restart(s);
        else
            supervisor_retime(s);
        if (server->sharing == SHARING_SHARED)
            supervisor_begin(s);
    }
}

static void remove_gone(struct server_set *set, const struct config *config)
{
    LIST_EACH(it, safe, &set->servers)
    {
        struct server *server = CONTAINER_OF(it, struct server, node);
        const struct server_config *entry = config_server(config, server->name);
        if (!entry)
            remove_server(server, "the server was removed from the configuration");
        else if (sharing_of(entry) != server->sharing)
            remove_server(server, "the server's sharing was changed in the configuration");
    }
}

int server_set_apply(struct server_set *set, const struct config *config)
{
    if (set->stopping)
        return ERR_CLOSING;
    remove_gone(set, config);
    set->config = config;
    int failure = 0;
    for (size_t i = 0; i < config->server_count; i++) {
        const struct server_config *entry = &config->servers[i];
        struct server *server = find_server(set, entry->name);
        if (server) {
            update_server(server, config, entry);
            continue;
        }
        int rc = add_server(set, config, entry);
        if (rc != 0) {
            LOG(LOG_ERROR, "server could not be added", F_STR("server", entry->name),
                F_STR("error", err_text(rc)));
            failure = rc;
        }
    }
    return failure;
}

/* Status is made from the counters of the other parts; nothing is kept here. */
#include "ops/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log/log_line.h"

/* ---- servers ---- */

struct server_walk {
    struct writer *w;
    const struct ops *o;
    uint64_t now_ms;
};

static void add_upstream(void *data, struct upstream *upstream)
{
    struct upstream_stats *sum = data;
    struct upstream_stats one;
    upstream_get_stats(upstream, &one);
    sum->in_flight += one.in_flight;
    sum->abandoned += one.abandoned;
    sum->waiting += one.waiting;
    sum->waiting_bytes += one.waiting_bytes;
    sum->sessions += one.sessions;
    sum->requests += one.requests;
    sum->answers += one.answers;
    sum->late += one.late;
    sum->invalid_lines += one.invalid_lines;
    sum->dropped_notifications += one.dropped_notifications;
    sum->refused += one.refused;
    sum->bad_replies += one.bad_replies;
    if (one.last_used_ms > sum->last_used_ms)
        sum->last_used_ms = one.last_used_ms;
}

static struct upstream_stats sum_upstreams(const struct route_server *server)
{
    struct upstream_stats sum = {0};
    if (server)
        route_server_each_upstream(server, add_upstream, &sum);
    return sum;
}

static void write_exit(struct writer *w, const struct server_info *info)
{
    if (!info->exited)
        return;
    write_key(w, "lastExit");
    write_object(w);
    if (info->term_signal != 0)
        write_member_int(w, "signal", info->term_signal);
    else
        write_member_int(w, "status", info->exit_status);
    write_object_end(w);
}

static void write_process(struct writer *w, const struct server_info *info, uint64_t now_ms)
{
    write_member_uint(w, "children", info->children);
    if (info->pid != 0)
        write_member_int(w, "pid", info->pid);
    if (info->keeper_pid != 0)
        write_member_int(w, "keeperPid", info->keeper_pid);
    write_member_uint(w, "generation", info->generation);
    write_member_uint(w, "uptimeMs", info->uptime_ms);
    write_member_uint(w, "restarts", info->restarts);
    write_exit(w, info);
    if (info->retry_at_ms != 0)
        write_member_uint(w, "retryInMs", info->retry_at_ms > now_ms ? info->retry_at_ms - now_ms : 0);
}

static void write_limits(struct writer *w, const struct server_config *c)
{
    if (!c)
        return;
    write_member_uint(w, "maxInFlight", c->max_in_flight);
    write_member_uint(w, "maxWaiting", c->max_waiting);
}

static void write_routing(struct writer *w, const struct upstream_stats *sum, uint64_t now_ms)
{
    write_member_uint(w, "sessions", sum->sessions);
    write_member_uint(w, "inFlight", sum->in_flight);
    write_member_uint(w, "waiting", sum->waiting);
    write_member_uint(w, "waitingBytes", sum->waiting_bytes);
    write_member_uint(w, "abandoned", sum->abandoned);
    write_member_uint(w, "requests", sum->requests);
    write_member_uint(w, "answers", sum->answers);
    write_member_uint(w, "lateAnswers", sum->late);
    write_member_uint(w, "badReplies", sum->bad_replies);
    write_member_uint(w, "invalidLines", sum->invalid_lines);
    write_member_uint(w, "droppedNotifications", sum->dropped_notifications);
    write_member_uint(w, "refusedRequests", sum->refused);
    if (sum->last_used_ms != 0)
        write_member_uint(w, "idleMs", now_ms - sum->last_used_ms);
}

/* "idle" in place of "down" for a server that nothing is known to be wrong with: no request needs a child at
 * present. After an unexpected exit it is down until a request shows better. */
static const char *shown_state(const struct server_info *info)
{
    bool idle =
        strcmp(info->state, "down") == 0 && !info->note && !info->exited && !info->disabled && !info->remote;
    return idle ? "idle" : info->state;
}

static void write_server(void *data, const struct server_info *info)
{
    struct server_walk *walk = data;
    struct writer *w = walk->w;
    struct upstream_stats sum = sum_upstreams(info->route);
    write_object(w);
    write_member_string(w, "name", info->name);
    write_member_string(
        w, "sharing",
        config_sharing_name(info->sharing == SHARING_SHARED ? CONFIG_SHARED : CONFIG_PER_SESSION));
    write_member_string(w, "state", shown_state(info));
    if (info->note)
        write_member_string(w, "note", info->note);
    if (info->remote)
        write_member_bool(w, "remote", true);
    if (info->disabled)
        write_member_bool(w, "disabled", true);
    write_process(w, info, walk->now_ms);
    write_routing(w, &sum, walk->now_ms);
    write_limits(w, config_server(walk->o->config, info->name));
    write_object_end(w);
}

static void write_server_list(struct writer *w, const struct ops *o, uint64_t now_ms)
{
    struct server_walk walk = {.w = w, .o = o, .now_ms = now_ms};
    write_key(w, "servers");
    write_array(w);
    server_set_each(o->servers, write_server, &walk);
    write_array_end(w);
}

void status_write_servers(struct writer *w, const struct ops *o, const struct control_page *page,
                          uint64_t now_ms)
{
    (void)page;
    write_object(w);
    write_server_list(w, o, now_ms);
    write_object_end(w);
}

/* ---- health ---- */

struct health_walk {
    const struct config *config;
    size_t servers; /* that are meant to work */
    size_t bad;
};

static void look_at_health(void *data, const struct server_info *info)
{
    struct health_walk *walk = data;
    if (info->disabled || info->remote)
        return;
    walk->servers++;
    /* "down" by itself is no fault: it is shown as "idle", or its note has the last failure. */
    const struct server_config *c = config_server(walk->config, info->name);
    if ((c && c->problem) || strcmp(info->state, "backing-off") == 0 ||
        strcmp(info->state, "crash-loop") == 0)
        walk->bad++;
}

const char *status_health(const struct ops *o)
{
    struct health_walk walk = {.config = o->config};
    if (o->draining)
        return "draining";
    server_set_each(o->servers, look_at_health, &walk);
    if (walk.bad == 0)
        return "ok";
    return walk.bad == walk.servers ? "down" : "degraded";
}

/* ---- the whole ---- */

static void write_time(struct writer *w, const char *key, int64_t wall_ms)
{
    char text[40];
    struct tm t;
    time_t seconds = (time_t)(wall_ms / 1000);
    size_t len = gmtime_r(&seconds, &t) ? strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &t) : 0;
    (void)snprintf(text + len, sizeof(text) - len, ".%03dZ", (int)(wall_ms % 1000));
    write_member_string(w, key, text);
}

/* The second number of /proc/self/statm, in pages; 0 when it cannot be read. */
static uint64_t resident_bytes(void)
{
    unsigned long long pages = 0;
    char text[128];
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fgets(text, sizeof(text), f)) {
        const char *space = strchr(text, ' ');
        pages = space ? strtoull(space, NULL, 10) : 0;
    }
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void write_self(struct writer *w, const struct ops *o)
{
    write_key(w, "relay");
    write_object(w);
    write_member_string(w, "name", "agent-relay");
    write_member_string(w, "version", AGENT_RELAY_VERSION);
    write_member_int(w, "pid", getpid());
    write_object_end(w);
    write_member_string(w, "health", status_health(o));
    write_time(w, "startedAt", o->started_wall_ms);
    write_member_uint(w, "uptimeMs", loop_real_ms(o->loop) - o->started_at_ms);
    write_member_string(w, "configFile", o->config->file);
    write_member_uint(w, "reloads", o->reloads);
    write_member_string(w, "defaultServer", o->default_server);
}

static void write_listeners(struct writer *w, const struct ops *o)
{
    write_key(w, "listeners");
    write_array(w);
    for (size_t i = 0; i < o->listener_count; i++) {
        write_object(w);
        write_member_string(w, "address", o->listeners[i].address);
        write_member_string(w, "server", o->listeners[i].server);
        write_object_end(w);
    }
    write_array_end(w);
}

static void write_clients(struct writer *w, const struct session_set *s)
{
    write_key(w, "clients");
    write_object(w);
    write_member_uint(w, "connections", s->connections);
    write_member_uint(w, "max", s->max_connections);
    write_member_uint(w, "sessions", s->count);
    write_member_uint(w, "accepted", s->accepted);
    write_member_uint(w, "refused", s->refused);
    write_object_end(w);
}

static void write_loop(struct writer *w, const struct loop *loop)
{
    write_key(w, "loop");
    write_object(w);
    write_member_uint(w, "longestMs", loop->longest_ms);
    write_member_uint(w, "standstillMs", loop->served.standstill_ms);
    write_member_uint(w, "standstills", loop->served.standstills);
    write_object_end(w);
}

static void add_server(void *data, struct route_server *server)
{
    route_server_each_upstream(server, add_upstream, data);
}

static void write_requests(struct writer *w, const struct ops *o)
{
    struct upstream_stats sum = {0};
    router_each_server(o->router, add_server, &sum);
    write_key(w, "requests");
    write_object(w);
    write_member_uint(w, "inFlight", sum.in_flight);
    write_member_uint(w, "waiting", sum.waiting);
    write_member_uint(w, "abandoned", sum.abandoned);
    write_member_uint(w, "total", sum.requests);
    write_member_uint(w, "answers", sum.answers);
    write_object_end(w);
}

static void write_resources(struct writer *w, const struct ops *o)
{
    uint64_t bytes_in;
    uint64_t bytes_out;
    session_set_traffic(o->sessions, &bytes_in, &bytes_out);
    write_key(w, "traffic");
    write_object(w);
    write_member_uint(w, "bytesIn", bytes_in);
    write_member_uint(w, "bytesOut", bytes_out);
    write_object_end(w);
    write_key(w, "memory");
    write_object(w);
    write_member_uint(w, "residentBytes", resident_bytes());
    write_member_uint(w, "heldBytes", o->memory->held_bytes + router_held_bytes(o->router));
    write_member_uint(w, "limitBytes", o->config->max_memory_bytes);
    write_member_uint(w, "pauses", o->memory->pauses);
    write_object_end(w);
    write_key(w, "log");
    write_object(w);
    write_member_string(w, "level", log_level_name(o->config->log_level));
    write_member_uint(w, "dropped", log_dropped());
    write_object_end(w);
}

void status_write(struct writer *w, const struct ops *o, const struct control_page *page, uint64_t now_ms)
{
    (void)page;
    write_object(w);
    write_self(w, o);
    write_listeners(w, o);
    write_clients(w, o->sessions);
    write_requests(w, o);
    write_resources(w, o);
    write_loop(w, o->loop);
    write_server_list(w, o, now_ms);
    write_object_end(w);
}

/* The route table.
 *
 * Purpose: find the endpoint by path, then by method; refuse requests that cannot be served before their body
 * is read. Failure modes: 404 lists the endpoints, 405 the allowed methods, 403 and 415 keep other origins'
 * pages from commanding agents and from reading (guard.h), 413 names the limit. A service that listens on
 * more than loopback cannot know the names under which it is reached, so that Host is checked on loopback
 * alone.
 */
#include "routes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct route routes[] = {
    {"GET", "/api/v1/bots/health", endpoint_health, "what is served, since when, and what is wrong", false},
    {"GET", "/api/bots/agents", endpoint_agents, "the agents", false},
    {"GET", "/api/bots/data", endpoint_data, "the agents as a graph", false},
    {"GET", "/api/bots/status", endpoint_status, "counts and averages", false},
    {"GET", "/api/bots/events", endpoint_events, "server-sent events: each change as it happens", true},
    {"POST", "/api/bots/initialize-swarm", endpoint_swarm, "makes a swarm and its agents", true},
    {"POST", "/api/bots/submit-task", endpoint_submit, "gives the agents a task", true},
    {"GET", "/api/bots/task-status/", endpoint_task, "how far a task is (ID behind it)", true},
    {"GET", "/", endpoint_page, "the page", false},
    {"GET", "/page.css", endpoint_page, NULL, false},
    {"GET", "/page.js", endpoint_page, NULL, false},
    {"GET", "/icon.svg", endpoint_page, NULL, false},
};

#define ROUTE_COUNT (sizeof(routes) / sizeof(routes[0]))

static const struct route *find_path(const char *path, const char **ret_id)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        size_t len = strlen(routes[i].path);
        bool takes_id = len > 1 && routes[i].path[len - 1] == '/';
        *ret_id = takes_id ? path + len : "";
        if (takes_id ? strncmp(routes[i].path, path, len) == 0 : strcmp(routes[i].path, path) == 0)
            return &routes[i];
    }
    return NULL;
}

static void refuse_path(struct exchange *x, const char *path)
{
    struct failure f;
    struct writer w;
    failure_format(&f, 404, "NOT_FOUND", "Use one of details.endpoints.", "There is nothing at %.200s.",
                   path);
    exchange_begin(x, &w);
    failure_write_open(&f, &w);
    write_key(&w, "endpoints");
    write_array(&w);
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        char line[160];
        if (!routes[i].what)
            continue;
        (void)snprintf(line, sizeof(line), "%s %s: %s", routes[i].method, routes[i].path, routes[i].what);
        write_cstring(&w, line);
    }
    write_array_end(&w);
    write_object_end(&w);
    write_object_end(&w);
    exchange_end(x, &w, 404, 0);
}

static void refuse_method(struct exchange *x, const char *method, const char *path)
{
    struct failure f;
    const char *allow = strcmp(x->route->method, "GET") == 0 ? "GET, HEAD" : "POST";
    char advice[64];
    (void)snprintf(advice, sizeof(advice), "Use %s.", allow);
    failure_format(&f, 405, "METHOD_NOT_ALLOWED", advice, "%.32s is not possible at %.200s.", method, path);
    f.allow = allow;
    exchange_fail(x, &f);
}

static const char *header(const struct exchange *x, const char *name)
{
    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, name);
}

/* What only a POST can be refused for. */
static int check_post(struct exchange *x)
{
    struct failure f;
    const char *length = header(x, "Content-Length");
    const char *origin = header(x, "Origin");
    if (!guard_origin(origin, x->host, x->service->settings->allow_origin))
        failure_format(
            &f, 403, "FOREIGN_ORIGIN",
            "Serve the page from this service; behind a proxy, name its origin with --allow-origin.",
            "Pages of %.100s may not command agents here.", origin);
    else if (!guard_is_json(header(x, "Content-Type")))
        failure_set(&f, 415, "UNSUPPORTED_MEDIA_TYPE", "Send the header Content-Type: application/json.",
                    "The body must be JSON.");
    else if (length && strtoull(length, NULL, 10) > REQUEST_MAX_BYTES)
        failure_format(&f, 413, "TOO_LARGE", "Send less in one request.",
                       "The body may have %zu bytes at most.", REQUEST_MAX_BYTES);
    else
        return 0;
    exchange_fail(x, &f);
    return -1;
}

/* A target may be a whole address, "http://host/path", as it is for a proxy: the Host header counts for
 * nothing then (RFC 9112, 3.2.2). The path; NULL: the address is too long to be one. */
static const char *take_target(struct exchange *x, const char *target)
{
    size_t scheme = strncasecmp(target, "http://", 7) == 0    ? 7
                    : strncasecmp(target, "https://", 8) == 0 ? 8
                                                              : 0;
    x->host = header(x, "Host");
    if (scheme == 0)
        return target;
    size_t len = strcspn(target + scheme, "/");
    if (len >= sizeof(x->authority))
        return NULL;
    memcpy(x->authority, target + scheme, len);
    x->authority[len] = '\0';
    x->host = x->authority;
    return target[scheme + len] == '\0' ? "/" : target + scheme + len;
}

static bool has_control(const char *path)
{
    for (; *path != '\0'; path++)
        if ((unsigned char)*path < 0x20 || *path == 0x7f)
            return true;
    return false;
}

/* What any request can be refused for, whatever it asks for. */
static int check_any(struct exchange *x, const char *path)
{
    struct failure f;
    if (!path || has_control(path))
        failure_set(&f, 400, "INVALID_REQUEST",
                    "Write an address without control characters (%00 to %1f, %7f).",
                    "What is asked for cannot be an address.");
    else if (x->service->on_loopback && !guard_host(x->host, x->service->settings->allow_origin))
        failure_format(&f, 403, "FOREIGN_HOST",
                       "Ask for 127.0.0.1 or localhost; behind a proxy, name its origin with --allow-origin.",
                       "Nothing is served here under the name %.100s.", x->host);
    else
        return 0;
    exchange_fail(x, &f);
    return -1;
}

int routes_find(struct exchange *x, const char *method, const char *target)
{
    const char *id;
    const char *path = take_target(x, target);
    if (check_any(x, path) != 0)
        return -1;
    x->route = find_path(path, &id);
    if (!x->route) {
        refuse_path(x, path);
        return -1;
    }
    (void)snprintf(x->id, sizeof(x->id), "%s", id);
    x->head_only = strcmp(method, "HEAD") == 0;
    const char *as = x->head_only ? "GET" : method;
    if (strcmp(as, x->route->method) != 0) {
        refuse_method(x, method, path);
        return -1;
    }
    const char *word = MHD_lookup_connection_value(x->connection, MHD_GET_ARGUMENT_KIND, "whenDown");
    x->when_down_given = word;
    (void)snprintf(x->when_down, sizeof(x->when_down), "%s", word ? word : "");
    return strcmp(as, "POST") == 0 ? check_post(x) : 0;
}

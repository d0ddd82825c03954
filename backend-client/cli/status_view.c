/* relay/status, read with care: it came over a network, and what is absent is left out. */
#include "backend-client/cli/status_view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "wire/sanitize.h"
#include "backend-client/cli/units.h"

#define KEY_COLUMNS 12

int status_line(struct buf *out, const char *key, const char *format, ...)
{
    char text[1024];
    char padded[KEY_COLUMNS + 1];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    (void)snprintf(padded, sizeof(padded), "%-*s", KEY_COLUMNS, key);
    int rc = buf_append(out, padded, strlen(padded));
    if (rc == 0)
        rc = sanitize_append(out, text, strlen(text), SANITIZE_ESCAPE);
    return rc != 0 ? rc : buf_append(out, "\n", 1);
}

/* ---- members ---- */

static const char *text_of(struct json_doc *doc, json_node object, const char *key)
{
    const char *text = json_string(doc, json_get(doc, object, key), NULL);
    return text ? text : "";
}

static int64_t number_of(struct json_doc *doc, json_node object, const char *key)
{
    int64_t value = 0;
    (void)json_int(doc, json_get(doc, object, key), 0, INT64_MAX, &value);
    return value;
}

/* ---- servers ---- */

bool status_server_fails(struct json_doc *doc, json_node server)
{
    static const char *const bad[] = {"backing-off", "crash-loop"};
    const char *state = text_of(doc, server, "state");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        if (strcmp(state, bad[i]) == 0)
            return true;
    /* a note says why it cannot run at all */
    return json_get(doc, server, "note") != JSON_ABSENT;
}

static json_node find_server(struct json_doc *doc, json_node status, const char *name)
{
    json_node list = json_get(doc, status, "servers");
    for (json_node s = json_first(doc, list); s != JSON_ABSENT; s = json_next(doc, s))
        if (name[0] && strcmp(text_of(doc, s, "name"), name) == 0)
            return s;
    return JSON_ABSENT;
}

/* Both end in the same ":port", or are the same Unix socket. */
static bool is_same_place(const char *a, const char *b)
{
    if (strncmp(a, "unix:", 5) == 0 || strncmp(b, "unix:", 5) == 0)
        return strcmp(a, b) == 0;
    const char *port_a = strrchr(a, ':');
    const char *port_b = strrchr(b, ':');
    return port_a && port_b && strcmp(port_a, port_b) == 0;
}

static json_node server_behind(struct json_doc *doc, json_node status, const char *address)
{
    const char *name = text_of(doc, status, "defaultServer");
    json_node list = json_get(doc, status, "listeners");
    for (json_node l = json_first(doc, list); l != JSON_ABSENT; l = json_next(doc, l)) {
        const char *own = text_of(doc, l, "server");
        if (own[0] && is_same_place(text_of(doc, l, "address"), address))
            name = own;
    }
    return find_server(doc, status, name);
}

static bool is_draining(struct json_doc *doc, json_node status)
{
    return strcmp(text_of(doc, status, "health"), "draining") == 0;
}

bool status_is_degraded(struct json_doc *doc, json_node status, const char *address)
{
    json_node server = server_behind(doc, status, address);
    if (is_draining(doc, status))
        return true;
    if (server == JSON_ABSENT)
        return strcmp(text_of(doc, status, "health"), "ok") != 0;
    return status_server_fails(doc, server);
}

/* ---- lines ---- */

static int relay_line(struct buf *out, struct json_doc *doc, json_node status)
{
    char uptime[UNITS_SIZE];
    json_node relay = json_get(doc, status, "relay");
    return status_line(out, "relay", "%s %s, pid %" PRId64 ", up %s, health %s", text_of(doc, relay, "name"),
                       text_of(doc, relay, "version"), number_of(doc, relay, "pid"),
                       units_span((uint64_t)number_of(doc, status, "uptimeMs"), uptime),
                       text_of(doc, status, "health"));
}

static int server_line(struct buf *out, struct json_doc *doc, json_node server, const char *key)
{
    const char *note = text_of(doc, server, "note");
    return status_line(out, key, "%s: %s%s%s, sessions %" PRId64 ", in flight %" PRId64 ", restarts %" PRId64,
                       text_of(doc, server, "name"), text_of(doc, server, "state"), note[0] ? ", " : "", note,
                       number_of(doc, server, "sessions"), number_of(doc, server, "inFlight"),
                       number_of(doc, server, "restarts"));
}

static int trouble_lines(struct buf *out, struct json_doc *doc, json_node status, json_node but)
{
    int rc = 0;
    json_node list = json_get(doc, status, "servers");
    for (json_node s = json_first(doc, list); s != JSON_ABSENT && rc == 0; s = json_next(doc, s))
        if (s != but && status_server_fails(doc, s))
            rc = server_line(out, doc, s, "trouble");
    return rc;
}

int status_write_lines(struct buf *out, struct json_doc *doc, json_node status, const char *address)
{
    json_node server = server_behind(doc, status, address);
    json_node clients = json_get(doc, status, "clients");
    int rc = relay_line(out, doc, status);
    if (rc == 0 && server != JSON_ABSENT)
        rc = server_line(out, doc, server, "server");
    if (rc == 0)
        rc = status_line(out, "clients", "%" PRId64 " of at most %" PRId64,
                         number_of(doc, clients, "connections"), number_of(doc, clients, "max"));
    return rc != 0 ? rc : trouble_lines(out, doc, status, server);
}

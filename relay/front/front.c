/* The set of listeners and clients, and the one timer that they share.
 *
 * The sweep's timer runs only while somebody is watched, every second; a thousand idle clients cause no
 * iteration.
 */
#include "front/front.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"
#include "front/connection.h"
#include "front/listener.h"
#include "front/ndjson.h"

#define SWEEP_MS 1000
/* How long a closed client may take to end its side: long enough for a round trip; at the relay's end not to
 * be waited for by whoever restarts it. */
#define LINGER_MS        1000
#define LINGER_AT_END_MS 100

/* What a port speaks, by the first byte of a connection. HTTP methods and TLS records get rows of their own
 * when they are spoken; the last row is everything else. */
static const struct sniff_row spoken[] = {
    {'{', '{', &ndjson_protocol, NULL},
    {'[', '[', &ndjson_protocol, NULL},
    {0xef, 0xef, &ndjson_protocol, NULL}, /* a byte order mark, which no browser can send first */
    {0xfe, 0xff, NULL, "this port speaks newline-delimited JSON-RPC 2.0 in UTF-8; this seems to be UTF-16"},
    {0x16, 0x16, NULL,
     "this port speaks newline-delimited JSON-RPC 2.0 in the clear; TLS is not spoken here"},
    {0x00, 0xff, NULL,
     "this port speaks newline-delimited JSON-RPC 2.0, one JSON object per line; HTTP and TLS are not spoken here"},
};

/* ---- the sweep ---- */

static void on_sweep(struct timer *t)
{
    struct front *f = CONTAINER_OF(t, struct front, sweep);
    uint64_t now_ms = loop_now_ms(f->options.loop);
    /* What is watched anew meanwhile goes to the end, and is looked at too: it stays, for nothing of it is
     * due. */
    LIST_EACH(node, next, &f->watched)
    {
        if (!connection_sweep(CONTAINER_OF(node, struct connection, watch), now_ms))
            list_remove(node);
    }
    memory_review(f->options.memory);
    if (!list_empty(&f->watched))
        timer_set_earlier(&f->sweep,
                          now_ms + (memory_is_over(f->options.memory) ? MEMORY_REVIEW_MS : SWEEP_MS));
}

/* ---- life ---- */

void front_init(struct front *f, const struct front_options *options)
{
    *f = (struct front){.options = *options, .spoken = spoken, .linger_ms = LINGER_MS};
    list_init(&f->connections);
    list_init(&f->watched);
    hosts_init(&f->hosts);
    int rc = timer_init(&f->sweep, options->loop, on_sweep);
    assert(rc == 0); /* cannot fail on a loop that is there */
    (void)rc;
    f->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC); /* -1: then waiting peers are not answered */
    front_set_limits(f, &options->limits);
}

void front_close(struct front *f)
{
    front_stop_listening(f);
    timer_close(&f->sweep, NULL);
}

void front_done(struct front *f)
{
    for (size_t i = 0; i < f->listener_count; i++)
        listener_free(f->listeners[i]);
    mem_free(f->listeners);
    mem_free(f->default_server);
    hosts_done(&f->hosts);
    if (f->reserve_fd >= 0)
        close(f->reserve_fd);
}

/* ---- listening ---- */

static int add_listener(struct front *f, struct bound *bound, const char *server)
{
    size_t bytes;
    if (!size_mul(f->listener_count + 1, sizeof(struct listener *), &bytes))
        return -ENOMEM;
    struct listener **grown = mem_realloc(f->listeners, bytes);
    if (!grown)
        return -ENOMEM;
    f->listeners = grown;
    int rc = listener_new(f, bound, server, &grown[f->listener_count]);
    if (rc != 0)
        return rc;
    f->listener_count++;
    return 0;
}

static int listen_on(struct front *f, const struct listen_entry *entry, struct bind_error *ret_error)
{
    struct bound bound[BIND_MAX_ADDRESSES];
    size_t count = 0;
    int rc = bind_entry(entry, bound, &count, ret_error);
    for (size_t i = 0; i < count; i++) {
        if (rc == 0)
            rc = add_listener(f, &bound[i], entry->server);
        if (rc != 0) {
            (void)snprintf(ret_error->text, sizeof(ret_error->text), "cannot listen on %s: %s",
                           bound[i].address, err_text(rc));
            bind_release(&bound[i]);
        }
    }
    return rc;
}

int front_listen(struct front *f, const struct listen_entry *entries, size_t count,
                 struct bind_error *ret_error)
{
    for (size_t i = 0; i < count; i++) {
        int rc = listen_on(f, &entries[i], ret_error);
        if (rc != 0) {
            front_stop_listening(f);
            return rc;
        }
    }
    for (size_t i = 0; i < f->listener_count; i++) {
        const struct listener *l = f->listeners[i];
        LOG(LOG_INFO, "listening", F_STR("address", l->bound.address),
            F_STR("server", l->server ? l->server : f->default_server));
    }
    return 0;
}

void front_stop_listening(struct front *f)
{
    for (size_t i = 0; i < f->listener_count; i++)
        listener_close(f->listeners[i]);
}

void front_each_listener(const struct front *f, listener_view_cb *on_listener, void *data)
{
    for (size_t i = 0; i < f->listener_count; i++)
        on_listener(data, &f->listeners[i]->bound, f->listeners[i]->server);
}

/* ---- settings ---- */

int front_set_default_server(struct front *f, const char *name)
{
    char *copy = NULL;
    if (name && !(copy = mem_strdup(name)))
        return -ENOMEM;
    mem_free(f->default_server);
    f->default_server = copy;
    return 0;
}

/* The longest answer fits behind a queue that is not full yet, and what else one read of its child brings. */
static size_t full_out_bytes(const struct front_limits *limits)
{
    size_t room = limits->max_frame_bytes + 2 * LOOP_READ_BYTES;
    return limits->out_bytes - (room < limits->out_bytes / 2 ? room : limits->out_bytes / 2);
}

void front_set_limits(struct front *f, const struct front_limits *limits)
{
    struct session_set *sessions = f->options.sessions;
    f->options.limits = *limits;
    sessions->max_connections = limits->max_clients;
    sessions->max_out_bytes = limits->out_bytes;
    sessions->full_out_bytes = full_out_bytes(limits);
}

/* ---- the end of the clients ---- */

void front_close_clients(struct front *f, const char *reason, uint64_t flush_ms)
{
    f->linger_ms = LINGER_AT_END_MS;
    LIST_EACH(node, next, &f->connections)
    {
        connection_close_within(CONTAINER_OF(node, struct connection, node), flush_ms, reason);
    }
}

bool front_is_empty(const struct front *f)
{
    return list_empty(&f->connections);
}

void front_drop_clients(struct front *f, const char *reason)
{
    LIST_EACH(node, next, &f->connections)
    {
        connection_drop(CONTAINER_OF(node, struct connection, node), 0, "%s", reason);
    }
}

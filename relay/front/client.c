/* A client's life: its states, the two exit doors, and the freeing.
 *
 * The router may close a client's link from deep inside a frame of another client. So client_close only
 * changes the state and marks the client; the session is taken out of the router at the end of the iteration, and
 * memory goes after the stream's last callback.
 *
 * Failure modes: no memory at accept -> the caller refuses. A peer that does not read its last answers ->
 * dropped after the flush time. A peer that does not end its side -> dropped after the linger time.
 */
#include "front/client.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "log/log.h"
#include "front/refusal.h"
#include "wire/rpc_error.h"

#define REASON_BYTES 256

static uint64_t now_of(const struct client *c)
{
    return loop_now_ms(c->front->options.loop);
}

static void set_state(struct client *c, enum client_state next)
{
    static const unsigned char allowed[] = {
        [CLIENT_SNIFFING] = 1 << CLIENT_OPEN | 1 << CLIENT_FLUSHING | 1 << CLIENT_CLOSED,
        [CLIENT_OPEN] = 1 << CLIENT_FLUSHING | 1 << CLIENT_CLOSED,
        [CLIENT_FLUSHING] = 1 << CLIENT_LINGERING | 1 << CLIENT_CLOSED,
        [CLIENT_LINGERING] = 1 << CLIENT_CLOSED,
        [CLIENT_CLOSED] = 0,
    };
    assert(allowed[c->state] & (1 << next));
    c->state = next;
}

void client_enter_open(struct client *c)
{
    set_state(c, CLIENT_OPEN);
}

/* ---- the end ---- */

static void end_session(struct client *c)
{
    struct session *s = c->session;
    c->session = NULL;
    if (s)
        session_close(s, now_of(c));
}

static void log_end(const struct client *c, int code, const char *reason)
{
    enum log_level level = code == RPC_E_OVERLOADED || code == RPC_E_TIMEOUT ? LOG_WARN : LOG_INFO;
    LOG(level, "client closed", F_STR("peer", c->origin.peer),
        F_UINT("session", c->session ? c->session->id : 0), F_STR("reason", reason), F_INT("code", code),
        F_UINT("age_ms", now_of(c) - c->opened_at_ms), F_UINT("bytes_in", c->stream.bytes_in),
        F_UINT("bytes_out", c->stream.bytes_out), F_UINT("queued_bytes", stream_queued(&c->stream)));
}

/* Without room for it the client learns nothing but the end of the connection. */
static void append_error(struct client *c, int code, const char *reason)
{
    struct buf line;
    buf_init(&line, REFUSAL_MAX_BYTES);
    struct refusal refusal = {.code = code, .message = reason};
    if (refusal_write(&line, &refusal) == 0)
        (void)!stream_write(&c->stream, buf_data(&line), buf_len(&line));
    buf_done(&line);
}

void client_close(struct client *c, uint64_t flush_ms, int code, const char *format, ...)
{
    if (c->state >= CLIENT_FLUSHING)
        return;
    char reason[REASON_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    log_end(c, code, reason);
    if (code != 0)
        append_error(c, code, reason);
    set_state(c, CLIENT_FLUSHING);
    client_update_reading(c);
    client_watch_until(c, now_of(c) + flush_ms);
    loop_mark(c->front->options.loop, &c->iteration_end);
}

void client_drop(struct client *c, int code, const char *format, ...)
{
    if (c->state == CLIENT_CLOSED)
        return;
    if (c->state < CLIENT_FLUSHING) {
        char reason[REASON_BYTES];
        va_list args;
        va_start(args, format);
        (void)vsnprintf(reason, sizeof(reason), format, args);
        va_end(args);
        log_end(c, code, reason);
    }
    client_finish(c);
}

void client_finish(struct client *c)
{
    if (c->state == CLIENT_CLOSED)
        return;
    set_state(c, CLIENT_CLOSED);
    loop_unmark(&c->iteration_end);
    list_remove(&c->watch);
    memory_leave(c->front->options.memory, &c->memory); /* no pause may come to one that is closed */
    end_session(c);
    stream_close(&c->stream);
}

void client_linger(struct client *c)
{
    uv_os_fd_t fd;
    if (uv_fileno(&c->stream.uv.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        client_finish(c);
        return;
    }
    set_state(c, CLIENT_LINGERING);
    client_watch_until(c, now_of(c) + c->front->linger_ms);
    client_update_reading(c);
}

/* What a call from inside the router left to do. */
static void on_iteration_end(struct loop_task *task)
{
    struct client *c = CONTAINER_OF(task, struct client, iteration_end);
    if (c->doomed != 0) {
        client_drop(c, RPC_E_OVERLOADED, "an answer could not be queued, %zu bytes wait already: %s",
                    stream_queued(&c->stream), err_text(c->doomed));
        return;
    }
    if (c->yielding) {
        c->yielding = false;
        client_update_reading(c);
    }
    if (c->state != CLIENT_FLUSHING)
        return;
    end_session(c);
    stream_flush(&c->stream);
    if (stream_queued(&c->stream) == 0)
        client_linger(c);
    else
        stream_set_marks(&c->stream, 0, 0); /* on_drain tells when all is out */
}

/* ---- life ---- */

static void on_memory_pause(struct memory_user *u)
{
    struct client *c = CONTAINER_OF(u, struct client, memory);
    c->paused_by_memory = true;
    client_update_reading(c);
    client_watch(c);
}

static void on_memory_resume(struct memory_user *u)
{
    struct client *c = CONTAINER_OF(u, struct client, memory);
    c->paused_by_memory = false;
    client_update_reading(c);
}

static void init(struct client *c, struct front *front, const struct session_origin *origin,
                 const char *server)
{
    const struct front_limits *limits = &front->options.limits;
    c->transport.ops = &client_transport_ops;
    c->transport.bytes_in = &c->stream.bytes_in;
    c->transport.bytes_out = &c->stream.bytes_out;
    c->front = front;
    c->server = server;
    c->origin = *origin;
    c->opened_at_ms = loop_now_ms(front->options.loop);
    list_init(&c->watch);
    loop_task_init(&c->iteration_end, on_iteration_end);
    frame_reader_init(&c->reader, limits->max_frame_bytes, limits->max_id_bytes);
    stream_init(&c->stream, front->options.loop, &client_stream_ops, CLIENT_HIGH_BYTES, CLIENT_HIGH_BYTES / 2,
                limits->out_bytes);
}

static void join(struct client *c, bool refused)
{
    struct front *f = c->front;
    list_push_back(&f->clients, &c->node);
    memory_join(f->options.memory, &c->memory, on_memory_pause, on_memory_resume);
    c->refused = refused;
    if (refused) {
        f->refusing++;
        f->options.sessions->refused++;
        return;
    }
    f->client_count++;
    f->options.sessions->accepted++;
    f->options.sessions->connections = f->client_count;
}

int client_open(struct front *front, int fd, const struct session_origin *origin, const char *server,
                bool refused)
{
    struct client *c = mem_zalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    init(c, front, origin, server);
    int rc = stream_open_fd(&c->stream, fd);
    if (rc != 0) {
        frame_reader_done(&c->reader);
        mem_free(c);
        return rc;
    }
    join(c, refused);
    LOG(LOG_DEBUG, "client connected", F_STR("peer", c->origin.peer));
    if (refused)
        client_close(c, CLIENT_FLUSH_MS, RPC_E_OVERLOADED, "the relay has its %zu clients already",
                     front->options.limits.max_clients);
    client_update_reading(c);
    return 0;
}

static void free_deferred(struct loop_deferred *d)
{
    mem_free(CONTAINER_OF(d, struct client, deferred));
}

static void leave(struct client *c)
{
    struct front *f = c->front;
    list_remove(&c->node);
    if (c->refused)
        f->refusing--;
    else
        f->client_count--;
    f->options.sessions->connections = f->client_count;
    memory_leave(f->options.memory, &c->memory);
}

void client_release(struct client *c)
{
    struct loop *loop = c->front->options.loop;
    frame_reader_done(&c->reader);
    leave(c);
    loop_defer(loop, &c->deferred, free_deferred);
}

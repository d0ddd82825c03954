/* A connection's life, one section per step, each before those that use it: states, the end, what a protocol
 * calls, what the stream reports, the beginning. connection_reading.c has the pauses, connection_sweep.c the time-outs.
 *
 * The router may close a session's link from deep inside a frame of another session. So connection_close only
 * changes the state and marks the connection; the protocol leaves its session at the end of the loop
 * iteration, and memory goes after the stream's last callback. What the connection holds is reported to the
 * memory budget once per iteration.
 *
 * Failure modes: no memory at accept -> the caller refuses. A full queue or no memory for a message ->
 * dropped at the end of the iteration. A peer that does not read its last answers -> dropped after the flush
 * time; one that does not end its side, after the linger time. Time-outs: connection_sweep.
 */
#include "front/connection.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "front/connection_reading.h"
#include "front/connection_timeouts.h"
#include "front/error_line.h"
#include "front/sniff.h"
#include "log/log.h"
#include "wire/rpc_error.h"

#define REASON_BYTES 256
/* A queue that is not full takes one more message, whose id may be longer than what the child wrote, and the reason why
 * the connection ends. */
#define QUEUE_SLACK_BYTES (2 * ERROR_LINE_MAX_BYTES)
/* A queue up to this is accounted when it has been written, a longer one at the end of the iteration in any
 * case: the kernel may not take it. */
#define ACCOUNT_LATE_BYTES ((size_t)64 << 10)

static uint64_t now_of(const struct connection *c)
{
    return loop_now_ms(c->front->options.loop);
}

static void set_state(struct connection *c, enum connection_state next)
{
    static const unsigned char allowed[] = {
        [CONNECTION_SNIFFING] = 1 << CONNECTION_OPEN | 1 << CONNECTION_FLUSHING | 1 << CONNECTION_CLOSED,
        [CONNECTION_OPEN] = 1 << CONNECTION_FLUSHING | 1 << CONNECTION_CLOSED,
        [CONNECTION_FLUSHING] = 1 << CONNECTION_LINGERING | 1 << CONNECTION_CLOSED,
        [CONNECTION_LINGERING] = 1 << CONNECTION_CLOSED,
        [CONNECTION_CLOSED] = 0,
    };
    assert(allowed[c->state] & (1 << next));
    c->state = next;
}

/* ---- the end ---- */

static void leave_protocol(struct connection *c)
{
    if (!c->protocol || c->protocol_left)
        return;
    c->protocol_left = true;
    c->protocol->ops->on_closing(c->protocol, now_of(c));
}

/* Without a log line. */
static void finish(struct connection *c)
{
    if (c->state == CONNECTION_CLOSED)
        return;
    set_state(c, CONNECTION_CLOSED);
    loop_unmark(&c->iteration_end);
    list_remove(&c->watch);
    memory_leave(c->front->options.memory, &c->memory); /* no pause may come to one that is closed */
    leave_protocol(c);
    buf_done(&c->rest);
    stream_close(&c->stream);
}

/* The queue is empty: shuts our side, and waits for the peer's. */
static void linger(struct connection *c)
{
    uv_os_fd_t fd;
    if (uv_fileno(&c->stream.uv.handle, &fd) != 0 || shutdown(fd, SHUT_WR) != 0) {
        finish(c);
        return;
    }
    set_state(c, CONNECTION_LINGERING);
    connection_watch_until(c, now_of(c) + c->front->linger_ms);
    if (stream_read_start(&c->stream) != 0)
        finish(c); /* the peer has ended already */
}

static void flush(struct connection *c)
{
    leave_protocol(c);
    buf_done(&c->rest);
    stream_flush(&c->stream);
    if (stream_queued(&c->stream) == 0)
        linger(c);
    else
        stream_set_marks(&c->stream, 0, 0); /* on_drain comes when all is out */
}

static void log_end(const struct connection *c, int code, const char *reason)
{
    enum log_level level = code == RPC_E_OVERLOADED || code == RPC_E_TIMEOUT ? LOG_WARN
                           : c->left_in_order                                ? LOG_DEBUG
                                                                             : LOG_INFO;
    LOG(level, "client closed", F_STR("peer", c->origin.peer),
        F_UINT("session", c->protocol ? c->protocol->session_id : 0), F_STR("reason", reason),
        F_INT("code", code), F_UINT("age_ms", loop_real_ms(c->front->options.loop) - c->origin.since_ms),
        F_UINT("bytes_in", c->stream.bytes_in), F_UINT("bytes_out", c->stream.bytes_out),
        F_UINT("queued_bytes", stream_queued(&c->stream)));
}

/* Where nothing is spoken yet, the error is a line. false: there is no memory for it, and the peer learns nothing but
 * the end. */
static bool write_reason(const struct connection *c, struct buf *text, int code, const char *reason)
{
    return c->protocol ? c->protocol->ops->write_error(text, code, reason) == 0
                       : error_line_write(text, &(struct error_line){.code = code, .message = reason}) == 0;
}

static void append_error(struct connection *c, int code, const char *reason)
{
    struct buf text;
    buf_init(&text, ERROR_LINE_MAX_BYTES);
    if (write_reason(c, &text, code, reason))
        (void)!stream_write(&c->stream, buf_data(&text), buf_len(&text));
    buf_done(&text);
}

void connection_close(struct connection *c, int code, const char *format, ...)
{
    char reason[REASON_BYTES];
    va_list args;
    /* One that could not send goes at the end of the iteration, for the reason that it knows best itself. */
    if (c->state >= CONNECTION_FLUSHING || c->send_error != 0)
        return;
    va_start(args, format);
    (void)vsnprintf(reason, sizeof(reason), format, args);
    va_end(args);
    log_end(c, code, reason);
    if (code != 0)
        append_error(c, code, reason);
    set_state(c, CONNECTION_FLUSHING);
    connection_update_reading(c);
    connection_watch_until(c, now_of(c) + CONNECTION_FLUSH_MS);
    connection_mark(c);
}

void connection_drop(struct connection *c, int code, const char *format, ...)
{
    char reason[REASON_BYTES];
    if (c->state < CONNECTION_FLUSHING) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(reason, sizeof(reason), format, args);
        va_end(args);
        log_end(c, code, reason);
    }
    finish(c);
}

/* A line of its own, whatever was cut off before it. */
static void send_last(struct connection *c, const char *reason)
{
    struct buf text;
    buf_init(&text, ERROR_LINE_MAX_BYTES);
    if (buf_append(&text, "\n", 1) == 0 && write_reason(c, &text, RPC_E_OVERLOADED, reason))
        (void)stream_close_with(&c->stream, buf_data(&text), buf_len(&text));
    buf_done(&text);
}

/* For a client whose memory others need: what is queued is dropped at once, and the peer is sent why if its socket has
 * room. From the top of the loop. */
static void evict(struct connection *c, const char *reason)
{
    if (c->state < CONNECTION_FLUSHING && stream_queued(&c->stream) == 0) {
        connection_close(c, RPC_E_OVERLOADED, "%s", reason);
        memory_leave(c->front->options.memory, &c->memory);
        return;
    }
    if (c->state < CONNECTION_FLUSHING) {
        log_end(c, RPC_E_OVERLOADED, reason);
        send_last(c, reason);
    }
    finish(c);
}

static void on_memory_evict(struct memory_user *u)
{
    struct connection *c = CONTAINER_OF(u, struct connection, memory);
    char reason[REASON_BYTES];
    size_t unread = stream_queued(&c->stream);
    if (unread > 0)
        (void)snprintf(reason, sizeof(reason),
                       "memory is short, and %zu bytes wait for this client to read them", unread);
    evict(c,
          unread > 0 ? reason : "memory is short, and a message of this client was begun and does not go on");
}

void connection_close_within(struct connection *c, uint64_t flush_ms, const char *reason)
{
    bool was_closing = c->state >= CONNECTION_FLUSHING;
    connection_close(c, 0, "%s", reason);
    c->flush_until_ms = 0;
    uint64_t at_most_ms = now_of(c) + (c->state == CONNECTION_LINGERING ? c->front->linger_ms : flush_ms);
    if (c->state != CONNECTION_CLOSED && (!was_closing || c->deadline_at_ms > at_most_ms))
        connection_watch_until(c, at_most_ms);
}

/* A message was lost, so the connection has to end: behind what is queued the peer gets the reason, for as long as it
 * takes bytes. */
static void end_full_queue(struct connection *c)
{
    int rc = c->send_error;
    c->send_error = 0;
    connection_close(c, RPC_E_OVERLOADED, "an answer could not be queued, %zu bytes wait already: %s",
                     stream_queued(&c->stream), err_text(rc));
    c->flush_until_ms = now_of(c) + c->front->options.limits.stall_ms;
}

static void on_iteration_end(struct loop_task *task)
{
    struct connection *c = CONTAINER_OF(task, struct connection, iteration_end);
    if (c->send_error != 0)
        end_full_queue(c);
    if (c->read_deferred) {
        c->read_deferred = false;
        connection_update_reading(c);
    }
    connection_feed_rest(c, now_of(c));
    if (c->state == CONNECTION_FLUSHING)
        flush(c);
    connection_account(c);
}

/* ---- what a protocol calls ---- */

bool connection_is_open(const struct connection *c)
{
    return connection_serves(c);
}

int connection_write(struct connection *c, const struct part *parts, size_t count, bool newline)
{
    if (!connection_is_open(c))
        return ERR_CLOSING;
    size_t most = c->front->options.limits.out_bytes;
    int rc = stream_queued(&c->stream) < most ? stream_write_parts(&c->stream, parts, count, newline)
                                              : ERR_TOO_LARGE;
    if (rc == ERR_CLOSING) /* it broke in this iteration: the stream's on_end has the reason */
        return rc;
    if (rc != 0) {
        c->send_error = rc;
        connection_mark(c);
        return rc == -ENOMEM ? -ENOMEM : ERR_CLOSING;
    }
    c->queued_bytes = stream_queued(&c->stream);
    if (c->queued_bytes > CONNECTION_HIGH_BYTES && !c->paused_by_queue) {
        /* Back-pressure: else the answers that the relay makes itself (refusals, ping) would pile up as fast
         * as the peer can ask. */
        c->paused_by_queue = true;
        connection_update_reading(c);
    }
    connection_watch(c);
    connection_note_work(c);
    if (c->queued_bytes > ACCOUNT_LATE_BYTES || c->stream.pending_bytes > 0)
        connection_mark(c);
    return 0;
}

size_t connection_queued(const struct connection *c)
{
    return c->queued_bytes;
}

bool connection_takes_more(const struct connection *c)
{
    return connection_is_open(c) && !c->paused_by_queue;
}

bool connection_has_time(const struct connection *c)
{
    return !work_is_done(c->work, c->front->options.loop->iterations);
}

void connection_pause(struct connection *c)
{
    c->paused_by_protocol = true;
    connection_update_reading(c);
    connection_watch(c);
    connection_mark(c);
}

void connection_resume(struct connection *c)
{
    c->paused_by_protocol = false;
    connection_update_reading(c);
    connection_mark(c);
}

/* The time-out runs from the chunk that brought the message's first byte. */
void connection_message_begun(struct connection *c)
{
    if (c->message_begun_at_ms != 0)
        return;
    c->message_begun_at_ms = now_of(c);
    c->pace_at_ms = c->message_begun_at_ms;
    c->pace_bytes = c->stream.bytes_in;
    connection_watch(c);
}

void connection_message_ended(struct connection *c)
{
    c->message_begun_at_ms = 0;
}

/* ---- what the stream reports ---- */

/* false: no byte that decides came yet, or the connection closes. */
static bool begin(struct connection *c, const char *bytes, size_t len, uint64_t now_ms)
{
    const struct front *f = c->front;
    const struct sniff_row *row = sniff(f->spoken, bytes, len);
    if (!row)
        return false;
    if (!row->protocol) {
        connection_close(c, RPC_E_PARSE_ERROR, "%s", row->hint);
        return false;
    }
    const struct protocol_setup setup = {.connection = c,
                                         .sessions = f->options.sessions,
                                         .origin = &c->origin,
                                         .server = c->server ? c->server : f->default_server,
                                         .bytes_in = &c->stream.bytes_in,
                                         .bytes_out = &c->stream.bytes_out,
                                         .max_frame_bytes = f->options.limits.max_frame_bytes,
                                         .max_id_bytes = f->options.limits.max_id_bytes};
    set_state(c, CONNECTION_OPEN);
    int rc = row->protocol->open(&setup, now_ms, &c->protocol);
    if (rc != 0)
        connection_close(c, RPC_E_OVERLOADED, "no session could be opened: %s", err_text(rc));
    return connection_is_open(c);
}

/* Messages for the iterations to come. */
static void keep_rest(struct connection *c, const char *bytes, size_t len)
{
    int rc = buf_append(&c->rest, bytes, len);
    if (rc != 0) {
        connection_close(c, RPC_E_OVERLOADED, "what it sent could not be kept: %s", err_text(rc));
        return;
    }
    connection_update_reading(c);
    connection_mark(c);
}

static void on_bytes(struct stream *s, const char *bytes, size_t len)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    uint64_t now_ms = now_of(c);
    if (c->state == CONNECTION_SNIFFING && !begin(c, bytes, len, now_ms))
        return;
    if (!connection_is_open(c))
        return; /* lingering, or about to be dropped */
    bool was_under_way = c->message_begun_at_ms != 0;
    size_t taken = connection_take(c, bytes, len, now_ms);
    if (!connection_is_open(c))
        return;
    if (taken < len)
        keep_rest(c, bytes + taken, len - taken);
    if (memory_is_tight(c->front->options.memory))
        connection_release_memory(c);
    /* Messages that came whole hold nothing. One under way does, and fills memory within one iteration, with
     * up to 32 chunks a connection: that is accounted at once. */
    if (was_under_way || c->message_begun_at_ms != 0)
        connection_account(c);
}

static void on_sent(struct stream *s)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    c->queued_bytes = stream_queued(s);
    if (connection_is_open(c))
        c->protocol->ops->on_sent(c->protocol, c->queued_bytes);
    if (!list_linked(&c->iteration_end.node)) /* else that accounts */
        connection_account(c);
}

static void on_drain(struct stream *s)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    c->queued_bytes = stream_queued(s);
    c->paused_by_queue = false;
    connection_update_reading(c);
    connection_account(c);
    connection_mark(c); /* what was read before may be taken */
    if (c->state == CONNECTION_FLUSHING && c->queued_bytes == 0)
        linger(c);
    else if (connection_is_open(c))
        c->protocol->ops->on_writable(c->protocol, now_of(c));
}

/* The end of its side means that the peer is gone, and what it has in flight is cancelled. What is answered
 * already still goes out: `printf ... | nc -N` reads it. */
static void on_end(struct stream *s, int status)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    c->left_in_order = status == 0;
    if (status == 0 && stream_queued(s) > 0)
        connection_close(c, 0, "the client closed the connection");
    else if (status == 0)
        connection_drop(c, 0, "the client closed the connection");
    else
        connection_drop(c, 0, "the connection broke: %s", err_text(status));
}

static void free_deferred(struct loop_deferred *d)
{
    mem_free(CONTAINER_OF(d, struct connection, deferred));
}

static void on_closed(struct stream *s)
{
    struct connection *c = CONTAINER_OF(s, struct connection, stream);
    struct front *f = c->front;
    if (c->protocol)
        c->protocol->ops->on_closed(c->protocol);
    list_remove(&c->node);
    if (c->refused)
        f->refusing--;
    else
        f->client_count--;
    if (c->host)
        hosts_leave(&f->hosts, c->host);
    f->options.sessions->connections = f->client_count;
    loop_defer(f->options.loop, &c->deferred, free_deferred);
}

static const struct stream_ops stream_ops = {
    .on_bytes = on_bytes, .on_drain = on_drain, .on_end = on_end, .on_closed = on_closed, .on_sent = on_sent};

static const struct memory_ops memory_ops = {.pause = connection_on_memory_pause,
                                             .resume = connection_on_memory_resume,
                                             .evict = on_memory_evict,
                                             .is_stalled = connection_is_stalled};

/* ---- the beginning ---- */

static void join(struct connection *c, bool refused)
{
    struct front *f = c->front;
    list_push_back(&f->connections, &c->node);
    memory_join(f->options.memory, &c->memory, &memory_ops);
    stream_limit_reads(&c->stream, &f->options.memory->read_bytes);
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

int connection_open(struct front *front, int fd, const struct session_origin *origin, struct host *host,
                    const char *server, const char *refusal)
{
    const struct front_limits *limits = &front->options.limits;
    struct connection *c = mem_zalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->front = front;
    c->server = server;
    c->origin = *origin;
    c->opened_at_ms = loop_now_ms(front->options.loop);
    list_init(&c->watch);
    buf_init(&c->rest, LOOP_READ_BYTES);
    loop_task_init(&c->iteration_end, on_iteration_end);
    stream_init(&c->stream, front->options.loop, &stream_ops, CONNECTION_HIGH_BYTES,
                CONNECTION_HIGH_BYTES / 2, limits->out_bytes + limits->max_frame_bytes + QUEUE_SLACK_BYTES);
    int rc = stream_open_fd(&c->stream, fd);
    if (rc != 0) {
        mem_free(c);
        return rc;
    }
    c->host = host;
    c->work = host ? &host->work : &front->local_work;
    join(c, refusal);
    LOG(LOG_DEBUG, "client connected", F_STR("peer", c->origin.peer));
    if (refusal)
        connection_close(c, RPC_E_OVERLOADED, "%s", refusal);
    connection_update_reading(c);
    connection_watch(c); /* its first bytes are due */
    return 0;
}

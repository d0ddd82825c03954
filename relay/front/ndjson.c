/* Lines in, through the frame reader to the session; messages out, each with a newline, to the connection.
 *
 * In: the frames of a chunk are handed in, also when the router asks for a pause in the middle of it, up to
 * PROTOCOL_MESSAGES_MAX of them, or as its host has time; the connection keeps the rest for the next loop iteration. A chunk is dropped from the
 * frame that closed the connection on.
 * Out: the transport's send copies into the connection's queue, which is written at the end of the loop
 * iteration.
 *
 * A whole value without a newline behind it is taken after about a second.
 *
 * Failure modes: no such server -> NO_SUCH_SERVER with the known names, and the end. No memory for a session
 * -> OVERLOADED and the end; for a line that spans reads -> OVERLOADED, the line is skipped, the connection
 * goes on.
 */
#include "front/ndjson.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/list.h"
#include "log/log.h"
#include "front/error_line.h"
#include "route/router.h"
#include "wire/frame.h"
#include "wire/rpc_error.h"

struct ndjson {
    struct protocol protocol;
    struct transport transport;
    struct frame_reader reader;
    struct connection *connection; /* borrowed */
    struct session *session;       /* owned; NULL: there is no such server, or the connection closes */
    bool newline_missed;           /* a message without a newline was taken, and logged */
};

static struct ndjson *ndjson_of(struct protocol *p)
{
    return CONTAINER_OF(p, struct ndjson, protocol);
}

/* ---- out: the session's transport ---- */

static struct ndjson *of_transport(struct transport *t)
{
    return CONTAINER_OF(t, struct ndjson, transport);
}

static int on_send(struct transport *t, const struct message *message)
{
    struct ndjson *n = of_transport(t);
    int rc = connection_write(n->connection, message->parts, message->part_count, true);
    t->queued_bytes = connection_queued(n->connection);
    return rc;
}

static void on_pause(struct transport *t)
{
    connection_pause(of_transport(t)->connection);
}

static void on_resume(struct transport *t)
{
    connection_resume(of_transport(t)->connection);
}

static void on_close(struct transport *t, int code, const char *reason)
{
    connection_close(of_transport(t)->connection, code, "%s", reason);
}

static const struct transport_ops transport_ops = {
    .send = on_send, .pause = on_pause, .resume = on_resume, .close = on_close};

static void write_line(struct ndjson *n, const struct error_line *error)
{
    struct buf line;
    buf_init(&line, ERROR_LINE_MAX_BYTES);
    if (error_line_write(&line, error) == 0) {
        const struct part part = {buf_data(&line), buf_len(&line)};
        (void)!connection_write(n->connection, &part, 1, false); /* what is lost ends the connection */
    } else {
        connection_close(n->connection, RPC_E_OVERLOADED, "out of memory for an error");
    }
    buf_done(&line);
}

/* ---- life ---- */

static void write_known_server(void *data, struct route_server *server)
{
    write_cstring(data, route_server_name(server));
}

static void write_known_servers(struct writer *w, void *router)
{
    write_key(w, "known");
    write_array(w);
    router_each_server(router, write_known_server, w);
    write_array_end(w);
}

static void refuse_server(struct ndjson *n, const struct protocol_setup *setup)
{
    const struct error_line error = {.code = RPC_E_NO_SUCH_SERVER,
                                     .write_more = write_known_servers,
                                     .more_data = setup->sessions->router};
    write_line(n, &error);
    connection_close(n->connection, 0, "no server named '%s'", setup->server ? setup->server : "");
}

static int on_open(const struct protocol_setup *setup, uint64_t now_ms, struct protocol **ret_protocol)
{
    struct ndjson *n = mem_zalloc(sizeof(*n));
    if (!n)
        return -ENOMEM;
    n->protocol.ops = &ndjson_protocol;
    n->connection = setup->connection;
    n->transport =
        (struct transport){.ops = &transport_ops, .bytes_in = setup->bytes_in, .bytes_out = setup->bytes_out};
    frame_reader_init(&n->reader, setup->max_frame_bytes, setup->max_id_bytes);
    int rc = ERR_NOT_FOUND;
    if (setup->server)
        rc = session_open(setup->sessions, setup->origin, &n->transport, setup->server, now_ms, &n->session);
    if (rc == ERR_NOT_FOUND) {
        refuse_server(n, setup);
    } else if (rc != 0) {
        frame_reader_done(&n->reader);
        mem_free(n);
        return rc;
    } else {
        n->protocol.session_id = n->session->id;
    }
    *ret_protocol = &n->protocol;
    return 0;
}

static void on_closing(struct protocol *p, uint64_t now_ms)
{
    struct ndjson *n = ndjson_of(p);
    struct session *s = n->session;
    n->session = NULL;
    if (s)
        session_close(s, now_ms);
    frame_reader_done(&n->reader); /* nothing comes any more, and memory may be short */
}

static void on_closed(struct protocol *p)
{
    mem_free(ndjson_of(p));
}

/* ---- in ---- */

static bool may_go_on(const struct connection *c, unsigned frames, size_t len)
{
    if (!connection_is_open(c))
        return false;
    if (len == 0 || frames == 0)
        return len == 0 || connection_takes_more(c);
    return frames < PROTOCOL_MESSAGES_MAX && connection_takes_more(c) && connection_has_time(c);
}

static size_t on_bytes(struct protocol *p, const char *bytes, size_t len, uint64_t now_ms)
{
    struct ndjson *n = ndjson_of(p);
    struct connection *c = n->connection;
    struct frame frame;
    enum frame_result result;
    size_t total = len;
    for (unsigned frames = 0; may_go_on(c, frames, len); frames++) {
        result = frame_next(&n->reader, &bytes, &len, &frame);
        if (result == FRAME_MORE)
            break;
        if (result == FRAME_NO_MEMORY)
            write_line(
                n, &(struct error_line){.code = RPC_E_OVERLOADED, .message = "out of memory for this line"});
        else
            session_frame(n->session, &frame, now_ms);
        connection_message_ended(c);
    }
    if (!connection_is_open(c))
        return total;
    if (frame_reader_in_line(&n->reader))
        connection_message_begun(c);
    else
        connection_message_ended(c); /* a line of blanks, which is no frame */
    return total - len;
}

/* A value that is whole, and no newline behind it: some clients never send one, and would wait for ever. It is taken. A
 * newline that comes later ends a blank line. */
static void on_quiet(struct protocol *p, uint64_t now_ms)
{
    struct ndjson *n = ndjson_of(p);
    struct frame frame;
    if (!frame_reader_has_value(&n->reader))
        return;
    if (!n->newline_missed)
        LOG(LOG_INFO, "client's message without a newline taken", F_UINT("session", p->session_id));
    n->newline_missed = true;
    if (frame_end_line(&n->reader, &frame) == FRAME_READY)
        session_frame(n->session, &frame, now_ms);
    connection_message_ended(n->connection);
}

static void on_sent(struct protocol *p, size_t queued_bytes)
{
    struct ndjson *n = ndjson_of(p);
    n->transport.queued_bytes = queued_bytes;
    if (n->session)
        session_sent(n->session);
}

static void on_writable(struct protocol *p, uint64_t now_ms)
{
    session_writable(ndjson_of(p)->session, now_ms);
}

/* ---- the rest ---- */

static int write_error(struct buf *out, int code, const char *message)
{
    return error_line_write(out, &(struct error_line){.code = code, .message = message});
}

static void get_usage(const struct protocol *p, struct protocol_usage *ret_usage)
{
    const struct ndjson *n = CONST_CONTAINER_OF(p, struct ndjson, protocol);
    ret_usage->partial_bytes = frame_reader_partial(&n->reader);
    ret_usage->held_bytes = n->reader.partial.cap;
}

static void trim(struct protocol *p)
{
    frame_reader_trim(&ndjson_of(p)->reader);
}

const struct protocol_ops ndjson_protocol = {.open = on_open,
                                             .on_bytes = on_bytes,
                                             .on_quiet = on_quiet,
                                             .on_sent = on_sent,
                                             .on_writable = on_writable,
                                             .on_closing = on_closing,
                                             .on_closed = on_closed,
                                             .write_error = write_error,
                                             .get_usage = get_usage,
                                             .trim = trim};

/* A client's bytes: in through the sniffer and the frame reader to the router, out through the link to the
 * stream.
 *
 * In: every frame of a chunk is handed in, also when the router asks for a pause in the middle of it; what
 * was read is at most the loop's read buffer. A chunk is dropped from the frame that closed the client on.
 * Out: link.send copies into the stream's queue; the end of the iteration writes it. When the queue is full (its client
 * does not read) or memory ran out, an answer would be lost, and a client that waits for it for ever is worse
 * off than one that knows: the client is closed at the end of the iteration.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "front/client.h"
#include "front/refusal.h"
#include "front/sniff.h"
#include "wire/rpc_error.h"

/* ---- out: the transport ---- */

static struct client *client_of(struct transport *t)
{
    return CONTAINER_OF(t, struct client, transport);
}

static int doom(struct client *c, int error)
{
    c->doomed = error;
    loop_mark(c->front->options.loop, &c->iteration_end);
    return error == -ENOMEM ? -ENOMEM : ERR_CLOSING;
}

/* Who does not read its answers is not read either, or the answers that the relay itself makes (refusals,
 * ping) would pile up as fast as it can ask. */
static void pause_above_high(struct client *c)
{
    if (c->paused_by_queue || c->transport.queued_bytes <= CLIENT_HIGH_BYTES)
        return;
    c->paused_by_queue = true;
    client_update_reading(c);
}

static int on_send(struct transport *t, const struct message *message)
{
    struct client *c = client_of(t);
    if (c->state != CLIENT_OPEN || c->doomed != 0)
        return ERR_CLOSING;
    int rc = stream_write_parts(&c->stream, message->parts, message->part_count, true);
    if (rc != 0)
        return doom(c, rc);
    t->queued_bytes = stream_queued(&c->stream);
    pause_above_high(c);
    client_account(c);
    client_watch(c);
    return 0;
}

static void on_pause(struct transport *t)
{
    struct client *c = client_of(t);
    c->paused_by_router = true;
    client_update_reading(c);
    client_account(c);
    client_watch(c);
}

static void on_resume(struct transport *t)
{
    struct client *c = client_of(t);
    c->paused_by_router = false;
    client_update_reading(c);
    client_account(c);
}

/* A doomed client goes at the end of the iteration, for the reason that it knows best itself. */
static void on_close(struct transport *t, int code, const char *reason)
{
    struct client *c = client_of(t);
    if (c->doomed == 0)
        client_close(c, CLIENT_FLUSH_MS, code, "%s", reason);
}

const struct transport_ops client_transport_ops = {
    .send = on_send, .pause = on_pause, .resume = on_resume, .close = on_close};

/* ---- in ---- */

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

static void write_refusal(struct client *c, const struct refusal *refusal)
{
    struct buf line;
    buf_init(&line, REFUSAL_MAX_BYTES);
    if (refusal_write(&line, refusal) != 0 || stream_write(&c->stream, buf_data(&line), buf_len(&line)) != 0)
        doom(c, -ENOMEM);
    buf_done(&line);
}

static bool open_session(struct client *c, uint64_t now_ms)
{
    struct session_set *sessions = c->front->options.sessions;
    const char *server = c->server ? c->server : c->front->default_server;
    int rc = ERR_NOT_FOUND;
    if (server)
        rc = session_open(sessions, &c->origin, &c->transport, server, now_ms, &c->session);
    if (rc == 0) {
        client_enter_open(c);
        return true;
    }
    if (rc != ERR_NOT_FOUND) {
        client_close(c, CLIENT_FLUSH_MS, RPC_E_OVERLOADED, "no session could be opened: %s", err_text(rc));
        return false;
    }
    struct refusal refusal = {
        .code = RPC_E_NO_SUCH_SERVER, .write_more = write_known_servers, .more_data = sessions->router};
    write_refusal(c, &refusal);
    client_close(c, CLIENT_FLUSH_MS, 0, "no server named '%s'", server ? server : "");
    return false;
}

/* Where other protocols would take over. */
static bool begin(struct client *c, const char *bytes, size_t len, uint64_t now_ms)
{
    enum protocol protocol = sniff_protocol(bytes, len);
    if (protocol == PROTOCOL_UNDECIDED)
        return false;
    if (protocol == PROTOCOL_NDJSON)
        return open_session(c, now_ms);
    client_close(c, CLIENT_FLUSH_MS, RPC_E_PARSE_ERROR, "%s", sniff_hint(protocol));
    return false;
}

static void take_frames(struct client *c, const char *bytes, size_t len, uint64_t now_ms)
{
    struct frame frame;
    enum frame_result result;
    while (c->state == CLIENT_OPEN && (result = frame_next(&c->reader, &bytes, &len, &frame)) != FRAME_MORE) {
        if (result == FRAME_NO_MEMORY)
            write_refusal(
                c, &(struct refusal){.code = RPC_E_OVERLOADED, .message = "out of memory for this line"});
        else
            session_frame(c->session, &frame, now_ms);
        c->frame_begun_at_ms = 0;
    }
}

/* A frame's clock runs from the chunk that brought its first byte. */
static void update_frame_clock(struct client *c, uint64_t now_ms)
{
    if (!frame_reader_in_line(&c->reader)) {
        c->frame_begun_at_ms = 0;
    } else if (c->frame_begun_at_ms == 0) {
        c->frame_begun_at_ms = now_ms;
        client_watch(c);
    }
}

/* Memory is tight: keeps nothing that is not needed, and brings no more before the budget has been looked at.
 */
static void be_frugal(struct client *c)
{
    frame_reader_trim(&c->reader);
    stream_trim(&c->stream, 0);
    c->yielding = true;
    client_update_reading(c);
    loop_mark(c->front->options.loop, &c->iteration_end);
}

static void on_bytes(struct stream *s, const char *bytes, size_t len)
{
    struct client *c = CONTAINER_OF(s, struct client, stream);
    uint64_t now_ms = loop_now_ms(c->front->options.loop);
    if (c->state == CLIENT_SNIFFING && !begin(c, bytes, len, now_ms))
        return;
    if (c->state != CLIENT_OPEN)
        return;
    take_frames(c, bytes, len, now_ms);
    if (c->state != CLIENT_OPEN)
        return;
    update_frame_clock(c, now_ms);
    if (memory_is_tight(c->front->options.memory))
        be_frugal(c);
    client_account(c);
}

/* ---- what else the stream tells ---- */

static void on_sent(struct stream *s)
{
    struct client *c = CONTAINER_OF(s, struct client, stream);
    c->transport.queued_bytes = stream_queued(s);
    if (c->session)
        session_sent(c->session);
    client_account(c);
}

static void on_drain(struct stream *s)
{
    struct client *c = CONTAINER_OF(s, struct client, stream);
    c->transport.queued_bytes = stream_queued(s);
    c->paused_by_queue = false;
    client_update_reading(c);
    client_account(c);
    if (c->state == CLIENT_FLUSHING && c->transport.queued_bytes == 0)
        client_linger(c);
    else if (c->state == CLIENT_OPEN)
        session_writable(c->session, loop_now_ms(c->front->options.loop));
}

/* The end of its side means that the client is gone, and what it has in flight is cancelled. What is answered
 * already still goes out: `printf ... | nc -N` reads it. */
static void on_end(struct stream *s, int status)
{
    struct client *c = CONTAINER_OF(s, struct client, stream);
    if (status == 0 && stream_queued(s) > 0)
        client_close(c, CLIENT_FLUSH_MS, 0, "the client closed the connection");
    else if (status == 0)
        client_drop(c, 0, "the client closed the connection");
    else
        client_drop(c, 0, "the connection broke: %s", err_text(status));
}

static void on_closed(struct stream *s)
{
    client_release(CONTAINER_OF(s, struct client, stream));
}

const struct stream_ops client_stream_ops = {
    .on_bytes = on_bytes, .on_drain = on_drain, .on_end = on_end, .on_closed = on_closed, .on_sent = on_sent};

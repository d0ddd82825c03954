/* GET /api/bots/events: server-sent events.
 *
 * The answer's body is read from the hub for as long as the reader stays: first the agents as they are now,
 * then each change as it happens, a comment at intervals without events. Failure modes: a closed reader is
 * noticed at the next write to it; one that has stopped reading is dropped by the server's time-out.
 */
#include "publish.h"
#include "routes.h"

#define EVENTS_BLOCK_BYTES 8192 /* at most that much is handed over at once */

static const char event_type[] = "text/event-stream; charset=utf-8";

static ssize_t read_events(void *data, uint64_t at, char *into, size_t max)
{
    (void)at;
    ssize_t n = hub_read(data, service_now_ms(), into, max);
    return n == HUB_END ? MHD_CONTENT_READER_END_OF_STREAM : n;
}

static void end_events(void *data)
{
    hub_leave(data);
}

/* The reader, with its first event: the one that an earlier reader started with, while that is still
 * current. */
static int join(struct exchange *x, struct hub_reader **ret_reader)
{
    struct client_state state;
    struct buf json;
    struct hub *hub = x->service->hub;
    int rc = hub_join(hub, x->connection, service_now_ms(), NULL, ret_reader);
    if (rc != ERR_NOT_FOUND)
        return rc;
    if (!hub_has_room(hub))
        return ERR_FULL;
    struct hub_first first = {.stamp = hub_stamp(hub)};
    buf_init(&json, ANSWER_MAX_BYTES);
    client_state_take(&state, x->service->client);
    rc = publish_write_agents(&state, &json);
    if (rc == 0) {
        first.version = ar_snapshot_version(state.view.snapshot);
        first.json = buf_data(&json);
        first.len = buf_len(&json);
        rc = hub_join(hub, x->connection, service_now_ms(), &first, ret_reader);
    }
    client_state_done(&state);
    buf_done(&json);
    return rc;
}

void endpoint_events(struct exchange *x)
{
    struct hub_reader *reader;
    int rc = join(x, &reader);
    if (rc == ERR_FULL)
        exchange_fail_overloaded(x, "Too many large answers are being read at once.",
                                 "Try again in a moment.");
    else if (rc != 0)
        exchange_fail_memory(x);
    if (rc != 0)
        return;
    x->stream = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENTS_BLOCK_BYTES, read_events, reader,
                                                  end_events);
    if (!x->stream) {
        hub_leave(reader);
        exchange_fail_memory(x);
        return;
    }
    (void)MHD_add_response_header(x->stream, "X-Accel-Buffering", "no"); /* nginx would keep events back */
    /* libmicrohttpd 0.9.75 ends a chunked answer to HEAD with the last chunk, which nobody expects there. */
    if (x->head_only)
        (void)MHD_set_response_options(x->stream, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    x->status = 200;
    x->content_type = event_type;
}

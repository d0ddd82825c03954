/* The time-outs of a connection, acted on. The front's sweep comes once a second, so that what is due is noticed up to a
 * second late. connection_timeouts.c says which one has come.
 */
#include "front/connection.h"
#include "front/connection_reading.h"
#include "front/connection_timeouts.h"
#include "log/log.h"
#include "wire/rpc_error.h"

/* With the sweep, which comes once a second, a message is quiet after a half to one and a half seconds. */
#define QUIET_MS 500

/* A message that has been under way for a while. */
static void note_quiet(struct connection *c, uint64_t now_ms)
{
    if (connection_is_open(c) && c->message_begun_at_ms != 0 && c->protocol->ops->on_quiet &&
        now_ms - c->message_begun_at_ms >= QUIET_MS)
        c->protocol->ops->on_quiet(c->protocol, now_ms);
}

bool connection_sweep(struct connection *c, uint64_t now_ms)
{
    enum connection_timeout timeout = connection_check_timeouts(c, now_ms);
    switch (timeout) {
    case TIMEOUT_NOT_YET:
        note_quiet(c, now_ms);
        return true;
    case TIMEOUT_NONE:
    case TIMEOUT_UNUSED:
        if (c->state < CONNECTION_FLUSHING) {
            note_quiet(c, now_ms);
            connection_trim(c);
            connection_account(c);
        }
        return timeout == TIMEOUT_UNUSED;
    case TIMEOUT_STALLED:
        connection_drop(c, RPC_E_OVERLOADED, "it took no byte for %llu ms",
                        (unsigned long long)(now_ms - stream_progress_at_ms(&c->stream)));
        return false;
    case TIMEOUT_MESSAGE:
        connection_close(c, RPC_E_TIMEOUT, "a frame did not end within %llu ms: its newline is missing",
                         (unsigned long long)c->front->options.limits.frame_timeout_ms);
        return true;
    case TIMEOUT_PEER_GONE:
        c->left_in_order = true;
        connection_drop(c, 0, "the client closed the connection");
        return false;
    case TIMEOUT_FIRST:
        connection_close(c, RPC_E_TIMEOUT, "nothing was said within %llu ms",
                         (unsigned long long)c->front->options.limits.frame_timeout_ms);
        return true;
    case TIMEOUT_DEADLINE:
        if (c->state == CONNECTION_FLUSHING)
            LOG(LOG_INFO, "client did not take its last answers", F_STR("peer", c->origin.peer),
                F_UINT("queued_bytes", stream_queued(&c->stream)));
        connection_drop(c, 0, "the client did not end its side");
        return false;
    }
    return false;
}

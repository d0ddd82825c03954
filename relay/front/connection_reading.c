/* Four pauses stop reading, each for its own reason; it goes on when none is left. The budget is given the
 * sums at most once per loop iteration, at its end, and at once for a message that spans reads.
 */
#include "front/connection_reading.h"

#include "front/connection_timeouts.h"

void connection_mark(struct connection *c)
{
    loop_mark(c->front->options.loop, &c->iteration_end);
}

void connection_update_reading(struct connection *c)
{
    bool paused = c->paused_by_protocol || c->paused_by_memory || c->paused_by_queue || c->read_deferred;
    if (c->state == CONNECTION_LINGERING)
        return; /* it reads to the end */
    if (paused || c->state >= CONNECTION_FLUSHING)
        stream_read_stop(&c->stream);
    else
        (void)!stream_read_start(&c->stream); /* fails where on_end has come, or comes in this iteration */
}

/* ---- memory ---- */

static void on_memory_pause(struct memory_user *u)
{
    struct connection *c = CONTAINER_OF(u, struct connection, memory);
    c->paused_by_memory = true;
    connection_update_reading(c);
    connection_watch(c);
}

static void on_memory_resume(struct memory_user *u)
{
    struct connection *c = CONTAINER_OF(u, struct connection, memory);
    c->paused_by_memory = false;
    connection_update_reading(c);
}

void connection_join_memory(struct connection *c)
{
    memory_join(c->front->options.memory, &c->memory, on_memory_pause, on_memory_resume);
}

void connection_account(struct connection *c)
{
    struct protocol_usage usage = {0};
    if (c->state == CONNECTION_CLOSED)
        return;
    if (c->protocol)
        c->protocol->ops->get_usage(c->protocol, &usage);
    /* One that is stopped for other reasons does not grow, and must not pass for the one that reads on. */
    bool grows = c->state < CONNECTION_FLUSHING && !c->paused_by_protocol && !c->paused_by_queue;
    memory_set(c->front->options.memory, &c->memory, grows ? usage.partial_bytes : 0,
               usage.held_bytes + stream_held_bytes(&c->stream));
}

void connection_trim(struct connection *c)
{
    if (c->protocol)
        c->protocol->ops->trim(c->protocol);
    stream_trim(&c->stream, 0);
}

void connection_release_memory(struct connection *c)
{
    connection_trim(c);
    c->read_deferred = true;
    connection_update_reading(c);
    connection_mark(c);
}

/* A client's end.
 *
 * Happy path: ar_close puts its wish into the inbox; the event that finds it runs client_begin_close, which
 * completes every call and closes every handle; the last close callback (host's loop), or the thread after
 * uv_run (own loop), runs on_closed and frees.
 *
 * Failure modes: ar_close_wait while the thread is already ending: of the thread and the waiters, the last one
 * frees. ar_close_wait on the loop's thread, or on a host's loop: AR_E_WOULD_DEADLOCK.
 */
#include "client.h"

#include "base/alloc.h"

/* ---- on the loop's thread ---- */

/* Everything but the structure itself; the handles are closed. */
void client_release(struct ar_client *c)
{
    engine_done(&c->engine);
    client_view_done(&c->published);
    inbox_done(&c->inbox);
    (void)pthread_cond_destroy(&c->over_cond);
    options_done(&c->options);
}

void client_run_on_closed(struct ar_client *c)
{
    inbox_lock(&c->inbox);
    ar_closed_cb *on_closed = c->on_closed;
    void *data = c->closed_data;
    inbox_unlock(&c->inbox);
    if (on_closed)
        on_closed(data);
}

void client_handle_closed(struct ar_client *c)
{
    if (--c->handles > 0 || c->owns_loop)
        return; /* its own loop ends by itself now, and the thread goes on from there */
    client_run_on_closed(c);
    client_release(c);
    mem_free(c);
}

static void on_handle_closed(uv_handle_t *handle)
{
    client_handle_closed(handle->data);
}

static void on_probe_closed(void *data)
{
    client_handle_closed(data);
}

void client_begin_close(struct ar_client *c)
{
    if (c->closing)
        return;
    c->closing = true;
    /* The inbox is empty: the wish to close was the last thing to go in. */
    engine_close(&c->engine, c->now_ms);
    c->handles = 5;
    link_done(c->link);
    link_done(c->second);
    probe_close(c->probe, on_probe_closed, c);
    c->probe = NULL;
    uv_close((uv_handle_t *)&c->timer, on_handle_closed);
    uv_close((uv_handle_t *)&c->async, on_handle_closed); /* last: link and probe may have had it sent */
}

/* ---- on any thread ---- */

void ar_close(struct ar_client *client, ar_closed_cb *on_closed, void *data)
{
    if (!client)
        return;
    inbox_lock(&client->inbox);
    if (!client->on_closed) {
        client->on_closed = on_closed;
        client->closed_data = data;
    }
    inbox_close_locked(&client->inbox);
    inbox_unlock(&client->inbox);
}

int ar_close_wait(struct ar_client *client)
{
    if (!client)
        return AR_E_INVALID;
    if (!client->owns_loop || inbox_on_loop_thread(&client->inbox))
        return AR_E_WOULD_DEADLOCK;
    inbox_lock(&client->inbox);
    client->waiters++;
    inbox_close_locked(&client->inbox);
    while (!client->over)
        (void)pthread_cond_wait(&client->over_cond, &client->inbox.mutex);
    bool last = --client->waiters == 0;
    inbox_unlock(&client->inbox);
    if (last) {
        (void)pthread_join(client->thread, NULL);
        client_release(client);
        mem_free(client);
    }
    return AR_OK;
}

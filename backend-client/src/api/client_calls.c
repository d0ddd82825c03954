/* Calls, cancels and notifications, on whatever thread they are made.
 *
 * Happy path: the call is checked and copied on the caller's thread, outside any lock (call_new), then pushed
 * into the inbox. ar_call_wait makes such a call whose completion, on the loop's thread, copies the reply
 * and wakes the waiter, which stands on the caller's stack.
 *
 * Failure modes: what cannot be sent is refused at once, and then no completion comes; the one of an accepted
 * call always does, so that a waiter needs no deadline of its own. No memory for the copy of a reply:
 * the waiter gets a reply that says so, never AR_E_NO_MEMORY as if the call had not been made; what holds
 * that reply is allocated before the call is.
 */
#include "client.h"

#include <string.h>

#include "backend-client/src/errors/reply_error.h"
#include "base/alloc.h"

void ar_call_init_sized(struct ar_call *c, size_t size)
{
    if (!c || size < sizeof(c->size))
        return;
    memset(c, 0, size); /* AR_FAIL_FAST is 0, and so is every default */
    c->size = size;
}

/* A caller's structure of any version, as this one. */
static bool take_given(struct ar_call *ret_call, const struct ar_call *given)
{
    const size_t size_max = 4096; /* a larger one was never initialised */
    if (!given || given->size < sizeof(given->size) || given->size > size_max)
        return false;
    memset(ret_call, 0, sizeof(*ret_call));
    memcpy(ret_call, given, given->size < sizeof(*ret_call) ? given->size : sizeof(*ret_call));
    ret_call->size = sizeof(*ret_call);
    return true;
}

static int make_call(struct ar_client *client, const struct ar_call *full, struct call **ret_call)
{
    const struct ar_options *o = &client->options.values;
    return call_new(full, client_clock_ms(), o->call_timeout_ms, o->frame_max_bytes, ret_call);
}

static int push(struct ar_client *client, const struct ar_call *full, uint64_t *ret_id)
{
    struct call *call;
    int rc = make_call(client, full, &call);
    if (rc != AR_OK)
        return rc;
    rc = inbox_push_call(&client->inbox, call, ret_id);
    if (rc != AR_OK)
        call_free(call);
    return rc;
}

int ar_call(struct ar_client *client, const struct ar_call *call, uint64_t *ret_id)
{
    struct ar_call full;
    if (!client || !take_given(&full, call))
        return AR_E_INVALID;
    return push(client, &full, ret_id);
}

int ar_cancel(struct ar_client *client, uint64_t id)
{
    return client ? inbox_push_cancel(&client->inbox, id) : AR_E_INVALID;
}

/* ---- waiting ---- */

/* A reply of usual size needs no second allocation. */
#define REPLY_TEXT_BYTES 1000

struct copied_reply {
    struct ar_reply reply; /* first: what the caller gets, and gives back */
    char text[];
};

struct waiter {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool done;
    struct copied_reply *copy; /* made before the call, so that there is always one to hand out */
};

static char *put_text(char *at, const char *text, size_t len, const char **ret_text)
{
    if (!text)
        return at;
    memcpy(at, text, len);
    at[len] = '\0';
    *ret_text = at;
    return at + len + 1;
}

/* Into the copy that is there, or a larger one in its place. false: no memory for that. */
static bool copy_reply(struct copied_reply **copy, const struct ar_reply *reply)
{
    size_t message_len = strlen(reply->message);
    size_t name_len = strlen(reply->error_name);
    size_t error_text_len = strlen(reply->error_text);
    size_t suggestion_len = strlen(reply->suggestion);
    size_t text_bytes = name_len + error_text_len + suggestion_len + 6; /* a NUL each */
    size_t size;
    if (!size_add(text_bytes, message_len, &text_bytes) ||
        !size_add(text_bytes, reply->result_len, &text_bytes) ||
        !size_add(text_bytes, reply->error_data_len, &text_bytes) ||
        !size_add(text_bytes, sizeof(**copy), &size))
        return false;
    if (text_bytes > REPLY_TEXT_BYTES) {
        struct copied_reply *larger = mem_alloc(size);
        if (!larger)
            return false;
        mem_free(*copy);
        *copy = larger;
    }
    (*copy)->reply = *reply;
    char *at = (*copy)->text;
    at = put_text(at, reply->result, reply->result_len, &(*copy)->reply.result);
    at = put_text(at, reply->message, message_len, &(*copy)->reply.message);
    at = put_text(at, reply->error_data, reply->error_data_len, &(*copy)->reply.error_data);
    at = put_text(at, reply->error_name, name_len, &(*copy)->reply.error_name);
    at = put_text(at, reply->error_text, error_text_len, &(*copy)->reply.error_text);
    (void)put_text(at, reply->suggestion, suggestion_len, &(*copy)->reply.suggestion);
    return true;
}

/* The answer came and cannot be held: the caller must know that the call was made. */
static void give_no_memory(struct copied_reply *copy, const struct ar_reply *reply)
{
    bool answered = reply->code == AR_OK && reply->source == AR_SOURCE_LIVE;
    copy->reply = (struct ar_reply){.code = AR_E_NO_MEMORY,
                                    .source = reply->source,
                                    .may_have_run = reply->may_have_run || answered,
                                    .elapsed_ms = reply->elapsed_ms};
    reply_error_fill(&copy->reply);
}

static void on_waited(struct ar_client *client, const struct ar_reply *reply, void *data)
{
    struct waiter *w = data;
    (void)client;
    (void)pthread_mutex_lock(&w->mutex);
    if (!copy_reply(&w->copy, reply))
        give_no_memory(w->copy, reply);
    w->done = true;
    (void)pthread_cond_signal(&w->cond);
    (void)pthread_mutex_unlock(&w->mutex); /* `w` is gone from here on */
}

int ar_call_wait(struct ar_client *client, const struct ar_call *call, struct ar_reply **ret_reply)
{
    struct ar_call full;
    if (!client || !ret_reply || !take_given(&full, call))
        return AR_E_INVALID;
    if (inbox_on_loop_thread(&client->inbox))
        return AR_E_WOULD_DEADLOCK;
    struct waiter w = {.mutex = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER};
    w.copy = mem_alloc(sizeof(*w.copy) + REPLY_TEXT_BYTES);
    if (!w.copy)
        return AR_E_NO_MEMORY;
    full.on_reply = on_waited;
    full.on_progress = NULL; /* its data is the waiter's now */
    full.data = &w;
    int rc = push(client, &full, NULL);
    if (rc == AR_OK) {
        (void)pthread_mutex_lock(&w.mutex);
        while (!w.done)
            (void)pthread_cond_wait(&w.cond, &w.mutex);
        (void)pthread_mutex_unlock(&w.mutex);
        *ret_reply = &w.copy->reply;
    } else {
        mem_free(w.copy);
    }
    (void)pthread_cond_destroy(&w.cond);
    (void)pthread_mutex_destroy(&w.mutex);
    return rc;
}

void ar_reply_free(struct ar_reply *reply)
{
    mem_free(reply);
}

/* ---- notifications ---- */

int ar_notify(struct ar_client *client, const char *method, const char *params, size_t params_len)
{
    static const char prefix[] = "notifications/";
    if (!client || !method)
        return AR_E_INVALID;
    /* The library's own: a server that got them from the host would take them for a part of the handshake. */
    if (strcmp(method, "notifications/initialized") == 0 || strcmp(method, "notifications/cancelled") == 0)
        return AR_E_INVALID;
    /* Checked and copied as a call's method and params are; calls may not begin with the prefix. */
    bool prefixed = strncmp(method, prefix, sizeof(prefix) - 1) == 0;
    struct ar_call full;
    ar_call_init(&full);
    full.method = prefixed ? method + sizeof(prefix) - 1 : method;
    full.params = params;
    full.params_len = params_len;
    struct call *checked;
    int rc = make_call(client, &full, &checked);
    if (rc != AR_OK)
        return rc;
    if (inbox_is_closing(&client->inbox))
        rc = AR_E_CLOSED;
    else if (atomic_load_explicit(&client->view->state, memory_order_acquire) != AR_LIVE)
        rc = AR_E_DEGRADED;
    else
        rc = inbox_push_notify(&client->inbox, method, checked);
    if (rc != AR_OK)
        call_free(checked);
    return rc;
}

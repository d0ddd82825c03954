/* From other threads to the loop.
 *
 * Happy path: push (lock, link, unlock; the first one into an empty inbox wakes the loop) -> the loop takes
 * everything with one splice and works through it without the mutex. The loop's own thread, inside a
 * callback, does not wake itself: client_event_end looks again (`in_event`).
 *
 * The wake-up is sent with the mutex held: in.closing is set under it before the loop closes the handle, so
 * that no sender can meet a handle that is gone.
 *
 * Failure modes: a loop that does not run: AR_E_QUEUE_FULL beyond the limits. Closing: AR_E_CLOSED. No
 * memory for a cancel or notification: AR_E_NO_MEMORY; a call needs none, its node stands in it.
 */
#include "inbox.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

int inbox_init(struct inbox *inbox, uv_async_t *wake, size_t max_bytes)
{
    memset(inbox, 0, sizeof(*inbox));
    if (pthread_mutex_init(&inbox->mutex, NULL) != 0)
        return -ENOMEM;
    inbox->wake = wake;
    inbox->max_bytes = max_bytes;
    inbox->next_id = 1;
    inbox->loop_thread = pthread_self();
    list_init(&inbox->in.calls);
    list_init(&inbox->in.items);
    atomic_init(&inbox->filled, false);
    return 0;
}

void inbox_done(struct inbox *inbox)
{
    (void)pthread_mutex_destroy(&inbox->mutex);
}

void inbox_lock(struct inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
}

void inbox_unlock(struct inbox *inbox)
{
    (void)pthread_mutex_unlock(&inbox->mutex);
}

static bool is_loop_thread(const struct inbox *inbox)
{
    return pthread_equal(inbox->loop_thread, pthread_self()) != 0;
}

bool inbox_on_loop_thread(struct inbox *inbox)
{
    inbox_lock(inbox);
    bool is = is_loop_thread(inbox);
    inbox_unlock(inbox);
    return is;
}

/* ---- in ---- */

static int may_push(const struct inbox *inbox, size_t bytes)
{
    if (inbox->in.closing)
        return AR_E_CLOSED;
    if (inbox->count >= INBOX_MAX_ITEMS || bytes > inbox->max_bytes ||
        inbox->bytes > inbox->max_bytes - bytes)
        return AR_E_QUEUE_FULL;
    return AR_OK;
}

static void wake(struct inbox *inbox)
{
    atomic_store_explicit(&inbox->filled, true, memory_order_release);
    if (inbox->woken || (is_loop_thread(inbox) && inbox->in_event))
        return;
    inbox->woken = true;
    (void)uv_async_send(inbox->wake); /* cannot fail for an open handle */
}

static void pushed(struct inbox *inbox, size_t bytes)
{
    inbox->count++;
    inbox->bytes += bytes;
    wake(inbox);
}

int inbox_push_call(struct inbox *inbox, struct call *call, uint64_t *ret_id)
{
    inbox_lock(inbox);
    int rc = may_push(inbox, call->bytes);
    if (rc == AR_OK) {
        call->id = inbox->next_id++;
        if (ret_id)
            *ret_id = call->id;
        list_push_back(&inbox->in.calls, &call->node);
        pushed(inbox, call->bytes);
    }
    inbox_unlock(inbox);
    return rc;
}

static int push_item(struct inbox *inbox, struct inbox_item *item, size_t bytes)
{
    inbox_lock(inbox);
    int rc = may_push(inbox, bytes);
    if (rc == AR_OK && item->kind == INBOX_CANCEL && (item->id == 0 || item->id >= inbox->next_id))
        rc = AR_E_NOT_FOUND;
    if (rc == AR_OK) {
        item->before_id = inbox->next_id;
        list_push_back(&inbox->in.items, &item->node);
        pushed(inbox, bytes);
    }
    inbox_unlock(inbox);
    return rc;
}

static struct inbox_item *item_new(enum inbox_kind kind, const char *method)
{
    size_t len = strlen(method);
    struct inbox_item *item = mem_zalloc(sizeof(*item) + len + 1);
    if (!item)
        return NULL;
    list_init(&item->node);
    item->kind = kind;
    memcpy(item->method, method, len + 1);
    return item;
}

int inbox_push_cancel(struct inbox *inbox, uint64_t id)
{
    struct inbox_item *item = item_new(INBOX_CANCEL, "");
    if (!item)
        return AR_E_NO_MEMORY;
    item->id = id;
    int rc = push_item(inbox, item, 0);
    if (rc != AR_OK)
        mem_free(item);
    return rc;
}

int inbox_push_notify(struct inbox *inbox, const char *method, struct call *params)
{
    struct inbox_item *item = item_new(INBOX_NOTIFY, method);
    if (!item)
        return AR_E_NO_MEMORY;
    item->params = params;
    int rc = push_item(inbox, item, params->bytes);
    if (rc != AR_OK)
        mem_free(item);
    return rc;
}

void inbox_close_locked(struct inbox *inbox)
{
    if (inbox->in.closing)
        return;
    wake(inbox);
    inbox->in.closing = true;
}

bool inbox_is_closing(struct inbox *inbox)
{
    inbox_lock(inbox);
    bool is = inbox->in.closing;
    inbox_unlock(inbox);
    return is;
}

/* ---- out ---- */

bool inbox_take(struct inbox *inbox, struct inbox_load *ret_load)
{
    list_init(&ret_load->calls);
    list_init(&ret_load->items);
    ret_load->closing = false;
    if (!atomic_load_explicit(&inbox->filled, memory_order_acquire))
        return false;
    inbox_lock(inbox);
    list_splice_back(&ret_load->calls, &inbox->in.calls);
    list_splice_back(&ret_load->items, &inbox->in.items);
    ret_load->closing = inbox->in.closing;
    inbox->count = 0;
    inbox->bytes = 0;
    inbox->woken = false;
    atomic_store_explicit(&inbox->filled, false, memory_order_relaxed);
    inbox_unlock(inbox);
    return true;
}

bool inbox_next(struct inbox_load *load, struct call **ret_call, struct inbox_item **ret_item)
{
    *ret_call = NULL;
    *ret_item = NULL;
    struct call *call = list_empty(&load->calls) ? NULL : CONTAINER_OF(load->calls.next, struct call, node);
    struct inbox_item *item =
        list_empty(&load->items) ? NULL : CONTAINER_OF(load->items.next, struct inbox_item, node);
    if (item && (!call || item->before_id <= call->id)) {
        list_remove(&item->node);
        *ret_item = item;
        return true;
    }
    if (!call)
        return false;
    list_remove(&call->node);
    *ret_call = call;
    return true;
}

void inbox_item_free(struct inbox_item *item)
{
    if (item->params)
        call_free(item->params);
    mem_free(item);
}

/* What any thread may read of a client: the current snapshot, and its health.
 *
 * Happy path: the loop's thread builds a snapshot or a health, then swaps it in under a mutex that is held
 * for a pointer and a count, or for one memcpy. Readers hold it as briefly. What is replaced is released
 * outside the mutex, so that no thread ever waits for memory to be freed.
 *
 * Times in the published health count from when it was published; a reader adds what has passed since. No
 * failure modes but a size that is none.
 */
#include "client.h"

#include <errno.h>
#include <string.h>

/* A health larger than this was never initialised. */
#define HEALTH_SIZE_MAX 16384

static int init_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0)
        return -ENOMEM;
    /* Held for nanoseconds: spinning for a moment beats going to sleep. */
    (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
    int rc = pthread_mutex_init(mutex, &attributes) == 0 ? 0 : -ENOMEM;
    (void)pthread_mutexattr_destroy(&attributes);
    return rc;
}

int client_view_init(struct published *view)
{
    memset(view, 0, sizeof(*view));
    if (init_mutex(&view->snapshot_mutex) != 0)
        return -ENOMEM;
    if (init_mutex(&view->health_mutex) != 0) {
        (void)pthread_mutex_destroy(&view->snapshot_mutex);
        return -ENOMEM;
    }
    atomic_init(&view->state, AR_CONNECTING);
    return 0;
}

void client_view_done(struct published *view)
{
    ar_snapshot_release(view->snapshot);
    view->snapshot = NULL;
    (void)pthread_mutex_destroy(&view->snapshot_mutex);
    (void)pthread_mutex_destroy(&view->health_mutex);
}

void client_view_put_snapshot(struct published *view, const struct ar_snapshot *s)
{
    (void)pthread_mutex_lock(&view->snapshot_mutex);
    const struct ar_snapshot *before = view->snapshot;
    view->snapshot = s;
    (void)pthread_mutex_unlock(&view->snapshot_mutex);
    ar_snapshot_release(before);
}

const struct ar_snapshot *ar_agents(const struct ar_client *client)
{
    struct published *view = client->view;
    (void)pthread_mutex_lock(&view->snapshot_mutex);
    const struct ar_snapshot *s = ar_snapshot_retain(view->snapshot);
    (void)pthread_mutex_unlock(&view->snapshot_mutex);
    return s;
}

void client_view_put_health(struct published *view, const struct ar_health *health, uint64_t now_ms)
{
    (void)pthread_mutex_lock(&view->health_mutex);
    view->health = *health;
    view->health_at_ms = now_ms;
    (void)pthread_mutex_unlock(&view->health_mutex);
    atomic_store_explicit(&view->state, (int)health->state, memory_order_release);
}

static void age(struct ar_health *h, uint64_t by_ms)
{
    h->state_for_ms += by_ms;
    h->snapshot_age_ms += by_ms;
    if (h->next_attempt_in_ms >= 0) {
        uint64_t left = (uint64_t)h->next_attempt_in_ms;
        h->next_attempt_in_ms = left > by_ms ? (int64_t)(left - by_ms) : 0;
    }
}

int ar_health(const struct ar_client *client, struct ar_health *h)
{
    if (!client || !h || h->size < offsetof(struct ar_health, source) || h->size > HEALTH_SIZE_MAX)
        return AR_E_INVALID;
    struct published *view = client->view;
    struct ar_health copy;
    (void)pthread_mutex_lock(&view->health_mutex);
    copy = view->health;
    uint64_t at_ms = view->health_at_ms;
    (void)pthread_mutex_unlock(&view->health_mutex);
    uint64_t now_ms = client_clock_ms();
    age(&copy, now_ms > at_ms ? now_ms - at_ms : 0);
    copy.size = h->size;
    memcpy(h, &copy, h->size < sizeof(copy) ? h->size : sizeof(copy));
    return AR_OK;
}

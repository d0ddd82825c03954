/* What other threads hand to the client's loop: calls, cancels, notifications, the wish to close. One mutex,
 * held for a few instructions; the loop is woken only when the inbox was empty.
 *
 * Order is kept: calls get their ids here, in the order in which they go in, and a cancel or notification
 * remembers before which call it came.
 */
#ifndef CLIENT_INBOX_H
#define CLIENT_INBOX_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "agent_relay.h"
#include "base/err.h"
#include "base/list.h"
#include "backend-client/src/engine/call.h"

/* What may wait for a loop that does not run (a host that blocks it), in items and in bytes beyond what the
 * engine's queue may hold. */
#define INBOX_MAX_ITEMS 65536

enum inbox_kind { INBOX_CANCEL, INBOX_NOTIFY };

struct inbox_item {
    struct list node;
    enum inbox_kind kind;
    uint64_t before_id;  /* it came before the call of this id */
    uint64_t id;         /* INBOX_CANCEL: which call */
    struct call *params; /* INBOX_NOTIFY: owned; only its params, checked and copied, count */
    char method[];       /* INBOX_NOTIFY */
};

/* What was taken out: to be worked through by inbox_next. */
struct inbox_load {
    struct list calls; /* struct call.node */
    struct list items; /* struct inbox_item.node */
    bool closing;      /* and the wish to close */
};

struct inbox {
    pthread_mutex_t mutex;
    uv_async_t *wake;     /* borrowed; open until in.closing is set */
    struct inbox_load in; /* under the mutex, as all that follows */
    size_t count;
    size_t bytes;
    size_t max_bytes;
    uint64_t next_id;
    bool woken;            /* a wake-up is on its way */
    pthread_t loop_thread; /* at first the thread that called inbox_init */
    bool in_event;         /* of the loop's thread: it will look before it waits, and need not be woken */
    atomic_bool filled;    /* read without the mutex */
};

/* -ENOMEM. */
MUSTCHECK int inbox_init(struct inbox *inbox, uv_async_t *wake, size_t max_bytes);
/* Must be empty. */
void inbox_done(struct inbox *inbox);
MUSTCHECK bool inbox_on_loop_thread(struct inbox *inbox);

/* AR_OK: taken, and *ret_id (may be NULL) was written before the loop could see the call. AR_E_CLOSED,
 * AR_E_QUEUE_FULL: it is still the caller's. */
MUSTCHECK int inbox_push_call(struct inbox *inbox, struct call *call, uint64_t *ret_id);
/* AR_E_NOT_FOUND, AR_E_CLOSED, AR_E_NO_MEMORY, AR_E_QUEUE_FULL. */
MUSTCHECK int inbox_push_cancel(struct inbox *inbox, uint64_t id);
/* `params` is taken on AR_OK. AR_E_CLOSED, AR_E_NO_MEMORY, AR_E_QUEUE_FULL. */
MUSTCHECK int inbox_push_notify(struct inbox *inbox, const char *method, struct call *params);
/* Nothing goes in any more; wakes the loop. Again: nothing. With the mutex held: see inbox_lock. */
void inbox_close_locked(struct inbox *inbox);
MUSTCHECK bool inbox_is_closing(struct inbox *inbox);
void inbox_lock(struct inbox *inbox);
void inbox_unlock(struct inbox *inbox);

/* ---- on the loop's thread ---- */

/* Everything that is there; false: nothing. */
MUSTCHECK bool inbox_take(struct inbox *inbox, struct inbox_load *ret_load);
/* The next of a load, in the order in which they came: a call or an item, the caller's now. false: none. */
MUSTCHECK bool inbox_next(struct inbox_load *load, struct call **ret_call, struct inbox_item **ret_item);
void inbox_item_free(struct inbox_item *item);

#endif

/* Towards the child: messages that its link has room for, and those of the relay itself that wait for room.
 *
 * The relay's own are cancels, answers to the child's requests, and its own requests. They are not queued by the
 * scheduler, but when the link has no room they are kept, bounded by OUTBOX_BYTES_MAX and one message of any size,
 * and leave before any waiting request does. A deferred send takes no memory here: its owner composes the message
 * when there is room.
 */
#ifndef ROUTE_OUTBOX_H
#define ROUTE_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "route/message.h"
#include "route/state.h"

#define OUTBOX_BYTES_MAX ((size_t)4 << 20)

/* Composes and sends one message when there is room. */
struct deferred_send {
    struct list node; /* in upstream->deferred_sends */
    /* Sends and leaves the list; false: the child takes no more now. */
    bool (*send)(struct deferred_send *d, uint64_t now_ms);
    /* The child is gone: leaves the list. */
    void (*forget)(struct deferred_send *d);
};

/* Below the mark a frame of any size may follow: the link holds at most the mark and one frame. */
static inline bool upstream_has_room(const struct upstream *upstream)
{
    return upstream->link && upstream->link->queued_bytes < upstream->link->high_bytes;
}
/* Is there nothing that has to leave before a request may? */
static inline bool outbox_is_empty(const struct upstream *upstream)
{
    return list_empty(&upstream->outbox) && list_empty(&upstream->deferred_sends);
}

/* Sends at once: 0, or the link's verdict (noted in the upstream). */
MUSTCHECK int upstream_send(struct upstream *upstream, const struct message *message);
/* The same for a text that belongs to no request of a client. */
MUSTCHECK int upstream_send_text(struct upstream *upstream, enum message_kind kind, const char *text,
                                 size_t len);
/* Sends at once or as soon as there is room. ERR_CLOSING, ERR_FULL, -ENOMEM: neither, which some callers can
 * do nothing about. */
int outbox_enqueue(struct upstream *upstream, const struct message *message);
int outbox_enqueue_text(struct upstream *upstream, enum message_kind kind, const char *text, size_t len);
/* Sends what has waited for room; true: there is nothing left. */
bool outbox_flush(struct upstream *upstream, uint64_t now_ms);
/* The child is gone. */
void outbox_clear(struct upstream *upstream);
/* Answers a request of the child's. A child that asks on and on and reads nothing loses its link. */
void upstream_reply_error(struct upstream *upstream, const char *id, size_t id_len, int code,
                          const char *message);
void upstream_reply_result(struct upstream *upstream, const char *id, size_t id_len);
/* Ends the child's link: what it waits for cannot be sent. */
void upstream_give_up(struct upstream *upstream, const char *reason);

#endif

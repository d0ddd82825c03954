/* The hub of the event stream: the newest event of each kind, and all readers.
 *
 * A reader that is behind gets the newest event next, not the ones it missed: of each kind only the newest
 * text is kept, once, shared by all readers; readers that join at about the same time share their first
 * event, too. So a stalled reader holds at most the text that it is reading, however much is published, and
 * for HUB_EVENT_MAX_MS at most: a reader that needs longer for one event is closed. It is closed before when such
 * texts use up the budget, the slowest reader first.
 *
 * The hub is independent of HTTP. A reader without a pending event is suspended (ops.suspend, called inside
 * hub_read), and resumed by the next event (ops.resume, on the publisher's thread), each with the hub's lock
 * held: they must not call back. Thread-safe.
 */
#ifndef SERVICE_HUB_H
#define SERVICE_HUB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "shared_text.h"

enum hub_kind { HUB_AGENTS, HUB_HEALTH, HUB_KINDS };

struct hub_ops {
    void (*suspend)(void *connection);
    void (*resume)(void *connection);
};

struct hub;        /* opaque */
struct hub_reader; /* opaque */

#define HUB_END          (-1)
#define HUB_EVENT_MAX_MS 30000
#define HUB_SHARE_MS     1000 /* how long a first event may be shared with later readers */

/* `budget`, borrowed: of all texts that readers hold. */
MUSTCHECK int hub_new(const struct hub_ops *ops, struct budget *budget, struct hub **ret_hub);
void hub_free(struct hub *hub); /* no reader is left; NULL: nothing */

/* Replaces the newest event of its kind. `json` is one line. -ENOMEM: the one before stays the newest. */
MUSTCHECK int hub_publish(struct hub *hub, enum hub_kind kind, uint64_t version, const char *json,
                          size_t len);
/* Idle readers get a comment, so that a dead connection is noticed. */
void hub_keep_alive(struct hub *hub);
/* Every reader ends after the event that it is in; those who join later at once. */
void hub_close(struct hub *hub);

/* Another first event fits into the budget; readers that hold old texts are ended for it. To be asked before it is
 * rendered. */
bool hub_has_room(struct hub *hub);
/* A mark to take before looking at what a new reader is to get first. */
uint64_t hub_stamp(struct hub *hub);
/* What a reader begins with: an agents event, and what is published after `stamp` comes next. */
struct hub_first {
    uint64_t stamp;
    uint64_t version;
    const char *json;
    size_t len;
};
/* A reader that begins with `first`, or, where that is NULL, with what the last one began with: ERR_NOT_FOUND
 * if that is too old, or something was published since. `connection` is borrowed, for ops. -ENOMEM. */
MUSTCHECK int hub_join(struct hub *hub, void *connection, uint64_t now_ms, const struct hub_first *first,
                       struct hub_reader **ret_reader);
void hub_leave(struct hub_reader *reader);
size_t hub_reader_count(struct hub *hub);

/* Bytes for the reader: their number, 0 (it was suspended), or HUB_END. */
ssize_t hub_read(struct hub_reader *reader, uint64_t now_ms, char *into, size_t max);

#endif

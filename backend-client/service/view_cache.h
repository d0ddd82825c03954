/* The answers of the read-only endpoints, rendered once for all that ask for the same: a list of ten thousand agents
 * takes 50 ms to write and megabytes to hold. Thread-safe.
 */
#ifndef SERVICE_VIEW_CACHE_H
#define SERVICE_VIEW_CACHE_H

#include <pthread.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/err.h"
#include "shared_text.h"
#include "view.h"

/* From so many agents on, a text is shared by those who ask for the same snapshot within VIEW_SHARE_MS; its ages
 * and times are then as much behind. Shorter lists are rendered for each request. */
#define VIEW_SHARED_AGENTS 200
#define VIEW_SHARE_MS      5000

enum view_kind { VIEW_AGENTS, VIEW_GRAPH, VIEW_STATUS, VIEW_KINDS };

struct view_cache {
    struct view_slot {
        pthread_mutex_t lock;     /* held while it is rendered: others wait for the same text */
        struct shared_text *text; /* owned; NULL: none yet */
        uint64_t version;         /* of its snapshot */
        uint64_t rendered_at_ms;
    } slots[VIEW_KINDS];
    struct budget *budget; /* borrowed */
};

/* Writes the text of `view`. -ENOMEM and the writer's errors. */
typedef int view_write_cb(const struct view *view, struct writer *w);

MUSTCHECK int view_cache_init(struct view_cache *c, struct budget *budget);
void view_cache_done(struct view_cache *c);
/* A reference to the text. ERR_FULL: the budget has no room for it, and nothing was rendered; the errors of
 * `write`, -ENOMEM, ERR_TOO_LARGE. */
MUSTCHECK int view_cache_get(struct view_cache *c, enum view_kind kind, const struct view *view,
                             view_write_cb *write, uint64_t now_ms, struct shared_text **ret_text);

#endif

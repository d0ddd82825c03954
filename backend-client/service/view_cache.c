/* The answers of the read-only endpoints, rendered once for all that ask for the same.
 *
 * Happy path: the text in the slot is of the view's snapshot and fresh: a reference to it. Else one thread renders,
 * the others that want the same wait for it, and share what it made. Failure modes: readers hold so many older
 * texts that the budget is used up: refused before anything is rendered, unless the text in the slot will do.
 */
#include "view_cache.h"

#include <errno.h>

#include "base/buf.h"
#include "exchange.h"

int view_cache_init(struct view_cache *c, struct budget *budget)
{
    *c = (struct view_cache){.budget = budget};
    for (size_t i = 0; i < VIEW_KINDS; i++)
        if (pthread_mutex_init(&c->slots[i].lock, NULL) != 0)
            return -ENOMEM;
    return 0;
}

void view_cache_done(struct view_cache *c)
{
    for (size_t i = 0; i < VIEW_KINDS; i++) {
        shared_text_release(c->slots[i].text);
        pthread_mutex_destroy(&c->slots[i].lock);
    }
}

static bool is_fresh(const struct view_slot *slot, const struct view *view, uint64_t now_ms)
{
    /* A thread that waited for the lock has a time from before the text was made. */
    bool young = now_ms <= slot->rendered_at_ms || now_ms - slot->rendered_at_ms <= VIEW_SHARE_MS;
    return slot->text && young && slot->version == ar_snapshot_version(view->snapshot);
}

static int render(struct view_cache *c, struct view_slot *slot, const struct view *view, view_write_cb *write,
                  uint64_t now_ms)
{
    struct writer w;
    struct buf json;
    /* The slot's own text is freed for the new one, unless readers hold it. */
    if (!budget_has_room(c->budget, slot->text ? slot->text->len : 0))
        return ERR_FULL;
    buf_init(&json, ANSWER_MAX_BYTES);
    writer_init(&w, &json);
    int rc = write(view, &w);
    rc = rc ? rc : writer_end(&w);
    struct shared_text *text =
        rc == 0 ? shared_text_new(c->budget, buf_data(&json), buf_len(&json), "", 0, "", 0) : NULL;
    buf_done(&json);
    if (!text)
        return rc ? rc : -ENOMEM;
    shared_text_release(slot->text);
    slot->text = text;
    slot->version = ar_snapshot_version(view->snapshot);
    slot->rendered_at_ms = now_ms;
    return 0;
}

int view_cache_get(struct view_cache *c, enum view_kind kind, const struct view *view, view_write_cb *write,
                   uint64_t now_ms, struct shared_text **ret_text)
{
    struct view_slot *slot = &c->slots[kind];
    pthread_mutex_lock(&slot->lock);
    int rc = is_fresh(slot, view, now_ms) ? 0 : render(c, slot, view, write, now_ms);
    if (rc == 0)
        *ret_text = shared_text_retain(slot->text);
    pthread_mutex_unlock(&slot->lock);
    return rc;
}

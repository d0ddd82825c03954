/* A text that several readers are being sent. */
#include "shared_text.h"

#include <string.h>

#include "base/alloc.h"
#include "base/list.h"

void budget_init(struct budget *b, size_t max)
{
    atomic_init(&b->used, 0);
    b->max = max;
}

bool budget_has_room(struct budget *b, size_t bytes)
{
    size_t used = atomic_load(&b->used);
    return used <= b->max && bytes <= b->max - used;
}

bool budget_take(struct budget *b, size_t bytes)
{
    size_t before = atomic_fetch_add(&b->used, bytes);
    if (before <= b->max && bytes <= b->max - before)
        return true;
    budget_give(b, bytes);
    return false;
}

void budget_give(struct budget *b, size_t bytes)
{
    (void)atomic_fetch_sub(&b->used, bytes);
}

struct shared_text *shared_text_new(struct budget *budget, const char *head, size_t head_len,
                                    const char *body, size_t body_len, const char *tail, size_t tail_len)
{
    size_t len, size;
    if (!size_add(head_len, body_len, &len) || !size_add(len, tail_len, &len) ||
        !size_add(len, sizeof(struct shared_text), &size))
        return NULL;
    struct shared_text *t = mem_alloc(size);
    if (!t)
        return NULL;
    atomic_init(&t->refs, 1);
    t->budget = budget;
    t->len = len;
    memcpy(t->bytes, head, head_len);
    memcpy(t->bytes + head_len, body, body_len);
    memcpy(t->bytes + head_len + body_len, tail, tail_len);
    (void)atomic_fetch_add(&budget->used, len);
    return t;
}

struct shared_text *shared_text_retain(struct shared_text *t)
{
    (void)atomic_fetch_add(&t->refs, 1);
    return t;
}

void shared_text_release(struct shared_text *t)
{
    if (!t || atomic_fetch_sub(&t->refs, 1) > 1)
        return;
    budget_give(t->budget, t->len);
    mem_free(t);
}

void shared_text_release_bytes(void *bytes)
{
    shared_text_release((struct shared_text *)(void *)((char *)bytes - offsetof(struct shared_text, bytes)));
}

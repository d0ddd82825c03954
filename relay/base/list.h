/* An intrusive doubly linked list: the links are embedded in the objects, so linking never allocates and
 * never fails. A node that is in no list is self-linked after list_init, so list_remove is idempotent.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *prev;
    struct list *next;
};

#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
/* CONTAINER_OF for const objects. */
#define CONST_CONTAINER_OF(ptr, type, member)                                                                \
    ((const type *)(const void *)((const char *)(ptr)-offsetof(type, member)))

static inline void list_init(struct list *node)
{
    node->prev = node;
    node->next = node;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* True when `node` is in some list. */
static inline bool list_linked(const struct list *node)
{
    return node->next != node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_push_front(struct list *head, struct list *node)
{
    list_push_back(head->next, node);
}

static inline void list_remove(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, unlinked; NULL when empty. */
static inline struct list *list_pop_front(struct list *head)
{
    struct list *node = head->next;
    if (node == head)
        return NULL;
    list_remove(node);
    return node;
}

/* Moves all of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_back(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a declared name cannot be parenthesized */
/* `safe` holds the next node, so the body may unlink or free `it` (and only it). */
#define LIST_EACH(it, safe, head)                                                                            \
    for (struct list *it = (head)->next, *safe = it->next; it != (head); it = safe, safe = it->next)
/* NOLINTEND(bugprone-macro-parentheses) */

#endif

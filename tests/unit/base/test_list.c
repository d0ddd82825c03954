/* base/list: linking, unlinking, splicing, and walking while nodes go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/list.h"

struct item {
    int value;
    struct list node;
};

static struct item items[5];

static void make(struct list *head, size_t count)
{
    list_init(head);
    for (size_t i = 0; i < count; i++) {
        items[i].value = (int)i;
        list_push_back(head, &items[i].node);
    }
}

/* The values in order as one decimal number: 0, 1, 2 is 1012 (the leading 1 keeps zeros). Walked both ways.
 */
static int values(struct list *head)
{
    int forward = 1, backward = 1, weight = 1;
    LIST_EACH(it, next, head)
    {
        forward = forward * 10 + CONTAINER_OF(it, struct item, node)->value;
    }
    backward = 0;
    for (struct list *it = head->prev; it != head; it = it->prev) {
        backward += weight * CONTAINER_OF(it, struct item, node)->value;
        weight *= 10;
    }
    assert_int_equal(forward, weight + backward);
    return forward;
}

static void push_and_pop(void **state)
{
    (void)state;
    struct list head;
    make(&head, 3);
    assert_int_equal(values(&head), 1012);
    items[3].value = 3;
    list_push_front(&head, &items[3].node);
    assert_int_equal(values(&head), 13012);
    assert_ptr_equal(list_pop_front(&head), &items[3].node);
    assert_false(list_linked(&items[3].node));
    assert_int_equal(values(&head), 1012);
}

static void pop_of_empty_is_null(void **state)
{
    (void)state;
    struct list head;
    list_init(&head);
    assert_true(list_empty(&head));
    assert_null(list_pop_front(&head));
    make(&head, 1);
    assert_false(list_empty(&head));
    assert_non_null(list_pop_front(&head));
    assert_null(list_pop_front(&head));
}

static void remove_is_idempotent(void **state)
{
    (void)state;
    struct list head;
    make(&head, 3);
    assert_true(list_linked(&items[1].node));
    list_remove(&items[1].node);
    list_remove(&items[1].node);
    assert_false(list_linked(&items[1].node));
    assert_int_equal(values(&head), 102);
}

static void walk_may_remove_what_it_holds(void **state)
{
    (void)state;
    struct list head;
    make(&head, 5);
    int seen = 0;
    LIST_EACH(it, next, &head)
    {
        seen++;
        if (CONTAINER_OF(it, struct item, node)->value % 2 == 0)
            list_remove(it);
    }
    assert_int_equal(seen, 5);
    assert_int_equal(values(&head), 113);
}

static void splice_moves_all(void **state)
{
    (void)state;
    struct list to, from;
    make(&from, 3);
    list_init(&to);
    list_splice_back(&to, &from);
    assert_true(list_empty(&from));
    assert_int_equal(values(&to), 1012);
    list_splice_back(&to, &from);
    assert_int_equal(values(&to), 1012);
    items[4].value = 4;
    list_push_back(&from, &items[4].node);
    list_splice_back(&to, &from);
    assert_int_equal(values(&to), 10124);
    assert_true(list_empty(&from));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(push_and_pop),         cmocka_unit_test(pop_of_empty_is_null),
        cmocka_unit_test(remove_is_idempotent), cmocka_unit_test(walk_may_remove_what_it_holds),
        cmocka_unit_test(splice_moves_all),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}

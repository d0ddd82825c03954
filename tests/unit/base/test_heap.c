/* base/heap: order under random adding, removing and re-keying, against a plain array; running out of memory.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/heap.h"
#include "tests/unit/common/fault_alloc.h"

#define COUNT 500

static struct heap_node nodes[COUNT];

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

static uint64_t smallest_key(void)
{
    uint64_t smallest = UINT64_MAX;
    for (size_t i = 0; i < COUNT; i++) {
        if (heap_has(&nodes[i]) && nodes[i].key < smallest)
            smallest = nodes[i].key;
    }
    return smallest;
}

static void init_nodes(void)
{
    for (size_t i = 0; i < COUNT; i++)
        heap_node_init(&nodes[i]);
}

static void empty_has_no_first(void **state)
{
    (void)state;
    struct heap h;
    heap_init(&h);
    assert_null(heap_first(&h));
    init_nodes();
    heap_remove(&h, &nodes[0]);
    assert_int_equal(heap_add(&h, &nodes[0], 5), 0);
    assert_ptr_equal(heap_first(&h), &nodes[0]);
    heap_remove(&h, &nodes[0]);
    assert_null(heap_first(&h));
    assert_false(heap_has(&nodes[0]));
    heap_done(&h);
}

static void comes_out_in_order(void **state)
{
    (void)state;
    struct heap h;
    uint64_t seed = 1, last = 0;
    heap_init(&h);
    init_nodes();
    for (size_t i = 0; i < COUNT; i++)
        assert_int_equal(heap_add(&h, &nodes[i], next_random(&seed) % 100), 0);
    for (size_t i = 0; i < COUNT; i++) {
        struct heap_node *first = heap_first(&h);
        assert_true(first->key >= last);
        last = first->key;
        heap_remove(&h, first);
    }
    assert_int_equal(h.count, 0);
    heap_done(&h);
}

static void holds_under_random_use(void **state)
{
    (void)state;
    struct heap h;
    uint64_t seed = 42;
    heap_init(&h);
    init_nodes();
    for (size_t round = 0; round < 20000; round++) {
        struct heap_node *n = &nodes[next_random(&seed) % COUNT];
        uint64_t key = next_random(&seed) % 1000;
        if (!heap_has(n))
            assert_int_equal(heap_add(&h, n, key), 0);
        else if (key % 2 == 0)
            heap_rekey(&h, n, key);
        else
            heap_remove(&h, n);
        struct heap_node *first = heap_first(&h);
        assert_int_equal(first ? first->key : UINT64_MAX, smallest_key());
    }
    for (size_t i = 0; i < h.count; i++)
        assert_int_equal(h.nodes[i]->index, i);
    heap_done(&h);
    for (size_t i = 0; i < COUNT; i++)
        assert_false(heap_has(&nodes[i]));
}

static void extreme_keys(void **state)
{
    (void)state;
    struct heap h;
    heap_init(&h);
    init_nodes();
    assert_int_equal(heap_add(&h, &nodes[0], UINT64_MAX), 0);
    assert_int_equal(heap_add(&h, &nodes[1], 0), 0);
    assert_int_equal(heap_add(&h, &nodes[2], UINT64_MAX - 1), 0);
    assert_ptr_equal(heap_first(&h), &nodes[1]);
    heap_rekey(&h, &nodes[1], UINT64_MAX);
    assert_ptr_equal(heap_first(&h), &nodes[2]);
    heap_done(&h);
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    size_t runs = 0;
    fault_alloc_install();
    for (size_t n = 1;; n++, runs++) {
        struct heap h;
        heap_init(&h);
        init_nodes();
        fault_alloc_fail_at(n);
        size_t added = 0, refused = 0;
        for (size_t i = 0; i < 100; i++) {
            int rc = heap_add(&h, &nodes[i], 100 - i);
            assert_true(rc == 0 || rc == -ENOMEM);
            assert_int_equal(heap_has(&nodes[i]), rc == 0);
            added += rc == 0;
            refused += rc != 0;
        }
        bool fired = fault_alloc_fired();
        assert_int_equal(refused, fired ? 1 : 0);
        assert_int_equal(h.count, added);
        heap_done(&h);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            break;
    }
    assert_true(runs >= 3);
    mem_set(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_has_no_first),     cmocka_unit_test(comes_out_in_order),
        cmocka_unit_test(holds_under_random_use), cmocka_unit_test(extreme_keys),
        cmocka_unit_test(nth_allocation_fails),
    };
    return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}

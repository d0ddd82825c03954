/* base/map: finding, growing, removing while iterating, running out of memory, and the hash against its
 * published numbers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "base/list.h"
#include "base/map.h"
#include "tests/unit/common/fault_alloc.h"

#define COUNT 1000

struct item {
    uint64_t key;
    bool seen;
    struct map_node node;
};

static struct item items[COUNT];

static bool key_is(const struct map_node *node, const void *key)
{
    return ((const struct item *)((const char *)node - offsetof(struct item, node)))->key ==
           *(const uint64_t *)key;
}

static struct item *find(const struct map *m, uint64_t key)
{
    struct map_node *node = map_find(m, hash_u64(key), key_is, &key);
    return node ? CONTAINER_OF(node, struct item, node) : NULL;
}

static void fill(struct map *m)
{
    map_init(m);
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = (struct item){.key = i};
        assert_int_equal(map_add(m, &items[i].node, hash_u64(i)), 0);
    }
}

static void finds_what_was_added(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    assert_null(find(&m, 0));
    assert_null(map_next(&m, NULL));
    map_done(&m);
    fill(&m);
    assert_int_equal(m.count, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(find(&m, i), &items[i]);
    assert_null(find(&m, COUNT));
    assert_true(m.mask + 1 >= COUNT);
    map_done(&m);
}

static void forgets_what_was_removed(void **state)
{
    (void)state;
    struct map m;
    fill(&m);
    for (size_t i = 0; i < COUNT; i += 2)
        map_remove(&m, &items[i].node);
    assert_int_equal(m.count, COUNT / 2);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(find(&m, i), i % 2 == 0 ? NULL : &items[i]);
    map_done(&m);
}

static void iterates_each_once_and_may_remove(void **state)
{
    (void)state;
    struct map m;
    size_t seen = 0;
    fill(&m);
    for (struct map_node *node = map_next(&m, NULL), *next; node; node = next) {
        struct item *item = CONTAINER_OF(node, struct item, node);
        next = map_next(&m, node);
        assert_false(item->seen);
        item->seen = true;
        seen++;
        map_remove(&m, node);
    }
    assert_int_equal(seen, COUNT);
    assert_int_equal(m.count, 0);
    map_done(&m);
}

/* All in one bucket: equal hashes, different keys. */
static void equal_hashes_are_kept_apart(void **state)
{
    (void)state;
    struct map m;
    map_init(&m);
    for (size_t i = 0; i < 50; i++) {
        items[i] = (struct item){.key = i};
        assert_int_equal(map_add(&m, &items[i].node, 42), 0);
    }
    for (uint64_t key = 0; key < 50; key++)
        assert_ptr_equal(map_find(&m, 42, key_is, &key), &items[key].node);
    map_remove(&m, &items[0].node);
    map_remove(&m, &items[49].node);
    map_remove(&m, &items[25].node);
    size_t left = 0;
    for (struct map_node *node = map_next(&m, NULL); node; node = map_next(&m, node))
        left++;
    assert_int_equal(left, 47);
    map_done(&m);
}

static void no_memory_for_the_first_table(void **state)
{
    (void)state;
    struct map m;
    fault_alloc_install();
    map_init(&m);
    fault_alloc_fail_at(1);
    assert_int_equal(map_add(&m, &items[0].node, 1), -ENOMEM);
    assert_int_equal(m.count, 0);
    assert_int_equal(map_add(&m, &items[0].node, 1), 0);
    map_done(&m);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

static void no_memory_to_grow_is_tolerated(void **state)
{
    (void)state;
    struct map m;
    fault_alloc_install();
    map_init(&m);
    for (size_t i = 0; i < COUNT; i++) {
        items[i] = (struct item){.key = i};
        assert_int_equal(map_add(&m, &items[i].node, hash_u64(i)), 0);
        if (i == 0)
            fault_alloc_fail_from(1);
    }
    assert_true(fault_alloc_fired());
    assert_int_equal(m.mask, 15);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(find(&m, i), &items[i]);
    fault_alloc_fail_at(0);
    struct item late = {.key = COUNT};
    assert_int_equal(map_add(&m, &late.node, hash_u64(COUNT)), 0);
    assert_int_equal(m.mask, 31);
    assert_ptr_equal(find(&m, COUNT), &late);
    assert_ptr_equal(find(&m, 17), &items[17]);
    map_done(&m);
    assert_int_equal(fault_alloc_live(), 0);
    mem_set(NULL);
}

static void steady_state_allocates_nothing(void **state)
{
    (void)state;
    struct map m;
    fault_alloc_install();
    fill(&m);
    fault_alloc_fail_at(0);
    for (size_t round = 0; round < 10; round++) {
        for (size_t i = 0; i < COUNT; i++)
            map_remove(&m, &items[i].node);
        for (size_t i = 0; i < COUNT; i++)
            assert_int_equal(map_add(&m, &items[i].node, hash_u64(i)), 0);
    }
    assert_int_equal(fault_alloc_count(), 0);
    map_done(&m);
    mem_set(NULL);
}

/* SipHash-1-3 of 00 01 02 ... under the key 00 01 ... 0f, as an independent implementation gives it. */
static void hash_is_siphash_1_3(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint64_t hash;
    } known[] = {{0, 0xabac0158050fc4dcULL},  {1, 0xc9f49bf37d57ca93ULL}, {7, 0xd3927d989bb11140ULL},
                 {8, 0x369095118d299a8eULL},  {9, 0x25a48eb36c063de4ULL}, {15, 0xd320d86d2a519956ULL},
                 {16, 0xcc4fdd1a7d908b66ULL}, {63, 0x9d199062b7bbb3a8ULL}};
    unsigned char bytes[64];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)i;
    hash_seed(0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        assert_int_equal(hash_bytes(bytes, known[i].len), known[i].hash);
    assert_int_equal(hash_u64(0x0706050403020100ULL), hash_bytes(bytes, 8));
}

static void hash_depends_on_its_key(void **state)
{
    (void)state;
    hash_seed(1, 2);
    uint64_t first = hash_bytes("abc", 3);
    assert_int_equal(hash_bytes("abc", 3), first);
    hash_seed(1, 3);
    assert_int_not_equal(hash_bytes("abc", 3), first);
    hash_seed_random();
    uint64_t drawn = hash_bytes("abc", 3);
    hash_seed_random();
    assert_int_not_equal(hash_bytes("abc", 3), drawn);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added),
        cmocka_unit_test(forgets_what_was_removed),
        cmocka_unit_test(iterates_each_once_and_may_remove),
        cmocka_unit_test(equal_hashes_are_kept_apart),
        cmocka_unit_test(no_memory_for_the_first_table),
        cmocka_unit_test(no_memory_to_grow_is_tolerated),
        cmocka_unit_test(steady_state_allocates_nothing),
        cmocka_unit_test(hash_is_siphash_1_3),
        cmocka_unit_test(hash_depends_on_its_key),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}

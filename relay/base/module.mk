MODULES  += base
base_SRC := relay/base/err.c relay/base/alloc.c relay/base/map.c relay/base/heap.c relay/base/buf.c

MODULES  += seed
seed_SRC := relay/base/seed.c

UNIT_TESTS      += test_list test_alloc test_map test_heap test_buf
test_list_SRC   := tests/unit/test_list.c
test_list_LIBS  := base
test_alloc_SRC  := tests/unit/test_alloc.c
test_alloc_LIBS := testkit base
test_map_SRC    := tests/unit/test_map.c
test_map_LIBS   := seed testkit base
test_heap_SRC   := tests/unit/test_heap.c
test_heap_LIBS  := testkit base
test_buf_SRC    := tests/unit/test_buf.c
test_buf_LIBS   := testkit base

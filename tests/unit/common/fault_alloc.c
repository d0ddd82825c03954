/* The counting, failing allocator. Purpose and use: fault_alloc.h. It sits on the C library's heap and keeps
 * no record of single blocks, so the sanitizers and valgrind still see each block as it is.
 */
#include "tests/unit/common/fault_alloc.h"

#include <stdlib.h>

#include "base/alloc.h"

static struct {
    size_t count;
    size_t fail_at; /* 0: never */
    size_t live;
    bool go_on; /* keep failing after fail_at */
    bool fired;
} state;

static bool fails(void)
{
    state.count++;
    if (state.fail_at == 0 || state.count < state.fail_at || (state.count > state.fail_at && !state.go_on))
        return false;
    state.fired = true;
    return true;
}

static void *counted(void *p)
{
    if (p)
        state.live++;
    return p;
}

static void *fault_malloc(size_t size)
{
    return fails() ? NULL : counted(malloc(size));
}

static void *fault_calloc(size_t count, size_t size)
{
    return fails() ? NULL : counted(calloc(count, size));
}

static void *fault_realloc(void *p, size_t size)
{
    if (fails())
        return NULL;
    return p ? realloc(p, size) : counted(malloc(size));
}

static void fault_free(void *p)
{
    if (p)
        state.live--;
    free(p);
}

static const struct allocator table = {fault_malloc, fault_calloc, fault_realloc, fault_free};

void fault_alloc_install(void)
{
    mem_set(&table);
    state.live = 0;
    fault_alloc_fail_at(0);
}

static void arm(size_t n, bool go_on)
{
    state.count = 0;
    state.fail_at = n;
    state.go_on = go_on;
    state.fired = false;
}

void fault_alloc_fail_at(size_t n)
{
    arm(n, false);
}

void fault_alloc_fail_from(size_t n)
{
    arm(n, true);
}

bool fault_alloc_fired(void)
{
    return state.fired;
}

size_t fault_alloc_count(void)
{
    return state.count;
}

size_t fault_alloc_live(void)
{
    return state.live;
}

/* An allocator that counts, and fails the allocation that a test chose (include "tests/unit/common/fault_alloc.h"): for
 * "the Nth allocation fails, looped until a run ends unspent".
 *
 *     fault_alloc_install();
 *     for (size_t n = 1;; n++) {
 *         fault_alloc_fail_at(n);
 *         int rc = thing_under_test();
 *         if (!fault_alloc_fired())
 *             break;
 *         assert_int_equal(rc, -ENOMEM);
 *         assert_int_equal(fault_alloc_live(), live_before);
 *     }
 *     fault_alloc_fail_at(0);
 *
 * One failure per arming: the allocations after the failed one succeed again, so clean-up code is exercised
 * as it is. Not thread-safe. A counted pointer must be freed through the table (mem_free), as everything of
 * ours is.
 */
#ifndef TESTS_COMMON_FAULT_ALLOC_H
#define TESTS_COMMON_FAULT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Puts the table behind mem_alloc and resets every counter. May be called at the start of each test. */
void fault_alloc_install(void);
/* The nth allocation from now fails (1: the next one); 0: none. Clears `fired`, starts counting afresh. */
void fault_alloc_fail_at(size_t n);
/* As fault_alloc_fail_at, and every allocation after it fails too, until the next call of either. */
void fault_alloc_fail_from(size_t n);
/* The armed failure has happened. */
bool fault_alloc_fired(void);
/* Allocations (malloc, calloc, realloc) since the last install or fail_at; failed ones included. */
size_t fault_alloc_count(void);
/* Blocks allocated and not freed since install. */
size_t fault_alloc_live(void);

#endif

/* What the tests of backend-client/src/engine/call.c share: asking, and reading back the line. */
#ifndef TESTS_ENGINE_CALL_FIXTURE_H
#define TESTS_ENGINE_CALL_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend-client/src/engine/call.h"

#define CALL_NOW_MS     UINT64_C(1000)
#define CALL_DEFAULT_MS 30000
#define CALL_FRAME_MAX  ((size_t)8 << 20)
#define CALL_ID         UINT64_C(7)

ar_progress_cb call_fixture_on_progress; /* never runs */
/* All else is left at its default; the strings are borrowed. */
struct ar_call call_fixture_options(const char *method, const char *params, bool progress);
/* call_new, which has to leave no memory and *ret_call untouched where it refuses (the counting allocator is
 * installed). */
int call_fixture_try(const struct ar_call *o, size_t frame_max, struct call **ret_call);
/* An accepted one, with CALL_ID. */
struct call *call_fixture_make(const struct ar_call *o);
/* The one line of `c`, a NUL instead of its newline; the caller frees it (mem_free). */
char *call_fixture_line(const struct call *c);
/* For cmocka's group: the counting allocator goes in; at the end nothing of it is left. */
int call_fixture_set_up(void **state);
int call_fixture_tear_down(void **state);

#endif

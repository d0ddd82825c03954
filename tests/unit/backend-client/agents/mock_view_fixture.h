/* What the tests of the mock view share: one view, whose world begins at START, and ways to ask it. */
#ifndef TESTS_AGENTS_MOCK_VIEW_FIXTURE_H
#define TESTS_AGENTS_MOCK_VIEW_FIXTURE_H

#include <stdint.h>

#include "backend-client/src/agents/mock_view.h"

#define START     UINT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define SECOND(n) (START + UINT64_C(1000) * (n))

extern struct mock_view *view;
extern struct mock_answer answer; /* of the last call */

/* cmocka set-up and tear-down: the view, with the built-in cast. */
int mock_view_fixture_set_up(void **state);
int mock_view_fixture_tear_down(void **state);

int call_at(uint64_t now_ms, const char *method, const char *params);
/* What must be a result, strict JSON, as a string that the caller frees. */
char *result_at(uint64_t now_ms, const char *method, const char *params);
/* At START. */
void check_result(const char *method, const char *params, const char *expected);
/* The caller releases them. */
struct agent_set *agents_at(uint64_t now_ms);

#endif

/* What the tests of the mock's world share: one world, that starts at START and needs no server.
 */
#ifndef TESTS_MOCK_WORLD_FIXTURE_H
#define TESTS_MOCK_WORLD_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

#include "mock/mock.h"

#define START     UINT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define SECOND(n) (START + UINT64_C(1000) * (n))

extern struct mock *mock;

/* Puts a new world in `mock`, with the default cast. */
void world_open(uint64_t seed);
/* The agent at `index`, which must be there. */
struct mock_agent agent_at(size_t index, uint64_t now_ms);

/* cmocka set-up and tear-down: a world of seed 1. */
int world_set_up(void **state);
int world_tear_down(void **state);

#define WORLD_TEST(name) cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

#endif

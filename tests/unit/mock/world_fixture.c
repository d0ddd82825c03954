/* A world for the tests of mock/. Purpose and use: world_kit.h. */
#include "tests/unit/mock/world_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct mock *mock;

void world_open(uint64_t seed)
{
    char problem[200];
    struct mock_options options = {.seed = seed, .start_ms = START};
    assert_int_equal(mock_new(&options, &mock, problem, sizeof(problem)), 0);
    assert_string_equal(problem, "");
}

int world_set_up(void **state)
{
    (void)state;
    world_open(1);
    return 0;
}

int world_tear_down(void **state)
{
    (void)state;
    mock_free(mock);
    mock = NULL;
    return 0;
}

struct mock_agent agent_at(size_t index, uint64_t now_ms)
{
    struct mock_agent agent;
    memset(&agent, 0, sizeof(agent));
    assert_true(mock_agent_get(mock, index, now_ms, &agent));
    return agent;
}

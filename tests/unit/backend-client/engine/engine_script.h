/* A conversation that touches everything once, for tests that break it off at every point or starve it. */
#ifndef TESTS_ENGINE_ENGINE_SCRIPT_H
#define TESTS_ENGINE_ENGINE_SCRIPT_H

#include "tests/unit/backend-client/engine/engine_fixture.h"

/* From engine_fixture_open (done by the caller) through calls of every policy, a loss, the mock, a server that is down,
 * to live again. Goes on as far as it can whatever happens to the link on the way, closing included. */
void engine_script_run(struct engine_fixture *f);
/* Until every call is complete: live again, everything answered, and time. */
void engine_script_settle(struct engine_fixture *f);
/* Every option small, so that limits are met. */
struct ar_options engine_script_options(void);

#endif

/* A conversation that touches everything once, for tests that break it off at every point or starve it. */
#ifndef TESTS_ENGINE_ENGINE_SCRIPT_H
#define TESTS_ENGINE_ENGINE_SCRIPT_H

#include "tests/unit/backend-client/engine/engine_fixture.h"

/* From kit_open (done by the caller) through calls of every policy, a loss, the mock, a server that is down,
 * to live again. Goes on as far as it can whatever happens to the link on the way, closing included. */
void talk(struct kit *kit);
/* Until every call is complete: live again, everything answered, and time. */
void talk_settle(struct kit *kit);
/* Every option small, so that limits are met. */
struct ar_options talk_options(void);

#endif

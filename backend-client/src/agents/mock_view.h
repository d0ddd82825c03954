/* The mock behind the client: the world of mock/ as agents for a snapshot, and as answers to calls whose
 * policy is AR_MOCK. Not thread-safe; belongs to the engine. Times are Unix milliseconds.
 *
 * Until the first call, the world stands for the length of a look alone; from then on for good.
 * What calls make (spawned agents, swarms, tasks) is bounded by the world's own limits (mock/mock.h).
 */
#ifndef CLIENT_MOCK_VIEW_H
#define CLIENT_MOCK_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "snapshot.h"

struct mock_view; /* opaque */

/* `agents`: agents.json's form, or NULL; copied. ERR_SYNTAX, ERR_TYPE, ERR_RANGE, ERR_TOO_LARGE (ret_problem
 * says where and why), -ENOMEM. */
MUSTCHECK int mock_view_new(const char *agents, uint64_t seed, uint64_t start_unix_ms,
                            struct mock_view **ret_view, char *ret_problem, size_t problem_size);
void mock_view_free(struct mock_view *v); /* NULL: nothing */
/* The agents as they are now, spawned ones included, each with mock set. -ENOMEM. */
MUSTCHECK int mock_view_agents(const struct mock_view *v, uint64_t now_unix_ms, struct agent_set **ret_set);

struct mock_answer {
    const char *result; /* JSON text, or NULL */
    size_t result_len;
    int error_code;      /* where result is NULL */
    const char *message; /* JSON string text, quotes included */
    size_t message_len;
};

/* Answers one request, by way of agent-mock's own server (mock/mcp.h) with the clock standing at now: at
 * once, also what takes its time there. `params`: JSON text of an object or array; NULL: none. ret_answer is
 * borrowed until the next call. Every error of the server but -32601 is an answer. ERR_NOT_FOUND: the mock
 * does not offer the method (-32601), -ENOMEM, ERR_TOO_LARGE (request or answer). */
MUSTCHECK int mock_view_call(struct mock_view *v, const char *method, const char *params, size_t params_len,
                             uint64_t now_unix_ms, struct mock_answer *ret_answer);

#endif

/* The bodies of POST requests: JSON, checked against the limits of the older service; each refusal names the
 * correct form. Pure.
 */
#ifndef SERVICE_REQUEST_H
#define SERVICE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/err.h"
#include "failure.h"
#include "wire/json.h"

#define REQUEST_MAX_BYTES  ((size_t)64 << 10)
#define REQUEST_MAX_AGENTS 100 /* of one swarm: the limit of a star */
#define REQUEST_MAX_WORD   64
#define REQUEST_MAX_TASK   ((size_t)16 << 10)
#define REQUEST_MAX_PROMPT ((size_t)16 << 10)
#define REQUEST_MAX_ID     256

struct swarm_request {
    struct json_doc *doc; /* owned; the strings are its */
    const char *topology;
    const char *strategy;
    const char *custom_prompt; /* NULL: none was given */
    int64_t max_agents;
    bool neural_given;
    bool enable_neural;
    size_t type_count;
    const char *types[REQUEST_MAX_AGENTS];
    enum ar_policy when_down;
};

struct task_request {
    struct json_doc *doc; /* owned; the strings are its */
    const char *task;
    const char *priority; /* NULL: none was given */
    const char *strategy; /* likewise */
    enum ar_policy when_down;
};

/* 0, or -1 with ret_failure set (400) and nothing to free. `when_down`: the query's, which wins over the
 * body's; NULL where absent. */
MUSTCHECK int request_swarm(const char *body, size_t len, const char *when_down, struct swarm_request *ret,
                            struct failure *ret_failure);
MUSTCHECK int request_task(const char *body, size_t len, const char *when_down, struct task_request *ret,
                           struct failure *ret_failure);
/* "fail" (also NULL), "mock", "wait". */
MUSTCHECK int request_when_down(const char *word, enum ar_policy *ret, struct failure *ret_failure);
/* A task's id as it stands in a path: not empty, not too long, no control characters. */
MUSTCHECK int request_task_id(const char *id, struct failure *ret_failure);

#endif

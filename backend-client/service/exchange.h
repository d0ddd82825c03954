/* One request and its answer.
 *
 * It is made when the head is there, lives until libmicrohttpd says that the request is over, and is worked
 * on by one thread at a time: libmicrohttpd's, or, while it is suspended (as its connection is), the
 * client's, which returns it with exchange_finish. A suspended exchange is finished exactly once: the library
 * completes every call that it accepted.
 */
#ifndef SERVICE_EXCHANGE_H
#define SERVICE_EXCHANGE_H

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>

#include "agent_relay.h"
#include "base/buf.h"
#include "failure.h"
#include "guard.h"
#include "request.h"
#include "service.h"
#include "suspended_requests.h"
#include "tool.h"
#include "wire/writer.h"

#define ANSWER_MAX_BYTES ((size_t)64 << 20) /* the largest snapshot of the library, written out */

struct route; /* routes.h */
struct exchange;

typedef void exchange_reply_cb(struct exchange *x, const struct ar_reply *reply);

struct exchange {
    struct service *service;
    struct MHD_Connection *connection;
    const struct route *route;
    bool head_only;   /* HEAD */
    const char *host; /* the addressed host: the Host header, or `authority`; NULL: it does not say */
    char authority[GUARD_HOST_MAX]; /* of a target that is a whole address; "" where it is a path */
    char id[REQUEST_MAX_ID +
            2]; /* what the path ends with, where the route takes it; longer is cut, and refused */
    char when_down[REQUEST_MAX_WORD];
    bool when_down_given;
    struct buf body;
    bool body_too_large;
    size_t swallowed; /* bytes of a body that is not wanted */

    unsigned status; /* of the answer; 0: none yet */
    struct buf answer;
    const char *content_type;    /* static */
    const char *allow;           /* static; NULL */
    struct MHD_Response *stream; /* the answer is this instead; owned until queued */

    bool suspended;
    struct suspended_request waiting;
    size_t held_bytes; /* of its answer, as counted in service.held_bytes */
    exchange_reply_cb *on_reply;
    void *job; /* the endpoint's; freed with free_job at the end */
    void (*free_job)(void *job);
};

/* NULL when out of memory. */
struct exchange *exchange_new(struct service *s, struct MHD_Connection *connection);
void exchange_free(struct exchange *x);

/* ---- answers ---- */

/* A JSON answer: begin, write, end. An error of the writer becomes a 500 or 503. */
void exchange_begin(struct exchange *x, struct writer *w);
void exchange_end(struct exchange *x, struct writer *w, unsigned status, int rc);
void exchange_fail(struct exchange *x, const struct failure *f);
void exchange_fail_memory(struct exchange *x);

/* ---- calls ---- */

/* Suspends the connection: from now on the exchange belongs to the thread that finishes it. In the handler
 * only. */
void exchange_park(struct exchange *x);
/* Resumes it; the answer must be there. The exchange is not the caller's any more. */
void exchange_finish(struct exchange *x);

/* tools/call with these params, of a suspended exchange. on_reply gets the completion, on the client's thread;
 * or, when the library does not take the call, at once, with the code that says why. */
void exchange_call(struct exchange *x, const struct buf *params, enum ar_policy policy, bool idempotent,
                   exchange_reply_cb *on_reply);
/* The tool's result: 0 with ret_result to be freed (tool_result_done), or -1 with ret_failure, and nothing
 * to free: the call failed, its answer is malformed, or the tool reports an error. */
MUSTCHECK int exchange_read_tool(const struct exchange *x, const char *tool, const struct ar_reply *reply,
                                 struct tool_result *ret_result, struct failure *ret_failure);

/* The id of what the tool made (tool_result_id), or NULL with ret_failure: it names none. */
const char *exchange_read_id(const struct exchange *x, const char *tool, const char *thing,
                             const struct ar_reply *reply, const struct tool_result *r, size_t *ret_len,
                             struct failure *ret_failure);

/* The client's health, always filled. */
void exchange_health(const struct exchange *x, struct ar_health *ret);

#endif

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
typedef void exchange_tools_cb(struct exchange *x);

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
    struct shared_text *shared;  /* or this; a reference, until queued */
    struct place_owner *place;   /* NULL: it does not stay */
    unsigned retry_after_s;      /* 0: not said */

    bool suspended;
    struct suspended_request waiting;
    size_t held_bytes;            /* of its answer, as counted in service.held */
    enum ar_policy policy;        /* of its calls, where there is no job to say so */
    uint64_t until_ms;            /* its calls are to be over then; set when it is suspended */
    struct tool_list *tools;      /* the server's, owned; NULL: not asked for yet, or the server lists none */
    struct tools_request *asking; /* exchange_tools.c's, while it asks for them; owned */
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
/* 503 with Retry-After: nothing was done. */
void exchange_fail_overloaded(struct exchange *x, const char *text, const char *suggestion);

/* ---- calls ---- */

/* Suspends the connection: from now on the exchange belongs to the thread that finishes it. In the handler
 * only. */
void exchange_park(struct exchange *x);
/* Resumes it; the answer must be there. The exchange is not the caller's any more. */
void exchange_finish(struct exchange *x);

/* A request of a suspended exchange. on_reply gets the completion, on the client's thread; or, when the library
 * does not take the call, at once, with the code that says why. */
void exchange_request(struct exchange *x, const char *method, const struct buf *params, enum ar_policy policy,
                      bool idempotent, exchange_reply_cb *on_reply);
/* The same for tools/call. */
void exchange_call(struct exchange *x, const struct buf *params, enum ar_policy policy, bool idempotent,
                   exchange_reply_cb *on_reply);
/* The next call has the whole time again. */
void exchange_renew(struct exchange *x);

/* Of a suspended exchange: asks whoever will answer under that policy for its tools, unless they are known, puts
 * them into x->tools, and calls `then`; or finishes the exchange with the reason why not. */
void exchange_get_tools(struct exchange *x, enum ar_policy policy, exchange_tools_cb *then);
void exchange_forget_tools(struct exchange *x); /* for exchange_free */
/* The first of `names` (NULL-terminated) that is offered; the first of all when x->tools is NULL. NULL with
 * ret_failure: none is, and `what` cannot be done. */
const char *exchange_choose_tool(const struct exchange *x, const char *what, const char *const *names,
                                 struct failure *ret_failure);

/* The tool's result: 0 with ret_result to be freed (tool_result_done), or -1 with ret_failure, and nothing
 * to free: the call failed, its answer is malformed, or the tool reports an error. */
MUSTCHECK int exchange_read_tool(const struct exchange *x, const char *tool, const struct ar_reply *reply,
                                 struct tool_result *ret_result, struct failure *ret_failure);

/* The id of what the tool made (tool_result_id), or NULL with ret_failure: it names none. */
const char *exchange_read_id(const struct exchange *x, const char *tool, const char *thing,
                             const struct ar_reply *reply, const struct tool_result *r, size_t *ret_len,
                             struct failure *ret_failure);

/* exchange_fail, and exchange_finish. */
void exchange_refuse(struct exchange *x, const struct failure *f);
void exchange_refuse_memory(struct exchange *x, bool may_have_run);
/* "source", "mock", "timestamp": members of the answer to a request that changes something. */
void exchange_write_markers(struct writer *w, enum ar_source source, bool mock);
/* The mock answered, or the server says of what it made that it is a mock. */
bool exchange_is_mock(const struct ar_reply *reply, const struct tool_result *r);

/* The client's health, always filled. */
void exchange_health(const struct exchange *x, struct ar_health *ret);

#endif

/* One call, from ar_call to its completion: made on the caller's thread, handed to the engine through the
 * inbox, completed exactly once, and freed by the code that completed it. */
#ifndef CLIENT_CALL_H
#define CLIENT_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/map.h"

/* Moved by engine_queue.c alone, which has the table of allowed moves. */
enum call_state {
    CALL_UNQUEUED,  /* in no list of the engine's: new, or between two lists */
    CALL_WAITING,   /* in one of the waiting lists */
    CALL_IN_FLIGHT, /* written to the link's buffer, not answered */
    CALL_DONE,      /* completed; about to be freed */
};

/* How _meta.progressToken gets into params; what is written there stands in call.c. */
enum call_token {
    CALL_TOKEN_NONE,       /* no on_progress */
    CALL_TOKEN_PARAMS,     /* there are no params */
    CALL_TOKEN_META,       /* behind the brace of params: "_meta":{...} */
    CALL_TOKEN_META_COMMA, /* likewise, and a member follows */
    CALL_TOKEN_IN,         /* behind the brace of params._meta */
    CALL_TOKEN_IN_COMMA,
};

struct call {
    struct list node;          /* of the inbox, or of one of the engine's lists */
    struct map_node by_id;     /* while with the engine */
    struct heap_node deadline; /* while with the engine and deadline_at_ms is not UINT64_MAX */
    uint64_t id;               /* from 1; also the JSON-RPC id and the progress token on the wire */
    uint64_t began_at_ms;
    uint64_t deadline_at_ms;   /* UINT64_MAX: none */
    uint64_t not_before_ms;    /* waiting: not sent again earlier (the relay's retryAfterMs); 0: none */
    uint64_t retry_after_poll; /* likewise: not before the engine has had so many good polls */
    uint64_t sent_end; /* in flight: how many bytes the link must have sent for the server to have seen it */
    enum call_state state;
    enum ar_policy policy;
    enum call_token token;
    bool idempotent;
    bool to_relay;     /* a relay/ method: needs the link, not the server */
    bool may_have_run; /* an earlier sending of it (idempotent) may have been executed */
    ar_progress_cb *on_progress;
    ar_reply_cb *on_reply;
    void *data;
    size_t bytes;       /* method and params: what counts against queue_max_bytes */
    const char *method; /* in the same allocation, NUL-terminated */
    size_t method_len;
    const char *params; /* likewise; NULL: none */
    size_t params_len;
    size_t token_at; /* offset in params, for CALL_TOKEN_META and IN */
};

/* Checks and copies. AR_E_INVALID, AR_E_TOO_LARGE (method and params with their envelope above
 * frame_max_bytes), AR_E_NO_MEMORY. params is proved strict JSON (wire/rpc.h) of an object or array at the
 * root, shallow enough to stand in a message, and may hold no newline once written: raw newlines between
 * tokens are allowed in JSON, so they are replaced by blanks in the copy. The method is valid UTF-8. Where
 * on_progress is set, params must be able to carry the token: an array, or an object that has a
 * _meta.progressToken of its own or a _meta that is no object, is refused. */
MUSTCHECK int call_new(const struct ar_call *options, uint64_t now_ms, uint32_t default_timeout_ms,
                       size_t frame_max_bytes, struct call **ret_call);
void call_free(struct call *c); /* NULL: nothing; must be linked nowhere */
/* The request's line, newline included, appended to `out` (with _meta.progressToken spliced into params where
 * on_progress is set). -ENOMEM, ERR_TOO_LARGE: nothing was appended. */
MUSTCHECK int call_write(const struct call *c, struct buf *out);

#endif

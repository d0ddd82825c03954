/* The envelope scan: one strict pass over a JSON-RPC 2.0 message that finds its routing keys.
 *
 * The scan is resumable (feed it chunks of any size; the verdict does not depend on where they are cut),
 * allocates nothing, and accepts exactly RFC 8259 JSON in valid UTF-8 (RFC 3629), at most RPC_MAX_DEPTH
 * levels deep. Routing keys are compared decoded ("\u0069d" is id) and may occur once at their own level. The
 * scan records spans into the frame; no value is ever parsed and printed again.
 *
 * The routing keys, and which of them are refused when a key differs from them in case alone, are the list in
 * wire/rpc_keys.h. Those of params are looked for only where params is a member of the root and an object,
 * those of _meta only in such a params.
 */
#ifndef WIRE_RPC_H
#define WIRE_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/scan.h"

#define RPC_MAX_DEPTH SCAN_MAX_DEPTH

/* Bytes of a value in its frame, quotes and braces included. len == 0: the key is absent. */
struct span {
    size_t off;
    size_t len;
};

static inline bool span_found(struct span s)
{
    return s.len != 0;
}

enum rpc_kind {
    RPC_INVALID, /* see fault */
    RPC_REQUEST,
    RPC_NOTIFICATION,
    RPC_RESULT, /* a response with result */
    RPC_ERROR,  /* a response with error; its id may be null */
    RPC_BATCH,  /* a strict JSON array at the root; the elements are not looked at yet */
};

/* Why a frame is RPC_INVALID. The first group is -32700, the second -32600. A frame with faults of both has
 * the first of the first group, else the first that was met; NOT_2_0 to BAD_MESSAGE are decided at the end,
 * in this order. */
enum rpc_fault {
    RPC_OK = SCAN_OK,
    RPC_BAD_JSON = SCAN_BAD_JSON,
    RPC_BAD_UTF8 = SCAN_BAD_UTF8,
    RPC_TOO_DEEP = SCAN_TOO_DEEP,
    RPC_TRUNCATED = SCAN_TRUNCATED, /* the line ended inside the value */
    RPC_DUPLICATE_KEY,              /* a routing key twice at its own level */
    RPC_LOOKALIKE_KEY,              /* a routing key but for its case */
    RPC_BAD_ID,                     /* an id that is neither string nor number nor null */
    RPC_BAD_METHOD,                 /* a method that is not a string */
    RPC_NOT_OBJECT,                 /* strict JSON, neither object nor array at the root */
    RPC_NOT_2_0,                    /* "jsonrpc" absent or not the string 2.0 */
    RPC_BAD_PARAMS,                 /* a method's params neither object nor array */
    RPC_BAD_MESSAGE, /* neither request, notification nor response; or several of them at once */
};

struct rpc_envelope {
    enum rpc_kind kind;
    enum rpc_fault fault;
    size_t fault_at; /* offset of the byte that decided; of the value for BAD_*; the line's length when its
                        end did */
    bool id_null;    /* id is present and null */
    bool id_is_int;  /* id is an integer lexeme without fraction or exponent, -0 included */
    bool has_method; /* the root has a method member, not null, of any type: the frame is not a response */
    bool
        is_notice; /* RPC_INVALID, scanned to its end, with a method and without an id: a malformed notification,
                        whose sender expects no answer */
    struct span id;
    struct span method; /* with its quotes */
    struct span params;
    struct span result;
    struct span error;
    struct span jsonrpc;
    /* in params */
    struct span meta;
    struct span name; /* of a tool or a prompt */
    struct span request_id;
    struct span uri;
    struct span task_id;
    struct span level;
    struct span task;
    struct span param_token; /* params.progressToken, as in notifications/progress */
    /* in params._meta */
    struct span meta_token; /* params._meta.progressToken */
    struct span related_task;
    /* and, in messages of revision 2026-07-28, under io.modelcontextprotocol/ */
    struct span protocol_version;
    struct span client_capabilities;
    struct span client_info;
    struct span log_level;
    struct span subscription_id;
};

/* A member that is null counts as absent: it has no span, and no rule looks at it. Serializers of one class for all
 * messages write every member that they know. Two exceptions: an id (id_null), and a result in a message that has
 * neither error nor method, which is a result.
 *
 * An RPC_INVALID message keeps the spans found, so that a refusal can name the id: every member of a legal
 * type before the fault, and behind it too if the fault leaves the structure unambiguous (all but
 * RPC_BAD_JSON between values; see scan.h). An id that occurs twice is absent.
 *
 * A response needs its result xor its error. A result needs an id that is not null; an error may come without
 * (servers that could not read the request send it so): RPC_ERROR with no id, or id_null. */

/* The state of a scan under way. Plain data, no pointers: may be copied. */
struct rpc_scan {
    struct scan json;
    struct rpc_envelope env; /* so far */
    enum rpc_fault fault;    /* the first of the second group */
    size_t fault_at;
    uint32_t seen;  /* routing keys met, one bit each */
    uint32_t nulls; /* those of them whose value is null */
    bool id_met;    /* an id, or a key that differs from it in case alone */
    bool is_2_0;
    bool bad_params;
};

void rpc_scan_init(struct rpc_scan *s);
/* The same for a text of several lines: LF is white space too. */
void rpc_scan_init_message(struct rpc_scan *s);
/* Bytes of one line, without its newline. */
void rpc_scan_feed(struct rpc_scan *s, const char *bytes, size_t len);
/* The line is over: classifies it. The spans index the bytes fed since rpc_scan_init. */
void rpc_scan_end(struct rpc_scan *s, struct rpc_envelope *ret_env);
/* All three at once. */
void rpc_scan_line(const char *bytes, size_t len, struct rpc_envelope *ret_env);
/* Only white space was fed so far. */
bool rpc_scan_is_blank(const struct rpc_scan *s);
/* What was fed so far is a whole object or array. */
bool rpc_scan_has_value(const struct rpc_scan *s);
/* The root's id as far as it was fed: complete, or cut by the end of the last chunk.
 */
struct span rpc_scan_id(const struct rpc_scan *s);

/* The JSON-RPC code for a fault: -32700 or -32600. */
int rpc_fault_code(enum rpc_fault fault);
/* A short English reason, "not valid UTF-8", without characters that a JSON string would have to escape. */
const char *rpc_fault_text(enum rpc_fault fault);

/* Decodes a JSON string span (quotes included) into `out`; returns the decoded length, or SIZE_MAX when it
 * does not fit or is no string. Not NUL-terminated. A lone surrogate decodes to its three-byte form (WTF-8),
 * so two distinct strings never become equal. */
size_t rpc_decode_string(const char *quoted, size_t len, char *out, size_t cap);
/* The decoded string equals, or begins with, `text`. Any length. */
bool rpc_string_is(const char *quoted, size_t len, const char *text);
bool rpc_string_begins(const char *quoted, size_t len, const char *text);
/* Two strings with their quotes are equal, decoded. */
bool rpc_string_equal(const char *a, size_t a_len, const char *b, size_t b_len);
/* An integer lexeme between 0 and 2^53-1, as a relay id comes back from a child. A string, fraction,
 * exponent, sign or leading zero is not one: false. */
bool rpc_parse_id(const char *lexeme, size_t len, uint64_t *ret_id);

/* The same for an id as a peer may spell the integer that it was sent: also 1.0, 1e0 and "1". */
bool rpc_parse_spelled_id(const char *lexeme, size_t len, uint64_t *ret_id);

/* The methods that a relay has to look at; everything else is RPC_M_OTHER and passes through. */
enum rpc_method {
    RPC_M_OTHER,
    RPC_M_RELAY, /* "relay/..." */
    RPC_M_INITIALIZE,
    RPC_M_PING,
    RPC_M_DISCOVER,      /* server/discover */
    RPC_M_SET_LEVEL,     /* logging/setLevel */
    RPC_M_SUBSCRIBE,     /* resources/subscribe */
    RPC_M_UNSUBSCRIBE,   /* resources/unsubscribe */
    RPC_M_TOOLS_CALL,    /* tools/call */
    RPC_M_TASKS_GET,     /* tasks/get */
    RPC_M_TASKS_RESULT,  /* tasks/result */
    RPC_M_TASKS_CANCEL,  /* tasks/cancel */
    RPC_M_TASKS_LIST,    /* tasks/list */
    RPC_M_ROOTS_LIST,    /* roots/list */
    RPC_M_SAMPLING,      /* sampling/createMessage */
    RPC_M_ELICIT,        /* elicitation/create */
    RPC_M_N_INITIALIZED, /* notifications/initialized */
    RPC_M_N_CANCELLED,   /* notifications/cancelled */
    RPC_M_N_PROGRESS,    /* notifications/progress */
    RPC_M_N_MESSAGE,     /* notifications/message */
    RPC_M_N_RESOURCES_UPDATED,
    RPC_M_N_RESOURCES_CHANGED, /* notifications/resources/list_changed */
    RPC_M_N_TOOLS_CHANGED,
    RPC_M_N_PROMPTS_CHANGED,
    RPC_M_N_ROOTS_CHANGED,
    RPC_M_N_TASK_STATUS,     /* notifications/tasks/status */
    RPC_M_N_ELICIT_COMPLETE, /* notifications/elicitation/complete */
    RPC_M_LSP_CANCEL,        /* $/cancelRequest, of the Language Server Protocol */
};
#define RPC_METHODS (RPC_M_LSP_CANCEL + 1)

/* Compared decoded. `quoted` is env.method of the frame. */
enum rpc_method rpc_method(const char *quoted, size_t len);

/* Strict JSON in valid UTF-8 no deeper than RPC_MAX_DEPTH, any value at the root, LF being white space?
 * For texts that are not frames. RPC_OK or a fault of the first group; *ret_fault_at (may be NULL) is then
 * the offset of the byte that decided, or len for RPC_TRUNCATED. */
enum rpc_fault rpc_check_json(const char *bytes, size_t len, size_t *ret_fault_at);

#endif

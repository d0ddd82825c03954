/* agent-mock's server: MCP over two file descriptors, in front of the mock world.
 *
 * mcp_serve.c moves bytes (poll), mcp_methods.c dispatches frames to methods, mcp_tools.c and mcp_control.c
 * implement them, mcp_slow.c keeps long-running calls, mcp_reply.c writes answers and notifications. One
 * thread, which blocks in poll alone.
 */
#ifndef MOCK_MCP_H
#define MOCK_MCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "mock/mock.h"
#include "wire/frame.h"
#include "wire/json.h"
#include "wire/writer.h"

#define MCP_MAX_FRAME_BYTES ((size_t)16 << 20) /* hosts and relays send at most 8 to 10 MiB */
#define MCP_MAX_ID_BYTES    ((size_t)16 << 10)
#define MCP_MAX_OUT_BYTES   ((size_t)64 << 20) /* an echo of the largest frame, escaped, fits */
#define MCP_OUT_HIGH_BYTES  ((size_t)1 << 20)  /* above it reading pauses, and progress is not sent */
#define MCP_MAX_TOKENS      200000             /* JSON tokens in the params of one request */
#define MCP_MAX_SLOW        1000               /* slow calls at once */

struct mcp {
    struct mock *mock;   /* borrowed */
    bool clock_is_fixed; /* the clock always reads fixed_now_ms */
    uint64_t fixed_now_ms;
    const char *version; /* negotiated; NULL before initialize */
    int log_level;       /* index of the least severe level requested; -1: none was requested */
    struct frame_reader reader;
    struct buf out;     /* bytes to write */
    struct buf scratch; /* the text of a tool's answer, under construction */
    struct list slow;   /* struct slow_call */
    size_t slow_count;
    uint64_t slow_clock_ms; /* the slow calls' own clock (mcp_slow.c) */
    uint64_t slow_real_ms;  /* the monotonic time when it was set */
    int failed;             /* an answer could be neither written nor refused: the server must exit */
};

/* One request. The spans stay valid while it is handled. */
struct mcp_request {
    const char *id; /* raw JSON, as received */
    size_t id_len;
    const char *token; /* raw progress token, or NULL */
    size_t token_len;
    struct json_doc *params; /* NULL: none */
    json_node arguments;     /* of tools/call: an object or JSON_ABSENT */
};

/* The world is borrowed until mcp_done. */
void mcp_init(struct mcp *s, struct mock *mock);
void mcp_done(struct mcp *s);

/* Serves until `in_fd` ends, calls in flight are answered and all output is written: 0. Else -errno of the
 * descriptors, or -ENOMEM. */
MUSTCHECK int mcp_serve(struct mcp *s, int in_fd, int out_fd);
/* Answers one frame, or an element of a batch (mcp_methods.c). */
void mcp_frame(struct mcp *s, const char *bytes, size_t len, const struct rpc_envelope *env);
/* A line over the limit; `id` raw, or id_len 0. */
void mcp_frame_too_large(struct mcp *s, const char *id, size_t id_len);

/* Unix milliseconds for the world: fixed, or the clock's. */
uint64_t mcp_now_ms(const struct mcp *s);

/* ---- mcp_reply.c ---- */

/* A line under way. Between start and end the caller writes exactly one JSON value through `w`. */
struct mcp_line {
    struct mcp *s;
    struct writer w;
    size_t mark; /* where the line began, to remove it on failure */
    const char *id;
    size_t id_len;
};

/* `{"jsonrpc":"2.0","id":…,"result":` and the rest. A result that cannot be written becomes an internal
 * error. */
void mcp_result_start(struct mcp *s, const struct mcp_request *r, struct mcp_line *ret_line);
void mcp_result_end(struct mcp_line *line);
/* id NULL: null. */
void mcp_error(struct mcp *s, const char *id, size_t id_len, int code, const char *message);
/* -32002, as revisions up to 2025-11-25 have it, with the URI in data. */
void mcp_no_resource(struct mcp *s, const struct mcp_request *r, const char *uri);
/* For failures of this server: -32603 with err_text(code). */
void mcp_internal_error(struct mcp *s, const struct mcp_request *r, int code);
/* `{"jsonrpc":"2.0","method":…,"params":`; a notification that cannot be written is dropped. */
void mcp_notify_start(struct mcp *s, const char *method, struct mcp_line *ret_line);
void mcp_notify_end(struct mcp_line *line);
/* Progress and logs are left out now, because the reader is slow. Never where the clock is fixed: then the
 * output must be reproducible, and mcp_serve.c waits for the reader instead. */
bool mcp_skips_news(const struct mcp *s);
/* A tool's answer: text (raw: it is a JSON string already). */
void mcp_tool_result(struct mcp *s, const struct mcp_request *r, const char *text, size_t len, bool raw,
                     bool is_error);
/* A log message at `level` ("info"), when the client requested that level. */
void mcp_log(struct mcp *s, const char *level, const char *text);
/* The index of a level name, 0 debug to 7 emergency; -1: no such level. */
int mcp_log_level(const char *name);

/* ---- mcp_tools.c, mcp_control.c, mcp_resources.c ---- */

void mcp_tools_list(struct mcp *s, const struct mcp_request *r);
void mcp_tools_call(struct mcp *s, struct mcp_request *r);
/* false: no control tool has that name, and no answer was written. */
bool mcp_control_call(struct mcp *s, const struct mcp_request *r, const char *name);
void mcp_control_agents(struct mcp *s, const struct mcp_request *r);
void mcp_resources_list(struct mcp *s, const struct mcp_request *r);
void mcp_resources_templates(struct mcp *s, const struct mcp_request *r);
void mcp_resources_read(struct mcp *s, const struct mcp_request *r);

/* ---- mcp_slow.c ---- */

/* ERR_FULL, -ENOMEM; 0: it will be answered later, unless cancelled. `message` is copied. */
MUSTCHECK int mcp_slow_start(struct mcp *s, const struct mcp_request *r, unsigned steps, uint64_t step_ms,
                             const char *message);
/* No effect when no slow call has that id. */
void mcp_slow_cancel(struct mcp *s, const char *id, size_t id_len);
/* Runs the due steps, and returns the time until the next one; -1: none. */
int mcp_slow_advance(struct mcp *s);
void mcp_slow_free_all(struct mcp *s);

#endif

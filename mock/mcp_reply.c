/* The output of agent-mock: results, errors, notifications, each one line.
 *
 * Purpose: append a line to the out buffer whole or not at all. A line is written directly into the buffer;
 * on a failure the buffer is cut back to the line's start. Failure modes: a result that does not fit becomes
 * an internal error for its caller; when that does not fit either, the server is marked as failed and exits,
 * because a silent loss would leave the caller waiting. A notification that does not fit is dropped.
 */
#include <stddef.h>
#include <string.h>

#include "mock/mcp.h"

#define CODE_INTERNAL_ERROR     (-32603)
#define CODE_RESOURCE_NOT_FOUND (-32002)

static const char *const log_levels[] = {"debug", "info",     "notice", "warning",
                                         "error", "critical", "alert",  "emergency"};

static void line_start(struct mcp *s, struct mcp_line *line)
{
    line->s = s;
    line->mark = buf_len(&s->out);
    line->id = NULL;
    line->id_len = 0;
    writer_init(&line->w, &s->out);
    write_object(&line->w);
    write_member_string(&line->w, "jsonrpc", "2.0");
}

/* 0, or the first error; the buffer then ends before the line. */
static int line_end(struct mcp_line *line)
{
    write_object_end(&line->w);
    int rc = writer_end(&line->w);
    if (rc == 0)
        rc = buf_append(&line->s->out, "\n", 1);
    if (rc != 0)
        buf_truncate(&line->s->out, line->mark);
    return rc;
}

static void error_line(struct mcp *s, const char *id, size_t id_len, int code, const char *message,
                       const char *uri)
{
    struct mcp_line line;
    line_start(s, &line);
    write_member_raw(&line.w, "id", id ? id : "null", id ? id_len : 4);
    write_key(&line.w, "error");
    write_object(&line.w);
    write_member_int(&line.w, "code", code);
    write_member_string(&line.w, "message", message);
    if (uri) {
        write_key(&line.w, "data");
        write_object(&line.w);
        write_member_string(&line.w, "uri", uri);
        write_object_end(&line.w);
    }
    write_object_end(&line.w);
    int rc = line_end(&line);
    if (rc != 0)
        s->failed = rc;
}

void mcp_error(struct mcp *s, const char *id, size_t id_len, int code, const char *message)
{
    error_line(s, id, id_len, code, message, NULL);
}

void mcp_no_resource(struct mcp *s, const struct mcp_request *r, const char *uri)
{
    error_line(s, r->id, r->id_len, CODE_RESOURCE_NOT_FOUND, "Resource not found", uri);
}

void mcp_result_start(struct mcp *s, const struct mcp_request *r, struct mcp_line *ret_line)
{
    line_start(s, ret_line);
    ret_line->id = r->id;
    ret_line->id_len = r->id_len;
    write_member_raw(&ret_line->w, "id", r->id, r->id_len);
    write_key(&ret_line->w, "result");
}

void mcp_result_end(struct mcp_line *line)
{
    int rc = line_end(line);
    if (rc != 0)
        mcp_error(line->s, line->id, line->id_len, CODE_INTERNAL_ERROR, err_text(rc));
}

void mcp_internal_error(struct mcp *s, const struct mcp_request *r, int code)
{
    mcp_error(s, r->id, r->id_len, CODE_INTERNAL_ERROR, err_text(code));
}

bool mcp_skips_news(const struct mcp *s)
{
    return !s->clock_is_fixed && buf_len(&s->out) > MCP_OUT_HIGH_BYTES;
}

void mcp_notify_start(struct mcp *s, const char *method, struct mcp_line *ret_line)
{
    line_start(s, ret_line);
    write_member_string(&ret_line->w, "method", method);
    write_key(&ret_line->w, "params");
}

void mcp_notify_end(struct mcp_line *line)
{
    int rc = line_end(line);
    (void)rc; /* dropped: no caller waits for it */
}

void mcp_tool_result(struct mcp *s, const struct mcp_request *r, const char *text, size_t len, bool raw,
                     bool is_error)
{
    struct mcp_line line;
    mcp_result_start(s, r, &line);
    write_object(&line.w);
    write_key(&line.w, "content");
    write_array(&line.w);
    write_object(&line.w);
    write_member_string(&line.w, "type", "text");
    write_key(&line.w, "text");
    if (raw)
        write_raw(&line.w, text, len);
    else
        write_string(&line.w, text, len);
    write_object_end(&line.w);
    write_array_end(&line.w);
    if (is_error)
        write_member_bool(&line.w, "isError", true);
    write_object_end(&line.w);
    mcp_result_end(&line);
}

int mcp_log_level(const char *name)
{
    for (size_t i = 0; i < sizeof(log_levels) / sizeof(log_levels[0]); i++) {
        if (strcmp(log_levels[i], name) == 0)
            return (int)i;
    }
    return -1;
}

void mcp_log(struct mcp *s, const char *level, const char *text)
{
    struct mcp_line line;
    if (s->log_level < 0 || mcp_log_level(level) < s->log_level || mcp_skips_news(s))
        return;
    mcp_notify_start(s, "notifications/message", &line);
    write_object(&line.w);
    write_member_string(&line.w, "level", level);
    write_member_string(&line.w, "logger", "agent-mock");
    write_member_string(&line.w, "data", text);
    write_object_end(&line.w);
    mcp_notify_end(&line);
}

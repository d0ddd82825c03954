/* The scripted peer: takes what the engine sends, line by line, knows which calls it has seen, and answers as
 * its script says. Purpose and use: engine_fixture.h. It proves on the way that each line is a JSON-RPC message,
 * that no call is sent twice that must not be, and that nothing reported as not run arrives after all.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/backend-client/engine/engine_fixture_internal.h"

#define CAST(activity)                                                                                       \
    "{\"agents\":[{\"id\":\"peer-1\",\"type\":\"coordinator\",\"name\":\"One\",\"status\":\"active\","       \
    "\"health\":95},{\"id\":\"peer-2\",\"type\":\"coder\",\"status\":\"" activity "\"},"                     \
    "{\"id\":\"peer-3\",\"type\":\"tester\"}]}"
const char engine_fixture_agents[] = CAST("idle");
const char engine_fixture_other_agents[] = CAST("busy");

const char engine_fixture_tools[] =
    "{\"tools\":[{\"name\":\"echo\"},{\"name\":\"agent_list\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"filter\":{\"type\":\"string\"}}}}]}";
const char engine_fixture_no_tools[] = "{\"tools\":[{\"name\":\"echo\"}]}";

/* ---- speaking ---- */

/* In memory as large as what is said, so that a sanitizer sees a read past its end. */
static void send_piece(struct engine_fixture *f, const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    REQUIRE(copy, "no memory for the test itself");
    memcpy(copy, bytes, len);
    f->sent_bytes += len;
    engine_link_bytes(&f->engine, copy, len, f->now_ms);
    free(copy);
    engine_fixture_check(f);
}

void engine_fixture_send_bytes(struct engine_fixture *f, const char *bytes, size_t len)
{
    unsigned link = f->link;
    while (len > 0 && f->linked && f->link == link) {
        size_t n = f->chunk > 0 && f->chunk < len ? f->chunk : len;
        uint64_t left = f->send_at_most == UINT64_MAX ? UINT64_MAX : f->send_at_most - f->sent_bytes;
        if (n > left)
            n = (size_t)left;
        if (n > 0)
            send_piece(f, bytes, n);
        bytes += n;
        len -= n;
        if (f->sent_bytes >= f->send_at_most) {
            f->send_at_most = UINT64_MAX;
            f->on_limit(f);
        }
    }
}

void engine_fixture_send(struct engine_fixture *f, const char *line)
{
    size_t len = strlen(line);
    char *text = malloc(len + 2);
    REQUIRE(text, "no memory for the test itself");
    (void)snprintf(text, len + 2, "%s\n", line);
    engine_fixture_send_bytes(f, text, len + 1);
    free(text);
}

void engine_fixture_send_part(struct engine_fixture *f, const char *text)
{
    engine_fixture_send_bytes(f, text, strlen(text));
}

void engine_fixture_sendf(struct engine_fixture *f, const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    REQUIRE(n >= 0 && (size_t)n < sizeof(line), "a line too long for the test");
    engine_fixture_send(f, line);
}

/* ---- its notes ---- */

static void drop_line(struct engine_fixture *f, size_t index)
{
    free(f->lines[index].text);
    f->line_count--;
    memmove(&f->lines[index], &f->lines[index + 1], (f->line_count - index) * sizeof(f->lines[0]));
}

void engine_fixture_forget_lines(struct engine_fixture *f)
{
    for (size_t i = 0; i < f->line_count; i++)
        free(f->lines[i].text);
    f->line_count = 0;
}

void engine_fixture_peer_reset(struct engine_fixture *f)
{
    f->linked = false;
    f->tool_offered = false;
    f->partial_len = 0;
    engine_fixture_forget_lines(f);
}

void engine_fixture_peer_done(struct engine_fixture *f)
{
    engine_fixture_forget_lines(f);
    free(f->lines);
    free(f->partial);
    f->lines = NULL;
    f->partial = NULL;
    f->line_cap = f->partial_cap = 0;
}

struct received_line *engine_fixture_find_line(struct engine_fixture *f, const char *method)
{
    for (size_t i = 0; i < f->line_count; i++) {
        if (f->lines[i].call_id == 0 && strcmp(f->lines[i].method, method) == 0)
            return &f->lines[i];
    }
    return NULL;
}

size_t engine_fixture_count_lines(const struct engine_fixture *f, const char *method)
{
    size_t count = 0;
    for (size_t i = 0; i < f->line_count; i++)
        count += f->lines[i].call_id == 0 && strcmp(f->lines[i].method, method) == 0;
    return count;
}

/* ---- answering ---- */

static void relay_error(struct engine_fixture *f, const char *id, bool retryable, bool sent,
                        unsigned retry_after_ms)
{
    char retry[48] = "";
    if (retry_after_ms > 0)
        (void)snprintf(retry, sizeof(retry), ",\"retryAfterMs\":%u", retry_after_ms);
    engine_fixture_sendf(
        f,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-31001,\"message\":\"the server is "
        "down\",\"data\":{\"relay\":true,\"code\":\"SERVER_UNAVAILABLE\",\"retryable\":%s,\"sent\":%s,\"server\":\"s\",\"state\":\"down\"%s}}}",
        id, retryable ? "true" : "false", sent ? "true" : "false", retry);
}

static void plain_error(struct engine_fixture *f, const char *id, int code)
{
    engine_fixture_sendf(
        f,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"it \\u00e9rrs\",\"data\":{\"why\":[1]}}}",
        id, code);
}

static void result(struct engine_fixture *f, const char *id, const char *json)
{
    engine_fixture_sendf(f, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", id, json);
}

static enum received_method method_of(const struct received_line *line)
{
    if (line->call_id > 0)
        return METHOD_CALL;
    if (strcmp(line->method, "initialize") == 0)
        return METHOD_INIT;
    if (strcmp(line->method, "notifications/initialized") == 0)
        return METHOD_INITIALIZED;
    if (strcmp(line->method, "tools/list") == 0)
        return METHOD_TOOLS;
    if (strcmp(line->method, "agents/list") == 0)
        return METHOD_LIST;
    if (strcmp(line->method, "tools/call") == 0)
        return METHOD_TOOL;
    if (strcmp(line->method, "relay/ping") == 0)
        return METHOD_PING;
    return strcmp(line->method, "notifications/cancelled") == 0 ? METHOD_CANCELLED : METHOD_OTHER;
}

static void good_answer(struct engine_fixture *f, const struct received_line *line,
                        enum received_method method)
{
    char echo[64];
    switch (method) {
    case METHOD_INIT:
        result(
            f, line->id,
            "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"peer\",\"version\":\"1\"}}");
        break;
    case METHOD_TOOLS:
        f->tool_offered = f->script.has_tool;
        result(f, line->id, f->script.has_tool ? engine_fixture_tools : engine_fixture_no_tools);
        break;
    case METHOD_LIST:
    case METHOD_TOOL:
        result(f, line->id, f->script.agents);
        break;
    case METHOD_CALL:
        (void)snprintf(echo, sizeof(echo), "{\"echo\":%llu}", (unsigned long long)line->call_id);
        result(f, line->id, echo);
        break;
    default:
        result(f, line->id, "{}");
        break;
    }
}

static void answer(struct engine_fixture *f, const struct received_line *line, enum peer_reply reply)
{
    struct call_record *k = line->call_id > 0 ? &f->calls[line->call_id] : NULL;
    if (k) {
        k->answers++;
        k->retry_asked |= reply == REPLY_UNAVAILABLE;
        k->disclaimed += reply == REPLY_UNAVAILABLE;
    }
    switch (reply) {
    case REPLY_GOOD:
        good_answer(f, line, method_of(line));
        break;
    case REPLY_UNKNOWN:
        plain_error(f, line->id, -32601);
        break;
    case REPLY_INVALID:
        plain_error(f, line->id, -32602);
        break;
    case REPLY_UNAVAILABLE:
        relay_error(f, line->id, true, false, f->script.retry_after_ms);
        break;
    case REPLY_ERROR:
        plain_error(f, line->id, -32603);
        break;
    case REPLY_UNUSABLE:
        result(f, line->id, "{\"nothing\":true}");
        break;
    case REPLY_NONE:
        break;
    }
}

/* Takes a line out of the notes; its text must be freed. */
static struct received_line take_line(struct engine_fixture *f, const struct received_line *line)
{
    size_t index = (size_t)(line - f->lines);
    struct received_line taken = *line;
    f->lines[index].text = NULL;
    drop_line(f, index);
    return taken;
}

static struct received_line *find_call(const struct engine_fixture *f, uint64_t id)
{
    for (size_t i = 0; i < f->line_count; i++) {
        if (f->lines[i].call_id == id)
            return &f->lines[i];
    }
    return NULL;
}

static struct received_line take_call(struct engine_fixture *f, uint64_t id)
{
    const struct received_line *line = find_call(f, id);
    REQUIRE(line, "the peer does not hold call %llu", (unsigned long long)id);
    return take_line(f, line);
}

bool engine_fixture_call_is_held(const struct engine_fixture *f, uint64_t id)
{
    return find_call(f, id);
}

void engine_fixture_answer(struct engine_fixture *f, uint64_t id)
{
    struct received_line line = take_call(f, id);
    answer(f, &line, REPLY_GOOD);
    free(line.text);
}

void engine_fixture_answer_error(struct engine_fixture *f, uint64_t id, int code)
{
    struct received_line line = take_call(f, id);
    f->calls[id].answers++;
    plain_error(f, line.id, code);
    free(line.text);
}

void engine_fixture_answer_relay_error(struct engine_fixture *f, uint64_t id, bool retryable, bool sent,
                                       unsigned retry_after_ms)
{
    struct received_line line = take_call(f, id);
    struct call_record *k = &f->calls[id];
    k->answers++;
    k->retry_asked |= retryable;
    k->disclaimed += !sent;
    relay_error(f, line.id, retryable, sent, retry_after_ms);
    free(line.text);
}

void engine_fixture_answer_line(struct engine_fixture *f, const char *method, enum peer_reply reply)
{
    const struct received_line *line = engine_fixture_find_line(f, method);
    REQUIRE(line, "the peer holds no %s", method);
    struct received_line taken = take_line(f, line);
    answer(f, &taken, reply);
    free(taken.text);
}

/* ---- hearing ---- */

static void note_call(struct engine_fixture *f, const struct received_line *line)
{
    uint64_t id = line->call_id;
    REQUIRE(id <= f->calls_made, "a call %llu that was never made", (unsigned long long)id);
    struct call_record *k = &f->calls[id];
    REQUIRE(!k->done || k->may_have_run || f->raw_peer, "call %llu (%s) was said not to have run, and comes",
            (unsigned long long)id, engine_fixture_code_name(k->code));
    REQUIRE(k->seen == k->disclaimed || (k->idempotent && k->policy == AR_WAIT) || f->raw_peer,
            "call %llu was sent again", (unsigned long long)id);
    REQUIRE(span_found(line->env.meta_token) == k->progress_wanted, "call %llu: its progress token",
            (unsigned long long)id);
    if (k->progress_wanted) {
        uint64_t token = 0;
        REQUIRE(rpc_parse_id(line->text + line->env.meta_token.off, line->env.meta_token.len, &token) &&
                    token == id,
                "call %llu has another's progress token", (unsigned long long)id);
    }
    k->seen++;
}

static void note_cancelled(const struct engine_fixture *f, const struct received_line *line)
{
    const char *id_text = line->text + line->env.request_id.off;
    uint64_t id = 0;
    if (rpc_string_begins(id_text, line->env.request_id.len, "ar-"))
        return; /* one of the engine's own */
    REQUIRE(rpc_parse_id(id_text, line->env.request_id.len, &id), "cancelled: no call's id: %s", line->text);
    REQUIRE(id >= 1 && id <= f->calls_made && f->calls[id].done && !f->calls[id].to_relay &&
                f->calls[id].seen > 0,
            "cancelled: %s", line->text);
}

static enum peer_reply reply_for(const struct engine_fixture *f, enum received_method method)
{
    switch (method) {
    case METHOD_INIT:
        return f->script.init;
    case METHOD_TOOLS:
        return f->script.tools;
    case METHOD_LIST:
        return f->script.list;
    case METHOD_TOOL:
        return f->script.tool;
    case METHOD_PING:
        return f->script.ping;
    case METHOD_CALL:
        return f->script.call;
    default:
        return REPLY_NONE;
    }
}

/* Notes a line: from now on the peer has it, whatever becomes of the link. */
static void note_line(struct engine_fixture *f, const char *text, size_t len)
{
    struct received_line line = {.len = len, .at_ms = f->now_ms, .fresh = true};
    rpc_scan_line(text, len, &line.env);
    /* Raw params may hold a routing key twice: that is for the peer to refuse. */
    bool sound = line.env.kind == RPC_INVALID ? f->raw_peer && rpc_fault_code(line.env.fault) == -32600
                                              : line.env.kind != RPC_BATCH;
    REQUIRE(sound, "no message: %.*s", (int)len, text);
    line.asks = line.env.has_method && span_found(line.env.id);
    line.text = malloc(len + 1);
    REQUIRE(line.text, "no memory for the test itself");
    memcpy(line.text, text, len);
    line.text[len] = '\0';
    size_t n = rpc_decode_string(text + line.env.method.off, line.env.method.len, line.method,
                                 sizeof(line.method) - 1);
    line.method[n == SIZE_MAX ? 0 : n] = '\0';
    if (line.env.id.len < sizeof(line.id))
        memcpy(line.id, text + line.env.id.off, line.env.id.len);
    if (line.asks && !rpc_parse_id(line.id, line.env.id.len, &line.call_id))
        line.call_id = 0;
    f->lines_received++;
    engine_fixture_trace(f, "received %.400s", line.text);
    enum received_method method = method_of(&line);
    f->methods_received[method]++;
    REQUIRE(method != METHOD_TOOL || f->tool_offered || f->raw_peer, "a tool is called that is not listed");
    if (method == METHOD_CALL)
        note_call(f, &line);
    if (method == METHOD_CANCELLED)
        note_cancelled(f, &line);
    f->lines = engine_fixture_grow(f->lines, &f->line_cap, f->line_count + 1, sizeof(line));
    f->lines[f->line_count++] = line;
}

/* Keeps, answers or forgets the first line that was not treated yet; false: there is none. */
static bool treat_line(struct engine_fixture *f)
{
    size_t i = 0;
    while (i < f->line_count && !f->lines[i].fresh)
        i++;
    if (i == f->line_count)
        return false;
    struct received_line *line = &f->lines[i];
    line->fresh = false;
    bool asks = line->asks;
    enum peer_reply reply = asks ? reply_for(f, method_of(line)) : REPLY_NONE;
    if (reply == REPLY_NONE && (asks || !f->drops_lines))
        return true;
    struct received_line taken = take_line(f, line);
    answer(f, &taken, reply);
    free(taken.text);
    return true;
}

static void note_lines(struct engine_fixture *f)
{
    size_t done = 0;
    while (done < f->partial_len) {
        const char *start = f->partial + done;
        const char *newline = memchr(start, '\n', f->partial_len - done);
        if (!newline)
            break;
        note_line(f, start, (size_t)(newline - start));
        done += (size_t)(newline - start) + 1;
    }
    f->partial_len -= done;
    if (done > 0)
        memmove(f->partial, f->partial + done, f->partial_len);
}

size_t engine_fixture_read(struct engine_fixture *f, size_t bytes)
{
    struct buf *out = &f->engine.out;
    if (!f->linked)
        return 0;
    size_t n = buf_len(out) < bytes ? buf_len(out) : bytes;
    uint64_t left = f->receive_at_most == UINT64_MAX ? UINT64_MAX : f->receive_at_most - f->received_bytes;
    if (n > left)
        n = (size_t)left;
    if (n == 0 && left > 0)
        return 0;
    if (n > 0) {
        f->partial = engine_fixture_grow(f->partial, &f->partial_cap, f->partial_len + n, 1);
        memcpy(f->partial + f->partial_len, buf_data(out), n);
        f->partial_len += n;
        f->received_bytes += n;
        note_lines(f);
        engine_link_sent(&f->engine, n, f->now_ms);
        engine_fixture_check(f);
        while (treat_line(f)) {
        }
    }
    if (f->received_bytes >= f->receive_at_most) {
        f->receive_at_most = UINT64_MAX;
        f->on_limit(f);
    }
    return n;
}

void engine_fixture_pump(struct engine_fixture *f)
{
    while (!f->not_reading && engine_fixture_read(f, SIZE_MAX) > 0) {
    }
}

/* The scripted peer: takes what the engine sends, line by line, knows which calls it has seen, and answers as
 * its script says. Purpose and use: engine_kit.h. It proves on the way that each line is a JSON-RPC message,
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
const char kit_agents[] = CAST("idle");
const char kit_other_agents[] = CAST("busy");

/* ---- speaking ---- */

/* In memory as large as what is said, so that a sanitizer sees a read past its end. */
static void say_piece(struct kit *kit, const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    KIT_REQUIRE(copy, "no memory for the test itself");
    memcpy(copy, bytes, len);
    kit->said += len;
    engine_link_bytes(&kit->engine, copy, len, kit->now_ms);
    free(copy);
    kit_check(kit);
}

void kit_say_bytes(struct kit *kit, const char *bytes, size_t len)
{
    unsigned link = kit->link;
    while (len > 0 && kit->linked && kit->link == link) {
        size_t n = kit->chunk > 0 && kit->chunk < len ? kit->chunk : len;
        uint64_t left = kit->say_at_most == UINT64_MAX ? UINT64_MAX : kit->say_at_most - kit->said;
        if (n > left)
            n = (size_t)left;
        if (n > 0)
            say_piece(kit, bytes, n);
        bytes += n;
        len -= n;
        if (kit->said >= kit->say_at_most) {
            kit->say_at_most = UINT64_MAX;
            kit->on_enough(kit);
        }
    }
}

void kit_say(struct kit *kit, const char *line)
{
    size_t len = strlen(line);
    char *text = malloc(len + 2);
    KIT_REQUIRE(text, "no memory for the test itself");
    (void)snprintf(text, len + 2, "%s\n", line);
    kit_say_bytes(kit, text, len + 1);
    free(text);
}

void kit_say_part(struct kit *kit, const char *text)
{
    kit_say_bytes(kit, text, strlen(text));
}

void kit_sayf(struct kit *kit, const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    KIT_REQUIRE(n >= 0 && (size_t)n < sizeof(line), "a line too long for the test");
    kit_say(kit, line);
}

/* ---- its notes ---- */

static void drop_line(struct kit *kit, size_t index)
{
    free(kit->lines[index].text);
    kit->line_count--;
    memmove(&kit->lines[index], &kit->lines[index + 1], (kit->line_count - index) * sizeof(kit->lines[0]));
}

void kit_forget_lines(struct kit *kit)
{
    for (size_t i = 0; i < kit->line_count; i++)
        free(kit->lines[i].text);
    kit->line_count = 0;
}

void kit_peer_gone(struct kit *kit)
{
    kit->linked = false;
    kit->partial_len = 0;
    kit_forget_lines(kit);
}

void kit_peer_done(struct kit *kit)
{
    kit_forget_lines(kit);
    free(kit->lines);
    free(kit->partial);
    kit->lines = NULL;
    kit->partial = NULL;
    kit->line_cap = kit->partial_cap = 0;
}

struct kit_line *kit_find(struct kit *kit, const char *method)
{
    for (size_t i = 0; i < kit->line_count; i++) {
        if (kit->lines[i].call_id == 0 && strcmp(kit->lines[i].method, method) == 0)
            return &kit->lines[i];
    }
    return NULL;
}

size_t kit_count(const struct kit *kit, const char *method)
{
    size_t count = 0;
    for (size_t i = 0; i < kit->line_count; i++)
        count += kit->lines[i].call_id == 0 && strcmp(kit->lines[i].method, method) == 0;
    return count;
}

/* ---- answering ---- */

static void relay_error(struct kit *kit, const char *id, bool retryable, bool sent, unsigned retry_after_ms)
{
    char retry[48] = "";
    if (retry_after_ms > 0)
        (void)snprintf(retry, sizeof(retry), ",\"retryAfterMs\":%u", retry_after_ms);
    kit_sayf(
        kit,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-31001,\"message\":\"the server is "
        "down\",\"data\":{\"relay\":true,\"code\":\"SERVER_UNAVAILABLE\",\"retryable\":%s,\"sent\":%s,\"server\":\"s\",\"state\":\"down\"%s}}}",
        id, retryable ? "true" : "false", sent ? "true" : "false", retry);
}

static void plain_error(struct kit *kit, const char *id, int code)
{
    kit_sayf(
        kit,
        "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":%d,\"message\":\"it \\u00e9rrs\",\"data\":{\"why\":[1]}}}",
        id, code);
}

static void result(struct kit *kit, const char *id, const char *json)
{
    kit_sayf(kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":%s}", id, json);
}

static enum kit_method method_of(const struct kit_line *line)
{
    if (line->call_id > 0)
        return KIT_M_CALL;
    if (strcmp(line->method, "initialize") == 0)
        return KIT_M_INIT;
    if (strcmp(line->method, "notifications/initialized") == 0)
        return KIT_M_INITIALIZED;
    if (strcmp(line->method, "agents/list") == 0)
        return KIT_M_LIST;
    if (strcmp(line->method, "tools/call") == 0)
        return KIT_M_TOOL;
    if (strcmp(line->method, "relay/ping") == 0)
        return KIT_M_PING;
    return strcmp(line->method, "notifications/cancelled") == 0 ? KIT_M_CANCELLED : KIT_M_OTHER;
}

static void good_answer(struct kit *kit, const struct kit_line *line, enum kit_method method)
{
    char echo[64];
    switch (method) {
    case KIT_M_INIT:
        result(
            kit, line->id,
            "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"peer\",\"version\":\"1\"}}");
        break;
    case KIT_M_LIST:
    case KIT_M_TOOL:
        result(kit, line->id, kit->script.agents);
        break;
    case KIT_M_CALL:
        (void)snprintf(echo, sizeof(echo), "{\"echo\":%llu}", (unsigned long long)line->call_id);
        result(kit, line->id, echo);
        break;
    default:
        result(kit, line->id, "{}");
        break;
    }
}

static void answer(struct kit *kit, const struct kit_line *line, enum kit_mood mood)
{
    struct kit_call *k = line->call_id > 0 ? &kit->calls[line->call_id] : NULL;
    if (k) {
        k->answers++;
        k->retry_asked |= mood == KIT_DOWN;
        k->disclaimed += mood == KIT_DOWN;
    }
    switch (mood) {
    case KIT_GOOD:
        good_answer(kit, line, method_of(line));
        break;
    case KIT_UNKNOWN:
        plain_error(kit, line->id, -32601);
        break;
    case KIT_INVALID:
        plain_error(kit, line->id, -32602);
        break;
    case KIT_DOWN:
        relay_error(kit, line->id, true, false, kit->script.retry_after_ms);
        break;
    case KIT_ERROR:
        plain_error(kit, line->id, -32603);
        break;
    case KIT_ODD:
        result(kit, line->id, "{\"nothing\":true}");
        break;
    case KIT_SILENT:
        break;
    }
}

/* Takes a line out of the notes; its text must be freed. */
static struct kit_line take_line(struct kit *kit, const struct kit_line *line)
{
    size_t index = (size_t)(line - kit->lines);
    struct kit_line taken = *line;
    kit->lines[index].text = NULL;
    drop_line(kit, index);
    return taken;
}

static struct kit_line *find_call(const struct kit *kit, uint64_t id)
{
    for (size_t i = 0; i < kit->line_count; i++) {
        if (kit->lines[i].call_id == id)
            return &kit->lines[i];
    }
    return NULL;
}

static struct kit_line take_call(struct kit *kit, uint64_t id)
{
    const struct kit_line *line = find_call(kit, id);
    KIT_REQUIRE(line, "the peer does not hold call %llu", (unsigned long long)id);
    return take_line(kit, line);
}

bool kit_call_is_held(const struct kit *kit, uint64_t id)
{
    return find_call(kit, id);
}

void kit_answer(struct kit *kit, uint64_t id)
{
    struct kit_line line = take_call(kit, id);
    answer(kit, &line, KIT_GOOD);
    free(line.text);
}

void kit_answer_error(struct kit *kit, uint64_t id, int code)
{
    struct kit_line line = take_call(kit, id);
    kit->calls[id].answers++;
    plain_error(kit, line.id, code);
    free(line.text);
}

void kit_answer_relay_error(struct kit *kit, uint64_t id, bool retryable, bool sent, unsigned retry_after_ms)
{
    struct kit_line line = take_call(kit, id);
    struct kit_call *k = &kit->calls[id];
    k->answers++;
    k->retry_asked |= retryable;
    k->disclaimed += !sent;
    relay_error(kit, line.id, retryable, sent, retry_after_ms);
    free(line.text);
}

void kit_answer_held(struct kit *kit, const char *method, enum kit_mood mood)
{
    const struct kit_line *line = kit_find(kit, method);
    KIT_REQUIRE(line, "the peer holds no %s", method);
    struct kit_line taken = take_line(kit, line);
    answer(kit, &taken, mood);
    free(taken.text);
}

/* ---- hearing ---- */

static void note_call(struct kit *kit, const struct kit_line *line)
{
    uint64_t id = line->call_id;
    KIT_REQUIRE(id <= kit->calls_made, "a call %llu that nobody made", (unsigned long long)id);
    struct kit_call *k = &kit->calls[id];
    KIT_REQUIRE(!k->done || k->may_have_run || kit->raw_peer,
                "call %llu (%s) was said not to have run, and comes", (unsigned long long)id,
                kit_code_name(k->code));
    KIT_REQUIRE(k->seen == k->disclaimed || (k->idempotent && k->policy == AR_WAIT) || kit->raw_peer,
                "call %llu was sent again", (unsigned long long)id);
    KIT_REQUIRE(span_found(line->env.meta_token) == k->progress_wanted, "call %llu: its progress token",
                (unsigned long long)id);
    if (k->progress_wanted) {
        uint64_t token = 0;
        KIT_REQUIRE(rpc_parse_id(line->text + line->env.meta_token.off, line->env.meta_token.len, &token) &&
                        token == id,
                    "call %llu has another's progress token", (unsigned long long)id);
    }
    k->seen++;
}

static void note_cancelled(const struct kit *kit, const struct kit_line *line)
{
    const char *id_text = line->text + line->env.request_id.off;
    uint64_t id = 0;
    if (rpc_string_begins(id_text, line->env.request_id.len, "ar-"))
        return; /* one of the engine's own */
    KIT_REQUIRE(rpc_parse_id(id_text, line->env.request_id.len, &id), "cancelled: no call's id: %s",
                line->text);
    KIT_REQUIRE(id >= 1 && id <= kit->calls_made && kit->calls[id].done && !kit->calls[id].to_relay &&
                    kit->calls[id].seen > 0,
                "cancelled: %s", line->text);
}

static enum kit_mood mood_for(const struct kit *kit, enum kit_method method)
{
    switch (method) {
    case KIT_M_INIT:
        return kit->script.init;
    case KIT_M_LIST:
        return kit->script.list;
    case KIT_M_TOOL:
        return kit->script.tool;
    case KIT_M_PING:
        return kit->script.ping;
    case KIT_M_CALL:
        return kit->script.call;
    default:
        return KIT_SILENT;
    }
}

/* Notes a line: from now on the peer has it, whatever becomes of the link. */
static void note_line(struct kit *kit, const char *text, size_t len)
{
    struct kit_line line = {.len = len, .at_ms = kit->now_ms, .fresh = true};
    rpc_scan_line(text, len, &line.env);
    /* Raw params may hold a routing key twice: that is for the peer to refuse. */
    bool sound = line.env.kind == RPC_INVALID ? kit->raw_peer && rpc_fault_code(line.env.fault) == -32600
                                              : line.env.kind != RPC_BATCH;
    KIT_REQUIRE(sound, "no message: %.*s", (int)len, text);
    line.asks = line.env.has_method && span_found(line.env.id);
    line.text = malloc(len + 1);
    KIT_REQUIRE(line.text, "no memory for the test itself");
    memcpy(line.text, text, len);
    line.text[len] = '\0';
    size_t n = rpc_decode_string(text + line.env.method.off, line.env.method.len, line.method,
                                 sizeof(line.method) - 1);
    line.method[n == SIZE_MAX ? 0 : n] = '\0';
    if (line.env.id.len < sizeof(line.id))
        memcpy(line.id, text + line.env.id.off, line.env.id.len);
    if (line.asks && !rpc_parse_id(line.id, line.env.id.len, &line.call_id))
        line.call_id = 0;
    kit->lines_heard++;
    kit_trace(kit, "heard %.400s", line.text);
    enum kit_method method = method_of(&line);
    kit->methods_heard[method]++;
    if (method == KIT_M_CALL)
        note_call(kit, &line);
    if (method == KIT_M_CANCELLED)
        note_cancelled(kit, &line);
    kit->lines = kit_grow(kit->lines, &kit->line_cap, kit->line_count + 1, sizeof(line));
    kit->lines[kit->line_count++] = line;
}

/* Keeps, answers or forgets the first line that was not treated yet; false: there is none. */
static bool treat_line(struct kit *kit)
{
    size_t i = 0;
    while (i < kit->line_count && !kit->lines[i].fresh)
        i++;
    if (i == kit->line_count)
        return false;
    struct kit_line *line = &kit->lines[i];
    line->fresh = false;
    bool asks = line->asks;
    enum kit_mood mood = asks ? mood_for(kit, method_of(line)) : KIT_SILENT;
    if (mood == KIT_SILENT && (asks || !kit->forgetful))
        return true;
    struct kit_line taken = take_line(kit, line);
    answer(kit, &taken, mood);
    free(taken.text);
    return true;
}

static void note_lines(struct kit *kit)
{
    size_t done = 0;
    while (done < kit->partial_len) {
        const char *start = kit->partial + done;
        const char *newline = memchr(start, '\n', kit->partial_len - done);
        if (!newline)
            break;
        note_line(kit, start, (size_t)(newline - start));
        done += (size_t)(newline - start) + 1;
    }
    kit->partial_len -= done;
    if (done > 0)
        memmove(kit->partial, kit->partial + done, kit->partial_len);
}

size_t kit_take(struct kit *kit, size_t bytes)
{
    struct buf *out = &kit->engine.out;
    if (!kit->linked)
        return 0;
    size_t n = buf_len(out) < bytes ? buf_len(out) : bytes;
    uint64_t left = kit->hear_at_most == UINT64_MAX ? UINT64_MAX : kit->hear_at_most - kit->heard;
    if (n > left)
        n = (size_t)left;
    if (n == 0 && left > 0)
        return 0;
    if (n > 0) {
        kit->partial = kit_grow(kit->partial, &kit->partial_cap, kit->partial_len + n, 1);
        memcpy(kit->partial + kit->partial_len, buf_data(out), n);
        kit->partial_len += n;
        kit->heard += n;
        note_lines(kit);
        engine_link_sent(&kit->engine, n, kit->now_ms);
        kit_check(kit);
        while (treat_line(kit)) {
        }
    }
    if (kit->heard >= kit->hear_at_most) {
        kit->hear_at_most = UINT64_MAX;
        kit->on_enough(kit);
    }
    return n;
}

void kit_pump(struct kit *kit)
{
    while (!kit->deaf && kit_take(kit, SIZE_MAX) > 0) {
    }
}

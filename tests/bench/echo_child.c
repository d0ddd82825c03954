/* A stdio MCP server that costs next to nothing, so that a bench measures what stands in front of it.
 *
 * Reads chunks of 256 KiB, answers every line of a chunk into one buffer, writes that buffer at once.
 * `tools/call` answers a text content with the bytes of arguments.message as they came (still escaped), so
 * the answer is as long as the request. It trusts its input: whoever stands in front is the one to be strict.
 * Members may come in any order, since other relays print what they parsed.
 *
 * Methods: initialize, ping, tools/list, tools/call (any tool echoes), and, for measuring failures, `pid`
 * (answers the process id), `hang` (never answers) and `die` (exits with 3). Notifications and answers are
 * ignored.
 *
 *   echo_child [--die-after N]     exits with 3 in place of answering request N+1
 *
 * Failure modes: end of input exits with 0, a failed read or write or no memory with 1.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHUNK_BYTES (256U * 1024U)
#define EXIT_DIED   3

struct bytes {
    char *at;
    size_t len;
    size_t cap;
};

struct view {
    const char *at; /* NULL: not there */
    size_t len;
};

struct message {
    struct view id;
    struct view method;
    struct view params;
};

static void reserve(struct bytes *b, size_t more)
{
    if (b->cap - b->len >= more)
        return;
    size_t cap = (b->len + more) * 2;
    char *at = realloc(b->at, cap);
    if (!at)
        _exit(1);
    b->at = at;
    b->cap = cap;
}

static void put(struct bytes *b, const char *at, size_t len)
{
    reserve(b, len);
    memcpy(b->at + b->len, at, len);
    b->len += len;
}

static void put_text(struct bytes *b, const char *text)
{
    put(b, text, strlen(text));
}

/* `at` stands behind an opening quote; gives the closing one. */
static const char *string_end(const char *at, const char *end)
{
    while (at < end) {
        const char *quote = memchr(at, '"', (size_t)(end - at));
        if (!quote)
            return end;
        const char *back = quote;
        while (back > at && back[-1] == '\\')
            back--;
        if ((quote - back) % 2 == 0)
            return quote;
        at = quote + 1;
    }
    return end;
}

/* `at` stands on the first byte of a value; gives the byte behind it. */
static const char *value_end(const char *at, const char *end)
{
    int depth = 0;
    for (; at < end; at++) {
        if (*at == '"') {
            at = string_end(at + 1, end);
            if (at == end)
                break;
        } else if (*at == '{' || *at == '[') {
            depth++;
        } else if (*at == '}' || *at == ']') {
            if (depth == 0)
                return at;
            depth--;
        } else if (*at == ',' && depth == 0) {
            return at;
        }
        if (depth == 0 && (*at == '"' || *at == '}' || *at == ']'))
            return at + 1;
    }
    return end;
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == ',' || *at == ':'))
        at++;
    return at;
}

static bool is(struct view v, const char *text)
{
    size_t len = strlen(text);
    return v.len == len && memcmp(v.at, text, len) == 0;
}

/* The next member of the object that *at stands in; false at its end. */
static bool next_member(const char **at, const char *end, struct view *ret_key, struct view *ret_value)
{
    const char *key = skip_blanks(*at, end);
    if (key >= end || *key != '"')
        return false;
    const char *key_end = string_end(key + 1, end);
    if (key_end == end)
        return false;
    const char *value = skip_blanks(key_end + 1, end);
    const char *after = value_end(value, end);
    *ret_key = (struct view){key + 1, (size_t)(key_end - key - 1)};
    *ret_value = (struct view){value, (size_t)(after - value)};
    *at = after;
    return true;
}

/* The value of `name` in an object, its outer braces included in `object`. */
static struct view member(struct view object, const char *name)
{
    const char *at = object.at + 1, *end = object.at + object.len;
    struct view key, value;
    if (object.len < 2 || object.at[0] != '{')
        return (struct view){NULL, 0};
    while (next_member(&at, end, &key, &value))
        if (is(key, name))
            return value;
    return (struct view){NULL, 0};
}

static void scan(const char *line, size_t len, struct message *ret_message)
{
    const char *at = skip_blanks(line, line + len), *end = line + len;
    struct view key, value;
    memset(ret_message, 0, sizeof(*ret_message));
    if (at == end || *at++ != '{')
        return;
    while (next_member(&at, end, &key, &value)) {
        if (is(key, "id"))
            ret_message->id = value;
        if (is(key, "method"))
            ret_message->method = value;
        if (is(key, "params"))
            ret_message->params = value;
    }
}

static void answer_echo(struct bytes *out, struct view params)
{
    struct view text = member(member(params, "arguments"), "message");
    put_text(out, "{\"content\":[{\"type\":\"text\",\"text\":");
    if (text.len != 0 && text.at[0] == '"')
        put(out, text.at, text.len);
    else
        put_text(out, "\"\"");
    put_text(out, "}]}");
}

static void answer_initialize(struct bytes *out, struct view params)
{
    struct view version = member(params, "protocolVersion");
    put_text(out, "{\"protocolVersion\":");
    if (version.len != 0)
        put(out, version.at, version.len);
    else
        put_text(out, "\"2025-11-25\"");
    put_text(out,
             ",\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"echo\",\"version\":\"1.0.0\"}}");
}

static void answer_pid(struct bytes *out)
{
    char text[48];
    (void)snprintf(text, sizeof(text), "{\"pid\":%ld}", (long)getpid());
    put_text(out, text);
}

static const char tools[] =
    "{\"tools\":[{\"name\":\"echo\",\"description\":\"Gives back its message\",\"inputSchema\":"
    "{\"type\":\"object\",\"properties\":{\"message\":{\"type\":\"string\"}}}}]}";

static void answer(struct bytes *out, const char *line, size_t len)
{
    struct message m;
    scan(line, len, &m);
    if (!m.id.at || !m.method.at || is(m.method, "\"hang\""))
        return;
    if (is(m.method, "\"die\""))
        _exit(EXIT_DIED);
    put_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    put(out, m.id.at, m.id.len);
    put_text(out, ",\"result\":");
    if (is(m.method, "\"initialize\""))
        answer_initialize(out, m.params);
    else if (is(m.method, "\"tools/list\""))
        put_text(out, tools);
    else if (is(m.method, "\"ping\""))
        put_text(out, "{}");
    else if (is(m.method, "\"pid\""))
        answer_pid(out);
    else
        answer_echo(out, m.params);
    put(out, "}\n", 2);
}

static void flush(struct bytes *out)
{
    size_t done = 0;
    while (done < out->len) {
        ssize_t n = write(STDOUT_FILENO, out->at + done, out->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            _exit(1);
        done += (size_t)n;
    }
    out->len = 0;
}

/* Answers every whole line; what is left of the last one moves to the front. `fresh` is where the unseen
 * bytes begin. */
static size_t answer_lines(struct bytes *in, size_t fresh, struct bytes *out, uint64_t *left)
{
    char *line = in->at, *end = in->at + in->len, *from = in->at + fresh, *newline;
    while ((newline = memchr(from, '\n', (size_t)(end - from)))) {
        size_t before = out->len;
        answer(out, line, (size_t)(newline - line));
        if (out->len != before && (*left)-- == 0)
            _exit(EXIT_DIED);
        line = from = newline + 1;
    }
    in->len = (size_t)(end - line);
    memmove(in->at, line, in->len);
    return in->len;
}

int main(int argc, char **argv)
{
    struct bytes in = {NULL, 0, 0}, out = {NULL, 0, 0};
    uint64_t left = UINT64_MAX;
    size_t seen = 0;
    if (argc == 3 && strcmp(argv[1], "--die-after") == 0)
        left = strtoull(argv[2], NULL, 10);
    for (;;) {
        reserve(&in, CHUNK_BYTES);
        ssize_t n = read(STDIN_FILENO, in.at + in.len, CHUNK_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0 ? 0 : 1;
        in.len += (size_t)n;
        seen = answer_lines(&in, seen, &out, &left);
        flush(&out);
    }
}

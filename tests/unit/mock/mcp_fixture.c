/* What the tests of the mock server share. Purpose and use: mock_kit.h. */
#include "tests/unit/mock/mcp_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/common/strict_json.h"
#include "wire/rpc.h"

struct mcp server;
static char *output;   /* what the last send_lines() gave, the newlines made NULs */
char *line[MAX_LINES]; /* its lines */
size_t line_count;
struct json_doc *doc; /* of the line that open_line() took */

void server_open(void)
{
    char problem[100];
    struct mock_options options = {.seed = 1, .start_ms = NOW};
    assert_int_equal(mock_new(&options, &mock, problem, sizeof(problem)), 0);
    mcp_init(&server, mock);
    server.clock_is_fixed = true;
    server.fixed_now_ms = NOW;
}

int server_set_up(void **state)
{
    (void)state;
    server_open();
    return 0;
}

static void forget(void)
{
    json_free(doc);
    doc = NULL;
    free(output);
    output = NULL;
}

void server_close(void)
{
    mcp_done(&server);
    mock_free(mock);
}

int server_tear_down(void **state)
{
    (void)state;
    forget();
    server_close();
    return 0;
}

int memory_file(const char *bytes, size_t len)
{
    int fd = memfd_create("mock", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), len);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static char *read_all(int fd, size_t *ret_len)
{
    off_t len = lseek(fd, 0, SEEK_END);
    char *bytes = malloc((size_t)len + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(fd, bytes, (size_t)len, 0), len);
    bytes[len] = '\0';
    *ret_len = (size_t)len;
    return bytes;
}

static void split_lines(size_t len)
{
    line_count = 0;
    for (char *at = output; at < output + len;) {
        char *newline = strchr(at, '\n');
        assert_non_null(newline);
        *newline = '\0';
        assert_true(line_count < MAX_LINES);
        assert_true(is_strict_json(at, (size_t)(newline - at)));
        line[line_count++] = at;
        at = newline + 1;
    }
}

int send_bytes(const char *bytes, size_t bytes_len)
{
    size_t len;
    int in = memory_file(bytes, bytes_len), out = memory_file("", 0);
    forget();
    int rc = mcp_serve(&server, in, out);
    output = read_all(out, &len);
    close(in);
    close(out);
    split_lines(len);
    return rc;
}

void send_lines(const char *text)
{
    assert_int_equal(send_bytes(text, strlen(text)), 0);
}

void open_json(const char *json, size_t len)
{
    json_free(doc);
    doc = NULL;
    assert_int_equal(json_parse(json, len, JSON_STRICT, 100000, &doc, NULL), 0);
}

void open_line(size_t index)
{
    assert_true(index < line_count);
    open_json(line[index], strlen(line[index]));
}

/* "result.agents.0.id": members by name, elements by number. */
json_node at(const char *path)
{
    char part[64];
    json_node node = json_root(doc);
    while (*path && node != JSON_ABSENT) {
        size_t len = strcspn(path, ".");
        assert_true(len < sizeof(part));
        memcpy(part, path, len);
        part[len] = '\0';
        path += len + (path[len] == '.');
        if (json_type(doc, node) == JSON_ARRAY) {
            json_node element = json_first(doc, node);
            for (long left = strtol(part, NULL, 10); left > 0; left--)
                element = json_next(doc, element);
            node = element;
        } else {
            node = json_get(doc, node, part);
        }
    }
    return node;
}

const char *text_at(const char *path)
{
    const char *text = json_string(doc, at(path), NULL);
    if (!text)
        fail_msg("no string at %s", path);
    return text ? text : "";
}

int64_t number_at(const char *path)
{
    int64_t value = 0;
    if (!json_int(doc, at(path), INT64_MIN, INT64_MAX, &value))
        fail_msg("no whole number at %s", path);
    return value;
}

bool is_true_at(const char *path)
{
    bool value = false;
    return json_bool(doc, at(path), &value) && value;
}

void call_tool(const char *name, const char *arguments)
{
    char request[1000];
    (void)snprintf(
        request, sizeof(request),
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"%s\",\"arguments\":%s}}\n",
        name, arguments);
    send_lines(request);
    assert_int_equal(line_count, 1);
    open_line(0);
}

/* A tool that succeeds: its text is JSON, marked as mock. */
void expect_tool_json(const char *name, const char *arguments)
{
    call_tool(name, arguments);
    assert_int_equal(json_get(doc, at("result"), "isError"), JSON_ABSENT);
    char *text = strdup(text_at("result.content.0.text"));
    assert_non_null(text);
    open_json(text, strlen(text));
    free(text);
    assert_true(is_true_at("success"));
    assert_true(is_true_at("mock"));
    assert_string_equal(text_at("timestamp"), "2026-01-01T00:00:00.000Z");
}

void expect_tool_error(const char *name, const char *arguments, const char *problem)
{
    call_tool(name, arguments);
    assert_true(is_true_at("result.isError"));
    assert_string_equal(text_at("result.content.0.text"), problem);
}

/* Log lines as text, and the ring with its writer: order, drops that are counted and logged, and a reader that
 * never reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log/log.h"
#include "log/log_line.h"
#include "tests/unit/common/fault_alloc.h"
#include "wire/json.h"

/* 2026-01-02T03:04:05.678Z */
#define SOME_WALL_MS INT64_C(1767323045678)

static char line[LOG_LINE_MAX_BYTES + 1];

static size_t format(enum log_format how, const struct log_field *fields)
{
    memset(line, 'X', sizeof(line));
    size_t len = log_line_format(line, how, SOME_WALL_MS, LOG_INFO, "child exited", fields);
    assert_in_range(len, 1, LOG_LINE_MAX_BYTES);
    assert_int_equal(line[LOG_LINE_MAX_BYTES], 'X');
    assert_int_equal(line[len - 1], '\n');
    assert_null(memchr(line, '\n', len - 1));
    line[len - 1] = '\0';
    return len - 1;
}

#define FIELDS(...) ((const struct log_field[]){__VA_ARGS__, F_END})

/* ---- one line ---- */

static void logfmt(void **state)
{
    (void)state;
    (void)format(LOG_LOGFMT,
                 FIELDS(F_STR("server", "memory"), F_INT("status", -9), F_UINT("n", UINT64_MAX),
                        F_BOOL("shared", true), F_STR("none", NULL), F_BYTES("part", "abcdef", 3)));
    assert_string_equal(
        line,
        "ts=2026-01-02T03:04:05.678Z level=info event=\"child exited\" server=memory status=-9 n=18446744073709551615 shared=true none=\"\" part=abc");
}

static void json_lines(void **state)
{
    (void)state;
    (void)format(LOG_JSON, FIELDS(F_STR("server", "memory"), F_INT("status", -9), F_BOOL("shared", false),
                                  F_STR("none", NULL)));
    assert_string_equal(line,
                        "{\"ts\":\"2026-01-02T03:04:05.678Z\",\"level\":\"info\",\"event\":\"child exited\","
                        "\"server\":\"memory\",\"status\":-9,\"shared\":false,\"none\":\"\"}");
}

static void check_value(const char *value, size_t len, const char *expected)
{
    (void)format(LOG_LOGFMT, FIELDS(F_BYTES("v", value, len)));
    assert_string_equal(strstr(line, " v=") + 3, expected);
}

static void values_that_need_quotes(void **state)
{
    (void)state;
    check_value("a b", 3, "\"a b\"");
    check_value("a=b", 3, "\"a=b\"");
    check_value("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    check_value("two\nlines\r\t", 11, "\"two\\nlines\\r\\t\"");
    check_value("\0", 1, "\"\\u0000\"");
    check_value("\x1b[31m\x7f", 6, "\"\\u001b[31m\\u007f\"");
    check_value("\xc2\x9b", 2, "\"\\u009b\"");     /* C1: a terminal's escape in one character */
    check_value("\xe2\x80\xa8", 3, "\"\\u2028\""); /* a line end to some readers */
    check_value("gr\xc3\xbc\xc3\x9f", 6, "\"gr\xc3\xbc\xc3\x9f\"");
    check_value("\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"");
}

static void invalid_utf8(void **state)
{
    (void)state;
#define FFFD "\xef\xbf\xbd"
    check_value("\xff", 1, "\"" FFFD "\"");
    check_value("a\xc3", 2, "\"a" FFFD "\"");
    check_value("\xe2\x82z", 3, "\"" FFFD FFFD "z\"");
    check_value("\xc0\xaf", 2, "\"" FFFD FFFD "\"");          /* overlong */
    check_value("\xed\xa0\x80", 3, "\"" FFFD FFFD FFFD "\""); /* a surrogate */
    check_value("\xf4\x90\x80\x80", 4, "\"" FFFD FFFD FFFD FFFD "\"");
}

/* Every byte value, in every place of two: always strict JSON of one line. */
static void any_bytes_are_json(void **state)
{
    (void)state;
    for (int i = 0; i < 65536; i++) {
        char bytes[2] = {(char)(i >> 8), (char)i};
        size_t len = format(LOG_JSON, FIELDS(F_BYTES("v", bytes, 2)));
        struct json_doc *doc;
        assert_int_equal(json_parse(line, len, JSON_STRICT, 100, &doc, NULL), 0);
        json_free(doc);
    }
}

static void long_value_is_cut(void **state)
{
    (void)state;
    static char value[2 * LOG_VALUE_MAX_BYTES];
    for (int over = -1; over <= 1; over++) {
        memset(value, 'v', sizeof(value));
        size_t len = format(LOG_JSON, FIELDS(F_BYTES("v", value, LOG_VALUE_MAX_BYTES + (size_t)over)));
        assert_true(!!(strstr(line, "v\xe2\x80\xa6\"}")) == (over > 0));
        assert_true(len > LOG_VALUE_MAX_BYTES);
    }
    /* not within a character */
    for (size_t i = 0; i < sizeof(value); i++)
        value[i] = i % 2 == 0 ? '\xc3' : '\xbc';
    (void)format(LOG_JSON, FIELDS(F_BYTES("v", value + 1, sizeof(value) - 2)));
    assert_non_null(strstr(line, "\xc3\xbc\xe2\x80\xa6\"}"));
}

static void long_line_leaves_fields_out(void **state)
{
    (void)state;
    static char value[LOG_VALUE_MAX_BYTES];
    memset(value, 1, sizeof(value)); /* \u0001: six times as long */
    size_t len =
        format(LOG_JSON, FIELDS(F_STR("first", "kept"), F_BYTES("v", value, sizeof(value)), F_INT("n", 1)));
    assert_non_null(strstr(line, "\"first\":\"kept\",\"truncated\":true}"));
    struct json_doc *doc;
    assert_int_equal(json_parse(line, len, JSON_STRICT, 100, &doc, NULL), 0);
    json_free(doc);
    (void)format(LOG_LOGFMT, FIELDS(F_BYTES("v", value, sizeof(value))));
    assert_non_null(strstr(line, "event=\"child exited\" truncated=true"));
}

static void times_of_lines(void **state)
{
    (void)state;
    (void)log_line_format(line, LOG_LOGFMT, 0, LOG_WARN, "x", FIELDS(F_STR("a", "b")));
    assert_memory_equal(line, "ts=1970-01-01T00:00:00.000Z level=warn event=x a=b\n", 51);
    (void)log_line_format(line, LOG_LOGFMT, INT64_C(1709251199999), LOG_ERROR, "x", FIELDS(F_STR("a", "b")));
    assert_memory_equal(line, "ts=2024-02-29T23:59:59.999Z level=error", 39);
}

/* ---- the ring ---- */

static int fds[2];

static int open_pipe(void **state)
{
    (void)state;
    fault_alloc_install();
    return pipe2(fds, O_CLOEXEC);
}

static int close_pipe(void **state)
{
    (void)state;
    int rc = 0;
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            rc |= close(fds[i]);
    }
    return rc != 0 ? rc : (int)fault_alloc_live();
}

/* Everything up to the end of the pipe, NUL-terminated, in memory of its own. */
static char *read_all(void)
{
    static char text[4 << 20];
    size_t len = 0;
    for (;;) {
        ssize_t n = read(fds[0], text + len, sizeof(text) - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    text[len] = '\0';
    return text;
}

static void close_write_end(void)
{
    log_close();
    assert_int_equal(close(fds[1]), 0);
    fds[1] = -1;
}

static void lines_arrive_in_order(void **state)
{
    (void)state;
    assert_int_equal(log_open(fds[1], LOG_INFO, LOG_LOGFMT), 0);
    for (int i = 0; i < 300; i++)
        LOG(LOG_INFO, "step", F_INT("i", i));
    close_write_end();
    assert_int_equal(log_dropped(), 0);
    char *at = read_all();
    for (int i = 0; i < 300; i++) {
        char expected[32];
        (void)snprintf(expected, sizeof(expected), "event=step i=%d\n", i);
        at = strstr(at, expected);
        assert_non_null(at);
        at += strlen(expected);
    }
    assert_int_equal(*at, '\0');
}

static int evaluated;

static int count_evaluation(void)
{
    return ++evaluated;
}

static void levels(void **state)
{
    (void)state;
    LOG(LOG_ERROR, "before log_open");
    assert_false(log_enabled(LOG_ERROR));
    assert_int_equal(log_open(fds[1], LOG_WARN, LOG_LOGFMT), 0);
    evaluated = 0;
    LOG(LOG_INFO, "too low", F_INT("n", count_evaluation()));
    assert_int_equal(evaluated, 0);
    LOG(LOG_WARN, "no fields");
    log_set(LOG_DEBUG, LOG_JSON);
    LOG(LOG_DEBUG, "now it is on", F_INT("n", count_evaluation()));
    assert_int_equal(evaluated, 1);
    log_set(LOG_OFF, LOG_JSON);
    LOG(LOG_ERROR, "off");
    close_write_end();
    LOG(LOG_ERROR, "after log_close");
    char *text = read_all();
    assert_non_null(strstr(text, "level=warn event=\"no fields\"\n{\"ts\":\""));
    assert_non_null(strstr(text, "\"level\":\"debug\",\"event\":\"now it is on\",\"n\":1}\n"));
    assert_null(strstr(text, "too low"));
    assert_null(strstr(text, "off\""));
    assert_null(strstr(text, "log_"));
}

/* A reader that has stopped: the ring fills, logging goes on at once, and what was lost is logged when there is
 * room. */
/* The sum of the drops that the log reports. */
static uint64_t said_dropped(const char *text)
{
    static const char words[] = "level=warn event=\"log lines dropped\" lines=";
    uint64_t reported = 0;
    for (const char *at = text; (at = strstr(at, words));) {
        at += strlen(words);
        if (strchr(at, '\n'))
            reported += strtoull(at, NULL, 10);
    }
    return reported;
}

static void full_ring_drops_and_says_so(void **state)
{
    (void)state;
    static char value[1000];
    memset(value, 'v', sizeof(value));
    assert_int_equal(log_open(fds[1], LOG_INFO, LOG_LOGFMT), 0);
    int lines = 3000;
    for (int i = 0; i < lines; i++)
        LOG(LOG_INFO, "fill", F_INT("i", i), F_BYTES("v", value, sizeof(value)));
    uint64_t dropped = log_dropped();
    assert_in_range(dropped, 1, (uint64_t)lines - 1);
    /* the reader wakes up; the writer may have reported some of it before the last was dropped */
    static char text[4 << 20];
    size_t len = 0;
    while (said_dropped(text) < dropped) {
        struct pollfd p = {.fd = fds[0], .events = POLLIN};
        assert_int_equal(poll(&p, 1, 30000), 1);
        ssize_t n = read(fds[0], text + len, sizeof(text) - 1 - len);
        assert_true(n > 0);
        len += (size_t)n;
    }
    LOG(LOG_INFO, "after");
    close_write_end();
    ssize_t n;
    while ((n = read(fds[0], text + len, sizeof(text) - 1 - len)) > 0)
        len += (size_t)n;
    int kept = 0;
    for (const char *at = text; (at = strstr(at, "event=fill")); at++)
        kept++;
    assert_int_equal((uint64_t)kept + log_dropped(), lines);
    assert_int_equal(said_dropped(text), log_dropped());
    assert_non_null(strstr(text, "event=after\n"));
}

/* Nobody ever reads: closing takes a second, not for ever. */
static void close_does_not_hang(void **state)
{
    (void)state;
    static char value[4000];
    memset(value, 'v', sizeof(value));
    assert_int_equal(log_open(fds[1], LOG_INFO, LOG_LOGFMT), 0);
    for (int i = 0; i < 100; i++)
        LOG(LOG_INFO, "fill", F_BYTES("v", value, sizeof(value)));
    struct timespec from;
    struct timespec to;
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    log_close();
    (void)clock_gettime(CLOCK_MONOTONIC, &to);
    assert_in_range(to.tv_sec - from.tv_sec, 0, 20);
    log_close();
}

/* A non-blocking descriptor is waited for; every line arrives. */
static void non_blocking_descriptor(void **state)
{
    (void)state;
    assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
    static char value[1000];
    memset(value, 'v', sizeof(value));
    assert_int_equal(log_open(fds[1], LOG_INFO, LOG_JSON), 0);
    for (int i = 0; i < 500; i++)
        LOG(LOG_INFO, "fill", F_BYTES("v", value, sizeof(value)));
    size_t got = 0;
    char chunk[65536];
    while (got < (size_t)500 * 1000) {
        ssize_t n = read(fds[0], chunk, sizeof(chunk));
        assert_true(n > 0);
        got += (size_t)n;
    }
    close_write_end();
    assert_int_equal(log_dropped(), 0);
}

static void refusing_descriptor(void **state)
{
    (void)state;
    assert_int_equal(close(fds[0]), 0);
    fds[0] = -1;
    assert_int_equal(log_open(fds[1], LOG_INFO, LOG_LOGFMT), 0);
    for (int i = 0; i < 10; i++)
        LOG(LOG_INFO, "nobody reads this");
    log_close();
    assert_true(log_dropped() >= 10);
}

/* A full disk in the middle of a line: the next line still starts on one of its own. */
static void full_disk(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0)
        skip();
    assert_int_equal(log_open(full, LOG_INFO, LOG_LOGFMT), 0);
    for (int i = 0; i < 10; i++)
        LOG(LOG_INFO, "no room");
    log_close();
    assert_true(log_dropped() >= 10);
    assert_int_equal(close(full), 0);
}

static void *log_many(void *name)
{
    for (int i = 0; i < 500; i++)
        LOG(LOG_INFO, "thread", F_STR("name", name), F_INT("i", i));
    return NULL;
}

static void *drain(void *unused)
{
    (void)unused;
    return read_all();
}

static void several_threads(void **state)
{
    (void)state;
    pthread_t threads[4];
    pthread_t reader;
    char names[4][2] = {"a", "b", "c", "d"};
    assert_int_equal(log_open(fds[1], LOG_INFO, LOG_LOGFMT), 0);
    assert_int_equal(pthread_create(&reader, NULL, drain, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_many, names[i]), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    close_write_end();
    void *text;
    assert_int_equal(pthread_join(reader, &text), 0);
    size_t lines = 0;
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines + log_dropped(), 2000);
}

static void open_without_memory(void **state)
{
    (void)state;
    fault_alloc_fail_at(1);
    assert_int_equal(log_open(fds[1], LOG_INFO, LOG_LOGFMT), -ENOMEM);
    assert_true(fault_alloc_fired());
    fault_alloc_fail_at(0);
    assert_false(log_enabled(LOG_ERROR));
}

int main(void)
{
    if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 1;
#define PIPE_TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logfmt),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(values_that_need_quotes),
        cmocka_unit_test(invalid_utf8),
        cmocka_unit_test(any_bytes_are_json),
        cmocka_unit_test(long_value_is_cut),
        cmocka_unit_test(long_line_leaves_fields_out),
        cmocka_unit_test(times_of_lines),
        PIPE_TEST(lines_arrive_in_order),
        PIPE_TEST(levels),
        PIPE_TEST(full_ring_drops_and_says_so),
        PIPE_TEST(close_does_not_hang),
        PIPE_TEST(non_blocking_descriptor),
        PIPE_TEST(refusing_descriptor),
        PIPE_TEST(full_disk),
        PIPE_TEST(several_threads),
        PIPE_TEST(open_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

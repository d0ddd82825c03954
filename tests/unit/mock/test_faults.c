/* mock/: the MCP server when things go wrong, and the same bytes when nothing does: any allocation that
 * fails, a reader that is slow, one that is gone. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/mock/mcp_fixture.h"

static const char session[] =
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\"}}\n"
    "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n" LEVEL("info") SPAWN(
        "1") "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"swarm_init\"}}\n"
             "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"task_orchestrate\",\"arguments\":{\"task\":\"t\"}}}\n"
             "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/"
             "call\",\"params\":{\"name\":\"swarm.initialize\",\"arguments\":{\"agentTypes\":[\"a\",\"b\"]}}}\n"
             "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"tools/call\",\"params\":{\"name\":\"visualization.snapshot\"}}\n"
             "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"resources/read\",\"params\":{\"uri\":\"mock://"
             "agents\"}}\n" SLOW(
                 "7", "2", "0",
                 ",\"_meta\":{\"progressToken\":1}") "{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"tools/call\",\"params\":{\"name\":\"agent_list\"}}\n"
                                                     "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"tools/"
                                                     "call\",\"params\":{\"name\":\"agent_metrics\"}}\n" SLOW(
                                                         "10", "1", "5", "");

static void a_standing_clock_gives_the_same_bytes(void **state)
{
    (void)state;
    send_bytes(session, sizeof(session) - 1);
    size_t count = line_count;
    char *first[MAX_LINES];
    assert_true(count >= 14);
    for (size_t i = 0; i < count; i++)
        first[i] = strdup(line[i]);
    server_close();
    server_open();
    send_bytes(session, sizeof(session) - 1);
    assert_int_equal(line_count, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(first[i], line[i]);
        free(first[i]);
    }
}

/* One session with the nth allocation failing, and with `go_on` every later one too. Each request is answered
 * once, or the server reports that it must end; nothing leaks. */
struct verdict {
    int rc;
    bool fired;
    size_t refused; /* internal errors among the answers */
};

static struct verdict run_short_of_memory(size_t n, bool go_on)
{
    struct verdict v = {0};
    size_t answers = 0;
    server_open();
    if (go_on)
        fault_alloc_fail_from(n);
    else
        fault_alloc_fail_at(n);
    v.rc = send_bytes(session, sizeof(session) - 1);
    v.fired = fault_alloc_fired();
    fault_alloc_fail_at(0);
    for (size_t i = 0; i < line_count; i++) {
        answers += strncmp(line[i], "{\"jsonrpc\":\"2.0\",\"id\":", 22) == 0;
        v.refused += strstr(line[i], "-32603") ? 1 : 0;
    }
    assert_true(v.rc == 0 || (v.fired && v.rc == -ENOMEM));
    if (v.rc == 0)
        assert_int_equal(answers, 12);
    server_close();
    assert_int_equal(fault_alloc_live(), 0);
    return v;
}

static void nth_allocation_fails(void **state)
{
    (void)state;
    fault_alloc_install();
    for (int go_on = 0; go_on <= 1; go_on++) {
        size_t runs = 0, ended = 0, refused = 0;
        for (size_t n = 1;; n++, runs++) {
            struct verdict v = run_short_of_memory(n, go_on);
            ended += v.rc != 0;
            refused += v.refused;
            if (!v.fired)
                break;
        }
        assert_true(runs > 50);
        assert_true(refused > 0);
        assert_true(!go_on || ended > 0);
    }
    mem_set(NULL);
}

/* ---- a slow reader ---- */

struct pipes {
    int in;
    int out;
    int rc;
};

static void *serve_pipes(void *data)
{
    struct pipes *p = data;
    p->rc = mcp_serve(&server, p->in, p->out);
    close(p->out);
    return NULL;
}

/* Writes requests until the server takes no more; gives how many went in whole. */
static size_t fill(int fd)
{
    static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}\n";
    size_t sent = 0;
    const size_t enough = (size_t)16 << 20;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        assert_true(sent < enough); /* or it never stops reading */
        if (poll(&p, 1, 1000) == 0)
            return sent / (sizeof(request) - 1);
        size_t skip_bytes = sent % (sizeof(request) - 1);
        ssize_t put = write(fd, request + skip_bytes, sizeof(request) - 1 - skip_bytes);
        assert_true(put > 0 || errno == EAGAIN);
        sent += put > 0 ? (size_t)put : 0;
    }
}

static size_t count_lines(int fd)
{
    static char chunk[65536];
    size_t lines = 0;
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof(chunk));
        assert_true(got >= 0);
        if (got == 0)
            return lines;
        for (ssize_t i = 0; i < got; i++)
            lines += chunk[i] == '\n';
    }
}

static void a_slow_reader_stops_the_reading(void **state)
{
    (void)state;
    int in[2], out[2];
    pthread_t thread;
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    struct pipes p = {.in = in[0], .out = out[1], .rc = 99};
    assert_int_equal(fcntl(in[1], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve_pipes, &p), 0);
    size_t requests = fill(in[1]);
    assert_true(requests > 100);
    close(in[1]);
    size_t answers = count_lines(out[0]);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(p.rc, 0);
    assert_true(answers == requests ||
                answers == requests + 1); /* a torn last request is an error of its own */
    assert_true(server.out.cap <= 4 * MCP_OUT_HIGH_BYTES);
    close(in[0]);
    close(out[0]);
}

static void a_reader_that_is_gone_ends_it(void **state)
{
    (void)state;
    int out[2];
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    int in = memory_file(session, sizeof(session) - 1);
    close(out[0]);
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(mcp_serve(&server, in, out[1]), -EPIPE);
    signal(SIGPIPE, SIG_DFL);
    close(in);
    close(out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_standing_clock_gives_the_same_bytes),
        cmocka_unit_test(nth_allocation_fails),
        TEST(a_slow_reader_stops_the_reading),
        TEST(a_reader_that_is_gone_ends_it),
    };
    return cmocka_run_group_tests_name("mock_faults", tests, NULL, NULL);
}

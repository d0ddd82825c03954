/* Connections on a real loop and real sockets, with a fake router: what is let in, what is closed, when, and
 * with which last message. Deadlines under test are set short.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/front/front_fixture.h"

/* ---- frames ---- */

static void test_two_clients(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    say(a, CALL("one"));
    say(b, "\r\n \t\n" CALL("two") CALL("three"));
    wait_for(a, has_lines(a, 1));
    wait_for(b, has_lines(b, 2));
    assert_says(a, CALL("one"));
    assert_says(b, CALL("two") CALL("three"));
    assert_int_equal(sessions.count, 2);
    assert_int_equal(sessions.connections, 2);
}

static void test_a_frame_in_pieces(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    for (const char *at = CALL("pieces"); *at; at++) {
        say(a, (char[]){*at, '\0'});
        uint64_t before = sessions.count;
        turn(NULL);
        assert_true(sessions.count >= before);
    }
    wait_for(a, has_lines(a, 1));
    assert_says(a, CALL("pieces"));
}

static void test_silence_opens_no_session(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, " \r\n\t ");
    wait_for(a, sessions.connections == 1);
    assert_int_equal(fake_route.opened, 0);
    hang_up(a);
    wait_for(NULL, sessions.connections == 0);
}

static void test_an_over_long_line_costs_only_itself(void **state)
{
    (void)state;
    char line[8192];
    struct peer *a = dial(0);
    int len = snprintf(line, sizeof(line), "{\"id\":1,%8000s}\n", "");
    assert_true(len > 8000);
    say(a, line);
    say(a, CALL("next"));
    wait_for(a, has_lines(a, 1));
    assert_says(a, CALL("next"));
    assert_int_equal(fake_route.oversize, 1);
}

static void test_http_gets_one_error(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a,
        "POST / HTTP/1.1\r\nHost: localhost:9500\r\nContent-Length: 40\r\n\r\n" CALL("tools/call") CALL("x"));
    wait_for(a, has_ended(a));
    assert_int_equal(a->error, 0);
    assert_error(a, "PARSE_ERROR", -32700);
    assert_non_null(strstr(a->in, "HTTP"));
    assert_int_equal(fake_route.frames, 0);
    assert_int_equal(fake_route.opened, 0);
}

static void test_tls_gets_one_error(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, "\x16\x03\x01\x02\x01");
    wait_for(a, has_ended(a));
    assert_error(a, "PARSE_ERROR", -32700);
    assert_non_null(strstr(a->in, "TLS"));
    assert_null(strstr(a->in, "HTTP"));
    assert_int_equal(fake_route.opened, 0);
}

/* Unread bytes must not turn the end of the connection into a reset that takes the answer with it. */
static void test_http_with_a_long_body_still_reads_the_error(void **state)
{
    (void)state;
    char body[4096];
    struct peer *a = dial(0);
    memset(body, 'x', sizeof(body));
    say(a, "POST / HTTP/1.1\r\n\r\n");
    wait_for(a, has_lines(a, 1));
    for (int i = 0; i < 64 && !a->ended; i++) {
        (void)!send(a->fd, body, sizeof(body), MSG_NOSIGNAL | MSG_DONTWAIT);
        turn(NULL);
        read_some(a);
    }
    assert_int_equal(shutdown(a->fd, SHUT_WR), 0);
    wait_for(a, has_ended(a) && front_is_empty(&front));
    assert_int_equal(a->error, 0);
    assert_error(a, "PARSE_ERROR", -32700);
}

static void test_unknown_server(void **state)
{
    (void)state;
    fake_route.only_server = "other";
    struct peer *a = dial(0);
    say(a, CALL("x"));
    wait_for(a, has_ended(a));
    assert_error(a, "NO_SUCH_SERVER", -31008);
    assert_non_null(strstr(a->in, "\"known\":[\"other\"]"));
    assert_int_equal(fake_route.frames, 0);
}

/* ---- limits ---- */

static void test_too_many_clients(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.max_clients = 1;
    front_set_limits(&front, &limits);
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    wait_for(b, has_ended(b));
    assert_error(b, "OVERLOADED", -31003);
    assert_int_equal(sessions.refused, 1);
    say(a, CALL("still here"));
    wait_for(a, has_lines(a, 1));
    hang_up(a);
    hang_up(b);
    wait_for(NULL, front_is_empty(&front));
    struct peer *c = dial(2);
    say(c, CALL("room again"));
    wait_for(c, has_lines(c, 1));
    assert_says(c, CALL("room again"));
}

/* Places are left, but not for this address. */
static void test_too_many_clients_of_one_address(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.max_clients_per_address = 1;
    front_set_limits(&front, &limits);
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    wait_for(b, has_ended(b));
    assert_error(b, "OVERLOADED", -31003);
    assert_non_null(strstr(b->in, "1 connections come from this address already"));
    assert_non_null(strstr(b->in, "maxClientsPerAddress"));
    assert_non_null(strstr(b->in, "\"retryAfterMs\":1000"));
    say(a, CALL("still here"));
    wait_for(a, has_lines(a, 1));
    hang_up(b);
    hang_up(a);
    wait_for(NULL, front_is_empty(&front));
    assert_int_equal(front.hosts.table.count, 0);
    struct peer *c = dial(2);
    say(c, CALL("room again"));
    wait_for(c, has_lines(c, 1));
}

/* `limits` is /proc/self/limits, opened while there were descriptors to open it with. */
static bool kernel_limit_is(FILE *limits, int files)
{
    char line[256];
    int soft = -1;
    while (fgets(line, sizeof(line), limits))
        if (strncmp(line, "Max open files", 14) == 0)
            soft = (int)strtol(line + 14, NULL, 10);
    return soft == files;
}

/* No descriptor is left: peers are answered, the loop does not spin, and it goes on when there is room again. */
static void test_out_of_descriptors(void **state)
{
    (void)state;
    struct rlimit original;
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    wait_for(a, sessions.connections == 2);
    struct peer *c = dial(2);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &original), 0);
    FILE *limits_file = fopen("/proc/self/limits", "re");
    assert_non_null(limits_file);
    int lowest_free = dup(STDIN_FILENO);
    assert_true(lowest_free > 0);
    close(lowest_free);
    struct rlimit lowered = {.rlim_cur = (rlim_t)lowest_free, .rlim_max = original.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    bool holds = kernel_limit_is(limits_file, lowest_free);
    if (!holds) {
        fclose(limits_file);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &original), 0);
        print_message("# skip: the limit on open files is only pretended here (valgrind does)\n");
        skip();
    }
    wait_for(c, has_ended(c));
    assert_error(c, "OVERLOADED", -31003);
    assert_int_equal(sessions.refused, 1);
    size_t before = turns;
    uint64_t until = uv_hrtime() / 1000000 + 300;
    while (uv_hrtime() / 1000000 < until)
        turn(NULL);
    assert_true(turns - before < 30);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &original), 0);
    fclose(limits_file);
    say(a, CALL("a"));
    say(b, CALL("b"));
    wait_for(a, has_lines(a, 1));
    wait_for(b, has_lines(b, 1));
    hang_up(c);
    c = dial(2);
    say(c, CALL("c"));
    wait_for(c, has_lines(c, 1));
    assert_says(c, CALL("c"));
}

static void test_a_full_queue_ends_the_client(void **state)
{
    (void)state;
    fake_route.flood_bytes = (size_t)3 << 20;
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    fake_route.flood_count = 8; /* what the kernel takes of them is no queue */
    say(a, CALL("flood"));
    wait_for(NULL, fake_route.closed == 1);
    say(b, CALL("b"));
    wait_for(b, has_lines(b, 1));
    assert_int_equal(fake_route.send_result, 0);
    wait_for(NULL, sessions.connections == 1);
}

static void test_a_client_that_reads_nothing_is_closed(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.stall_ms = 50;
    limits.out_bytes = (size_t)64 << 20;
    front_set_limits(&front, &limits);
    fake_route.flood_bytes = (size_t)32 << 20;
    struct peer *a = dial(0);
    say(a, CALL("flood"));
    wait_for(NULL, fake_route.frames == 1);
    wait_for(NULL, fake_route.closed == 1);
    assert_int_equal(fake_route.writable, 0);
}

static void test_a_slow_client_is_reported_to_the_router(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.out_bytes = (size_t)64 << 20;
    front_set_limits(&front, &limits);
    fake_route.flood_bytes = (size_t)24 << 20; /* more than the kernel ever takes */
    struct peer *a = dial(0);
    say(a, CALL("flood"));
    wait_for(NULL, fake_route.frames == 1);
    assert_true(link_is_slow(fake_route.last_link));
    for (size_t total = 0; total <= fake_route.flood_bytes; total += a->got) {
        a->got = 0;
        turn(a);
        read_some(a);
        assert_false(a->ended);
    }
    wait_for(NULL, fake_route.last_link->queued_bytes == 0);
    assert_int_equal(fake_route.writable, 1);
}

static void test_a_frame_must_end(void **state)
{
    (void)state;
    struct front_limits limits = usual_limits();
    limits.frame_timeout_ms = 50;
    front_set_limits(&front, &limits);
    struct peer *a = dial(0);
    say(a, "{\"jsonrpc\":");
    wait_for(a, has_ended(a));
    assert_error(a, "TIMEOUT", -31002);
    assert_int_equal(fake_route.frames, 0);
}

/* ---- pauses and ends ---- */

static void test_a_pause_in_the_middle_of_a_chunk(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, CALL("pause") CALL("same chunk"));
    wait_for(a, has_lines(a, 1));
    say(a, CALL("later"));
    for (int i = 0; i < 3; i++) {
        uv_run(&loop.uv, UV_RUN_NOWAIT);
        assert_int_equal(fake_route.frames, 2);
    }
    fake_route.last_link->ops->resume(fake_route.last_link);
    wait_for(a, has_lines(a, 2));
    assert_says(a, CALL("same chunk") CALL("later"));
}

static void test_a_paused_client_that_goes_is_noticed(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, CALL("pause"));
    wait_for(a, fake_route.frames == 1);
    say(a, CALL("unread")); /* its end stands behind these bytes */
    hang_up(a);
    wait_for(NULL, fake_route.closed == 1);
    assert_int_equal(fake_route.frames, 1);
}

static void test_fin_means_gone(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, CALL("silent"));
    wait_for(a, fake_route.frames == 1);
    assert_int_equal(shutdown(a->fd, SHUT_WR), 0);
    wait_for(a, fake_route.closed == 1 && has_ended(a));
}

static void test_what_is_answered_before_fin_still_comes(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, CALL("last words"));
    assert_int_equal(shutdown(a->fd, SHUT_WR), 0);
    wait_for(a, has_ended(a) && front_is_empty(&front));
    assert_says(a, CALL("last words"));
    assert_int_equal(a->error, 0);
    assert_int_equal(fake_route.closed, 1);
}

static void test_the_router_closes_a_link(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    say(a, CALL("close") CALL("too late"));
    wait_for(a, has_ended(a));
    assert_says(a, CALL("close"));
    assert_int_equal(fake_route.frames, 1);
    assert_int_equal(fake_route.closed, 1);
}

static void test_closing_all_flushes_first(void **state)
{
    (void)state;
    struct peer *a = dial(0);
    struct peer *b = dial(1);
    fake_route.flood_bytes = (size_t)3 << 20;
    say(a, CALL("flood"));
    say(b, CALL("idle"));
    wait_for(b, fake_route.frames == 2);
    front_stop_listening(&front);
    front_close_clients(&front, "the relay is stopping", 10000);
    size_t total = 0;
    while (!a->ended) {
        a->got = 0;
        turn(a);
        read_some(a);
        total += a->got;
    }
    assert_int_equal(total, fake_route.flood_bytes + 1);
    assert_int_equal(a->error, 0);
    wait_for(b, has_ended(b) && front_is_empty(&front));
}

/* ---- memory ---- */

/* Whatever allocation fails, the peer gets an answer or an end, and nothing leaks (tear_down looks). */
static void test_every_allocation_may_fail(void **state)
{
    (void)state;
    bool fired = true;
    for (size_t n = 1; fired; n++) {
        assert_true(n < 200);
        struct peer *a = dial(0);
        fault_alloc_fail_at(n);
        say(a, "{\"jsonrpc\":\"2.0\",");
        turn(NULL);
        turn(NULL);
        static const char rest[] = "\"id\":1,\"method\":\"x\"}\n";
        (void)!send(a->fd, rest, sizeof(rest) - 1, MSG_NOSIGNAL); /* it may be refused already */
        wait_for(a, has_lines(a, 1) || has_ended(a));
        fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        hang_up(a);
        wait_for(NULL, front_is_empty(&front));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_two_clients),
        TEST(test_a_frame_in_pieces),
        TEST(test_silence_opens_no_session),
        TEST(test_an_over_long_line_costs_only_itself),
        TEST(test_http_gets_one_error),
        TEST(test_tls_gets_one_error),
        TEST(test_http_with_a_long_body_still_reads_the_error),
        TEST(test_unknown_server),
        TEST(test_too_many_clients),
        TEST(test_too_many_clients_of_one_address),
        TEST(test_out_of_descriptors),
        TEST(test_a_full_queue_ends_the_client),
        TEST(test_a_client_that_reads_nothing_is_closed),
        TEST(test_a_slow_client_is_reported_to_the_router),
        TEST(test_a_frame_must_end),
        TEST(test_a_pause_in_the_middle_of_a_chunk),
        TEST(test_a_paused_client_that_goes_is_noticed),
        TEST(test_fin_means_gone),
        TEST(test_what_is_answered_before_fin_still_comes),
        TEST(test_the_router_closes_a_link),
        TEST(test_closing_all_flushes_first),
        TEST(test_every_allocation_may_fail),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("front", tests, NULL, NULL);
}

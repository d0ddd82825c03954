/* Large messages in parts, which are written from where they stand: the kernel takes all, some (cut anywhere) or nothing
 * of them; behind a queue; a failing allocation, a limit, a broken peer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/io/stream_fixture.h"

#define LARGE_BYTES ((size_t)100000)

/* The pattern's first `total - 1` bytes in three parts, the second from `at` on, and a newline. */
static int write_pattern(size_t total, size_t at, size_t len)
{
    const struct part parts[] = {
        {pattern, at}, {pattern + at, len}, {pattern + at + len, total - 1 - at - len}};
    return stream_write_parts(&a.stream, parts, 3, true);
}

/* Reads until `expected` bytes came, while the loop runs, and compares them. */
static void read_pattern(int fd, size_t expected)
{
    static char got[MAX_BYTES];
    size_t len = 0;
    while (len < expected) {
        ssize_t n = read(fd, got + len, expected - len);
        assert_true(n > 0 || (n < 0 && errno == EAGAIN));
        len += n > 0 ? (size_t)n : 0;
        run_iterations(1);
    }
    assert_int_equal(read(fd, got + len, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(memcmp(got, pattern, expected - 1) == 0);
    assert_int_equal(got[expected - 1], '\n');
}

static int open_one_nonblocking(void)
{
    int fd = open_one();
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

/* A pipe that is only written does not keep the loop going while nothing waits for it. */
static uv_timer_t keep_going;

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

/* a: a pipe's writing end, of the smallest size there is or (0) the usual one. Gives the reading end. */
static int open_pipe(int size)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(size == 0 || fcntl(fds[1], F_SETPIPE_SZ, size) >= size);
    open_party(&a, fds[1]);
    assert_int_equal(uv_timer_init(&loop.uv, &keep_going), 0);
    assert_int_equal(uv_timer_start(&keep_going, on_timer, 1000000, 0), 0);
    return fds[0];
}

static int open_small_pipe(void)
{
    return open_pipe(4096);
}

static void close_pipe(int fd)
{
    uv_close((uv_handle_t *)&keep_going, NULL);
    close_one(fd);
}

/* ---- how much the kernel takes ---- */

static void test_all_is_taken(void **state)
{
    (void)state;
    int fd = open_one_nonblocking();
    assert_int_equal(write_pattern(LARGE_BYTES, 10, 90000), 0);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(a.stream.bytes_out, LARGE_BYTES);
    assert_int_equal(a.sent, 0); /* never inside the call */
    run_iterations(2);
    assert_int_equal(a.sent, 1);
    assert_int_equal(a.drains, 0);
    read_pattern(fd, LARGE_BYTES);
    close_one(fd);
}

/* The cut falls into each part, between them, and before the newline. */
static void check_cut(size_t total, size_t at, size_t len)
{
    a = (struct party){0};
    int fd = open_small_pipe();
    assert_int_equal(write_pattern(total, at, len), 0);
    assert_true(a.stream.bytes_out > 0 && a.stream.bytes_out < total);
    assert_int_equal(stream_queued(&a.stream), total - a.stream.bytes_out);
    read_pattern(fd, total);
    run_iterations(2);
    assert_int_equal(a.stream.bytes_out, total);
    assert_int_equal(stream_queued(&a.stream), 0);
    close_pipe(fd);
}

static void test_some_is_taken(void **state)
{
    (void)state;
    int probe = open_small_pipe();
    size_t cut = (size_t)fcntl(probe, F_GETPIPE_SZ);
    close_pipe(probe);
    for (size_t at = cut - 2; at <= cut + 2; at++) {
        check_cut(LARGE_BYTES, at, 50000);
        check_cut(LARGE_BYTES, at - 3, 3);
        check_cut(LARGE_BYTES, 5, at - 5);
        check_cut(LARGE_BYTES, 0, at);
    }
}

static void test_all_but_the_newline_is_taken(void **state)
{
    (void)state;
    int fd = open_pipe(0);
    size_t cut = (size_t)fcntl(fd, F_GETPIPE_SZ);
    assert_int_equal(write_pattern(cut + 1, 10, 20), 0);
    assert_int_equal(stream_queued(&a.stream), 1);
    read_pattern(fd, cut + 1);
    close_pipe(fd);
}

/* More than the high mark is left over: on_drain comes. */
static void test_a_rest_above_the_high_mark_drains(void **state)
{
    (void)state;
    int fd = open_small_pipe();
    assert_int_equal(write_pattern(4 * HIGH_BYTES, 1, 1), 0);
    assert_true(a.stream.above_high);
    read_pattern(fd, 4 * HIGH_BYTES);
    run_iterations(2);
    assert_int_equal(a.drains, 1);
    close_pipe(fd);
}

static void test_nothing_is_taken(void **state)
{
    (void)state;
    int fd = open_small_pipe();
    uv_os_fd_t writer;
    static char junk[65536];
    assert_int_equal(uv_fileno(&a.stream.uv.handle, &writer), 0);
    while (write(writer, junk, sizeof(junk)) > 0)
        continue;
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(write_pattern(LARGE_BYTES, 10, 20), 0);
    assert_int_equal(stream_queued(&a.stream), LARGE_BYTES);
    assert_int_equal(a.stream.bytes_out, 0);
    while (read(fd, junk, sizeof(junk)) > 0)
        continue;
    read_pattern(fd, LARGE_BYTES);
    close_pipe(fd);
}

/* ---- order ---- */

static void test_stays_behind_what_is_queued(void **state)
{
    (void)state;
    int fd = open_one_nonblocking();
    const struct part rest[] = {{pattern + 10, LARGE_BYTES - 11}};
    assert_int_equal(stream_write(&a.stream, pattern, 10), 0);
    assert_int_equal(stream_write_parts(&a.stream, rest, 1, true), 0);
    assert_int_equal(stream_queued(&a.stream), LARGE_BYTES);
    read_pattern(fd, LARGE_BYTES);
    close_one(fd);
}

static void test_stays_behind_a_running_write(void **state)
{
    (void)state;
    int fd = open_small_pipe();
    const struct part rest[] = {{pattern + LARGE_BYTES, LARGE_BYTES - 1}};
    assert_int_equal(stream_write(&a.stream, pattern, LARGE_BYTES), 0);
    run_iterations(1);
    assert_true(a.stream.pending_bytes > 0);
    uint64_t before = a.stream.bytes_out;
    assert_int_equal(stream_write_parts(&a.stream, rest, 1, true), 0);
    assert_int_equal(a.stream.bytes_out, before);
    read_pattern(fd, 2 * LARGE_BYTES);
    close_pipe(fd);
}

/* ---- failures ---- */

static void assert_nothing_came(int fd)
{
    char byte;
    run_iterations(2);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(a.stream.bytes_out, 0);
    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
}

static void test_no_memory_writes_nothing(void **state)
{
    (void)state;
    int fd = open_one_nonblocking();
    fault_alloc_fail_at(1);
    assert_int_equal(write_pattern(LARGE_BYTES, 10, 20), -ENOMEM);
    fault_alloc_fail_at(0);
    assert_nothing_came(fd);
    close_one(fd);
}

static void test_too_large_writes_nothing(void **state)
{
    (void)state;
    int fd = open_one_nonblocking();
    const struct part parts[] = {{pattern, MAX_BYTES}};
    assert_int_equal(stream_write_parts(&a.stream, parts, 1, true), ERR_TOO_LARGE);
    assert_nothing_came(fd);
    assert_int_equal(stream_write_parts(&a.stream, parts, 1, false), 0);
    close_one(fd);
}

/* Told at the end of the iteration, as a failure of the queue is. */
static void test_a_broken_peer_is_told_later(void **state)
{
    (void)state;
    int fd = open_small_pipe();
    assert_int_equal(close(fd), 0);
    assert_int_equal(write_pattern(LARGE_BYTES, 10, 20), 0);
    assert_int_equal(a.ends, 0);
    run_iterations(2);
    assert_int_equal(a.ends, 1);
    assert_int_equal(a.end_status, UV_EPIPE);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(write_pattern(LARGE_BYTES, 10, 20), ERR_CLOSING);
    close_pipe(-1);
}

/* ---- storage ---- */

static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    int fd = open_one_nonblocking();
    for (int round = 0; round < 100; round++) {
        if (round == 10)
            fault_alloc_fail_at(0);
        assert_int_equal(write_pattern(round % 3 == 0 ? 4 * HIGH_BYTES : LARGE_BYTES, 10, 20), 0);
        read_pattern(fd, round % 3 == 0 ? 4 * HIGH_BYTES : LARGE_BYTES);
    }
    assert_int_equal(fault_alloc_count(), 0);
    close_one(fd);
}

static void test_idle_storage_is_given_back(void **state)
{
    (void)state;
    int fd = open_one_nonblocking();
    assert_int_equal(write_pattern(LARGE_BYTES, 10, 20), 0);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_true(stream_held_bytes(&a.stream) > 0);
    uint64_t limit_ms = loop_now_ms(&loop) + 10 * LOOP_SWEEP_MS;
    while (stream_held_bytes(&a.stream) > 0 && loop_now_ms(&loop) < limit_ms)
        (void)uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(stream_held_bytes(&a.stream), 0);
    read_pattern(fd, LARGE_BYTES);
    close_one(fd);
}

int main(void)
{
    stream_tests_begin();
    const struct CMUnitTest tests[] = {
        STREAM_TEST(test_all_is_taken),
        STREAM_TEST(test_some_is_taken),
        STREAM_TEST(test_all_but_the_newline_is_taken),
        STREAM_TEST(test_a_rest_above_the_high_mark_drains),
        STREAM_TEST(test_nothing_is_taken),
        STREAM_TEST(test_stays_behind_what_is_queued),
        STREAM_TEST(test_stays_behind_a_running_write),
        STREAM_TEST(test_no_memory_writes_nothing),
        STREAM_TEST(test_too_large_writes_nothing),
        STREAM_TEST(test_a_broken_peer_is_told_later),
        STREAM_TEST(test_steady_state_allocates_nothing),
        STREAM_TEST(test_idle_storage_is_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

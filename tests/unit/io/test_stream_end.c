/* How streams end: a peer that ends or vanishes, a write that fails, and closing in every callback and under
 * a pending write. The end is reported once, and never inside a caller's stack.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/io/stream_fixture.h"

/* ---- what ends them ---- */

static void peer_ends(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(stream_write(&a.stream, "last words", 10), 0);
    stream_flush(&a.stream);
    stream_close(&a.stream);
    b.stop_on_end = true;
    loop_run(&loop);
    assert_int_equal(b.got, 10);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.end_status, 0);
    run_iterations(3);
    assert_int_equal(b.ends, 1);
    assert_int_equal(stream_read_start(&b.stream), ERR_CLOSING);
    close_pair();
}

static void half_close_still_takes_bytes(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    a.stop_on_end = true;
    loop_run(&loop);
    assert_int_equal(a.ends, 1);
    assert_int_equal(stream_write(&a.stream, "still", 5), 0);
    loop_run(&loop);
    char got[8];
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 5);
    close_one(fd);
}

static void write_fails(void **state)
{
    (void)state;
    int fd = open_one();
    stream_read_stop(&a.stream);
    assert_int_equal(close(fd), 0);
    a.stop_on_end = true;
    assert_int_equal(stream_write(&a.stream, "nobody reads this", 17), 0);
    stream_flush(&a.stream);
    assert_int_equal(a.ends, 0); /* never inside the caller's stack */
    loop_run(&loop);
    assert_int_equal(a.ends, 1);
    assert_int_equal(a.end_status, UV_EPIPE);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(stream_write(&a.stream, "x", 1), ERR_CLOSING);
    run_iterations(3);
    assert_int_equal(a.ends, 1);
    close_one(-1);
}

/* The peer goes while the kernel is full and a uv_write waits. */
static void pending_write_fails(void **state)
{
    (void)state;
    int fd = open_one();
    stream_read_stop(&a.stream);
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_iterations(2);
    assert_true(stream_queued(&a.stream) > 0);
    assert_int_equal(close(fd), 0);
    a.stop_on_end = true;
    loop_run(&loop);
    assert_int_equal(a.ends, 1);
    assert_true(a.end_status == UV_EPIPE || a.end_status == UV_ECONNRESET);
    close_one(-1);
}

/* The end was reported already; a caller that waits for the queue to empty gets an error. */
static void write_fails_after_the_end(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    a.stop_on_end = true;
    loop_run(&loop);
    assert_int_equal(a.ends, 1);
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_iterations(2);
    stream_set_marks(&a.stream, 0, 0);
    assert_int_equal(close(fd), 0);
    a.stop_on_drain = true;
    loop_run(&loop);
    assert_int_equal(a.drains, 1);
    assert_int_equal(a.ends, 1);
    close_one(-1);
}

/* ---- closing them ---- */

static void check_close_in(enum close_in where)
{
    open_pair();
    a.close_in = where;
    b.close_in = CLOSE_IN_END;
    assert_int_equal(stream_write(&a.stream, pattern, HIGH_BYTES + 1), 0);
    assert_int_equal(stream_write(&b.stream, "x", 1), 0);
    if (where == CLOSE_IN_END)
        stream_close(&b.stream);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
    assert_int_equal(b.closed, 1);
}

static void close_in_bytes(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_BYTES);
}

static void close_in_sent(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_SENT);
    assert_int_equal(a.drains, 0);
}

static void close_in_drain(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_DRAIN);
}

static void close_in_end(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_END);
}

static void close_with_a_write_pending(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_iterations(2);
    assert_true(a.stream.pending_bytes > 0);
    stream_close(&a.stream);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(stream_write(&a.stream, "x", 1), ERR_CLOSING);
    int sent = a.sent;
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
    assert_int_equal(a.ends, 0);
    assert_int_equal(a.drains, 0);
    assert_int_equal(a.sent, sent);
    assert_int_equal(close(fd), 0);
}

int main(void)
{
    stream_tests_begin();
    const struct CMUnitTest tests[] = {
        STREAM_TEST(peer_ends),
        STREAM_TEST(half_close_still_takes_bytes),
        STREAM_TEST(write_fails),
        STREAM_TEST(pending_write_fails),
        STREAM_TEST(write_fails_after_the_end),
        STREAM_TEST(close_in_bytes),
        STREAM_TEST(close_in_sent),
        STREAM_TEST(close_in_drain),
        STREAM_TEST(close_in_end),
        STREAM_TEST(close_with_a_write_pending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

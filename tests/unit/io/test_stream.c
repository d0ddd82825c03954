/* Streams over real descriptors: socketpairs, pipes and TCP on loopback; opening, accepting, and bytes both
 * ways. How they end is in test_stream_end.c, how the queue behaves in test_stream_write.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/io/stream_fixture.h"

/* ---- the happy path ---- */

static void bytes_arrive_in_order(void **state)
{
    (void)state;
    open_pair();
    b.stop_at = 11;
    assert_int_equal(stream_write(&a.stream, "hello ", 6), 0);
    assert_int_equal(stream_write(&a.stream, "", 0), 0);
    assert_int_equal(stream_write(&a.stream, "world", 5), 0);
    assert_int_equal(stream_queued(&a.stream), 11);
    loop_run(&loop);
    assert_int_equal(b.got, 11);
    struct party expected = {0};
    add_sum(&expected, "hello world", 11);
    assert_true(b.sum == expected.sum);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(a.stream.bytes_out, 11);
    assert_int_equal(b.stream.bytes_in, 11);
    assert_int_equal(a.sent, 1);
    assert_int_equal(a.drains, 0);
    close_pair();
}

/* ---- TCP ---- */

static uv_tcp_t listener;
static int accepted;

static void on_connection(uv_stream_t *server, int status)
{
    assert_int_equal(status, 0);
    stream_init(&b.stream, &loop, &party_ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    assert_int_equal(stream_accept_tcp(&b.stream, server), 0);
    assert_int_equal(stream_read_start(&b.stream), 0);
    accepted++;
    loop_stop(&loop);
}

/* a: a descriptor that connected; b: accepted from a listener. */
static void open_tcp(void)
{
    struct sockaddr_storage addr;
    int len = sizeof(addr);
    assert_int_equal(uv_tcp_init(&loop.uv, &listener), 0);
    struct sockaddr_in any;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(uv_tcp_bind(&listener, (struct sockaddr *)&any, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&listener, 8, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&listener, (struct sockaddr *)&addr, &len), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, (socklen_t)len), 0);
    accepted = 0;
    open_party(&a, fd);
    assert_int_equal(stream_read_start(&a.stream), 0);
    loop_run(&loop);
    assert_int_equal(accepted, 1);
    uv_close((uv_handle_t *)&listener, NULL);
}

static void echo_over_tcp(void **state)
{
    (void)state;
    open_tcp();
    b.echo = true;
    size_t len = 3 << 20;
    assert_int_equal(stream_write(&a.stream, pattern, len), 0);
    a.stop_at = len;
    loop_run(&loop);
    assert_int_equal(a.got, len);
    assert_true(a.sum == pattern_sum(len));
    close_pair();
}

static void peer_gone_while_not_reading(void **state)
{
    (void)state;
    open_tcp();
    assert_int_equal(stream_write(&a.stream, "unread", 6), 0);
    run_iterations(2);
    stream_read_stop(&b.stream);
    assert_false(stream_peer_gone(&b.stream));
    stream_close(&a.stream);
    run_iterations(3);
    assert_true(stream_peer_gone(&b.stream));
    assert_int_equal(b.ends, 0);
    close_pair();
    assert_true(stream_peer_gone(&b.stream));
}

static void accept_fails(void **state)
{
    (void)state;
    assert_int_equal(uv_tcp_init(&loop.uv, &listener), 0);
    struct sockaddr_in any;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(uv_tcp_bind(&listener, (struct sockaddr *)&any, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&listener, 8, on_connection), 0);
    stream_init(&a.stream, &loop, &party_ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    assert_int_equal(stream_accept_tcp(&a.stream, (uv_stream_t *)&listener), UV_EAGAIN);
    uv_close((uv_handle_t *)&listener, NULL);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
}

/* ---- opening ---- */

static void open_refuses_what_cannot_be_polled(void **state)
{
    (void)state;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    FILE *file = tmpfile();
    assert_true(null >= 0 && file);
    stream_init(&a.stream, &loop, &party_ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    assert_int_equal(stream_open_fd(&a.stream, null), UV_EINVAL);
    assert_int_equal(stream_open_fd(&a.stream, fileno(file)), UV_EINVAL);
    assert_int_equal(stream_open_fd(&a.stream, -1), UV_EINVAL);
    assert_int_equal(close(null), 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(stream_read_start(&a.stream), ERR_CLOSING);
    assert_int_equal(stream_write(&a.stream, "x", 1), ERR_CLOSING);
    loop_run(&loop);
    assert_int_equal(a.closed, 0);
}

static void close_before_open(void **state)
{
    (void)state;
    stream_init(&a.stream, &loop, &party_ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    stream_close(&a.stream);
    assert_int_equal(a.closed, 0);
    stream_close(&a.stream);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
}

static void pipe_ends(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    open_party(&a, fds[1]);
    open_party(&b, fds[0]);
    assert_int_equal(stream_read_start(&b.stream), 0);
    assert_int_equal(stream_write(&a.stream, "through a pipe", 14), 0);
    b.stop_at = 14;
    loop_run(&loop);
    assert_int_equal(b.got, 14);
    b.stop_on_end = true;
    stream_close(&a.stream);
    loop_run(&loop);
    assert_int_equal(b.ends, 1);
    assert_int_equal(b.end_status, 0);
    close_pair();
}

/* ---- the bound of an iteration ---- */

static int refill_fd[2];

/* A writer that is faster than the loop: what is read is in the pipe again at once. */
static void refill(struct stream *s, const char *bytes, size_t len)
{
    struct party *p = CONTAINER_OF(s, struct party, stream);
    p->got += len;
    assert_true(write(refill_fd[p == &b], bytes, len) == (ssize_t)len);
}

static void open_endless(struct party *p, struct stream_ops *ops, int *ret_fd)
{
    static char full[LOOP_READ_BYTES];
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    if (fcntl(fds[1], F_SETPIPE_SZ, (int)LOOP_READ_BYTES) < (int)LOOP_READ_BYTES)
        skip(); /* the user's quota of pipe buffers is used up */
    open_party(p, fds[0]);
    p->stream.ops = ops;
    assert_int_equal(stream_read_start(&p->stream), 0);
    assert_int_equal(write(fds[1], full, sizeof(full)), sizeof(full));
    *ret_fd = fds[1];
}

static void an_iteration_reads_only_so_much(void **state)
{
    (void)state;
    struct stream_ops ops = party_ops;
    ops.on_bytes = refill;
    open_endless(&a, &ops, &refill_fd[0]);
    open_endless(&b, &ops, &refill_fd[1]);
    for (size_t i = 1; i <= 3; i++) {
        size_t before = a.got + b.got;
        run_iterations(1);
        size_t least = a.got < b.got ? a.got : b.got;
        assert_in_range(a.got + b.got - before, LOOP_ITERATION_BYTES,
                        LOOP_ITERATION_BYTES + LOOP_LATE_READ_BYTES);
        assert_true(least >= i * LOOP_LATE_READ_BYTES); /* neither is left out */
    }
    stream_read_stop(&a.stream);
    assert_int_equal(a.ends + b.ends, 0);
    close(refill_fd[0]);
    close(refill_fd[1]);
    close_pair();
}

int main(void)
{
    stream_tests_begin();
    const struct CMUnitTest tests[] = {
        STREAM_TEST(bytes_arrive_in_order),
        STREAM_TEST(echo_over_tcp),
        STREAM_TEST(peer_gone_while_not_reading),
        STREAM_TEST(accept_fails),
        STREAM_TEST(open_refuses_what_cannot_be_polled),
        STREAM_TEST(close_before_open),
        STREAM_TEST(pipe_ends),
        STREAM_TEST(an_iteration_reads_only_so_much),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

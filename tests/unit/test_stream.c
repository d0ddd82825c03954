/* Streams over real descriptors: socketpairs, pipes and TCP on loopback, with readers that are fast, slow, or
 * gone, and closing in every callback. Each test ends with no handle and no allocation left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "core/stream.h"
#include "tests/unit/fault_alloc.h"

#define HIGH_BYTES ((size_t)256 << 10)
#define LOW_BYTES  ((size_t)64 << 10)
#define MAX_BYTES  ((size_t)8 << 20)

enum close_in { CLOSE_NEVER, CLOSE_IN_BYTES, CLOSE_IN_SENT, CLOSE_IN_DRAIN, CLOSE_IN_END };

/* A stream and what happened to it. */
struct party {
    struct stream stream;
    enum close_in close_in;
    size_t got;
    uint64_t sum; /* position-dependent, so that order counts */
    int sent;
    int drains;
    int ends;
    int end_status;
    int closed;
    size_t stop_at; /* loop_stop once so many bytes came */
    bool stop_on_drain;
    bool stop_on_end;
    bool echo;
};

static struct loop loop;
static struct party a;
static struct party b;

static struct party *of(struct stream *s)
{
    return CONTAINER_OF(s, struct party, stream);
}

static void maybe_close(struct stream *s, enum close_in where)
{
    assert_false(of(s)->stream.closing);
    if (of(s)->close_in == where)
        stream_close(s);
}

static void add_sum(struct party *p, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        p->sum = p->sum * 31 + (unsigned char)bytes[i];
}

static void on_bytes(struct stream *s, const char *bytes, size_t len)
{
    struct party *p = of(s);
    assert_true(len > 0);
    p->got += len;
    add_sum(p, bytes, len);
    if (p->echo)
        assert_int_equal(stream_write(s, bytes, len), 0);
    if (p->stop_at > 0 && p->got >= p->stop_at)
        loop_stop(&loop);
    maybe_close(s, CLOSE_IN_BYTES);
}

static void on_sent(struct stream *s)
{
    of(s)->sent++;
    maybe_close(s, CLOSE_IN_SENT);
}

static void on_drain(struct stream *s)
{
    of(s)->drains++;
    if (of(s)->stop_on_drain)
        loop_stop(&loop);
    maybe_close(s, CLOSE_IN_DRAIN);
}

static void on_end(struct stream *s, int status)
{
    of(s)->ends++;
    of(s)->end_status = status;
    if (of(s)->stop_on_end)
        loop_stop(&loop);
    maybe_close(s, CLOSE_IN_END);
}

static void on_closed(struct stream *s)
{
    assert_true(s->closed);
    of(s)->closed++;
}

static const struct stream_ops ops = {
    .on_bytes = on_bytes, .on_drain = on_drain, .on_end = on_end, .on_closed = on_closed, .on_sent = on_sent};

static int set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    a = (struct party){0};
    b = (struct party){0};
    return loop_init(&loop);
}

static int tear_down(void **state)
{
    (void)state;
    int r = loop_done(&loop);
    return r != 0 ? r : (int)fault_alloc_live();
}

static void open_party(struct party *p, int fd)
{
    stream_init(&p->stream, &loop, &ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    assert_int_equal(stream_open_fd(&p->stream, fd), 0);
}

/* a and b, connected. */
static void open_pair(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    open_party(&a, fds[0]);
    open_party(&b, fds[1]);
    assert_int_equal(stream_read_start(&a.stream), 0);
    assert_int_equal(stream_read_start(&b.stream), 0);
}

static void close_pair(void)
{
    stream_close(&a.stream);
    stream_close(&b.stream);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
    assert_int_equal(b.closed, 1);
}

/* A stream on one end, the plain descriptor of the other. */
static int open_one(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    open_party(&a, fds[0]);
    assert_int_equal(stream_read_start(&a.stream), 0);
    return fds[1];
}

static void close_one(int fd)
{
    if (fd >= 0)
        assert_int_equal(close(fd), 0);
    stream_close(&a.stream);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
}

static void run_turns(int turns)
{
    for (int i = 0; i < turns; i++)
        (void)uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static char pattern[MAX_BYTES];

static void fill_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 7 + (i >> 9));
}

static uint64_t pattern_sum(size_t len)
{
    struct party p = {0};
    add_sum(&p, pattern, len);
    return p.sum;
}

/* ---- the happy path ---- */

static void test_bytes_arrive_in_order(void **state)
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

/* Both kinds of ends: a plain reader that takes little at a time. */
static void test_slow_reader_gets_everything(void **state)
{
    (void)state;
    fill_pattern();
    int fd = open_one();
    a.stop_on_drain = true;
    size_t total = sizeof(pattern);
    for (size_t at = 0; at < total; at += 65536) {
        assert_int_equal(stream_write(&a.stream, pattern + at, 65536), 0);
        if (at % (1 << 20) == 0)
            run_turns(1);
    }
    assert_true(stream_queued(&a.stream) > HIGH_BYTES);
    assert_true(a.stream.above_high);
    struct party reader = {0};
    char chunk[3001];
    for (ssize_t n; reader.got < total; run_turns(1)) {
        n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        assert_true(n > 0 || errno == EAGAIN);
        if (n > 0) {
            reader.got += (size_t)n;
            add_sum(&reader, chunk, (size_t)n);
            assert_true(reader.got <= a.stream.bytes_out + STREAM_PENDING_BYTES);
        }
    }
    assert_true(reader.sum == pattern_sum(total));
    assert_int_equal(a.drains, 1);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(a.stream.bytes_out, total);
    assert_true(a.sent > 1);
    close_one(fd);
}

/* The queue while it is written: more is appended under a running uv_write. */
static void test_appending_while_writing(void **state)
{
    (void)state;
    fill_pattern();
    open_pair();
    stream_read_stop(&b.stream);
    size_t at = 0;
    for (; at < MAX_BYTES / 2; at += 10007) {
        assert_int_equal(stream_write(&a.stream, pattern + at, 10007), 0);
        run_turns(at % 3 == 0);
    }
    assert_int_equal(stream_queued(&a.stream) + a.stream.bytes_out, at);
    assert_int_equal(stream_read_start(&b.stream), 0);
    b.stop_at = at;
    loop_run(&loop);
    assert_int_equal(b.got, at);
    assert_true(b.sum == pattern_sum(at));
    run_turns(2);
    assert_int_equal(a.drains, 1);
    close_pair();
}

/* ---- TCP ---- */

static uv_tcp_t listener;
static int accepted;

static void on_connection(uv_stream_t *server, int status)
{
    assert_int_equal(status, 0);
    stream_init(&b.stream, &loop, &ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
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

static void test_echo_over_tcp(void **state)
{
    (void)state;
    fill_pattern();
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

static void test_peer_gone_while_not_reading(void **state)
{
    (void)state;
    open_tcp();
    assert_int_equal(stream_write(&a.stream, "unread", 6), 0);
    run_turns(2);
    stream_read_stop(&b.stream);
    assert_false(stream_peer_gone(&b.stream));
    stream_close(&a.stream);
    run_turns(3);
    assert_true(stream_peer_gone(&b.stream));
    assert_int_equal(b.ends, 0);
    close_pair();
    assert_true(stream_peer_gone(&b.stream));
}

static void test_accept_fails(void **state)
{
    (void)state;
    assert_int_equal(uv_tcp_init(&loop.uv, &listener), 0);
    struct sockaddr_in any;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &any), 0);
    assert_int_equal(uv_tcp_bind(&listener, (struct sockaddr *)&any, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&listener, 8, on_connection), 0);
    stream_init(&a.stream, &loop, &ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    assert_int_equal(stream_accept_tcp(&a.stream, (uv_stream_t *)&listener), UV_EAGAIN);
    uv_close((uv_handle_t *)&listener, NULL);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
}

/* ---- opening ---- */

static void test_open_refuses_what_cannot_be_polled(void **state)
{
    (void)state;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    FILE *file = tmpfile();
    assert_true(null >= 0 && file != NULL);
    stream_init(&a.stream, &loop, &ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
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

static void test_close_before_open(void **state)
{
    (void)state;
    stream_init(&a.stream, &loop, &ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    stream_close(&a.stream);
    assert_int_equal(a.closed, 0);
    stream_close(&a.stream);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
}

static void test_pipe_ends(void **state)
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

/* ---- the end ---- */

static void test_peer_ends(void **state)
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
    run_turns(3);
    assert_int_equal(b.ends, 1);
    assert_int_equal(stream_read_start(&b.stream), ERR_CLOSING);
    close_pair();
}

static void test_half_close_still_takes_bytes(void **state)
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

static void test_write_fails(void **state)
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
    assert_int_equal(stream_reserve(&a.stream, 1), ERR_CLOSING);
    run_turns(3);
    assert_int_equal(a.ends, 1);
    close_one(-1);
}

/* The peer goes while the kernel is full and a uv_write waits. */
static void test_pending_write_fails(void **state)
{
    (void)state;
    int fd = open_one();
    stream_read_stop(&a.stream);
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_turns(2);
    assert_true(stream_queued(&a.stream) > 0);
    assert_int_equal(close(fd), 0);
    a.stop_on_end = true;
    loop_run(&loop);
    assert_int_equal(a.ends, 1);
    assert_true(a.end_status == UV_EPIPE || a.end_status == UV_ECONNRESET);
    close_one(-1);
}

/* The end was told already; who waits for the queue to empty learns that it is gone. */
static void test_write_fails_after_the_end(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    a.stop_on_end = true;
    loop_run(&loop);
    assert_int_equal(a.ends, 1);
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_turns(2);
    stream_set_marks(&a.stream, 0, 0);
    assert_int_equal(close(fd), 0);
    a.stop_on_drain = true;
    loop_run(&loop);
    assert_int_equal(a.drains, 1);
    assert_int_equal(a.ends, 1);
    close_one(-1);
}

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

static void test_close_in_bytes(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_BYTES);
}

static void test_close_in_sent(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_SENT);
    assert_int_equal(a.drains, 0);
}

static void test_close_in_drain(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_DRAIN);
}

static void test_close_in_end(void **state)
{
    (void)state;
    check_close_in(CLOSE_IN_END);
}

static void test_close_with_a_write_pending(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_turns(2);
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

/* ---- limits ---- */

static void check_limit(size_t len, int expected)
{
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, 1), 0);
    assert_int_equal(stream_write(&a.stream, pattern, len - 1), expected);
    assert_int_equal(stream_queued(&a.stream), expected == 0 ? len : 1);
    close_one(fd);
}

static void test_limit_minus_one(void **state)
{
    (void)state;
    check_limit(MAX_BYTES - 1, 0);
}

static void test_limit(void **state)
{
    (void)state;
    check_limit(MAX_BYTES, 0);
}

static void test_limit_plus_one(void **state)
{
    (void)state;
    check_limit(MAX_BYTES + 1, ERR_TOO_LARGE);
}

static void test_reserve_is_all_or_nothing(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_reserve(&a.stream, MAX_BYTES + 1), ERR_TOO_LARGE);
    assert_int_equal(stream_reserve(&a.stream, SIZE_MAX), ERR_TOO_LARGE);
    assert_int_equal(stream_reserve(&a.stream, 1000), 0);
    fault_alloc_fail_from(1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(stream_write(&a.stream, pattern, 100), 0);
    fault_alloc_fail_at(0);
    assert_int_equal(stream_queued(&a.stream), 1000);
    close_one(fd);
}

static void test_no_memory_takes_nothing(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, 100), 0);
    fault_alloc_fail_at(1);
    assert_int_equal(stream_write(&a.stream, pattern, 100000), -ENOMEM);
    assert_int_equal(stream_queued(&a.stream), 100);
    fault_alloc_fail_at(0);
    run_turns(2);
    char got[128];
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 100);
    close_one(fd);
}

static void test_marks(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, HIGH_BYTES), 0);
    assert_false(a.stream.above_high);
    assert_int_equal(stream_write(&a.stream, pattern, 1), 0);
    assert_true(a.stream.above_high);
    stream_set_marks(&a.stream, 0, 0);
    struct party reader = {0};
    for (char chunk[65536]; a.drains == 0; run_turns(1)) {
        assert_true(reader.got <= HIGH_BYTES + 1);
        ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        reader.got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(a.stream.bytes_out, HIGH_BYTES + 1);
    run_turns(2);
    assert_int_equal(a.drains, 1);
    close_one(fd);
}

/* A reader that takes a few bytes is progress, though the uv_write under way is far from done. */
static void test_progress_within_one_write(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_turns(3);
    size_t queued = stream_queued(&a.stream);
    assert_true(queued > 0);
    uint64_t before_ms = stream_progress_at_ms(&a.stream);
    while (loop_now_ms(&loop) <= before_ms + 1) /* the clock, not a guess */
        run_turns(1);
    assert_int_equal(stream_progress_at_ms(&a.stream), before_ms);
    static char chunk[512 << 10];
    assert_true(recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0);
    for (int i = 0; i < 1000 && stream_queued(&a.stream) == queued; i++)
        run_turns(1);
    assert_true(stream_queued(&a.stream) < queued);
    assert_true(stream_progress_at_ms(&a.stream) > before_ms);
    close_one(fd);
}

/* ---- storage ---- */

/* Relayed bytes cost no allocation once the buffers have their size: libuv's own are counted, too. */
static void test_steady_state_allocates_nothing(void **state)
{
    (void)state;
    open_pair();
    b.echo = true;
    for (int round = 0; round < 2000; round++) {
        if (round == 100)
            fault_alloc_fail_at(0);
        assert_int_equal(stream_write(&a.stream, pattern, 3000), 0);
        a.stop_at = a.got + 3000;
        loop_run(&loop);
    }
    assert_int_equal(fault_alloc_count(), 0);
    close_pair();
}

/* The same with a reader that is too slow, so that uv_write is used each time. */
static void test_steady_state_when_full(void **state)
{
    (void)state;
    int fd = open_one();
    size_t total = 0;
    static char chunk[1 << 20];
    for (int round = 0; round < 200; round++) {
        if (round == 50)
            fault_alloc_fail_at(0);
        assert_int_equal(stream_write(&a.stream, pattern, 600000), 0);
        total += 600000;
        run_turns(2);
        assert_true(a.stream.pending_bytes > 0);
        while (a.stream.bytes_out < total) {
            (void)recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
            run_turns(1);
        }
    }
    assert_int_equal(fault_alloc_count(), 0);
    close_one(fd);
}

static void test_big_storage_goes_at_once(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    b.stop_at = MAX_BYTES;
    loop_run(&loop);
    run_turns(2);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_true(stream_held_bytes(&a.stream) <= 2 * STREAM_KEEP_BYTES);
    close_pair();
}

static void test_idle_storage_is_given_back(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(stream_write(&a.stream, pattern, 3000), 0);
    run_turns(3);
    assert_true(stream_held_bytes(&a.stream) > 0);
    uint64_t limit_ms = loop_now_ms(&loop) + 10 * LOOP_SWEEP_MS;
    while (stream_held_bytes(&a.stream) > 0 && loop_now_ms(&loop) < limit_ms)
        (void)uv_run(&loop.uv, UV_RUN_ONCE);
    assert_int_equal(stream_held_bytes(&a.stream), 0);
    assert_int_equal(stream_write(&a.stream, "again", 5), 0);
    b.stop_at = 3005;
    loop_run(&loop);
    assert_int_equal(b.got, 3005);
    stream_trim(&a.stream, 0);
    assert_int_equal(stream_held_bytes(&a.stream), 0);
    close_pair();
}

/* An idle connection is its structure and nothing else. */
static void test_idle_stream_is_small(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct stream), 1, 1024);
}

int main(void)
{
    /* As the daemon does, and before anything allocates: libuv's allocations are counted with ours. */
    fault_alloc_install();
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    assert_int_equal(uv_replace_allocator(mem_alloc, mem_realloc, mem_get()->calloc, mem_free), 0);
#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STREAM_TEST(test_bytes_arrive_in_order),
        STREAM_TEST(test_slow_reader_gets_everything),
        STREAM_TEST(test_appending_while_writing),
        STREAM_TEST(test_echo_over_tcp),
        STREAM_TEST(test_peer_gone_while_not_reading),
        STREAM_TEST(test_accept_fails),
        STREAM_TEST(test_open_refuses_what_cannot_be_polled),
        STREAM_TEST(test_close_before_open),
        STREAM_TEST(test_pipe_ends),
        STREAM_TEST(test_peer_ends),
        STREAM_TEST(test_half_close_still_takes_bytes),
        STREAM_TEST(test_write_fails),
        STREAM_TEST(test_pending_write_fails),
        STREAM_TEST(test_write_fails_after_the_end),
        STREAM_TEST(test_close_in_bytes),
        STREAM_TEST(test_close_in_sent),
        STREAM_TEST(test_close_in_drain),
        STREAM_TEST(test_close_in_end),
        STREAM_TEST(test_close_with_a_write_pending),
        STREAM_TEST(test_limit_minus_one),
        STREAM_TEST(test_limit),
        STREAM_TEST(test_limit_plus_one),
        STREAM_TEST(test_reserve_is_all_or_nothing),
        STREAM_TEST(test_no_memory_takes_nothing),
        STREAM_TEST(test_marks),
        STREAM_TEST(test_progress_within_one_write),
        STREAM_TEST(test_steady_state_allocates_nothing),
        STREAM_TEST(test_steady_state_when_full),
        STREAM_TEST(test_big_storage_goes_at_once),
        STREAM_TEST(test_idle_storage_is_given_back),
        STREAM_TEST(test_idle_stream_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

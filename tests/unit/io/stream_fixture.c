/* Parties to a stream, and what they count. Purpose and use: stream_kit.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/io/stream_fixture.h"

struct loop loop;
struct party a;
struct party b;
char pattern[MAX_BYTES];

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

void add_sum(struct party *p, const char *bytes, size_t len)
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

const struct stream_ops party_ops = {
    .on_bytes = on_bytes, .on_drain = on_drain, .on_end = on_end, .on_closed = on_closed, .on_sent = on_sent};

int stream_set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    a = (struct party){0};
    b = (struct party){0};
    return loop_init(&loop);
}

int stream_tear_down(void **state)
{
    (void)state;
    int rc = loop_done(&loop);
    return rc != 0 ? rc : (int)fault_alloc_live();
}

void open_party(struct party *p, int fd)
{
    stream_init(&p->stream, &loop, &party_ops, HIGH_BYTES, LOW_BYTES, MAX_BYTES);
    assert_int_equal(stream_open_fd(&p->stream, fd), 0);
}

void open_pair(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    open_party(&a, fds[0]);
    open_party(&b, fds[1]);
    assert_int_equal(stream_read_start(&a.stream), 0);
    assert_int_equal(stream_read_start(&b.stream), 0);
}

void close_pair(void)
{
    stream_close(&a.stream);
    stream_close(&b.stream);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
    assert_int_equal(b.closed, 1);
}

int open_one(void)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    open_party(&a, fds[0]);
    assert_int_equal(stream_read_start(&a.stream), 0);
    return fds[1];
}

void close_one(int fd)
{
    if (fd >= 0)
        assert_int_equal(close(fd), 0);
    stream_close(&a.stream);
    loop_run(&loop);
    assert_int_equal(a.closed, 1);
}

void run_iterations(int iterations)
{
    for (int i = 0; i < iterations; i++)
        (void)uv_run(&loop.uv, UV_RUN_NOWAIT);
}

static void fill_pattern(void)
{
    for (size_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (char)(i * 7 + (i >> 9));
}

uint64_t pattern_sum(size_t len)
{
    struct party p = {0};
    add_sum(&p, pattern, len);
    return p.sum;
}

void stream_tests_begin(void)
{
    fault_alloc_install();
    assert_true(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    assert_int_equal(uv_replace_allocator(mem_alloc, mem_realloc, mem_get()->calloc, mem_free), 0);
    fill_pattern();
}

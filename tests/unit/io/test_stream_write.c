/* The queue of a stream: readers that are fast, slow or deaf, its limit and its marks, and the storage it
 * takes and gives back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/io/stream_fixture.h"

/* ---- the queue ---- */

/* Both kinds of ends: a plain reader that takes little at a time. */
static void slow_reader_gets_everything(void **state)
{
    (void)state;
    int fd = open_one();
    a.stop_on_drain = true;
    size_t total = sizeof(pattern);
    for (size_t at = 0; at < total; at += 65536) {
        assert_int_equal(stream_write(&a.stream, pattern + at, 65536), 0);
        if (at % (1 << 20) == 0)
            run_iterations(1);
    }
    assert_true(stream_queued(&a.stream) > HIGH_BYTES);
    assert_true(a.stream.above_high);
    struct party reader = {0};
    char chunk[3001];
    for (ssize_t n; reader.got < total; run_iterations(1)) {
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
static void appending_while_writing(void **state)
{
    (void)state;
    open_pair();
    stream_read_stop(&b.stream);
    size_t at = 0;
    for (; at < MAX_BYTES / 2; at += 10007) {
        assert_int_equal(stream_write(&a.stream, pattern + at, 10007), 0);
        run_iterations(at % 3 == 0);
    }
    assert_int_equal(stream_queued(&a.stream) + a.stream.bytes_out, at);
    assert_int_equal(stream_read_start(&b.stream), 0);
    b.stop_at = at;
    loop_run(&loop);
    assert_int_equal(b.got, at);
    assert_true(b.sum == pattern_sum(at));
    run_iterations(2);
    assert_int_equal(a.drains, 1);
    close_pair();
}

/* ---- early ---- */

static void check_early(size_t len, size_t expected_queued)
{
    assert_int_equal(stream_write(&a.stream, pattern, len), 0);
    stream_flush_early(&a.stream, 1024);
    assert_int_equal(stream_queued(&a.stream), expected_queued);
}

/* At the owner's threshold, each time; the callbacks come at the end of the iteration. */
static void flushes_early(void **state)
{
    (void)state;
    int fd = open_one();
    for (int iteration = 0; iteration < 2; iteration++) {
        check_early(1023, 1023);
        check_early(1, 0);
        check_early(1023, 1023);
        assert_int_equal(a.sent, iteration); /* never inside the call */
        run_iterations(1);
        assert_int_equal(stream_queued(&a.stream), 0);
    }
    assert_int_equal(a.sent, 2);
    close_one(fd);
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

static void limit_minus_one(void **state)
{
    (void)state;
    check_limit(MAX_BYTES - 1, 0);
}

static void limit_of_the_queue(void **state)
{
    (void)state;
    check_limit(MAX_BYTES, 0);
}

static void limit_plus_one(void **state)
{
    (void)state;
    check_limit(MAX_BYTES + 1, ERR_TOO_LARGE);
}

static void parts_are_one_message(void **state)
{
    (void)state;
    char bytes[16];
    const struct part parts[] = {{"one", 3}, {NULL, 0}, {"two", 3}};
    const struct part huge[] = {{pattern, SIZE_MAX}, {pattern, 1}};
    const struct part large[] = {{"one", 3}, {pattern, 100000}};
    int fd = open_one();
    assert_int_equal(stream_write_parts(&a.stream, NULL, 0, false), 0);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(stream_write_parts(&a.stream, huge, 2, true), ERR_TOO_LARGE);
    fault_alloc_fail_at(1);
    assert_int_equal(stream_write_parts(&a.stream, large, 2, true), -ENOMEM);
    assert_int_equal(stream_queued(&a.stream), 0);
    fault_alloc_fail_at(0);
    assert_int_equal(stream_write_parts(&a.stream, parts, 3, true), 0);
    assert_int_equal(stream_write_parts(&a.stream, parts, 3, false), 0);
    stream_flush(&a.stream);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), 13);
    assert_memory_equal(bytes, "onetwo\nonetwo", 13);
    close_one(fd);
}

static void no_memory_takes_nothing(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, 100), 0);
    fault_alloc_fail_at(1);
    assert_int_equal(stream_write(&a.stream, pattern, 100000), -ENOMEM);
    assert_int_equal(stream_queued(&a.stream), 100);
    fault_alloc_fail_at(0);
    run_iterations(2);
    char got[128];
    assert_int_equal(recv(fd, got, sizeof(got), MSG_DONTWAIT), 100);
    close_one(fd);
}

static void high_and_low_marks(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, HIGH_BYTES), 0);
    assert_false(a.stream.above_high);
    assert_int_equal(stream_write(&a.stream, pattern, 1), 0);
    assert_true(a.stream.above_high);
    stream_set_marks(&a.stream, 0, 0);
    struct party reader = {0};
    for (char chunk[65536]; a.drains == 0; run_iterations(1)) {
        assert_true(reader.got <= HIGH_BYTES + 1);
        ssize_t n = recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
        reader.got += n > 0 ? (size_t)n : 0;
    }
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_int_equal(a.stream.bytes_out, HIGH_BYTES + 1);
    run_iterations(2);
    assert_int_equal(a.drains, 1);
    close_one(fd);
}

/* A reader that takes a few bytes is progress, though the uv_write under way is far from done. */
static void progress_within_one_write(void **state)
{
    (void)state;
    int fd = open_one();
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    run_iterations(3);
    size_t queued = stream_queued(&a.stream);
    assert_true(queued > 0);
    uint64_t before_ms = stream_progress_at_ms(&a.stream);
    while (loop_now_ms(&loop) <= before_ms + 1) /* the clock, not a guess */
        run_iterations(1);
    assert_int_equal(stream_progress_at_ms(&a.stream), before_ms);
    static char chunk[512 << 10];
    assert_true(recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT) > 0);
    for (int i = 0; i < 1000 && stream_queued(&a.stream) == queued; i++)
        run_iterations(1);
    assert_true(stream_queued(&a.stream) < queued);
    assert_true(stream_progress_at_ms(&a.stream) > before_ms);
    close_one(fd);
}

/* ---- storage ---- */

/* Relayed bytes cost no allocation once the buffers have their size: libuv's own are counted, too. */
static void steady_state_allocates_nothing(void **state)
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
static void steady_state_when_full(void **state)
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
        run_iterations(2);
        assert_true(a.stream.pending_bytes > 0);
        while (a.stream.bytes_out < total) {
            (void)recv(fd, chunk, sizeof(chunk), MSG_DONTWAIT);
            run_iterations(1);
        }
    }
    assert_int_equal(fault_alloc_count(), 0);
    close_one(fd);
}

static void big_storage_goes_at_once(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(stream_write(&a.stream, pattern, MAX_BYTES), 0);
    b.stop_at = MAX_BYTES;
    loop_run(&loop);
    run_iterations(2);
    assert_int_equal(stream_queued(&a.stream), 0);
    assert_true(stream_held_bytes(&a.stream) <= 2 * STREAM_KEEP_BYTES);
    close_pair();
}

static void idle_storage_is_given_back(void **state)
{
    (void)state;
    open_pair();
    assert_int_equal(stream_write(&a.stream, pattern, 3000), 0);
    run_iterations(3);
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
static void idle_stream_is_small(void **state)
{
    (void)state;
    assert_in_range(sizeof(struct stream), 1, 1024);
}

int main(void)
{
    stream_tests_begin();
    const struct CMUnitTest tests[] = {
        STREAM_TEST(slow_reader_gets_everything),
        STREAM_TEST(appending_while_writing),
        STREAM_TEST(flushes_early),
        STREAM_TEST(limit_minus_one),
        STREAM_TEST(limit_of_the_queue),
        STREAM_TEST(limit_plus_one),
        STREAM_TEST(parts_are_one_message),
        STREAM_TEST(no_memory_takes_nothing),
        STREAM_TEST(high_and_low_marks),
        STREAM_TEST(progress_within_one_write),
        STREAM_TEST(steady_state_allocates_nothing),
        STREAM_TEST(steady_state_when_full),
        STREAM_TEST(big_storage_goes_at_once),
        STREAM_TEST(idle_storage_is_given_back),
        STREAM_TEST(idle_stream_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

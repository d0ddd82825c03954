/* What the streams' tests share: two parties that count what happens to them, connected to each other or to a
 * plain descriptor.
 *
 *     open_pair();                                            a and b are connected and read
 *     b.stop_at = 5;                                          loop_run returns once b has 5 bytes
 *     assert_int_equal(stream_write(&a.stream, "hello", 5), 0);
 *     loop_run(&loop);
 *     close_pair();
 *
 * Include after cmocka.h. A test fails when it leaves a handle or an allocation behind; libuv's are counted,
 * too.
 */
#ifndef TESTS_IO_STREAM_FIXTURE_H
#define TESTS_IO_STREAM_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/stream.h"

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

extern struct loop loop;
extern struct party a;
extern struct party b;
extern const struct stream_ops party_ops;
extern char pattern[MAX_BYTES]; /* bytes that differ from place to place */

/* The sum of the pattern's first bytes, as a party that got them has it. */
uint64_t pattern_sum(size_t len);
void add_sum(struct party *p, const char *bytes, size_t len);

void open_party(struct party *p, int fd);
/* a and b, connected. */
void open_pair(void);
void close_pair(void);
/* a on one end; gives the plain descriptor of the other. */
int open_one(void);
/* Closes that descriptor, unless it is -1, and a. */
void close_one(int fd);
/* Runs loop iterations that do not wait. */
void run_iterations(int iterations);

/* First thing in main, before anything allocates: counts libuv's allocations with ours and ignores SIGPIPE,
 * as the daemon does. */
void stream_tests_begin(void);
/* cmocka set-up and tear-down. */
int stream_set_up(void **state);
int stream_tear_down(void **state);

#define STREAM_TEST(name) cmocka_unit_test_setup_teardown(name, stream_set_up, stream_tear_down)

#endif

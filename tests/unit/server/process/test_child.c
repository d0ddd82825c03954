/* One child on a real loop: what its link takes, what its pipes bring, how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "server/process/child.h"
#include "tests/unit/server/process/process_fixture.h"

#define MAX_FRAME ((size_t)4 << 20)

struct seen {
    struct loop loop;
    struct reaper reaper;
    struct memory memory;
    struct child *child; /* NULL once it is closed */
    size_t frames;
    size_t bytes; /* of all frames */
    size_t oversize;
    size_t longest;
    size_t writable;
    size_t queued_at_writable;
    const char *lost;
    bool exited;
    int exit_status;
    int term_signal;
    char tail[INSTANCE_TAIL_BYTES]; /* of stderr, at the exit */
    size_t tail_len;
    bool reaper_closed;
    size_t descriptors;
};

static struct seen seen;

static void on_frame(struct instance *i, const struct frame *frame)
{
    assert_ptr_equal(i, &seen.child->instance);
    assert_false(seen.exited);
    seen.frames++;
    seen.oversize += frame->oversize;
    seen.bytes += frame->len;
    if (frame->len > seen.longest)
        seen.longest = frame->len;
}

static void on_writable(struct instance *i)
{
    seen.writable++;
    seen.queued_at_writable = i->link.queued_bytes;
}

static void on_lost(struct instance *i, const char *why)
{
    assert_null(seen.lost);
    seen.lost = why;
    child_stop(child_of(i), 1000);
}

static void on_child_exit(struct instance *i, int exit_status, int term_signal)
{
    assert_false(seen.exited);
    seen.exited = true;
    seen.tail_len = child_stderr_tail(child_of(i), seen.tail, sizeof(seen.tail));
    seen.exit_status = exit_status;
    seen.term_signal = term_signal;
}

static void on_closed(struct instance *i)
{
    assert_ptr_equal(i, &seen.child->instance);
    assert_true(seen.exited);
    seen.child = NULL;
}

static const struct instance_events ops = {on_frame, on_writable, on_lost, on_child_exit, on_closed};

static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    memset(&seen, 0, sizeof(seen));
    if (loop_init(&seen.loop) != 0 || loop_done(&seen.loop) != 0) /* what libuv opens once */
        return -1;
    seen.descriptors = open_descriptors();
    if (loop_init(&seen.loop) != 0)
        return -1;
    memory_init(&seen.memory, &seen.loop, UINT64_MAX);
    return reaper_start(&seen.reaper, &seen.loop);
}

static bool is_gone(void *data)
{
    (void)data;
    return !seen.child;
}

static void on_reaper_closed(struct reaper *r)
{
    (void)r;
    seen.reaper_closed = true;
}

static bool reaper_is_closed(void *data)
{
    (void)data;
    return seen.reaper_closed;
}

static int tear_down(void **state)
{
    (void)state;
    if (seen.child)
        child_kill(seen.child);
    run_until(&seen.loop, is_gone, NULL);
    assert_int_equal(seen.memory.held_bytes, 0);
    memory_done(&seen.memory);
    reaper_close(&seen.reaper, on_reaper_closed);
    run_until(&seen.loop, reaper_is_closed, NULL);
    assert_int_equal(loop_done(&seen.loop), 0);
    assert_int_equal(open_descriptors(), seen.descriptors);
    return 0;
}

static int try_start(const char *script, const char *keeper)
{
    static char sh[] = "sh", dash_c[] = "-c", text[1024], name[] = "it";
    static char *args[] = {dash_c, text, NULL}, *none[] = {NULL};
    (void)snprintf(text, sizeof(text), "%s", script);
    struct server_config config = {.name = name, .command = sh, .args = args, .inherit_env = none};
    char path[256];
    (void)snprintf(path, sizeof(path), "PATH=%s", getenv("PATH"));
    char *environment[] = {path, NULL};
    struct child_spec spec = {
        .instance = {.name = name, .config = &config, .max_frame_bytes = MAX_FRAME, .max_id_bytes = 1024},
        .loop = &seen.loop,
        .reaper = &seen.reaper,
        .memory = &seen.memory,
        .keeper = keeper,
        .environ = environment};
    return child_start(&spec, &ops, NULL, &seen.child);
}

static void start(const char *script)
{
    assert_int_equal(try_start(script, keeper_program()), 0);
}

static bool has_exited(void *data)
{
    (void)data;
    return seen.exited;
}

static bool has_frames(void *data)
{
    return seen.frames >= *(size_t *)data;
}

static void await_frames(size_t count)
{
    run_until(&seen.loop, has_frames, &count);
}

static int send_bytes(size_t len)
{
    static char bytes[MAX_FRAME];
    memset(bytes, ' ', sizeof(bytes));
    bytes[0] = '{';
    bytes[1] = '}';
    const struct part parts[] = {{bytes, 1}, {bytes + 1, len - 1}};
    const struct message message = {.parts = parts, .part_count = 2, .kind = MESSAGE_NOTIFICATION};
    return seen.child->instance.link.ops->send(&seen.child->instance.link, &message);
}

static void test_frames_of_all_sizes(void **state)
{
    (void)state;
    start("exec cat");
    size_t sum = 0, count = 0;
    for (size_t len = 2; len <= MAX_FRAME / 4; len = len * 3 + 1, count++) {
        assert_int_equal(send_bytes(len), 0);
        sum += len;
        await_frames(count + 1);
    }
    assert_int_equal(seen.bytes, sum);
    assert_int_equal(seen.oversize, 0);
}

static void test_a_line_over_the_limit(void **state)
{
    (void)state;
    start("echo '{}'; head -c 5000000 /dev/zero | tr '\\0' ' '; echo; echo '{}'; exec cat");
    await_frames(3);
    assert_int_equal(seen.oversize, 1);
    assert_int_equal(seen.bytes, 2 + 5000000 + 2);
}

/* A child that does not read: the link takes messages up to its limit, and then refuses. */
static bool is_drained(void *data)
{
    assert_null(seen.lost);
    assert_non_null(seen.child);
    return seen.writable > *(size_t *)data && seen.child->instance.link.queued_bytes == 0;
}

/* The keeper reports it, perhaps later than the child's first line. */
static pid_t await_child_pid(void)
{
    struct pollfd reported = {.fd = seen.child->lifeline_fd, .events = POLLIN};
    pid_t pid = child_pid(seen.child);
    if (pid == 0) {
        assert_int_equal(poll(&reported, 1, 10000), 1);
        pid = child_pid(seen.child);
    }
    assert_true(pid > 0);
    return pid;
}

static void test_queue_fills_and_drains(void **state)
{
    (void)state;
    start("trap 'go=1' USR1; echo '{}'; while [ -z \"$go\" ]; do sleep 0.02; done; "
          "exec 3>&1; exec cat >/dev/null"); /* its stdout stays open: a child without one is given up soon */
    await_frames(1);
    size_t before = seen.writable;
    assert_int_equal(send_bytes(10), 0);
    assert_int_equal(seen.child->instance.link.queued_bytes, 11);
    size_t sent = 0;
    while (seen.child->instance.link.queued_bytes < CHILD_HIGH_BYTES) {
        assert_int_equal(send_bytes(65536), 0);
        sent += 65537;
        assert_true(sent < 4 * CHILD_HIGH_BYTES);
        (void)uv_run(&seen.loop.uv, UV_RUN_NOWAIT);
    }
    assert_int_equal(send_bytes(MAX_FRAME), 0); /* one frame of any size always fits on top */
    assert_int_equal(send_bytes(MAX_FRAME), ERR_TOO_LARGE);
    assert_int_equal(seen.writable, before);
    assert_true(seen.memory.held_bytes >= CHILD_HIGH_BYTES);
    assert_int_equal(kill(await_child_pid(), SIGUSR1), 0);
    run_until(&seen.loop, is_drained, &before);
    assert_int_equal(seen.writable, before + 1);
    assert_true(seen.queued_at_writable < CHILD_HIGH_BYTES / 2);
}

static void test_pause_and_resume(void **state)
{
    (void)state;
    start("while read -r x; do echo \"$x\"; done");
    assert_int_equal(send_bytes(10), 0);
    await_frames(1);
    struct link *link = &seen.child->instance.link;
    link->ops->pause(link);
    link->ops->pause(link);
    assert_int_equal(send_bytes(10), 0);
    /* Its answer is in the pipe once stderr, which is never paused, has brought its line: nothing to wait
     * for but time. */
    for (int i = 0; i < 50; i++)
        (void)uv_run(&seen.loop.uv, UV_RUN_NOWAIT);
    assert_int_equal(seen.frames, 1);
    link->ops->resume(link);
    await_frames(2);
}

/* Paused, and ended: the lines that it had written come all the same. */
static void test_exit_while_paused(void **state)
{
    (void)state;
    start("echo '{\"a\":1}'; echo '{\"b\":2}'; echo oops >&2; exit 6");
    seen.child->instance.link.ops->pause(&seen.child->instance.link);
    run_until(&seen.loop, has_exited, NULL);
    assert_int_equal(seen.frames, 2);
    assert_int_equal(seen.exit_status, 6);
    assert_int_equal(seen.term_signal, 0);
}

static void test_stop_lets_the_queue_out(void **state)
{
    (void)state;
    start("sleep 0.1; wc -c | sed 's/ *//; s/.*/{\"n\":&}/'");
    for (int i = 0; i < 12; i++)
        assert_int_equal(send_bytes(65535), 0);
    child_stop(seen.child, 5000 * time_scale());
    child_stop(seen.child, 1);
    assert_int_equal(send_bytes(10), ERR_CLOSING);
    run_until(&seen.loop, has_exited, NULL);
    assert_int_equal(seen.frames, 1);
    assert_int_equal(seen.bytes, strlen("{\"n\":786432}"));
    assert_int_equal(seen.exit_status, 0);
}

/* stop -> SIGTERM -> SIGKILL, each after the grace. */
static void test_stop_escalation(void **state)
{
    (void)state;
    start("trap 'echo \"{}\"' TERM; echo '{}'; while :; do sleep 0.05; done");
    await_frames(1);
    uint64_t since_ms = wall_ms();
    child_stop(seen.child, 200);
    await_frames(2); /* it got SIGTERM and lives */
    assert_true(wall_ms() - since_ms >= 199);
    run_until(&seen.loop, has_exited, NULL);
    assert_true(wall_ms() - since_ms >= 399);
    assert_int_equal(seen.term_signal, SIGKILL);
    assert_null(seen.lost);
}

static void test_stop_of_one_that_obeys_is_quick(void **state)
{
    (void)state;
    start("echo '{}'; exec cat");
    await_frames(1);
    child_stop(seen.child, 60000);
    run_until(&seen.loop, has_exited, NULL); /* its limit is below the grace */
    assert_int_equal(seen.exit_status, 0);
    assert_int_equal(seen.term_signal, 0);
}

static void test_stderr_tail(void **state)
{
    (void)state;
    start(
        "i=0; while [ $i -lt 3000 ]; do echo \"line $i\" >&2; i=$((i+1)); done; printf 'the end' >&2; exit 1");
    run_until(&seen.loop, has_exited, NULL);
    assert_int_equal(seen.tail_len, sizeof(seen.tail) - 1);
    assert_non_null(strstr(seen.tail, "\nline 2999\nthe end"));
}

static void test_no_keeper(void **state)
{
    (void)state;
    assert_int_equal(try_start("true", "/no/such/keeper"), -ENOENT);
    assert_null(seen.child);
    assert_int_equal(seen.reaper.watches.count, 0);
}

static bool is_paused_by_memory(void *data)
{
    (void)data;
    return seen.child->paused_by_memory;
}

static void ignore(struct memory_user *u)
{
    (void)u;
}

/* A line over the budget that has not ended: its reading stops, and goes on when there is room again. The
 * rest of it comes on demand: a whole line might be read within one iteration, before the budget decides.
 * Another one, smaller, reads on meanwhile: the last is never stopped. */
static void test_memory_budget(void **state)
{
    (void)state;
    static const struct memory_ops ignoring = {.pause = ignore, .resume = ignore, .vital = true};
    const struct memory_usage usage = {.partial_bytes = MEMORY_PARTIAL_MIN_BYTES + 1,
                                       .held_bytes = MEMORY_PARTIAL_MIN_BYTES + 1};
    struct memory_user others;
    memory_set_limit(&seen.memory, 100000);
    memory_join(&seen.memory, &others, &ignoring);
    memory_set(&seen.memory, &others, &usage);
    start(
        "part() { head -c $1 /dev/zero | tr '\\0' x; }; printf '{\"x\":\"'; part 1000000; read -r go; part 2000000; echo '\"}'; exec cat");
    run_until(&seen.loop, is_paused_by_memory, NULL);
    assert_int_equal(seen.frames, 0);
    memory_set_limit(&seen.memory, 100000000);
    assert_int_equal(send_bytes(2), 0);
    await_frames(1);
    assert_int_equal(seen.longest, 3000000 + 8);
    assert_false(seen.child->paused_by_memory);
    memory_leave(&seen.memory, &others);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_frames_of_all_sizes),
        T(test_a_line_over_the_limit),
        T(test_queue_fills_and_drains),
        T(test_pause_and_resume),
        T(test_exit_while_paused),
        T(test_stop_lets_the_queue_out),
        T(test_stop_escalation),
        T(test_stop_of_one_that_obeys_is_quick),
        T(test_stderr_tail),
        T(test_no_keeper),
        T(test_memory_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

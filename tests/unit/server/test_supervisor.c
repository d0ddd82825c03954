/* The state machine on real children: starting, failing, crashing, idling, stopping. */
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
#include <unistd.h>

#include "tests/unit/server/server_fixture.h"

static char one[] = "one", two[] = "two";

static void test_starts_when_wanted(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    assert_string_equal(fixture_state(one), "down");
    assert_int_equal(fixture_info(one).generation, 0);
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    assert_string_equal(fixture_state(one), "starting");
    await_log(upstream, "starting attach ready");
    assert_string_equal(fixture_state(one), "ready");
    struct server_info info = fixture_info(one);
    assert_true(info.pid > 0 && info.keeper_pid > 0 && info.pid != info.keeper_pid);
    assert_int_equal(kill(info.pid, 0), 0);
    assert_int_equal(info.generation, 1);
    assert_int_equal(info.restarts, 0);
    assert_int_equal(info.children, 1);
    assert_string_equal(upstream->last_frame, "{\"hello\":1}");
    fixture_stop();
    assert_int_equal(kill(info.keeper_pid, 0), -1);
    assert_string_equal(upstream->log, "starting attach ready down:down");
    assert_string_equal(upstream->detail, "the relay is stopping");
}

static void test_eager_starts_by_itself(void **state)
{
    (void)state;
    fixture_add(one, NULL)->eager = true;
    fixture_apply();
    await_log(fake_upstream_of(one), "starting attach ready");
}

static void test_killed_child_comes_back(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_add(two, NULL);
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    fake_want(fake_upstream_of(two));
    await_state(one, "ready");
    await_state(two, "ready");
    upstream->stats.sessions = 1;
    pid_t first = await_pid(one), other = await_pid(two);
    assert_int_equal(kill(first, SIGKILL), 0);
    await_log(upstream, "down:backing-off");
    assert_true(upstream->outage.exited);
    assert_int_equal(upstream->outage.term_signal, SIGKILL);
    assert_null(upstream->outage.stderr_tail); /* it had been ready */
    assert_true(upstream->outage.retry_at_ms >= upstream->down_at_ms + 15);
    await_log(upstream, "down:backing-off starting attach ready");
    struct server_info info = fixture_info(one);
    assert_int_not_equal(await_pid(one), first);
    assert_int_equal(info.generation, 2);
    assert_int_equal(info.restarts, 1);
    assert_true(info.exited);
    assert_int_equal(info.term_signal, SIGKILL);
    assert_int_equal(await_pid(two), other);
    assert_string_equal(fake_upstream_of(two)->log, "starting attach ready");
}

static void test_stays_down_without_sessions(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_state(one, "ready");
    assert_int_equal(kill(await_pid(one), SIGTERM), 0);
    await_log(upstream, "down:backing-off idle");
    assert_string_equal(fixture_state(one), "down");
    fake_want(upstream);
    await_log(upstream, "idle starting attach ready");
}

static void test_failed_start_says_why(void **state)
{
    (void)state;
    fixture_add(one, "echo first >&2; echo 'no such database' >&2; exit 3");
    fixture_config()->servers[0].eager = false;
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    uint64_t since_ms = wall_ms();
    fake_want(upstream);
    await_log(upstream, "starting attach down:backing-off");
    assert_true(wall_ms() - since_ms < 5000 * time_scale()); /* its start time is 10000 */
    assert_true(upstream->outage.exited);
    assert_int_equal(upstream->outage.exit_status, 3);
    assert_int_equal(upstream->outage.term_signal, 0);
    assert_string_equal(upstream->tail, "first\nno such database\n");
    assert_string_equal(upstream->detail, "it exited with status 3: no such database");
}

static void test_unknown_command(void **state)
{
    (void)state;
    static char command[] = "no-such-command-here";
    fixture_add(one, "")->command = command;
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_log(upstream, "down:backing-off");
    assert_int_equal(upstream->outage.exit_status, 127);
    assert_non_null(strstr(upstream->tail, "cannot run 'no-such-command-here': not found in PATH="));
    assert_non_null(
        strstr(upstream->detail, "it exited with status 127: cannot run 'no-such-command-here': not found"));
}

/* It does not read its stdin either, so that it still runs when the request comes that must be refused. */
static void test_silent_child_is_stopped(void **state)
{
    (void)state;
    fixture_config()->stop_grace_ms = 500;
    fixture_add(one, "echo thinking >&2; exec sleep 60")->start_timeout_ms = 1000 * time_scale();
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_log(upstream, "starting attach down:stopping");
    assert_false(upstream->outage.exited);
    assert_non_null(strstr(upstream->detail, "it was started and did not answer within "));
    assert_string_equal(upstream->tail, "thinking\n");
    fake_want(upstream); /* while it stops: the same answer */
    await_log(upstream, "down:stopping down:stopping down:backing-off");
    assert_true(upstream->outage.exited);
    assert_non_null(strstr(upstream->detail, "it was started and did not answer within "));
    assert_true(upstream->outage.retry_at_ms > 0);
}

static void test_refused_handshake(void **state)
{
    (void)state;
    fake_router.refuse = "initialize was refused: no";
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_log(upstream, "starting attach down:stopping down:backing-off");
    assert_string_equal(upstream->detail, "initialize was refused: no");
}

static void test_crash_loop_and_probe(void **state)
{
    (void)state;
    char file[] = "/tmp/test_supervisor.XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0);
    (void)close(fd);
    char script[256];
    (void)snprintf(script, sizeof(script), "[ -e %s ] && exit 4; exec cat", file);
    fixture_config()->breaker_probe_ms = 300;
    fixture_add(one, script);
    fixture_add(two, NULL);
    fixture_apply();
    fake_want(fake_upstream_of(two));
    struct upstream *upstream = fake_upstream_of(one);
    upstream->stats.sessions = 1;
    fake_want(upstream);
    await_log(upstream, "down:crash-loop");
    assert_int_equal(fixture_info(one).generation, 5);
    assert_int_equal(upstream->outage.exit_status, 4);
    uint64_t opened_ms = upstream->down_at_ms;
    assert_int_equal(upstream->outage.retry_at_ms, opened_ms + 300);
    fake_want(upstream);
    await_log(upstream,
              "down:crash-loop down:crash-loop starting attach down:crash-loop"); /* a failed probe */
    assert_int_equal(fixture_info(one).generation, 6);
    assert_true(upstream->down_at_ms >= opened_ms + 300);
    assert_int_equal(unlink(file), 0);
    await_log(upstream, "starting attach ready");
    assert_int_equal(fixture_info(one).generation, 7);
    assert_string_equal(fake_upstream_of(two)->log, "starting attach ready");
}

static void test_idle_child_is_stopped(void **state)
{
    (void)state;
    fixture_add(one, "cat; sleep 0.5")->idle_timeout_ms = 60; /* it takes its time to stop */
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    upstream->stats.sessions = 1;
    fake_want(upstream);
    await_log(upstream, "starting attach ready idle");
    await_state(one, "down");
    assert_false(fixture_info(one).exited); /* a requested stop */
    fake_want(upstream);
    await_log(upstream, "idle starting attach ready idle");
    assert_string_equal(fixture_state(one), "stopping");
    fake_want(upstream); /* while it stops */
    await_log(upstream, "ready idle starting starting attach ready");
    upstream->stats.subscriptions = 1;
    assert_string_equal(fixture_state(one), "ready");
    assert_int_equal(fixture_info(one).restarts, 0);
}

static bool frames_are_two(void *data)
{
    return ((struct upstream *)data)->frames >= 2;
}

static void test_answers_after_the_end_of_stdin(void **state)
{
    (void)state;
    fixture_add(one, "read -r x; echo \"$x\"; cat >/dev/null; echo '{\"late\":1}'; exit 0");
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_state(one, "ready");
    fixture_stop();
    assert_true(frames_are_two(upstream));
    assert_string_equal(upstream->last_frame, "{\"late\":1}");
}

static void test_closed_stdout(void **state)
{
    (void)state;
    fixture_add(one, "read -r x; echo \"$x\"; exec >&-; exec sleep 1000");
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_log(upstream, "ready down:stopping");
    assert_string_equal(upstream->detail, "closed its stdout");
    await_log(upstream, "down:stopping down:backing-off");
    assert_int_equal(upstream->outage.term_signal, SIGTERM);
}

static void test_closed_stdin(void **state)
{
    (void)state;
    fixture_add(one, "read -r x; exec <&-; echo \"$x\"; exec sleep 1000");
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_log(upstream, "ready");
    assert_int_equal(fake_send(upstream, "{\"lost\":1}"), 0);
    await_log(upstream, "ready down:stopping");
    assert_string_equal(upstream->detail, "closed its stdin");
    await_log(upstream, "down:stopping down:backing-off");
}

static void test_much_stderr_before_the_first_answer(void **state)
{
    (void)state;
    fixture_add(one, "head -c 1000000 /dev/zero | tr '\\0' x >&2; exec cat");
    fixture_apply();
    fake_want(fake_upstream_of(one));
    await_log(fake_upstream_of(one), "starting attach ready");
}

/* What it had written before it died comes first, though a grandchild holds the pipe. */
static void test_last_words(void **state)
{
    (void)state;
    fixture_add(one, "sleep 1000 & read -r x; echo \"$x\"; echo '{\"last\":1}'; printf '{\"half'; exit 9");
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    fake_want(upstream);
    await_log(upstream, "ready down:backing-off");
    assert_int_equal(upstream->frames, 2);
    assert_string_equal(upstream->last_frame, "{\"last\":1}");
    assert_int_equal(upstream->outage.exit_status, 9);
}

static void test_stubborn_children_stop_in_parallel(void **state)
{
    (void)state;
    fixture_config()->stop_grace_ms = 500;
    static char names[FIXTURE_SERVERS][16];
    for (int i = 0; i < FIXTURE_SERVERS; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "s%d", i);
        fixture_add(names[i], "trap '' TERM; read -r x; echo \"$x\"; while :; do sleep 1; done");
    }
    fixture_apply();
    for (int i = 0; i < FIXTURE_SERVERS; i++)
        fake_want(fake_upstream_of(names[i]));
    for (int i = 0; i < FIXTURE_SERVERS; i++)
        await_state(names[i], "ready");
    uint64_t since_ms = wall_ms();
    fixture_stop();
    uint64_t took_ms = wall_ms() - since_ms;
    assert_true(took_ms >= 1000);
    assert_true(took_ms < 1000 + 5000 * time_scale()); /* one after the other: 8000 */
}

static bool is_stopped(void *data)
{
    (void)data;
    return fx.stopped;
}

static void test_kill_does_not_wait(void **state)
{
    (void)state;
    fixture_config()->stop_grace_ms = 60000;
    fixture_add(one, "trap '' TERM; read -r x; echo \"$x\"; while :; do sleep 1; done");
    fixture_apply();
    fake_want(fake_upstream_of(one));
    await_state(one, "ready");
    server_set_stop(fx.set, fixture_on_stopped, &fx.stopped);
    assert_string_equal(fixture_state(one), "stopping");
    server_set_kill(fx.set);
    run_until(&fx.loop, is_stopped, NULL); /* its limit is below the grace */
}

static void test_stop_in_every_state(void **state)
{
    (void)state;
    fixture_config()->backoff_min_ms = 50000;
    fixture_config()->backoff_max_ms = 50000;
    fixture_add("down", NULL);
    fixture_add("starting", "while read -r x; do :; done");
    fixture_add("backing-off", "exit 1");
    fixture_add("ready", NULL);
    fixture_add("stopping", "while :; do sleep 1; done")->start_timeout_ms = 1;
    fixture_apply();
    fake_want(fake_upstream_of("starting"));
    fake_want(fake_upstream_of("backing-off"));
    fake_want(fake_upstream_of("ready"));
    fake_want(fake_upstream_of("stopping"));
    await_state("backing-off", "backing-off");
    await_state("ready", "ready");
    await_state("stopping", "stopping");
    assert_string_equal(fixture_state("starting"), "starting");
    fixture_stop();
    fake_want(fake_upstream_of("down"));
    assert_string_equal(fake_upstream_of("down")->detail, "the relay is stopping");
}

static void test_no_descriptors_left(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 5;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    struct upstream *upstream = fake_upstream_of(one);
    upstream->stats.sessions = 1;
    fake_want(upstream);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_string_equal(upstream->log, "starting down:backing-off");
    assert_string_equal(upstream->detail, "cannot start a process: Too many open files");
    await_log(upstream, "down:backing-off starting attach ready");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_starts_when_wanted),
        FIXTURE_TEST(test_eager_starts_by_itself),
        FIXTURE_TEST(test_killed_child_comes_back),
        FIXTURE_TEST(test_stays_down_without_sessions),
        FIXTURE_TEST(test_failed_start_says_why),
        FIXTURE_TEST(test_unknown_command),
        FIXTURE_TEST(test_silent_child_is_stopped),
        FIXTURE_TEST(test_refused_handshake),
        FIXTURE_TEST(test_crash_loop_and_probe),
        FIXTURE_TEST(test_idle_child_is_stopped),
        FIXTURE_TEST(test_answers_after_the_end_of_stdin),
        FIXTURE_TEST(test_closed_stdout),
        FIXTURE_TEST(test_closed_stdin),
        FIXTURE_TEST(test_much_stderr_before_the_first_answer),
        FIXTURE_TEST(test_last_words),
        FIXTURE_TEST(test_stubborn_children_stop_in_parallel),
        FIXTURE_TEST(test_kill_does_not_wait),
        FIXTURE_TEST(test_stop_in_every_state),
        FIXTURE_TEST(test_no_descriptors_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

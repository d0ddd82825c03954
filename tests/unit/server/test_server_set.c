/* The set: session sharing, entries that cannot run, process trees of every kind, no memory. Reloads are in
 * test_server_reload.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/server/server_fixture.h"

static char one[] = "one";

/* ---- entries that cannot run ---- */

static void test_cannot_run(void **state)
{
    (void)state;
    static char why[] = "${HOST} is not set";
    fixture_add("off", NULL)->disabled = true;
    fixture_add("problem", NULL)->problem = why;
    fixture_add("far", NULL)->remote = true;
    struct server_config *far = fixture_add("far-session", NULL);
    far->remote = true;
    far->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    assert_string_equal(fake_upstream_of("off")->detail, "it is disabled in the configuration");
    assert_string_equal(fake_upstream_of("problem")->detail, "${HOST} is not set");
    assert_string_equal(fake_upstream_of("far")->log, "down:down");
    assert_string_equal(fake_upstream_of("far")->detail, "remote servers are not built in yet");
    assert_false(fake_upstream_of("far")->outage.exited);
    fake_want(fake_upstream_of("far"));
    assert_string_equal(fake_upstream_of("far")->log, "down:down down:down");
    struct upstream *upstream = fake_session_upstream("far-session");
    fake_want(upstream);
    assert_string_equal(upstream->log, "down:down");
    fake_release(upstream);
    assert_true(upstream->freed);
    struct server_info info = fixture_info("far");
    assert_true(info.remote);
    assert_string_equal(info.note, "remote servers are not built in yet");
}

/* ---- session sharing ---- */

static void test_a_child_per_session(void **state)
{
    (void)state;
    fixture_add(one, NULL)->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    struct upstream *a = fake_session_upstream(one), *b = fake_session_upstream(one);
    fake_want(a);
    fake_want(b);
    await_log(a, "starting attach ready");
    await_log(b, "starting attach ready");
    assert_int_equal(fixture_info(one).children, 2);
    pid_t first = await_pid(one);
    assert_int_equal(kill(first, SIGKILL), 0);
    await_log(a, "ready down:down");
    assert_int_equal(a->outage.term_signal, SIGKILL);
    assert_int_equal(a->outage.retry_at_ms, 0); /* nothing is replayed into an empty child */
    assert_string_equal(b->log, "starting attach ready");
    fake_release(a);
    assert_true(a->freed);
    fake_release(b);
    assert_false(b->freed);
    await_log(b, "ready free");
    struct server_info info = fixture_info(one);
    assert_int_equal(info.children, 0);
    assert_string_equal(info.state, "down");
}

static void test_release_while_starting(void **state)
{
    (void)state;
    fixture_add(one, "while read -r x; do :; done")->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    struct upstream *upstream = fake_session_upstream(one);
    fake_want(upstream);
    fake_release(upstream);
    await_log(upstream, "starting attach free");
    struct upstream *never = fake_session_upstream(one);
    fake_release(never);
    assert_string_equal(never->log, "free");
}

static void test_release_while_stopping(void **state)
{
    (void)state;
    fixture_add(one, "while :; do sleep 1; done")->sharing = CONFIG_PER_SESSION;
    fixture_config()->servers[0].start_timeout_ms = 20;
    fixture_config()->stop_grace_ms = 100;
    fixture_apply();
    struct upstream *upstream = fake_session_upstream(one);
    fake_want(upstream);
    await_log(upstream, "starting attach down:stopping");
    fake_release(upstream);
    await_log(upstream, "down:stopping free");
}

/* A server whose children never start must not be started for each session that comes. */
static void test_failing_session_server_opens_its_breaker(void **state)
{
    (void)state;
    fixture_add(one, "exit 1")->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    struct upstream *upstream = NULL;
    for (int i = 0; i < 6; i++) {
        upstream = fake_session_upstream(one);
        fake_want(upstream);
        await_log(upstream, i < 5 ? "down:down" : "down:crash-loop");
        if (i < 5) /* the wait before it is short: it is waited for */
            assert_true(log_is(upstream, "starting attach down:down") ||
                        log_is(upstream, "starting starting attach down:down"));
        fake_release(upstream);
    }
    assert_true(upstream->freed);
    assert_int_equal(fixture_info(one).generation, 5);
    assert_string_equal(fixture_state(one), "crash-loop");
}

/* One whose sessions crash it after it was ready does not harm the next session. */
static void test_crashing_sessions_do_not(void **state)
{
    (void)state;
    fixture_add(one, "read -r x; echo \"$x\"; exit 1")->sharing = CONFIG_PER_SESSION;
    fixture_apply();
    for (int i = 0; i < 7; i++) {
        struct upstream *upstream = fake_session_upstream(one);
        fake_want(upstream);
        await_log(upstream, "starting attach ready down:down");
        fake_release(upstream);
    }
    assert_int_equal(fixture_info(one).generation, 7);
}

/* ---- process trees ---- */

struct tree {
    char mark[64];
    struct upstream *upstream;
};

static struct tree grow_tree(const char *option)
{
    struct tree t;
    (void)snprintf(t.mark, sizeof(t.mark), "%s", new_mark());
    fixture_add_forker(one, t.mark, option);
    fixture_apply();
    t.upstream = make_ready(one);
    assert_int_equal(count_marked(t.mark), 5);
    return t;
}

static void test_tree_child_killed(void **state)
{
    (void)state;
    struct tree t = grow_tree("stay");
    assert_int_equal(kill(await_pid(one), SIGKILL), 0);
    await_log(t.upstream, "down:backing-off");
    assert_int_equal(count_marked(t.mark), 0);
}

static void test_tree_stopped(void **state)
{
    (void)state;
    struct tree t = grow_tree(NULL);
    fixture_stop();
    assert_int_equal(count_marked(t.mark), 0);
}

static void test_tree_stubborn(void **state)
{
    (void)state;
    fixture_config()->stop_grace_ms = 50;
    struct tree t = grow_tree("stay");
    fixture_stop();
    assert_int_equal(count_marked(t.mark), 0);
}

static void test_tree_keeper_killed(void **state)
{
    (void)state;
    struct tree t = grow_tree("stay");
    assert_int_equal(kill(fixture_info(one).keeper_pid, SIGKILL), 0);
    await_log(t.upstream, "down:backing-off");
    assert_int_equal(t.upstream->outage.term_signal, SIGKILL);
    await_none_marked(t.mark);
}

static void test_tree_keeper_killed_while_stopping(void **state)
{
    (void)state;
    fixture_config()->stop_grace_ms = 60000;
    struct tree t = grow_tree("stay");
    pid_t keeper = fixture_info(one).keeper_pid;
    fixture_add_forker(one, t.mark, NULL);
    fixture_apply();
    await_state(one, "stopping");
    assert_int_equal(kill(keeper, SIGKILL), 0);
    await_log(t.upstream, "drain down:stopping idle");
    await_none_marked(t.mark);
}

/* A keeper that does not react is killed in the end; here it cannot, since it is stopped. */
static void test_keeper_stopped(void **state)
{
    (void)state;
    fixture_config()->stop_grace_ms = 20;
    struct tree t = grow_tree("stay");
    assert_int_equal(kill(fixture_info(one).keeper_pid, SIGSTOP), 0);
    fixture_stop();
    char mark[64];
    (void)snprintf(mark, sizeof(mark), "%s", t.mark);
    wait_until(none_marked, mark);
}

/* ---- a relay of its own, to be killed ---- */

static _Noreturn void be_a_relay(const char *mark, int tell_fd)
{
    void *state = NULL;
    if (fixture_up(&state) != 0)
        _exit(1);
    fixture_add_forker(one, mark, "stay");
    fixture_apply();
    (void)make_ready(one);
    (void)!write(tell_fd, "x", 1);
    for (;;)
        (void)uv_run(&fx.loop.uv, UV_RUN_DEFAULT);
}

static void test_tree_relay_killed(void **state)
{
    (void)state;
    char mark[64];
    (void)snprintf(mark, sizeof(mark), "%s", new_mark());
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    pid_t relay = fork();
    assert_true(relay >= 0);
    if (relay == 0)
        be_a_relay(mark, fds[1]);
    (void)close(fds[1]);
    char byte;
    assert_int_equal(read(fds[0], &byte, 1), 1);
    (void)close(fds[0]);
    assert_int_equal(count_marked(mark), 5);
    uint64_t since_ms = wall_ms();
    assert_int_equal(kill(relay, SIGKILL), 0);
    assert_int_equal(waitpid(relay, NULL, 0), relay);
    wait_until(none_marked, mark);
    assert_true(wall_ms() - since_ms < 15000 * time_scale());
}

/* ---- no memory ---- */

static void test_without_memory(void **state)
{
    (void)state;
    fixture_add(one, NULL);
    fixture_apply();
    struct upstream *upstream = fake_upstream_of(one);
    upstream->stats.sessions = 1;
    fault_alloc_install();
    size_t tried = 0;
    for (size_t n = 1;; n++) {
        upstream->log[0] = '\0';
        fault_alloc_fail_at(n);
        fake_want(upstream);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        if (upstream->link)
            break; /* all that follows is the router's */
        assert_true(fired);
        tried++;
        assert_string_equal(upstream->log, "starting down:backing-off");
        assert_string_equal(upstream->detail, "cannot start a process: Cannot allocate memory");
        upstream->stats.sessions = 0;
        await_state(one, "down");
        upstream->stats.sessions = 1;
        fixture_add(one, n % 2 != 0 ? "exec cat" : NULL); /* a change forgets the failures */
        fixture_apply();
        if (strcmp(fixture_state(one), "down") != 0) {
            await_state(one, "ready");
            upstream->stats.sessions = 0;
            assert_int_equal(kill(await_pid(one), SIGKILL), 0);
            await_state(one, "down");
            upstream->stats.sessions = 1;
        }
    }
    assert_true(tried >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_cannot_run),
        FIXTURE_TEST(test_a_child_per_session),
        FIXTURE_TEST(test_release_while_starting),
        FIXTURE_TEST(test_release_while_stopping),
        FIXTURE_TEST(test_failing_session_server_opens_its_breaker),
        FIXTURE_TEST(test_crashing_sessions_do_not),
        FIXTURE_TEST(test_tree_child_killed),
        FIXTURE_TEST(test_tree_stopped),
        FIXTURE_TEST(test_tree_stubborn),
        FIXTURE_TEST(test_tree_keeper_killed),
        FIXTURE_TEST(test_tree_keeper_killed_while_stopping),
        FIXTURE_TEST(test_keeper_stopped),
        cmocka_unit_test(test_tree_relay_killed),
        FIXTURE_TEST(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

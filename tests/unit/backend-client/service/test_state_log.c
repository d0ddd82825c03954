/* agent-backend: which changes of state and source are reported, and how. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend-client/service/outage_hint.h"
#include "backend-client/service/state_log.h"

static struct state_log state_log;
static struct ar_health health;
static char line[STATE_LOG_LINE_SIZE];

static int reset(void **state)
{
    (void)state;
    state_log = (struct state_log){0};
    health = (struct ar_health){.state = AR_CONNECTING, .source = AR_SOURCE_MOCK, .address = "relay:9500"};
    return 0;
}

static bool changes_to(enum ar_state state, enum ar_source source, uint64_t now_ms)
{
    health.state = state;
    health.source = source;
    return state_log_take(&state_log, &health, now_ms, line);
}

static void fails_with(const char *error, const char *suggestion)
{
    (void)snprintf(health.last_error, sizeof(health.last_error), "%s", error);
    (void)snprintf(health.suggestion, sizeof(health.suggestion), "%s", suggestion);
}

static void each_change_is_one_line(void **state)
{
    (void)state;
    assert_false(changes_to(AR_CONNECTING, AR_SOURCE_MOCK, 1));
    assert_false(changes_to(AR_LIVE, AR_SOURCE_MOCK, 2)); /* its agents are on their way */
    health.agents = 5;
    assert_true(changes_to(AR_LIVE, AR_SOURCE_LIVE, 3));
    assert_string_equal(line, "live: 5 agents from the relay at relay:9500");
    for (int i = 0; i < 10; i++)
        assert_false(changes_to(AR_LIVE, AR_SOURCE_LIVE, 4));
    fails_with("relay:9500 refused the connection", "See whether it runs.");
    assert_true(changes_to(AR_DEGRADED, AR_SOURCE_STALE, 1000));
    assert_string_equal(
        line,
        "degraded: serving the last live agents, marked stale: relay:9500 refused the connection; See whether it runs.");
    fails_with("relay:9500 did not answer", "");
    assert_false(changes_to(AR_DEGRADED, AR_SOURCE_STALE, 1500)); /* another reason for the same */
    assert_true(changes_to(AR_DEGRADED, AR_SOURCE_MOCK, 2000));
    assert_string_equal(line, "degraded: serving mock agents: relay:9500 did not answer");
    health.agents = 1;
    assert_true(changes_to(AR_LIVE, AR_SOURCE_LIVE, 3500));
    assert_string_equal(line, "live: 1 agent from the relay at relay:9500; it was away for 2.5 s");
    assert_false(changes_to(AR_CLOSED, AR_SOURCE_LIVE, 4000));
}

static void never_live_is_no_absence(void **state)
{
    (void)state;
    assert_true(changes_to(AR_DEGRADED, AR_SOURCE_MOCK, 1));
    assert_string_equal(line,
                        "degraded: serving mock agents: the relay at relay:9500 has not been reached yet");
    health.agents_unsupported = true;
    assert_true(changes_to(AR_LIVE, AR_SOURCE_MOCK, 5000));
    assert_string_equal(
        line, "live: the server behind the relay at relay:9500 answers, but has no way to list agents");
    health.agents_unsupported = false;
    health.agents_are_mock = true;
    assert_true(changes_to(AR_LIVE, AR_SOURCE_LIVE, 6000));
    assert_non_null(strstr(line, "; the server says that they are mocks"));
}

static void a_reason_stays_on_its_line(void **state)
{
    (void)state;
    fails_with("a\nb\x1b[2J", "\r\nc");
    assert_true(changes_to(AR_DEGRADED, AR_SOURCE_MOCK, 1));
    assert_null(strpbrk(line, "\r\n\x1b"));
}

/* A stopped container has no name: the first hint is not the spelling of one that worked. */
static void a_name_that_is_lost_is_a_stopped_container(void **state)
{
    static const char *const lost[] = {"EAI_NONAME", "EAI_AGAIN", "EHOSTUNREACH"};
    char hint[OUTAGE_HINT_SIZE];
    (void)state;
    health.state = AR_DEGRADED;
    fails_with("cannot find the host of relay:9500", "check its spelling");
    for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
        (void)snprintf(health.last_error_name, sizeof(health.last_error_name), "%s", lost[i]);
        health.links = 0;
        outage_hint(&health, hint);
        assert_string_equal(hint, "check its spelling");
        health.links = 1;
        outage_hint(&health, hint);
        assert_ptr_equal(strstr(hint, "The relay answered under this name before: its container is stopped"),
                         hint);
        assert_non_null(strstr(hint, "check its spelling"));
    }
    (void)snprintf(health.last_error_name, sizeof(health.last_error_name), "ECONNREFUSED");
    outage_hint(&health, hint);
    assert_string_equal(hint, "check its spelling");
    assert_true(changes_to(AR_DEGRADED, AR_SOURCE_STALE, 1));
}

static void a_reader_that_stands_still_holds_nobody(void **state)
{
    int fds[2];
    char room[65536];
    (void)state;
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    memset(room, 'x', sizeof(room));
    while (write(fds[1], room, sizeof(room)) > 0)
        ;
    assert_int_equal(fcntl(fds[1], F_SETFL, 0), 0); /* from now on a write would wait */
    state_log_write(&state_log, fds[1], "one");
    state_log_write(&state_log, fds[1], "two");
    assert_int_equal(state_log.lost_lines, 2);
    while (read(fds[0], room, sizeof(room)) > 0)
        ;
    state_log_write(&state_log, fds[1], "three");
    ssize_t n = read(fds[0], room, sizeof(room) - 1);
    assert_true(n > 0);
    room[n] = '\0';
    assert_string_equal(room, "agent-backend: three (2 lines before it were lost)\n");
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_change_is_one_line, reset),
        cmocka_unit_test_setup(never_live_is_no_absence, reset),
        cmocka_unit_test_setup(a_reason_stays_on_its_line, reset),
        cmocka_unit_test_setup(a_name_that_is_lost_is_a_stopped_container, reset),
        cmocka_unit_test_setup(a_reader_that_stands_still_holds_nobody, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

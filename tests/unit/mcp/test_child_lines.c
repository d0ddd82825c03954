/* What a child writes that is not quite a message: taken where it can be, settled where it names a call, and shown in
 * the errors that nothing else explains. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

#define V "\"jsonrpc\":\"2.0\""

static struct route_pair f;

static int setup(void **state)
{
    (void)state;
    return route_pair_open(&f);
}

static int teardown(void **state)
{
    (void)state;
    return route_pair_close(&f);
}

static int ask(struct route_session *s, const char *id)
{
    route_client_sendf(&f.route, s, "{" V ",\"id\":%s,\"method\":\"tools/call\"}", id);
    return (int)route_line_id(route_expect_with(&f.route.child, "tools/call", NULL));
}

/* `format` has one %d, for the id of a call that the client sent as "q". */
#define ANSWERED(format, line)                                                                               \
    do {                                                                                                     \
        route_child_sendf(&f.route, format, ask(f.a, "\"q\""));                                              \
        route_expect(&f.a_link, line);                                                                       \
    } while (0)

#define ANSWER "{" V ",\"id\":\"q\",\"result\":{}}"

static void an_id_in_other_clothes_is_the_same_id(void **state)
{
    (void)state;
    ANSWERED("{" V ",\"id\":\"%d\",\"result\":{}}", ANSWER);
    ANSWERED("{" V ",\"id\":%d.0,\"result\":{}}", ANSWER);
    ANSWERED("{" V ",\"id\":%de0,\"result\":{}}", ANSWER);
    ANSWERED("{" V ",\"id\":%d0E-1,\"result\":{}}", ANSWER);
    ANSWERED("{" V ",\"id\":\"%d.0\",\"result\":{}}", ANSWER);
    assert_int_equal(route_stats(&f.route).late, 0);
}

static void a_progress_token_in_other_clothes_too(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a,
                      "{" V ",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":\"t\"}}}");
    int id = (int)route_line_id(route_expect_with(&f.route.child, "\"m\"", NULL));
    route_child_sendf(
        &f.route, "{" V ",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"%d\"}}", id);
    route_expect(&f.a_link,
                 "{" V ",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":\"t\"}}");
}

static void the_handshake_id_in_other_clothes(void **state)
{
    (void)state;
    route_child_down(&f.route, 100);
    upstream_attach(route_upstream(&f.route), &f.route.child.link, f.route.now_ms);
    int id = (int)route_line_id(route_expect_with(&f.route.child, "initialize", NULL));
    route_child_sendf(&f.route,
                      "\x1b[2K\r{" V
                      ",\"id\":\"%d\",\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}",
                      id);
    assert_int_equal(f.route.log.ready, 2);
}

static void a_message_behind_a_prefix_is_taken(void **state)
{
    (void)state;
    ANSWERED("\x1b[2K\r{" V ",\"id\":%d,\"result\":{}}", ANSWER);
    ANSWERED("\x1b]0;title\x07\x1b[1;32m{" V ",\"id\":%d,\"result\":{}}", ANSWER);
    ANSWERED("\xEF\xBB\xBF{" V ",\"id\":%d,\"result\":{}}", ANSWER);
    ANSWERED("Loading 50%%|#### | 1/2\rLoading 100%%{" V ",\"id\":%d,\"result\":{}}", ANSWER);
    ANSWERED("[12:00:01] {x} {\"level\":\"info\"} -> {" V ",\"id\":%d,\"result\":{}}", ANSWER);
    ANSWERED("{" V ",\"id\":%d,\"result\":{}}\x1b[0m", ANSWER);
    ANSWERED("{" V ",\"id\":%d,\"result\":{}} took 3 ms", ANSWER);
    assert_int_equal(route_stats(&f.route).invalid_lines, 7);
}

static void notifications_are_taken_where_no_text_stands_beside_them(void **state)
{
    (void)state;
    static const char changed[] = "{" V ",\"method\":\"notifications/tools/list_changed\"}";
    route_child_sendf(&f.route, "\x1b[0K%s", changed);
    route_expect(&f.a_link, changed);
    route_expect(&f.b_link, changed);
    route_child_sendf(&f.route, "sending %s", changed);
    route_expect_nothing(&f.a_link);
    route_expect_nothing(&f.b_link);
}

static void several_messages_on_one_line_are_all_taken(void **state)
{
    (void)state;
    int first = ask(f.a, "1");
    int second = ask(f.b, "2");
    route_child_sendf(&f.route,
                      "{" V ",\"id\":%d,\"result\":{}}{" V
                      ",\"method\":\"notifications/tools/list_changed\"} {\"id\":%d,\"result\":[]," V "}",
                      first, second);
    route_expect(&f.a_link, "{" V ",\"id\":1,\"result\":{}}");
    route_expect_with(&f.a_link, "list_changed", NULL);
    route_expect_with(&f.b_link, "list_changed", NULL);
    route_expect(&f.b_link, "{\"id\":2,\"result\":[]," V "}");
    assert_string_equal(f.route.log.looks_like, "joined");
}

static void a_broken_message_behind_a_prefix_fails_its_call_at_once(void **state)
{
    (void)state;
    route_child_sendf(&f.route, "Loading {" V ",\"id\":%d,\"result\":{", ask(f.a, "1"));
    route_expect_with(&f.a_link, "\"id\":1", "BAD_REPLY", NULL);
    route_child_sendf(&f.route, "\x1b[0m{" V ",\"id\":%d,\"result\":\"\xff\"}", ask(f.a, "2"));
    route_expect_with(&f.a_link, "\"id\":2", "BAD_REPLY", NULL);
    assert_int_equal(route_stats(&f.route).bad_replies, 2);
}

/* Half a line and the next answer: both calls are over. What stands inside is given to nobody. */
static void a_half_line_fails_both_calls(void **state)
{
    (void)state;
    int first = ask(f.a, "1");
    int second = ask(f.b, "2");
    int third = ask(f.b, "3");
    route_child_sendf(&f.route,
                      "{" V ",\"id\":%d,\"result\":{\"items\":[{\"id\":%d},{\"id\":%d,\"text\":\"half{" V
                      ",\"id\":%d,\"result\":{}}",
                      first, third, third, second);
    route_expect_with(&f.a_link, "\"id\":1", "BAD_REPLY", "\"sent\":true", NULL);
    route_expect_with(&f.b_link, "\"id\":2", "BAD_REPLY", NULL);
    route_expect_nothing(&f.b_link);
    route_child_sendf(&f.route, "{" V ",\"id\":%d,\"result\":3}", third);
    route_expect(&f.b_link, "{" V ",\"id\":3,\"result\":3}");
}

static void a_half_line_with_keys_in_another_order(void **state)
{
    (void)state;
    int first = ask(f.a, "1");
    int second = ask(f.b, "2");
    route_child_sendf(
        &f.route, "{\"id\":%d," V ",\"result\":{\"a\":{\"b\":[1,2,{\"result\":{\"x\":[{}]}," V ",\"id\":%d}",
        first, second);
    route_expect_with(&f.a_link, "\"id\":1", "BAD_REPLY", NULL);
    route_expect_with(&f.b_link, "\"id\":2", "BAD_REPLY", NULL);
}

/* A log line may carry the number that is in flight; the answer comes behind it. */
static void a_log_line_is_no_answer(void **state)
{
    (void)state;
    static const char *const before[] = {
        "{\"level\":\"info\",\"msg\":\"working\",\"id\":",
        "{\"message\":\"working\",\"id\":",
        "{\"level\":50,\"error\":\"disk full\",\"msg\":\"failed\",\"id\":",
        "{\"severity\":\"INFO\",\"method\":\"GET\",\"url\":\"/x\",\"id\":",
        "{\"@timestamp\":\"2026-01-01\",\"result\":\"ok\",\"id\":",
        "[12:01] {\"msg\":\"behind a prefix\",\"id\":",
    };
    for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
        int id = ask(f.a, "\"q\"");
        route_child_sendf(&f.route, "%s%d}", before[i], id);
        route_expect_nothing(&f.a_link);
        route_expect_nothing(&f.route.child);
        route_child_sendf(&f.route, "{" V ",\"id\":%d,\"result\":{}}", id);
        route_expect(&f.a_link, ANSWER);
    }
    assert_int_equal(route_stats(&f.route).invalid_lines, sizeof(before) / sizeof(before[0]));
    assert_int_equal(route_stats(&f.route).bad_replies, 0);
    assert_string_equal(f.route.log.looks_like, "log");
}

static void what_is_sent_back_is_an_echo(void **state)
{
    (void)state;
    int id = ask(f.a, "\"q\"");
    route_child_sendf(&f.route, "{" V ",\"id\":%d,\"method\":\"tools/call\"}", id);
    route_child_send(&f.route, "{" V ",\"method\":\"notifications/initialized\"}");
    route_expect_nothing(&f.route.child);
    route_expect_nothing(&f.a_link);
    assert_string_equal(f.route.log.looks_like, "echo");
    route_client_send(&f.route, f.a, "{" V ",\"id\":7,\"method\":\"x/custom\"}");
    route_child_send(&f.route, route_expect_with(&f.route.child, "x/custom", NULL));
    route_expect_nothing(&f.route.child);
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, "{" V ",\"id\":%d,\"result\":{}}", id);
    route_expect(&f.a_link, ANSWER);
}

static void a_timeout_shows_what_came_instead(void **state)
{
    (void)state;
    (void)ask(f.a, "1");
    route_child_send(&f.route, "Server \x1b[1mrunning\x1b[0m");
    route_child_send(&f.route, "{" V ",\"id\":\"7f3a\",\"result\":{}}");
    route_tick(&f.route, 60000);
    route_expect_with(&f.a_link, "\"id\":1", "TIMEOUT", "an answer under an id that was never sent",
                      "\"afterMs\":60000", "\"stdoutStray\":2", "\"stdoutLooksLike\":\"foreign-id\"",
                      "\"stdoutLines\":[\"Server \\\\x1b[1mrunning\\\\x1b[0m\",", NULL);
    (void)route_expect_with(&f.route.child, "notifications/cancelled", NULL);
}

/* What came while others waited too is described, and not quoted. */
static void nobody_sees_anothers_lines(void **state)
{
    (void)state;
    (void)ask(f.a, "1");
    route_child_send(&f.route, "only a waits");
    (void)ask(f.b, "2");
    route_child_send(&f.route, "both wait");
    route_tick(&f.route, 60000);
    const char *to_a = route_expect_with(&f.a_link, "\"stdoutLines\":[\"only a waits\"]", NULL);
    const char *to_b = route_expect_with(&f.b_link, "\"stdoutStray\":2", "\"stdoutLines\":[]", NULL);
    assert_true(strstr(to_a, "plain text") && strstr(to_b, "plain text"));
    (void)route_expect_with(&f.route.child, "notifications/cancelled", NULL);
    (void)route_expect_with(&f.route.child, "notifications/cancelled", NULL);
}

static void a_failed_start_shows_it_too(void **state)
{
    (void)state;
    route_child_down(&f.route, 100);
    upstream_starting(route_upstream(&f.route));
    upstream_attach(route_upstream(&f.route), &f.route.child.link, f.route.now_ms);
    (void)route_expect_with(&f.route.child, "initialize", NULL);
    route_client_send(&f.route, f.a, "{" V ",\"id\":1,\"method\":\"m\"}");
    route_child_send(&f.route, "Content-Length: 52\r");
    route_child_down(&f.route, 0);
    route_expect_with(&f.a_link, "\"id\":1", "SERVER_UNAVAILABLE", "Content-Length headers",
                      "\"stdoutLines\":[\"Content-Length: 52\\\\r\"]", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(an_id_in_other_clothes_is_the_same_id),
        TEST(a_progress_token_in_other_clothes_too),
        TEST(the_handshake_id_in_other_clothes),
        TEST(a_message_behind_a_prefix_is_taken),
        TEST(notifications_are_taken_where_no_text_stands_beside_them),
        TEST(several_messages_on_one_line_are_all_taken),
        TEST(a_broken_message_behind_a_prefix_fails_its_call_at_once),
        TEST(a_half_line_fails_both_calls),
        TEST(a_half_line_with_keys_in_another_order),
        TEST(a_log_line_is_no_answer),
        TEST(what_is_sent_back_is_an_echo),
        TEST(a_timeout_shows_what_came_instead),
        TEST(nobody_sees_anothers_lines),
        TEST(a_failed_start_shows_it_too),
#undef TEST
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

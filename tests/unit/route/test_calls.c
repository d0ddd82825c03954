/* Requests and answers through a shared child: the first three identifier spaces, refusals, time-outs, the
 * child's end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

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

static uint64_t next_id(void)
{
    return route_line_id(route_expect_with(&f.route.child, NULL));
}

/* Case 1: equal ids and tokens of two clients, answered in the other order. */
static void equal_ids_do_not_meet(void **state)
{
    (void)state;
    static const char call[] =
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/call\",\"params\":{\"_meta\":{\"progressToken\":0},\"x\":\"%s\"}}";
    route_client_sendf(&f.route, f.a, call, "a");
    route_client_sendf(&f.route, f.b, call, "b");
    const char *first = route_expect_with(&f.route.child, "\"x\":\"a\"", NULL);
    uint64_t a = route_line_id(first);
    uint64_t b = route_line_id(route_expect_with(&f.route.child, "\"x\":\"b\"", NULL));
    assert_int_not_equal(a, b);
    assert_true(a >= 1);

    route_child_sendf(
        &f.route,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%d,\"progress\":1}}",
        (int)b);
    route_expect(
        &f.b_link,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":0,\"progress\":1}}");
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, "{\"result\":{\"for\":\"b\"},\"jsonrpc\":\"2.0\",\"id\":%d}", (int)b);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"for\":\"a\"}}", (int)a);
    route_expect(&f.b_link, "{\"result\":{\"for\":\"b\"},\"jsonrpc\":\"2.0\",\"id\":0}");
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"for\":\"a\"}}");
}

static void nothing_else_is_touched(void **state)
{
    (void)state;
    route_client_send(
        &f.route, f.a,
        "{ \"params\" : "
        "{\"n\":9007199254740993,\"n\":1.0,\"_meta\":{\"progressToken\":\"t\\u0020\",\"k\":[1]}} , "
        "\"i\\u0064\":\"\\u00e9\\/\",\"method\":\"to\\u006fls\\/call\",\"jsonrpc\":\"2.0\"}");
    uint64_t id = route_stats(&f.route).requests;
    assert_int_equal(id, 1);
    const char *line = fake_link_next(&f.route.child);
    assert_non_null(line);
    char *end = NULL;
    uint64_t token = strtoull(strstr(line, "Token\":") + 7, &end, 10);
    char expected[512];
    (void)snprintf(
        expected, sizeof(expected),
        "{ \"params\" : {\"n\":9007199254740993,\"n\":1.0,\"_meta\":{\"progressToken\":%llu,\"k\":[1]}} , "
        "\"i\\u0064\":%llu,\"method\":\"to\\u006fls\\/call\",\"jsonrpc\":\"2.0\"}",
        (unsigned long long)token, (unsigned long long)token);
    assert_string_equal(line, expected);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"n\":9007199254740993}}",
                      (unsigned long long)token);
    route_expect(&f.a_link,
                 "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\\/\",\"result\":{\"n\":9007199254740993}}");
}

/* Case 18. */
static void exotic_ids_come_back_as_they_were(void **state)
{
    (void)state;
    static const char *const ids[] = {"9007199254740993", "-1", "1.5", "\"\"", "1", "\"1\"", "1.0", "1e3",
                                      "\"1.0\"",          "-0", "0",   "\"0\""};
    static char huge[16384 + 1];
    size_t count = sizeof(ids) / sizeof(ids[0]);
    memset(huge, 'x', sizeof(huge) - 1);
    huge[0] = huge[sizeof(huge) - 2] = '"';
    for (size_t i = 0; i < count; i++)
        route_client_sendf(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", ids[i]);
    route_client_sendf(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", huge);
    for (size_t i = 0; i <= count; i++) {
        route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}",
                          (unsigned long long)next_id());
        const char *line = fake_link_next(&f.a_link);
        assert_non_null(line);
        const char *id = i < count ? ids[i] : huge;
        assert_memory_equal(line + 22, id, strlen(id));
        assert_string_equal(line + 22 + strlen(id), ",\"result\":1}");
    }
}

static void bad_ids_are_refused(void **state)
{
    (void)state;
    static char huge[16384 + 2];
    memset(huge, 'x', sizeof(huge) - 1);
    huge[0] = huge[sizeof(huge) - 2] = '"';
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "\"relay\":true",
                      "\"retryable\":false", "\"sent\":false", "\"id\":null}}}", NULL);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}");
    route_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600",
                      ",\"id\":7}}}", NULL);
    route_client_sendf(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", huge);
    const char *line =
        route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "16384 bytes", NULL);
    assert_true(strlen(line) < 400);
    /* The same id is another client's own business. */
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    (void)next_id();
    (void)next_id();
    route_expect_nothing(&f.route.child);
    route_expect_nothing(&f.b_link);
}

static void malformed_frames_are_refused(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"");
    route_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700",
                      "\"reason\":", "\"code\":\"PARSE_ERROR\"", ",\"id\":1,", NULL);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}");
    route_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600",
                      "INVALID_REQUEST", NULL);
    route_client_send(&f.route, f.a, "{}");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "\"reason\":\"jsonrpc is not",
                      NULL);
    route_client_send(&f.route, f.a, "17");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    /* Case 24. */
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"m\"}");
    route_expect_with(&f.a_link, "\"error\":{\"code\":-32600", NULL);
    route_client_send(&f.route, f.a,
                      "{\"jsonrpc\":\"2.0\",\"\\u0069d\":5,\"method\":\"m\",\"params\":{\"id\":6}}");
    uint64_t id = route_stats(&f.route).requests;
    assert_int_equal(id, 1);
    const char *line = route_expect_with(&f.route.child, "\"params\":{\"id\":6}", NULL);
    assert_null(strstr(line, "\"\\u0069d\":5,"));
    route_expect_nothing(&f.route.child);
}

static void too_large_is_refused_with_its_id(void **state)
{
    (void)state;
    struct frame frame = {.bytes = "\"big\"", .len = 11000000, .oversize = true};
    frame.env.id = (struct span){0, 5};
    frame.env.method = (struct span){30, 5};
    frame.env.has_method = true;
    route_session_frame(f.a, &frame, f.route.now_ms);
    route_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":\"big\",\"error\":{\"code\":-31007",
                      "\"bytes\":11000000", "\"limit\":8388608", NULL);
    frame.env.id.len = 0;
    route_session_frame(f.a, &frame, f.route.now_ms);
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-31007", NULL);
    route_expect_nothing(&f.route.child);
}

/* A child's own request is no answer, however it is spoilt and whatever its id. */
static void a_spoilt_request_of_the_child_settles_nothing(void **state)
{
    (void)state;
    char text[128];
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    unsigned long long id = next_id();
    int n = snprintf(text, sizeof(text), "%llu", id);
    struct frame frame = {.bytes = text, .len = 9000000, .oversize = true};
    frame.env.id = (struct span){0, (size_t)n};
    frame.env.has_method = true;
    upstream_frame(route_upstream(&f.route), &frame, f.route.now_ms);
    route_expect_with(&f.route.child, "\"error\":{\"code\":-31007", NULL);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":1}", id);
    route_expect_with(&f.route.child, "\"error\":{\"code\":-32600", NULL);
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", id);
    route_expect_with(&f.a_link, "\"id\":1,\"result\":1", NULL);
}

/* Case 2 and 27. */
static void cancel_reaches_only_its_own(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    uint64_t a = next_id();
    uint64_t b = next_id();
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/cancelled\",\"params\":{\"requestId\":7,\"reason\":\"x\"}}");
    const char *line =
        route_expect_with(&f.route.child, "notifications\\/cancelled", "\"reason\":\"x\"", NULL);
    char *end = NULL;
    assert_int_equal(strtoull(strstr(line, "requestId\":") + 11, &end, 10), a);
    /* Twice, and what is nobody's: dropped. */
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}");
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":99}}");
    route_client_send(&f.route, f.a,
                      "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}");
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}");
    route_expect_nothing(&f.route.child);
    assert_int_equal(route_stats(&f.route).abandoned, 1);
    assert_int_equal(route_stats(&f.route).in_flight, 1);
    /* The id is free at once; the late answer and late progress go nowhere. */
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"again\"}");
    uint64_t again = next_id();
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}", (int)a);
    route_expect_nothing(&f.a_link);
    assert_int_equal(route_stats(&f.route).late, 1);
    assert_int_equal(route_stats(&f.route).abandoned, 0);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":2}", (int)again);
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":2}");
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":3}", (int)b);
    route_expect(&f.b_link, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":3}");
}

/* A notification's name with an id is no notification: it must not look like one to a careless child. */
static void notification_names_are_no_requests(void **state)
{
    (void)state;
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{}}");
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"initialize\",\"params\":{}}");
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    route_expect_nothing(&f.route.child);
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}");
    route_expect(&f.route.child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}");
}

/* Case 3. */
static void progress_after_the_answer_is_dropped(void **state)
{
    (void)state;
    static const char progress[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":%s}}";
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":\"tok\"}}}");
    char id[32];
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)next_id());
    route_child_sendf(&f.route, progress, id);
    route_expect(
        &f.a_link,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":\"tok\"}}");
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":1}", id);
    route_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    route_child_sendf(&f.route, progress, id);
    route_child_sendf(&f.route, progress, "0");
    route_child_sendf(&f.route, progress, "\"tok\"");
    /* A request without a token asked for no progress. */
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)next_id());
    route_child_sendf(&f.route, progress, id);
    route_expect_nothing(&f.a_link);
    assert_int_equal(route_stats(&f.route).dropped_notifications, 4);
}

/* Case 6. */
static void the_answer_to_a_client_that_left_is_dropped(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    uint64_t id = next_id();
    route_session_close(f.a, f.route.now_ms);
    f.a = NULL;
    char cancel[128];
    (void)snprintf(
        cancel, sizeof(cancel),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%llu}}",
        (unsigned long long)id);
    route_expect(&f.route.child, cancel);
    assert_int_equal(route_stats(&f.route).in_flight, 0);
    assert_int_equal(route_stats(&f.route).abandoned, 1);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    assert_int_equal(route_stats(&f.route).late, 1);
    assert_int_equal(route_stats(&f.route).abandoned, 0);
}

static void abandoned_calls_are_forgotten_in_time(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    route_tick(&f.route, 4999);
    assert_int_equal(route_stats(&f.route).abandoned, 1);
    route_tick(&f.route, 1);
    assert_int_equal(route_stats(&f.route).abandoned, 0);
    assert_int_equal(router_next_deadline(f.route.router), ROUTE_NEVER);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(equal_ids_do_not_meet),
        T(nothing_else_is_touched),
        T(exotic_ids_come_back_as_they_were),
        T(bad_ids_are_refused),
        T(malformed_frames_are_refused),
        T(too_large_is_refused_with_its_id),
        T(a_spoilt_request_of_the_child_settles_nothing),
        T(cancel_reaches_only_its_own),
        T(notification_names_are_no_requests),
        T(progress_after_the_answer_is_dropped),
        T(the_answer_to_a_client_that_left_is_dropped),
        T(abandoned_calls_are_forgotten_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

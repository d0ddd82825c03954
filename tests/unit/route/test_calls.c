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

static struct kit_pair f;

static int setup(void **state)
{
    (void)state;
    return kit_pair_open(&f);
}

static int teardown(void **state)
{
    (void)state;
    return kit_pair_close(&f);
}

static uint64_t next_id(void)
{
    return kit_id(kit_expect_with(&f.kit.child, NULL));
}

/* Case 1: equal ids and tokens of two clients, answered in the other order. */
static void equal_ids_do_not_meet(void **state)
{
    (void)state;
    static const char call[] =
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"tools/call\",\"params\":{\"_meta\":{\"progressToken\":0},\"x\":\"%s\"}}";
    kit_sayf(&f.kit, f.a, call, "a");
    kit_sayf(&f.kit, f.b, call, "b");
    const char *first = kit_expect_with(&f.kit.child, "\"x\":\"a\"", NULL);
    uint64_t a = kit_id(first);
    uint64_t b = kit_id(kit_expect_with(&f.kit.child, "\"x\":\"b\"", NULL));
    assert_int_not_equal(a, b);
    assert_true(a >= 1);

    kit_replyf(
        &f.kit,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%d,\"progress\":1}}",
        (int)b);
    kit_expect(
        &f.b_link,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":0,\"progress\":1}}");
    kit_expect_nothing(&f.a_link);
    kit_replyf(&f.kit, "{\"result\":{\"for\":\"b\"},\"jsonrpc\":\"2.0\",\"id\":%d}", (int)b);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"for\":\"a\"}}", (int)a);
    kit_expect(&f.b_link, "{\"result\":{\"for\":\"b\"},\"jsonrpc\":\"2.0\",\"id\":0}");
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{\"for\":\"a\"}}");
}

static void nothing_else_is_touched(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a,
            "{ \"params\" : "
            "{\"n\":9007199254740993,\"n\":1.0,\"_meta\":{\"progressToken\":\"t\\u0020\",\"k\":[1]}} , "
            "\"i\\u0064\":\"\\u00e9\\/\",\"method\":\"to\\u006fls\\/call\",\"jsonrpc\":\"2.0\"}");
    uint64_t id = kit_stats(&f.kit).requests;
    assert_int_equal(id, 1);
    const char *line = kit_next(&f.kit.child);
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
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"n\":9007199254740993}}",
               (unsigned long long)token);
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":\"\\u00e9\\/\",\"result\":{\"n\":9007199254740993}}");
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
        kit_sayf(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", ids[i]);
    kit_sayf(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", huge);
    for (size_t i = 0; i <= count; i++) {
        kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)next_id());
        const char *line = kit_next(&f.a_link);
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
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"m\"}");
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "\"relay\":true",
                    "\"retryable\":false", "\"sent\":false", "\"id\":null}}}", NULL);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ping\"}");
    kit_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600", ",\"id\":7}}}",
                    NULL);
    kit_sayf(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"method\":\"m\"}", huge);
    const char *line =
        kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "16384 bytes", NULL);
    assert_true(strlen(line) < 400);
    /* The same id is another client's own business. */
    kit_say(&f.kit, f.b, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    (void)next_id();
    (void)next_id();
    kit_expect_nothing(&f.kit.child);
    kit_expect_nothing(&f.b_link);
}

static void malformed_frames_are_refused(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"");
    kit_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700",
                    "\"reason\":", "\"code\":\"PARSE_ERROR\"", ",\"id\":1,", NULL);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"m\"}");
    kit_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32600", "INVALID_REQUEST",
                    NULL);
    kit_say(&f.kit, f.a, "{}");
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", "\"reason\":\"jsonrpc is not", NULL);
    kit_say(&f.kit, f.a, "17");
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    /* Case 24. */
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"m\"}");
    kit_expect_with(&f.a_link, "\"error\":{\"code\":-32600", NULL);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"\\u0069d\":5,\"method\":\"m\",\"params\":{\"id\":6}}");
    uint64_t id = kit_stats(&f.kit).requests;
    assert_int_equal(id, 1);
    const char *line = kit_expect_with(&f.kit.child, "\"params\":{\"id\":6}", NULL);
    assert_null(strstr(line, "\"\\u0069d\":5,"));
    kit_expect_nothing(&f.kit.child);
}

static void too_large_is_refused_with_its_id(void **state)
{
    (void)state;
    struct frame frame = {.bytes = "\"big\"", .len = 11000000, .oversize = true};
    frame.env.id = (struct span){0, 5};
    frame.env.method = (struct span){30, 5};
    frame.env.has_method = true;
    route_session_frame(f.a, &frame, f.kit.now_ms);
    kit_expect_with(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":\"big\",\"error\":{\"code\":-31007",
                    "\"bytes\":11000000", "\"limit\":8388608", NULL);
    frame.env.id.len = 0;
    route_session_frame(f.a, &frame, f.kit.now_ms);
    kit_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-31007", NULL);
    kit_expect_nothing(&f.kit.child);
}

/* A child's own request is no answer, however it is spoilt and whatever its id. */
static void a_spoilt_request_of_the_child_settles_nothing(void **state)
{
    (void)state;
    char text[128];
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    unsigned long long id = next_id();
    int n = snprintf(text, sizeof(text), "%llu", id);
    struct frame frame = {.bytes = text, .len = 9000000, .oversize = true};
    frame.env.id = (struct span){0, (size_t)n};
    frame.env.has_method = true;
    upstream_frame(kit_upstream(&f.kit), &frame, f.kit.now_ms);
    kit_expect_with(&f.kit.child, "\"error\":{\"code\":-31007", NULL);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":1}", id);
    kit_expect_with(&f.kit.child, "\"error\":{\"code\":-32600", NULL);
    kit_expect_nothing(&f.a_link);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", id);
    kit_expect_with(&f.a_link, "\"id\":1,\"result\":1", NULL);
}

/* Case 2 and 27. */
static void cancel_reaches_only_its_own(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    kit_say(&f.kit, f.b, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"m\"}");
    uint64_t a = next_id();
    uint64_t b = next_id();
    kit_say(
        &f.kit, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications\\/cancelled\",\"params\":{\"requestId\":7,\"reason\":\"x\"}}");
    const char *line = kit_expect_with(&f.kit.child, "notifications\\/cancelled", "\"reason\":\"x\"", NULL);
    char *end = NULL;
    assert_int_equal(strtoull(strstr(line, "requestId\":") + 11, &end, 10), a);
    /* Twice, and what is nobody's: dropped. */
    kit_say(&f.kit, f.a,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":7}}");
    kit_say(&f.kit, f.a,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":99}}");
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{}}");
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}");
    kit_expect_nothing(&f.kit.child);
    assert_int_equal(kit_stats(&f.kit).abandoned, 1);
    assert_int_equal(kit_stats(&f.kit).in_flight, 1);
    /* The id is free at once; the late answer and late progress go nowhere. */
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"again\"}");
    uint64_t again = next_id();
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}", (int)a);
    kit_expect_nothing(&f.a_link);
    assert_int_equal(kit_stats(&f.kit).late, 1);
    assert_int_equal(kit_stats(&f.kit).abandoned, 0);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":2}", (int)again);
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":2}");
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":3}", (int)b);
    kit_expect(&f.b_link, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":3}");
}

/* A notification's name with an id is no notification: it must not look like one to a careless child. */
static void notification_names_are_no_requests(void **state)
{
    (void)state;
    kit_say(
        &f.kit, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    kit_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":{}}");
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"initialize\",\"params\":{}}");
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/roots/list_changed\"}");
    kit_say(
        &f.kit, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    kit_expect_nothing(&f.kit.child);
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}");
    kit_expect(&f.kit.child, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}");
}

/* Case 3. */
static void progress_after_the_answer_is_dropped(void **state)
{
    (void)state;
    static const char progress[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":%s}}";
    kit_say(
        &f.kit, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":\"tok\"}}}");
    char id[32];
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)next_id());
    kit_replyf(&f.kit, progress, id);
    kit_expect(
        &f.a_link,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":\"tok\"}}");
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%s,\"result\":1}", id);
    kit_expect(&f.a_link, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}");
    kit_replyf(&f.kit, progress, id);
    kit_replyf(&f.kit, progress, "0");
    kit_replyf(&f.kit, progress, "\"tok\"");
    /* A request without a token asked for no progress. */
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"m\"}");
    (void)snprintf(id, sizeof(id), "%llu", (unsigned long long)next_id());
    kit_replyf(&f.kit, progress, id);
    kit_expect_nothing(&f.a_link);
    assert_int_equal(kit_stats(&f.kit).dropped_notifications, 4);
}

/* Case 6. */
static void the_answer_to_a_client_that_left_is_dropped(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    uint64_t id = next_id();
    route_session_close(f.a, f.kit.now_ms);
    f.a = NULL;
    char cancel[128];
    (void)snprintf(
        cancel, sizeof(cancel),
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%llu}}",
        (unsigned long long)id);
    kit_expect(&f.kit.child, cancel);
    assert_int_equal(kit_stats(&f.kit).in_flight, 0);
    assert_int_equal(kit_stats(&f.kit).abandoned, 1);
    kit_replyf(&f.kit, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":1}", (unsigned long long)id);
    assert_int_equal(kit_stats(&f.kit).late, 1);
    assert_int_equal(kit_stats(&f.kit).abandoned, 0);
}

static void abandoned_calls_are_forgotten_in_time(void **state)
{
    (void)state;
    kit_say(&f.kit, f.a, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}");
    kit_say(&f.kit, f.a,
            "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":1}}");
    kit_tick(&f.kit, 4999);
    assert_int_equal(kit_stats(&f.kit).abandoned, 1);
    kit_tick(&f.kit, 1);
    assert_int_equal(kit_stats(&f.kit).abandoned, 0);
    assert_int_equal(router_next_deadline(f.kit.router), ROUTE_NEVER);
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

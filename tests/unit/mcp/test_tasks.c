/* Tasks and elicitations on a shared child: each has one owner, and nobody else hears of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
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

static int next_id(const char *holds)
{
    return (int)route_line_id(route_expect_with(&f.route.child, holds, NULL));
}

static void cancel(struct route_session *s, int id)
{
    route_client_sendf(
        &f.route, s,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\",\"params\":{\"requestId\":%d}}", id);
}

static void start_task(struct route_session *s, int id, const char *token)
{
    route_client_sendf(
        &f.route, s,
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"tools/call\",\"params\":{\"task\":{},\"_meta\":{\"progressToken\":%s}}}",
        id, token);
}

static void task_status(const char *task, const char *status)
{
    route_child_sendf(
        &f.route,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"status\":\"%s\",\"taskId\":\"%s\"}}",
        status, task);
}

static void tasks_belong_to_who_started_them(void **state)
{
    (void)state;
    static const char progress[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progress\":1,\"progressToken\":%d}}";
    start_task(f.a, 1, "\"t\"");
    int id = next_id("tools/call");
    /* The first status precedes the answer that names the task; one for nobody is forgotten. */
    task_status("T\\u0031", "working");
    task_status("T9", "working");
    route_expect_nothing(&f.a_link);
    route_child_sendf(
        &f.route,
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"task\":{\"taskId\":\"T1\",\"status\":\"working\"}}}",
        id);
    route_expect_with(&f.a_link, "\"id\":1,\"result\"", NULL);
    route_expect_with(&f.a_link, "notifications/tasks/status", "working", NULL);
    route_child_sendf(&f.route, progress, id);
    route_expect_with(&f.a_link, "\"progressToken\":\"t\"", NULL);
    assert_int_equal(route_stats(&f.route).tasks, 1);
    assert_int_equal(route_stats(&f.route).in_flight, 0);

    route_client_send(
        &f.route, f.b,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tasks/get\",\"params\":{\"taskId\":\"T1\"}}");
    route_expect_with(&f.b_link, "\"id\":1,\"error\":{\"code\":-32602", NULL);
    route_client_send(
        &f.route, f.b,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tasks/cancel\",\"params\":{\"taskId\":\"T9\"}}");
    route_expect_with(&f.b_link, "\"id\":1,\"error\":{\"code\":-32602", NULL);
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tasks/list\"}");
    route_expect_with(&f.b_link, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    route_expect_nothing(&f.route.child);
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tasks/result\",\"params\":{\"taskId\":\"\\u00541\"}}");
    int result = next_id("tasks/result");
    /* Only the hard cap ends it. */
    route_tick(&f.route, 599999);
    route_expect_nothing(&f.a_link);
    task_status("T1", "completed");
    route_expect_with(&f.a_link, "completed", NULL);
    route_child_sendf(&f.route, progress, id);
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"content\":[]}}", result);
    route_expect_with(&f.a_link, "\"id\":2,\"result\"", NULL);
    /* Still its owner's, to be asked for again; a message related to it finds its way. */
    route_child_send(
        &f.route,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/message\",\"params\":{\"level\":\"info\",\"_meta\":"
        "{\"io.modelcontextprotocol/related-task\":{\"taskId\":\"T1\"}}}}");
    route_expect_with(&f.a_link, "related-task", NULL);
    route_tick(&f.route, 3600 * 1000);
    assert_int_equal(route_stats(&f.route).tasks, 0);
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"tasks/get\",\"params\":{\"taskId\":\"T1\"}}");
    route_expect_with(&f.a_link, "\"id\":3,\"error\":{\"code\":-32602", NULL);
}

static void a_task_ends_with_its_owner(void **state)
{
    (void)state;
    start_task(f.a, 1, "5");
    int id = next_id("tools/call");
    route_child_sendf(&f.route,
                      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"task\":{\"taskId\":\"T\\\"1\"}}}", id);
    /* Another session's claim to the same id counts for nothing. */
    start_task(f.b, 1, "5");
    int other = next_id("tools/call");
    route_child_sendf(&f.route,
                      "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"task\":{\"taskId\":\"T\\\"1\"}}}", other);
    route_expect_with(&f.b_link, "\"id\":1,\"result\"", NULL);
    task_status("T\\\"1", "working");
    route_expect_nothing(&f.b_link);
    route_session_close(f.a, f.route.now_ms);
    f.a = NULL;
    route_expect_with(&f.route.child, "\"method\":\"tasks/cancel\",\"params\":{\"taskId\":\"T\\\"1\"}", NULL);
    assert_int_equal(route_stats(&f.route).tasks, 0);
    task_status("T\\\"1", "cancelled");
    route_tick(&f.route, 5000);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}", id);
    route_expect_nothing(&f.b_link);
}

static void a_task_that_nobody_waits_for_is_cancelled(void **state)
{
    (void)state;
    start_task(f.a, 1, "5");
    int id = next_id("tools/call");
    cancel(f.a, 1);
    route_expect_with(&f.route.child, "notifications/cancelled", NULL);
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"task\":{\"taskId\":\"T\"}}}",
                      id);
    route_expect_with(&f.route.child, "\"method\":\"tasks/cancel\",\"params\":{\"taskId\":\"T\"}", NULL);
    route_expect_nothing(&f.a_link);
    /* Statuses that are nobody's do not push out a newer one that is somebody's. */
    for (int i = 0; i < 100; i++)
        task_status("T", "working");
    start_task(f.b, 1, "5");
    id = next_id("tools/call");
    task_status("T2", "working");
    route_child_sendf(&f.route, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"task\":{\"taskId\":\"T2\"}}}",
                      id);
    route_expect_with(&f.b_link, "\"id\":1,\"result\"", NULL);
    route_expect_with(&f.b_link, "tasks/status", "T2", NULL);
}

static void elicitations_complete_for_their_owner(void **state)
{
    (void)state;
    static const char complete[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/elicitation/complete\",\"params\":{\"elicitationId\":\"%s\"}}";
    route_client_send(&f.route, f.a,
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{}}");
    int id = next_id("tools/call");
    route_child_sendf(
        &f.route,
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"error\":{\"code\":-32042,\"message\":\"go\",\"data\":{"
        "\"elicitations\":[{\"elicitationId\":\"e1\"},{\"elicitationId\":\"e\\u0032\"},7]}}}",
        id);
    route_expect_with(&f.a_link, "-32042", NULL);
    route_child_sendf(&f.route, complete, "e2");
    route_expect_with(&f.a_link, "elicitation/complete", "e2", NULL);
    route_child_sendf(&f.route, complete, "e2");
    route_child_sendf(&f.route, complete, "e3");
    route_expect_nothing(&f.a_link);
    route_expect_nothing(&f.b_link);
}

/* Whatever the method, and however the task is named. */
static void requests_about_anothers_task_are_refused(void **state)
{
    (void)state;
    static const char *const requests[] = {
        "\"method\":\"tasks/update\",\"params\":{\"taskId\":\"T1\"}",
        "\"method\":\"tasks\\/update\",\"params\":{\"taskId\":\"\\u0054\\u0031\"}",
        "\"method\":\"tasks/anything/else\",\"params\":{\"taskId\":\"T1\"}",
        "\"method\":\"tasks/update\",\"params\":{\"taskId\":\"unknown\"}",
        "\"method\":\"x/own\",\"params\":{\"taskId\":\"T1\"}",
        "\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"_meta\":{\"io.modelcontextprotocol/"
        "related-task\":{\"taskId\":\"T1\"}}}",
        "\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"task\":{\"taskId\":\"T1\"}}",
        "\"method\":\"tools/call\",\"params\":{\"name\":\"t\",\"task\":\"T1\"}",
        "\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"x:a\",\"_meta\":{\"io.modelcontextprotocol/"
        "related-task\":{\"taskId\":\"T1\"}}}",
        "\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\",\"taskId\":\"T1\"}",
    };
    start_task(f.a, 1, "1");
    route_child_sendf(
        &f.route,
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{\"task\":{\"taskId\":\"T1\",\"status\":\"working\"}}}",
        next_id("tools/call"));
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        route_client_sendf(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"id\":1,%s}", requests[i]);
        route_expect_with(&f.b_link, "\"id\":1,\"error\":{\"code\":-32602", "no such task", NULL);
    }
    /* Notifications, too. */
    route_client_send(&f.route, f.b,
                      "{\"jsonrpc\":\"2.0\",\"method\":\"x/stop\",\"params\":{\"taskId\":\"T1\"}}");
    route_expect_nothing(&f.route.child);
    /* The owner's pass. */
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (strstr(requests[i], "unknown") || strstr(requests[i], "setLevel"))
            continue;
        route_client_sendf(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":%d,%s}", (int)i + 10, requests[i]);
        route_expect_with(&f.route.child, "\"method\":", NULL);
    }
    route_client_send(&f.route, f.a,
                      "{\"jsonrpc\":\"2.0\",\"method\":\"x/stop\",\"params\":{\"taskId\":\"T1\"}}");
    route_expect_with(&f.route.child, "x/stop", NULL);
    /* What no task is called means nothing. */
    route_client_send(&f.route, f.b,
                      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x/own\",\"params\":{\"taskId\":\"T2\"}}");
    route_expect_with(&f.route.child, "x/own", NULL);
}

/* Ids towards the child count up, so that they can be guessed: no id of a client reaches it as it stands. */
static void lsp_cancels_go_by_the_clients_ids(void **state)
{
    (void)state;
    route_client_send(&f.route, f.a, "{\"jsonrpc\":\"2.0\",\"id\":\"mine\",\"method\":\"m\"}");
    int id = next_id("\"m\"");
    route_client_sendf(&f.route, f.b,
                       "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":{\"id\":%d}}", id);
    route_client_sendf(&f.route, f.b,
                       "{\"jsonrpc\":\"2.0\",\"method\":\"$\\/cancelRequest\",\"params\":{\"id\":\"mine\"}}");
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\"}");
    route_client_send(&f.route, f.b, "{\"jsonrpc\":\"2.0\",\"method\":\"$/cancelRequest\",\"params\":[1]}");
    route_client_sendf(&f.route, f.b,
                       "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$/cancelRequest\",\"params\":{\"id\":%d}}",
                       id);
    route_expect_with(&f.b_link, "\"id\":1,\"error\":{\"code\":-32601", NULL);
    route_expect_nothing(&f.route.child);
    route_client_send(
        &f.route, f.a,
        "{\"jsonrpc\":\"2.0\",\"method\":\"$\\u002fcancelRequest\",\"params\":{\"id\":\"mine\"}}");
    const char *line = route_expect_with(&f.route.child, "notifications/cancelled", NULL);
    char wanted[64];
    (void)snprintf(wanted, sizeof(wanted), "\"requestId\":%d}", id);
    assert_non_null(strstr(line, wanted));
    assert_int_equal(route_stats(&f.route).in_flight, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(tasks_belong_to_who_started_them),          T(requests_about_anothers_task_are_refused),
        T(lsp_cancels_go_by_the_clients_ids),         T(a_task_ends_with_its_owner),
        T(a_task_that_nobody_waits_for_is_cancelled), T(elicitations_complete_for_their_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

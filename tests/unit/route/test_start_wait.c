/* Requests that wait for a child that starts: the start's deadline is theirs, and its reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

#define REQUEST "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\"}"

static struct route_fixture route;
static struct fake_link link;
static struct route_session *client;

static void open_with(enum sharing sharing, uint64_t start_timeout_ms)
{
    struct server_limits limits = route_fixture_limits(sharing);
    limits.start_timeout_ms = start_timeout_ms;
    limits.timeout_max_ms = 90000;
    route_fixture_open(&route, &limits);
    client = route_connect(&route, &link);
    route_client_send(&route, client, REQUEST);
    upstream_starting(route.log.last);
}

static int teardown(void **state)
{
    (void)state;
    route_session_close(client, route.now_ms);
    route_fixture_close(&route);
    fake_link_done(&link);
    return 0;
}

static void a_request_waits_as_long_as_the_start(void **state)
{
    (void)state;
    open_with(SHARING_SHARED, 180000);
    route_tick(&route, 60000);
    route_tick(&route, 60000);
    route_expect_nothing(&link);
    upstream_attach(route_upstream(&route), &route.child.link, route.now_ms);
    (void)route_expect_with(&route.child, "initialize", NULL);
    route_tick(&route, 59999);
    const struct outage why = {.state = "stopping", .detail = "npm error code E404"};
    upstream_down(route_upstream(&route), &why, route.now_ms);
    route_expect_with(&link, "\"id\":1", "SERVER_UNAVAILABLE", "npm error code E404", "\"sent\":false", NULL);
}

/* Behind a long start it has its whole time. */
static void the_time_out_begins_when_the_child_is_ready(void **state)
{
    (void)state;
    open_with(SHARING_SHARED, 180000);
    route_tick(&route, 100000);
    route_child_ready(&route, NULL);
    (void)route_expect_with(&route.child, "\"m\"", NULL);
    route_tick(&route, 59999);
    route_expect_nothing(&link);
    route_tick(&route, 1);
    route_expect_with(&link, "\"id\":1", "TIMEOUT", "\"sent\":true", NULL);
}

static void progress_goes_up_to_the_cap_from_there(void **state)
{
    (void)state;
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    limits.start_timeout_ms = 180000;
    limits.timeout_max_ms = 90000;
    route_fixture_open(&route, &limits);
    client = route_connect(&route, &link);
    route_client_send(
        &route, client,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"m\",\"params\":{\"_meta\":{\"progressToken\":1}}}");
    upstream_starting(route.log.last);
    route_tick(&route, 100000);
    route_child_ready(&route, NULL);
    int id = (int)route_line_id(route_expect_with(&route.child, "\"m\"", NULL));
    route_tick(&route, 50000);
    route_child_sendf(
        &route,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%d}}", id);
    (void)route_expect_with(&link, "notifications/progress", NULL);
    route_tick(&route, 39999);
    route_expect_nothing(&link);
    route_tick(&route, 1);
    route_expect_with(&link, "TIMEOUT", NULL);
}

/* A child of one session gets its requests at once, and proves itself by answering. */
static void so_it_is_with_a_child_of_its_own(void **state)
{
    (void)state;
    open_with(SHARING_PER_SESSION, 180000);
    upstream_attach(route.log.last, &route.child.link, route.now_ms);
    int id = (int)route_line_id(route_expect_with(&route.child, "\"m\"", NULL));
    route_tick(&route, 120000);
    route_expect_nothing(&link);
    route_child_send_on(&route, route.log.last, "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/x\"}");
    (void)route_expect_with(&link, "notifications/x", NULL);
    route_tick(&route, 59999);
    route_expect_nothing(&link);
    char line[64];
    (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":1}", id);
    route_child_send_on(&route, route.log.last, line);
    route_expect_with(&link, "\"result\":1", NULL);
}

static void without_a_limit_on_starts_requests_keep_theirs(void **state)
{
    (void)state;
    open_with(SHARING_SHARED, 0);
    route_tick(&route, 60000);
    route_expect_with(&link, "\"id\":1", "TIMEOUT", "\"sent\":false", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_request_waits_as_long_as_the_start, teardown),
        cmocka_unit_test_teardown(the_time_out_begins_when_the_child_is_ready, teardown),
        cmocka_unit_test_teardown(progress_goes_up_to_the_cap_from_there, teardown),
        cmocka_unit_test_teardown(so_it_is_with_a_child_of_its_own, teardown),
        cmocka_unit_test_teardown(without_a_limit_on_starts_requests_keep_theirs, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The envelope at its edges: members that are null, and notifications that are malformed. */
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

static int setup_own(void **state)
{
    (void)state;
    struct server_limits limits = route_fixture_limits(SHARING_PER_SESSION);
    route_fixture_open(&f.route, &limits);
    f.a = route_connect(&f.route, &f.a_link);
    route_client_send(&f.route, f.a, "{" V ",\"id\":0,\"method\":\"x\"}");
    upstream_attach(f.route.log.last, &f.route.child.link, f.route.now_ms);
    route_expect_with(&f.route.child, "\"method\":\"x\"", NULL);
    f.b = NULL;
    return 0;
}

static int teardown_own(void **state)
{
    (void)state;
    return route_pair_close(&f);
}

static void from_a(const char *line)
{
    route_client_send(&f.route, f.a, line);
}

/* ---- null ---- */

static void a_request_with_null_members_passes(void **state)
{
    (void)state;
    from_a("{" V ",\"id\":1,\"method\":\"tools/list\",\"params\":null,\"result\":null,\"error\":null}");
    const char *line =
        route_expect_with(&f.route.child, "\"method\":\"tools/list\",\"params\":null,\"result\":null", NULL);
    route_child_sendf(&f.route, "{" V ",\"id\":%d,\"method\":null,\"error\":null,\"result\":{\"tools\":[]}}",
                      (int)route_line_id(line));
    route_expect(&f.a_link, "{" V ",\"id\":1,\"method\":null,\"error\":null,\"result\":{\"tools\":[]}}");
}

static void a_null_result_beside_an_error_is_an_error(void **state)
{
    (void)state;
    from_a("{" V ",\"id\":1,\"method\":\"m\"}");
    from_a("{" V ",\"id\":2,\"method\":\"m\"}");
    int first = (int)route_line_id(route_expect_with(&f.route.child, "\"m\"", NULL));
    int second = (int)route_line_id(route_expect_with(&f.route.child, "\"m\"", NULL));
    route_child_sendf(&f.route,
                      "{" V ",\"id\":%d,\"result\":null,\"error\":{\"code\":-1,\"message\":\"no\"}}", first);
    route_expect_with(&f.a_link, "\"id\":1", "\"code\":-1", NULL);
    assert_int_equal(f.a_link.last_kind, MESSAGE_ERROR);
    route_child_sendf(&f.route, "{" V ",\"id\":%d,\"result\":null,\"error\":null}", second);
    route_expect(&f.a_link, "{" V ",\"id\":2,\"result\":null,\"error\":null}");
    assert_int_equal(f.a_link.last_kind, MESSAGE_RESULT);
}

/* The token null is none: nothing is replaced, and no progress goes to it. */
static void a_null_progress_token_is_none(void **state)
{
    (void)state;
    from_a(
        "{" V
        ",\"id\":1,\"method\":\"tools/call\",\"params\":{\"_meta\":{\"progressToken\":null},\"task\":null}}");
    const char *line =
        route_expect_with(&f.route.child, "\"_meta\":{\"progressToken\":null},\"task\":null", NULL);
    int id = (int)route_line_id(line);
    route_child_sendf(&f.route,
                      "{" V ",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%d}}", id);
    route_expect_nothing(&f.a_link);
    route_child_sendf(&f.route, "{" V ",\"id\":%d,\"result\":{}}", id);
    route_expect(&f.a_link, "{" V ",\"id\":1,\"result\":{}}");
}

static void initialized_with_null_params_counts(void **state)
{
    (void)state;
    struct fake_link link;
    struct route_session *s = route_connect(&f.route, &link);
    route_client_send(&f.route, s, "{" V ",\"id\":1,\"method\":\"initialize\",\"params\":{}}");
    route_expect_with(&link, "\"result\"", NULL);
    route_client_send(&f.route, s,
                      "{" V ",\"id\":null,\"method\":\"notifications/initialized\",\"params\":null}");
    route_child_send(&f.route, "{" V ",\"method\":\"notifications/tools/list_changed\",\"params\":null}");
    route_expect(&link, "{" V ",\"method\":\"notifications/tools/list_changed\",\"params\":null}");
    route_child_send(&f.route, "{" V ",\"id\":null,\"method\":\"notifications/tools/list_changed\"}");
    route_expect(&link, "{" V ",\"method\":\"notifications/tools/list_changed\"}");
    route_session_close(s, f.route.now_ms);
    fake_link_done(&link);
}

static void a_null_handshake_error_is_none(void **state)
{
    (void)state;
    route_child_down(&f.route, 100);
    upstream_starting(route_upstream(&f.route));
    upstream_attach(route_upstream(&f.route), &f.route.child.link, f.route.now_ms);
    int id = (int)route_line_id(route_expect_with(&f.route.child, "initialize", NULL));
    route_child_sendf(&f.route,
                      "{" V ",\"id\":%d,\"error\":null,\"result\":{\"protocolVersion\":\"2025-11-25\","
                      "\"capabilities\":{}}}",
                      id);
    assert_int_equal(f.route.log.ready, 2);
}

/* ---- notifications ---- */

static const char *const malformed[] = {
    "{" V ",\"method\":\"notifications/initialized\",\"params\":5}",
    "{" V ",\"method\":\"notifications/cancelled\",\"params\":\"x\"}",
    "{\"method\":\"notifications/progress\"}",
    "{\"jsonrpc\":\"1.0\",\"method\":\"x\"}",
    "{" V ",\"method\":5}",
    "{" V ",\"method\":\"x\",\"result\":{}}",
    "{" V ",\"method\":\"x\",\"method\":\"x\"}",
    "{" V ",\"method\":\"x\",\"params\":{\"a\":\"\xff\"}}",
    "[{" V ",\"method\":\"x\"}]",
    "[{" V ",\"method\":\"x\"},{\"method\":\"y\"},{" V ",\"id\":null,\"method\":\"notifications/x\"}]",
};

static void malformed_notifications_get_no_answer(void **state)
{
    (void)state;
    const size_t count = sizeof(malformed) / sizeof(malformed[0]);
    uint64_t before = route_stats(&f.route).dropped_notifications;
    for (size_t i = 0; i < count; i++) {
        from_a(malformed[i]);
        route_expect_nothing(&f.a_link);
        route_expect_nothing(&f.route.child);
    }
    assert_int_equal(route_stats(&f.route).dropped_notifications - before, count);
    struct frame large = {.bytes = "", .len = 9000000, .oversize = true};
    large.env.kind = RPC_NOTIFICATION;
    route_session_frame(f.a, &large, f.route.now_ms);
    route_expect_nothing(&f.a_link);
}

static void malformed_requests_still_get_one(void **state)
{
    (void)state;
    from_a("{" V ",\"id\":1,\"method\":\"x\",\"params\":5}");
    route_expect_with(&f.a_link, "\"id\":1,\"error\":{\"code\":-32600", NULL);
    from_a("{" V ",\"id\":{},\"method\":\"x\"}");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    from_a("{" V ",\"id\":null,\"method\":\"x\"}");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    from_a("{}");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    from_a("{" V ",\"method\":\"x\",\"params\":{x}}");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32700", NULL);
    from_a("[]");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
    from_a("[{" V ",\"method\":\"x\"},{" V ",\"id\":5,\"method\":\"x\"}]");
    route_expect_with(&f.a_link, "\"id\":null,\"error\":{\"code\":-32600", NULL);
}

static void nor_from_a_child(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        route_child_send_on(&f.route, f.route.log.last, malformed[i]);
        route_expect_nothing(&f.route.child);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_request_with_null_members_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_null_result_beside_an_error_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(a_null_progress_token_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(initialized_with_null_params_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(a_null_handshake_error_is_none, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_notifications_get_no_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(malformed_requests_still_get_one, setup, teardown),
        cmocka_unit_test_setup_teardown(nor_from_a_child, setup_own, teardown_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

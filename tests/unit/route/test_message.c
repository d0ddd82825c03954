/* What each message says of itself: its kind, which request it is about, and whether it may be dropped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/route/route_fixture.h"

enum peer { A, B, CHILD };

struct row {
    enum peer from;
    const char *line; /* %llu: the id of the last request that the child got */
    enum peer to;     /* got one message, the last one sent to it */
    enum message_kind kind;
    const char *about; /* "": none */
    bool droppable;
};

static struct route_pair f;
static struct fake_link own_child;
static uint64_t last_id;

static struct fake_link *link_of(enum peer peer, struct fake_link *child)
{
    return peer == A ? &f.a_link : peer == B ? &f.b_link : child;
}

static void note_id(struct fake_link *child)
{
    for (size_t i = child->seen; i < child->count; i++) {
        if (strstr(child->lines[i], "\"method\"") && strstr(child->lines[i], "\"id\":"))
            last_id = route_line_id(child->lines[i]);
    }
    child->seen = child->count;
}

static void play(const struct row *rows, size_t count, struct upstream *upstream, struct fake_link *child)
{
    for (size_t i = 0; i < count; i++) {
        char line[512];
        const struct row *row = &rows[i];
        struct fake_link *to = link_of(row->to, child);
        const char *mark = strstr(row->line, "%llu");
        size_t before = to->sent;
        if (mark)
            (void)snprintf(line, sizeof(line), "%.*s%llu%s", (int)(mark - row->line), row->line,
                           (unsigned long long)last_id, mark + 4);
        else
            (void)snprintf(line, sizeof(line), "%s", row->line);
        if (row->from == CHILD)
            route_child_send_on(&f.route, upstream, line);
        else
            route_client_send(&f.route, row->from == A ? f.a : f.b, line);
        if (to->sent != before + 1 || to->last_kind != row->kind || to->last_droppable != row->droppable ||
            strcmp(to->last_about, row->about) != 0)
            fail_msg("after %s: %zu messages, kind %d, about '%s', %sdroppable", line, to->sent - before,
                     (int)to->last_kind, to->last_about, to->last_droppable ? "" : "not ");
        note_id(child);
    }
}

#define REQUEST(id, method, params)                                                                          \
    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":\"" method "\",\"params\":{" params "}}"
#define NOTIFICATION(method, params) "{\"jsonrpc\":\"2.0\",\"method\":\"" method "\",\"params\":{" params "}}"
#define RESULT(id)                   "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":{}}"
#define ERROR(id)                    "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"error\":{\"code\":1,\"message\":\"\"}}"

static void on_a_shared_child(void **state)
{
    static const struct row rows[] = {
        {A, REQUEST("\"x\"", "tools/call", "\"_meta\":{\"progressToken\":1}"), CHILD, MESSAGE_REQUEST,
         "\"x\"", false},
        {CHILD, NOTIFICATION("notifications/progress", "\"progressToken\":%llu"), A, MESSAGE_NOTIFICATION,
         "\"x\"", true},
        {CHILD, RESULT("%llu"), A, MESSAGE_RESULT, "\"x\"", false},
        {B, REQUEST("2", "tools/list", ""), CHILD, MESSAGE_REQUEST, "2", false},
        {CHILD, ERROR("%llu"), B, MESSAGE_ERROR, "2", false},
        {A, REQUEST("3", "ping", ""), A, MESSAGE_RESULT, "3", false},
        {A, REQUEST("4", "tasks/list", ""), A, MESSAGE_ERROR, "4", false},
        {A, "{\"jsonrpc\":\"2.0\",\"id\":5,", A, MESSAGE_ERROR, "", false},
        {A, REQUEST("6", "tools/call", ""), CHILD, MESSAGE_REQUEST, "6", false},
        {A, REQUEST("6", "tools/call", ""), A, MESSAGE_ERROR, "", false},
        {A, NOTIFICATION("notifications/cancelled", "\"requestId\":6"), CHILD, MESSAGE_NOTIFICATION, "6",
         false},
        {A, NOTIFICATION("custom", ""), CHILD, MESSAGE_NOTIFICATION, "", false},
        {A, REQUEST("7", "resources/subscribe", "\"uri\":\"u\""), CHILD, MESSAGE_REQUEST, "7", false},
        {CHILD, RESULT("%llu"), A, MESSAGE_RESULT, "7", false},
        {B, REQUEST("8", "resources/subscribe", "\"uri\":\"u\""), B, MESSAGE_RESULT, "8", false},
        {CHILD, NOTIFICATION("notifications/resources/updated", "\"uri\":\"u\""), A, MESSAGE_NOTIFICATION, "",
         false},
        {A, REQUEST("9", "logging/setLevel", "\"level\":\"error\""), CHILD, MESSAGE_REQUEST, "", false},
        {A, REQUEST("10", "logging/setLevel", "\"level\":\"error\""), A, MESSAGE_RESULT, "10", false},
        {CHILD, NOTIFICATION("notifications/message", "\"level\":\"error\""), A, MESSAGE_NOTIFICATION, "",
         true},
        {CHILD, NOTIFICATION("notifications/tools/list_changed", ""), B, MESSAGE_NOTIFICATION, "", false},
        {CHILD, REQUEST("1", "ping", ""), CHILD, MESSAGE_RESULT, "", false},
        {CHILD, REQUEST("2", "roots/list", ""), CHILD, MESSAGE_ERROR, "", false},
        {B, REQUEST("\"again\"", "initialize", "\"protocolVersion\":\"2025-11-25\""), B, MESSAGE_RESULT,
         "\"again\"", false},
    };
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    (void)state;
    limits.log_messages = LOG_MESSAGES_BROADCAST;
    route_pair_open_with(&f, &limits,
                         "{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{\"logging\":{}}}");
    play(rows, sizeof(rows) / sizeof(rows[0]), route_upstream(&f.route), &f.route.child);
    route_pair_close(&f);
}

/* A session's cancel is the relay's own frame, about the client's id. */
static void cancelled_by_the_session(void **state)
{
    (void)state;
    route_pair_open(&f);
    route_client_send(&f.route, f.a, REQUEST("\"x\"", "tools/call", ""));
    route_client_send(&f.route, f.b, REQUEST("\"x\"", "tools/call", ""));
    note_id(&f.route.child);
    route_session_cancel(f.a, "\"y\"", 3, f.route.now_ms);
    route_expect_nothing(&f.route.child);
    route_session_cancel(f.b, "\"x\"", 3, f.route.now_ms);
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "\"requestId\":%llu}", (unsigned long long)last_id);
    route_expect_with(&f.route.child, "notifications/cancelled", expected, NULL);
    assert_string_equal(f.route.child.last_about, "\"x\"");
    assert_int_equal(route_stats(&f.route).abandoned, 1);
    assert_int_equal(route_stats(&f.route).in_flight, 1);
    route_session_cancel(f.b, "\"x\"", 3, f.route.now_ms);
    route_expect_nothing(&f.route.child);
    route_expect_nothing(&f.b_link);
    route_pair_close(&f);
}

/* A waiting request is removed, and its place is free at once. */
static void cancelled_while_it_waits(void **state)
{
    (void)state;
    route_pair_open(&f);
    f.route.child.link.queued_bytes = FAKE_LINK_HIGH_BYTES;
    route_client_send(&f.route, f.a, REQUEST("1", "tools/call", ""));
    assert_int_equal(route_stats(&f.route).waiting, 1);
    route_session_cancel(f.a, "1", 1, f.route.now_ms);
    assert_int_equal(route_stats(&f.route).waiting, 0);
    f.route.child.link.queued_bytes = 0;
    upstream_writable(route_upstream(&f.route), f.route.now_ms);
    route_expect_nothing(&f.route.child);
    route_expect_nothing(&f.a_link);
    route_pair_close(&f);
}

/* What found no room keeps what it is about. */
static void kept_in_the_outbox(void **state)
{
    (void)state;
    route_pair_open(&f);
    route_client_send(&f.route, f.a, REQUEST("\"x\"", "tools/call", ""));
    f.route.child.link.queued_bytes = FAKE_LINK_HIGH_BYTES;
    route_session_cancel(f.a, "\"x\"", 3, f.route.now_ms);
    size_t before = f.route.child.sent;
    f.route.child.link.queued_bytes = 0;
    upstream_writable(route_upstream(&f.route), f.route.now_ms);
    assert_int_equal(f.route.child.sent, before + 1);
    assert_int_equal(f.route.child.last_kind, MESSAGE_NOTIFICATION);
    assert_string_equal(f.route.child.last_about, "\"x\"");
    route_pair_close(&f);
}

static struct upstream *own_upstream;

static void attach(struct route_fixture *route, struct upstream *upstream)
{
    own_upstream = upstream;
    upstream_starting(upstream);
    upstream_attach(upstream, &own_child.link, route->now_ms);
}

static void on_a_child_of_its_own(void **state)
{
    static const struct row rows[] = {
        {A, REQUEST("1", "initialize", ""), CHILD, MESSAGE_REQUEST, "1", false},
        {CHILD, RESULT("%llu"), A, MESSAGE_RESULT, "1", false},
        {A, NOTIFICATION("notifications/initialized", ""), CHILD, MESSAGE_NOTIFICATION, "", false},
        {CHILD, REQUEST("7", "roots/list", ""), A, MESSAGE_REQUEST, "", false},
        {A, RESULT("1"), CHILD, MESSAGE_RESULT, "", false},
        {A, REQUEST("2", "tools/call", ""), CHILD, MESSAGE_REQUEST, "2", false},
        {CHILD, REQUEST("8", "sampling/createMessage", "\"_meta\":{\"progressToken\":8}"), A, MESSAGE_REQUEST,
         "2", false},
        {A, NOTIFICATION("notifications/progress", "\"progressToken\":2"), CHILD, MESSAGE_NOTIFICATION, "",
         true},
        {A, ERROR("2"), CHILD, MESSAGE_ERROR, "", false},
        {A, REQUEST("3", "tools/call", ""), CHILD, MESSAGE_REQUEST, "3", false},
        {CHILD, REQUEST("9", "elicitation/create", ""), A, MESSAGE_REQUEST, "",
         false}, /* two are in flight */
        {CHILD, NOTIFICATION("notifications/cancelled", "\"requestId\":9"), A, MESSAGE_NOTIFICATION, "",
         false},
        {CHILD, NOTIFICATION("notifications/message", "\"level\":\"error\""), A, MESSAGE_NOTIFICATION, "",
         true},
        {CHILD, NOTIFICATION("notifications/tools/list_changed", ""), A, MESSAGE_NOTIFICATION, "", false},
    };
    struct server_limits limits = route_fixture_limits(SHARING_PER_SESSION);
    (void)state;
    memset(&f, 0, sizeof(f));
    route_fixture_open(&f.route, &limits);
    f.route.on_start = attach;
    fake_link_init(&own_child);
    f.a = route_connect(&f.route, &f.a_link);
    route_client_send(&f.route, f.a, REQUEST("0", "ping", ""));
    note_id(&own_child);
    route_child_send_on(&f.route, own_upstream, RESULT("1"));
    play(rows, sizeof(rows) / sizeof(rows[0]), own_upstream, &own_child);
    route_pair_close(&f);
    fake_link_done(&own_child);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(on_a_shared_child),        cmocka_unit_test(on_a_child_of_its_own),
        cmocka_unit_test(cancelled_by_the_session), cmocka_unit_test(cancelled_while_it_waits),
        cmocka_unit_test(kept_in_the_outbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

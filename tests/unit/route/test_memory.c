/* Memory: nothing is allocated per message in steady state; and when there is none, every request still has
 * its answer or its link closed, and nothing is left behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/common/fault_alloc.h"
#include "mcp/mcp.h"
#include "tests/unit/route/route_fixture.h"

#define CLIENTS 8

static struct route_fixture route;
static struct fake_link links[CLIENTS];
static struct route_session *sessions[CLIENTS];

/* ---- steady state ---- */

struct load {
    uint64_t next_relay_id; /* the oldest that is in flight at the child */
    unsigned next_id[CLIENTS];
    unsigned long long last_answered;
};

/* Ids and tokens as long as those of UUID users, which do not fit with a method into a call. */
static void offer(struct load *load, int client)
{
    route_client_sendf(
        &route, sessions[client],
        "{\"jsonrpc\":\"2.0\",\"id\":\"0b5dd8a4-3f0f-4b4e-9c1e-%012u\",\"method\":\"tools/"
        "call\",\"params\":{\"name\":\"echo\",\"_meta\":{\"progressToken\":\"7d1d1a5e-9d3a-4b57-8c27-%012u-and-some-more-of-it\"}}}",
        load->next_id[client], load->next_id[client]);
    load->next_id[client]++;
}

static void answer_oldest(struct load *load)
{
    route_child_sendf(
        &route,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{\"progressToken\":%llu,\"progress\":1}}",
        (unsigned long long)load->next_relay_id);
    route_child_sendf(&route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"content\":[]}}",
                      (unsigned long long)load->next_relay_id);
    load->next_relay_id++;
}

/* `offered` requests are out at any time; 1,000 rounds must not allocate. */
static void steady(size_t offered)
{
    struct load load = {.next_relay_id = 2};
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    fault_alloc_install();
    route_fixture_open(&route, &limits);
    route_child_ready(&route, NULL);
    route.child.forget = true;
    for (int i = 0; i < CLIENTS; i++) {
        sessions[i] = route_connect_initialized(&route, &links[i]);
        links[i].forget = true;
    }
    for (size_t i = 0; i < offered; i++)
        offer(&load, (int)(i % CLIENTS));
    assert_int_equal(route_stats(&route).in_flight + route_stats(&route).waiting, offered);
    for (int round = 0; round < 3000; round++) {
        if (round == 2000)
            fault_alloc_fail_at(0); /* counts from here */
        answer_oldest(&load);
        offer(&load, (round + (int)offered) % CLIENTS);
        route_tick(&route, 1);
    }
    assert_int_equal(fault_alloc_count(), 0);
    assert_int_equal(route_stats(&route).late, 0);
    assert_int_equal(route_stats(&route).answers, 3000);
    for (int i = 0; i < CLIENTS; i++) {
        route_session_close(sessions[i], route.now_ms);
        fake_link_done(&links[i]);
    }
    route_fixture_close(&route);
    assert_int_equal(fault_alloc_live(), 0);
}

static void nothing_is_allocated_with_1_in_flight(void **state)
{
    (void)state;
    steady(1);
}

static void nothing_is_allocated_with_64_in_flight(void **state)
{
    (void)state;
    steady(64);
}

static void nothing_is_allocated_with_800_for_512_slots(void **state)
{
    (void)state;
    steady(800);
}

static void nothing_is_allocated_for_questions(void **state)
{
    (void)state;
    struct server_limits limits = route_fixture_limits(SHARING_PER_SESSION);
    fault_alloc_install();
    route_fixture_open(&route, &limits);
    sessions[0] = route_connect(&route, &links[0]);
    route_client_send(&route, sessions[0],
                      "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{}}");
    route.child.forget = links[0].forget = true;
    upstream_attach(route.log.last, &route.child.link, route.now_ms);
    for (int i = 1; i <= 200; i++) {
        char line[128];
        if (i == 100)
            fault_alloc_fail_at(0);
        route_child_send_on(&route, route.log.last,
                            "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"roots/list\"}");
        (void)snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}", i);
        route_client_send(&route, sessions[0], line);
    }
    assert_int_equal(fault_alloc_count(), 0);
    assert_int_equal(route.child.sent, 1 + 200);
    route_session_close(sessions[0], route.now_ms);
    fake_link_done(&links[0]);
    route_fixture_close(&route);
    assert_int_equal(fault_alloc_live(), 0);
}

/* ---- the Nth allocation fails ---- */

static bool is_answered(const struct fake_link *l, int id)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "\"id\":%d,", id);
    for (size_t i = 0; i < l->count; i++) {
        if (strstr(l->lines[i], text) || strstr(l->lines[i], "\"id\":null"))
            return true;
    }
    return false;
}

/* Everything that the child was asked and has not answered yet: tasks get an id, the rest an empty result. */
static void answer_all(size_t *seen)
{
    for (; *seen < route.child.count; (*seen)++) {
        const char *line = route.child.lines[*seen];
        const char *id = strstr(line, "\"id\":");
        if (!id || strstr(line, "\"error\":"))
            continue;
        unsigned long long n = strtoull(id + 5, NULL, 10);
        if (strstr(line, "\"initialize\""))
            route_child_sendf(
                &route,
                "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"protocolVersion\":\"2025-11-25\",\"capabilities\":{}}}",
                n);
        else if (strstr(line, "\"task\":{}"))
            route_child_sendf(
                &route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"task\":{\"taskId\":\"t%llu\"}}}", n,
                n);
        else if (strstr(line, "\"fails\""))
            route_child_sendf(
                &route,
                "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"error\":{\"code\":-32042,\"message\":\"\",\"data\":{\"elicitations\":[{\"elicitationId\":\"e\"}]}}}",
                n);
        else
            route_child_sendf(&route, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{}}", n);
    }
}

static const char *const requests[] = {
    "\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\",\"clientInfo\":{\"name\":\"n\",\"version\":\"v\"}}",
    "\"method\":\"tools/call\",\"params\":{\"_meta\":{\"progressToken\":\"a token which is so long that "
    "it does not fit into a call, and for which therefore a block has to be found in the store\"}}",
    "\"method\":\"resources/subscribe\",\"params\":{\"uri\":\"x:a\"}",
    "\"method\":\"tools/call\",\"params\":{\"task\":{},\"_meta\":{\"progressToken\":1}}",
    "\"method\":\"logging/setLevel\",\"params\":{\"level\":\"info\"}",
    "\"method\":\"fails\"",
    "\"method\":\"nothing/special\"",
};
#define REQUESTS ((int)(sizeof(requests) / sizeof(requests[0])))

static void attach_shared(struct route_fixture *k, struct upstream *upstream)
{
    k->child.closed = false;
    upstream_attach(upstream, &k->child.link, k->now_ms);
}

static void say_everything(size_t *seen)
{
    for (int i = 0; i < REQUESTS; i++) {
        for (int c = 0; c < 2; c++) {
            if (sessions[c])
                route_client_sendf(&route, sessions[c], "{\"jsonrpc\":\"2.0\",\"id\":%d,%s}", i, requests[i]);
        }
        if (i % 2)
            answer_all(seen);
    }
    answer_all(seen);
    if (sessions[0])
        route_client_send(
            &route, sessions[0],
            "{\"jsonrpc\":\"2.0\",\"id\":50,\"method\":\"resources/unsubscribe\",\"params\":{\"uri\":\"x:a\"}}");
    route_child_send(
        &route,
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tasks/status\",\"params\":{\"taskId\":\"t99\"}}");
    answer_all(seen);
}

static void scenario(void)
{
    static const struct outage why = {
        .state = "down", .detail = "it fell", .stderr_tail = "x", .stderr_len = 1};
    size_t seen = 0;
    for (int c = 0; c < 2; c++) {
        fake_link_init(&links[c]);
        sessions[c] = NULL;
        if (route_session_open(route.router, "mem", &links[c].link, NULL, NULL, route.now_ms, &sessions[c]))
            sessions[c] = NULL;
    }
    say_everything(&seen);
    route_tick(&route, 5000);
    upstream_drain(route_upstream(&route), route.now_ms);
    for (int c = 0; c < 2; c++) {
        if (sessions[c])
            route_client_send(&route, sessions[c], "{\"jsonrpc\":\"2.0\",\"id\":60,\"method\":\"waits\"}");
    }
    if (route.log.starts > 0)
        upstream_down(route_upstream(&route), &why, route.now_ms);
    for (int c = 0; c < 2; c++) {
        for (int i = 0; sessions[c] && i < REQUESTS; i++)
            assert_true(is_answered(&links[c], i) || links[c].closed);
        if (sessions[c])
            route_session_close(sessions[c], route.now_ms);
        sessions[c] = NULL;
        fake_link_done(&links[c]);
    }
    assert_int_equal(router_pending(route.router), 0);
}

static bool open_world(void)
{
    static const struct router_options options = {.protocol = &mcp_protocol,
                                                  .relay_name = "agent-relay",
                                                  .relay_version = "9.9",
                                                  .max_id_bytes = 16384,
                                                  .max_frame_bytes = 8388608};
    struct server_limits limits = route_fixture_limits(SHARING_SHARED);
    limits.log_messages = LOG_MESSAGES_BROADCAST;
    memset(&route, 0, sizeof(route));
    route.now_ms = 1000;
    route.on_start = attach_shared;
    fake_link_init(&route.child);
    if (router_new(&options, &route.router))
        return false;
    if (route_server_add(route.router, "mem", &limits, route_fixture_ops(), &route, &route.server)) {
        router_free(route.router);
        return false;
    }
    return true;
}

/* Until a run ends in which nothing failed any more: returns how many did. */
static size_t run_with_failures(void (*arm)(size_t n))
{
    for (size_t n = 1;; n++) {
        fault_alloc_install();
        arm(n);
        bool opened = open_world();
        if (opened)
            scenario();
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        if (opened) {
            route_server_remove(route.server, "over", route.now_ms);
            router_free(route.router);
            fake_link_done(&route.child);
        }
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            return n - 1;
    }
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    assert_true(run_with_failures(fault_alloc_fail_at) > 30);
}

static void all_allocations_may_fail_from_any_point_on(void **state)
{
    (void)state;
    assert_true(run_with_failures(fault_alloc_fail_from) > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_allocated_with_1_in_flight),
        cmocka_unit_test(nothing_is_allocated_with_64_in_flight),
        cmocka_unit_test(nothing_is_allocated_with_800_for_512_slots),
        cmocka_unit_test(nothing_is_allocated_for_questions),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(all_allocations_may_fail_from_any_point_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

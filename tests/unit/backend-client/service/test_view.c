/* agent-backend: the shapes of what is shown, and that nothing in them is invented. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/service/view.h"
#include "base/alloc.h"
#include "base/map.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/backend-client/service/service_fixture.h"

#define NOW INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

static struct ar_snapshot snapshot;
static struct ar_health health;
static const struct view view = {.snapshot = &snapshot, .health = &health, .now_unix_ms = NOW};
static struct writer w;

static void show(enum ar_source source)
{
    snapshot = (struct ar_snapshot){.source = source,
                                    .state = source == AR_SOURCE_LIVE ? AR_LIVE : AR_DEGRADED,
                                    .age_ms = 1500,
                                    .version = 7};
    snapshot.taken_at_ms = NOW - 1500;
    memset(&health, 0, sizeof(health));
    health.state = snapshot.state;
    health.source = source;
    health.next_attempt_in_ms = -1;
    health.round_trip_ms = -1;
    (void)snprintf(health.address, sizeof(health.address), "relay:9500");
}

static struct ar_agent *add(const char *id, const char *type, const char *swarm_id)
{
    snapshot.agents[snapshot.count] = agent_of_type(id, type, swarm_id);
    return &snapshot.agents[snapshot.count++];
}

static void write_agents(void)
{
    begin_json(&w);
    assert_int_equal(view_agents(&view, true, &w), 0);
    open_written(&w);
}

static void write_status(void)
{
    begin_json(&w);
    assert_int_equal(view_status(&view, &w), 0);
    open_written(&w);
}

static void assert_null_at(const char *path)
{
    if (json_type(doc, at_path(path)) != JSON_NULL)
        fail_msg("%s is not null", path);
}

static bool bool_at(const char *path)
{
    bool value = false;
    if (!json_bool(doc, at_path(path), &value))
        fail_msg("%s is not a boolean", path);
    return value;
}

/* ---- agents ---- */

static void what_was_not_told_is_null(void **state)
{
    (void)state;
    static const char *const members[] = {
        "name",        "type",        "status",    "swarmId",      "activity",    "health",
        "cpuUsage",    "memoryUsage", "workload",  "successRate",  "tasksActive", "tasksCompleted",
        "tasksFailed", "tokens",      "createdAt", "lastActivity", "age"};
    show(AR_SOURCE_LIVE);
    add("a", NULL, NULL);
    write_agents();
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "agents.0.%s", members[i]);
        assert_null_at(path);
    }
    assert_string_equal(text_at("agents.0.id"), "a");
    assert_int_equal(json_count(doc, at_path("agents.0.capabilities")), 0);
    assert_int_equal(json_count(doc, at_path("agents.0.connections")), 0);
}

static void what_was_told_is_there(void **state)
{
    (void)state;
    static const char *const words[] = {"plan", "talk"};
    show(AR_SOURCE_LIVE);
    struct ar_agent *a = add("a", "coder", "s");
    a->name = "Ann";
    a->health = 0;
    a->cpu = 0.25;
    a->tasks_active = 0;
    a->tokens = INT64_C(9007199254740993);
    a->created_at_ms = NOW - 60000;
    a->capabilities = words;
    a->capability_count = 2;
    write_agents();
    assert_string_equal(text_at("agents.0.name"), "Ann");
    assert_true(number_at("agents.0.health") == 0);
    assert_true(number_at("agents.0.cpuUsage") == 0.25);
    assert_true(number_at("agents.0.tasksActive") == 0);
    assert_true(number_at("agents.0.age") == 60000);
    assert_string_equal(text_at("agents.0.createdAt"), "2025-12-31T23:59:00.000Z");
    assert_string_equal(text_at("agents.0.capabilities.1"), "talk");
    assert_int_equal(json_count(doc, at_path("agents.0.position")), 3);
    size_t len;
    assert_memory_equal(json_raw(doc, at_path("agents.0.tokens"), &len), "9007199254740993", 16);
}

static void markers_stand_beside(void **state)
{
    (void)state;
    static const char *const names[] = {"live", "stale", "mock"};
    for (int source = AR_SOURCE_LIVE; source <= AR_SOURCE_MOCK; source++) {
        show((enum ar_source)source);
        (void)snprintf(health.last_error, sizeof(health.last_error), "refused");
        add("a", "coder", "s")->mock = source == AR_SOURCE_MOCK;
        write_agents();
        assert_string_equal(text_at("source"), names[source]);
        assert_int_equal(flag_at("agentsAreMock"), source == AR_SOURCE_MOCK);
        assert_int_equal(flag_at("agents.0.mock"), source == AR_SOURCE_MOCK);
        assert_int_equal(flag_at("mcpConnected"), source == AR_SOURCE_LIVE);
        assert_true(number_at("ageMs") == 1500);
        assert_true(number_at("count") == 1);
        assert_string_equal(text_at("takenAt"), "2025-12-31T23:59:58.500Z");
        assert_string_equal(text_at("health.source"), names[source]);
        if (source == AR_SOURCE_LIVE)
            assert_null_at("error");
        else
            assert_string_equal(text_at("error"), "refused");
    }
}

static void each_status_has_a_kind(void **state)
{
    (void)state;
    static const struct {
        const char *status, *kind;
    } cases[] = {{"active", "active"},    {"busy", "active"},     {"working", "active"},
                 {"running", "active"},   {"idle", "idle"},       {"initializing", "idle"},
                 {"error", "error"},      {"failed", "error"},    {"offline", "error"},
                 {"terminated", "other"}, {"completed", "other"}, {"", "other"},
                 {NULL, "other"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char count[64];
        show(AR_SOURCE_LIVE);
        add("a", NULL, NULL)->status = cases[i].status;
        write_agents();
        assert_string_equal(text_at("agents.0.statusKind"), cases[i].kind);
        write_status();
        (void)snprintf(count, sizeof(count), "telemetry.agent_counts.%s", cases[i].kind);
        assert_true(number_at(count) == 1);
    }
}

/* ---- who leads whom ---- */

static void edges_stay_inside_a_swarm(void **state)
{
    (void)state;
    show(AR_SOURCE_LIVE);
    add("c1", "coordinator", "s1");
    add("a1", "coder", "s1");
    add("c2", "queen", "s2");
    add("a2", "coder", "s2");
    add("second", "coordinator", "s1");
    add("lone", "coder", "s3");
    add("none", "coder", NULL);
    int *leaders;
    static const int want[] = {-1, 0, -1, 2, 0, -1, -1};
    assert_int_equal(view_find_leaders(&snapshot, &leaders), 0);
    for (size_t i = 0; i < snapshot.count; i++)
        assert_int_equal(leaders[i], want[i]);
    mem_free(leaders);
    begin_json(&w);
    assert_int_equal(view_graph(&view, &w), 0);
    open_written(&w);
    assert_int_equal(json_count(doc, at_path("nodes")), 7);
    assert_int_equal(json_count(doc, at_path("edges")), 3);
    assert_true(number_at("edges.1.source") == 1002);
    assert_true(number_at("edges.1.target") == 1003);
    assert_string_equal(text_at("edges.1.metadata.swarm_id"), "s2");
    assert_string_equal(text_at("nodes.0.metadata.mock"), "false");
    assert_null_at("nodes.0.metadata.health");
    assert_true(number_at("nodes.6.data.node_id") == 1006);
}

static void a_place_depends_on_the_id_alone(void **state)
{
    (void)state;
    struct ar_agent a = agent_of_type("coder-001", "coder", "s"),
                    b = agent_of_type("coder-001", "tester", NULL);
    struct view_point p = view_position(&a), q = view_position(&b);
    assert_true(p.x == q.x && p.y == q.y && p.z == q.z);
    assert_true(fabs(sqrt(p.x * p.x + p.y * p.y + p.z * p.z) - 10) < 0.01);
    b.id = "coder-002";
    q = view_position(&b);
    assert_true(p.x != q.x || p.y != q.y);
}

static void an_empty_graph_says_why(void **state)
{
    (void)state;
    show(AR_SOURCE_LIVE);
    begin_json(&w);
    assert_int_equal(view_graph(&view, &w), 0);
    open_written(&w);
    assert_string_equal(text_at("status"), "no_agents_available");
    assert_true(flag_at("mcp_connection_available"));
    assert_int_equal(json_count(doc, at_path("suggestions")), 1);
}

/* ---- status ---- */

static void averages_are_over_what_is_known(void **state)
{
    (void)state;
    show(AR_SOURCE_LIVE);
    struct ar_agent *a = add("a", "coder", "s");
    a->status = "active";
    a->health = 90;
    a->cpu = 0.5;
    a->tasks_completed = 4;
    add("b", "coder", "s")->status = "idle";
    add("c", "tester", "t")->status = "failed";
    add("d", NULL, NULL)->status = "resting";
    write_status();
    assert_true(number_at("telemetry.performance.avg_health") == 90);
    assert_true(number_at("telemetry.performance.avg_cpu_usage") == 0.5);
    assert_null_at("telemetry.performance.avg_memory_usage");
    assert_null_at("telemetry.performance.total_workload");
    assert_true(number_at("telemetry.tasks.completed_tasks") == 4);
    assert_null_at("telemetry.tasks.active_tasks");
    assert_null_at("telemetry.tokens.total_tokens");
    assert_true(number_at("telemetry.agent_counts.total") == 4);
    assert_true(number_at("telemetry.agent_counts.active") == 1);
    assert_true(number_at("telemetry.agent_counts.idle") == 1);
    assert_true(number_at("telemetry.agent_counts.error") == 1);
    assert_true(number_at("telemetry.agent_counts.other") == 1);
    assert_true(number_at("telemetry.swarms.count") == 2);
    assert_true(number_at("telemetry.agent_types.coder") == 2);
    assert_string_equal(text_at("telemetry.system_health"), "healthy");
    assert_string_equal(text_at("data_source"), "hive_mind_tcp");
}

/* Sums of shares, which have no short form as they are. */
static void averages_are_written_as_a_reader_expects(void **state)
{
    (void)state;
    static const double shares[] = {0.4116, 0.6116, 0.5116, 0.5116};
    show(AR_SOURCE_LIVE);
    static const char *const ids[] = {"a", "b", "c", "d"};
    for (size_t i = 0; i < 4; i++) {
        struct ar_agent *a = add(ids[i], "coder", "s");
        a->status = "idle";
        a->health = 97.3;
        a->cpu = a->memory = a->workload = a->success_rate = shares[i];
    }
    write_status();
    assert_true(number_at("telemetry.performance.avg_cpu_usage") == 0.512);
    assert_true(number_at("telemetry.performance.avg_memory_usage") == 0.512);
    assert_true(number_at("telemetry.performance.total_workload") == 2.046);
    assert_true(number_at("telemetry.performance.avg_health") == 97.3);
    assert_true(number_at("telemetry.tasks.avg_success_rate") == 0.512);
    assert_string_equal(text_at("telemetry.system_health"), "healthy"); /* none is active, all are well */
}

static void health_of_the_system(void **state)
{
    (void)state;
    static const struct {
        enum ar_source source;
        double health;
        const char *want;
    } cases[] = {{AR_SOURCE_LIVE, 80.5, "healthy"},  {AR_SOURCE_LIVE, 80, "degraded"},
                 {AR_SOURCE_LIVE, 50.5, "degraded"}, {AR_SOURCE_LIVE, 50, "critical"},
                 {AR_SOURCE_LIVE, -1, "unknown"},    {AR_SOURCE_MOCK, 99, "degraded"},
                 {AR_SOURCE_STALE, 99, "degraded"},  {AR_SOURCE_MOCK, 10, "critical"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        show(cases[i].source);
        struct ar_agent *a = add("a", "coder", "s");
        a->status = "active";
        a->health = cases[i].health;
        write_status();
        assert_string_equal(text_at("telemetry.system_health"), cases[i].want);
    }
}

/* ---- health ---- */

static void health_says_what_is_served(void **state)
{
    (void)state;
    show(AR_SOURCE_STALE);
    health.snapshot_age_ms = 12000;
    health.state_since_ms = NOW - 12000;
    health.attempts = 4;
    health.next_attempt_in_ms = 900;
    health.relay = AR_REACH_DOWN;
    health.last_error_at_ms = NOW - 100;
    (void)snprintf(health.last_error_name, sizeof(health.last_error_name), "ECONNREFUSED");
    (void)snprintf(health.last_error, sizeof(health.last_error), "refused");
    (void)snprintf(health.suggestion, sizeof(health.suggestion), "Start it.");
    begin_json(&w);
    view_health(&view, &w);
    open_written(&w);
    assert_string_equal(text_at("status"), "degraded");
    assert_string_equal(text_at("source"), "stale");
    assert_true(number_at("ageMs") == 12000);
    assert_string_equal(text_at("since"), "2025-12-31T23:59:48.000Z");
    assert_string_equal(text_at("relay.address"), "relay:9500");
    assert_string_equal(text_at("relay.reach"), "down");
    assert_null_at("relay.peer");
    assert_null_at("roundTripMs");
    assert_true(number_at("nextAttemptInMs") == 900);
    assert_string_equal(text_at("lastError.code"), "ECONNREFUSED");
    assert_string_equal(text_at("lastError.suggestion"), "Start it.");
}

static void a_round_trip_has_three_decimals(void **state)
{
    (void)state;
    static const struct {
        double ms;
        const char *text;
    } cases[] = {{0.0416667, "0.042"}, {0.0001, "0"}, {12.3456, "12.346"}, {3, "3"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        size_t len;
        show(AR_SOURCE_LIVE);
        health.round_trip_ms = cases[i].ms;
        begin_json(&w);
        view_health(&view, &w);
        open_written(&w);
        const char *raw = json_raw(doc, at_path("roundTripMs"), &len);
        assert_int_equal(len, strlen(cases[i].text));
        assert_memory_equal(raw, cases[i].text, len);
    }
}

static void healthy_means_live_with_agents(void **state)
{
    (void)state;
    show(AR_SOURCE_LIVE);
    begin_json(&w);
    view_health(&view, &w);
    open_written(&w);
    assert_string_equal(text_at("status"), "healthy");
    assert_null_at("lastError");
    assert_null_at("nextAttemptInMs");
    assert_false(bool_at("agentsCut"));
    health.agents_cut = true;
    health.agents_unsupported = true;
    begin_json(&w);
    view_health(&view, &w);
    open_written(&w);
    assert_string_equal(text_at("status"), "degraded");
    assert_true(bool_at("agentsCut"));
}

static int agents_with_health(const struct view *v, struct writer *out)
{
    return view_agents(v, true, out);
}

static void each_answer_says_whether_agents_are_missing(void **state)
{
    (void)state;
    int (*const views[])(const struct view *v, struct writer *out) = {agents_with_health, view_graph,
                                                                      view_status};
    show(AR_SOURCE_LIVE);
    snapshot.agents[0] = agent_of_type("a", "coder", NULL);
    snapshot.count = 1;
    for (size_t i = 0; i < 2 * sizeof(views) / sizeof(views[0]); i++) {
        snapshot.cut = i % 2 == 1;
        begin_json(&w);
        assert_int_equal(views[i / 2](&view, &w), 0);
        open_written(&w);
        assert_int_equal(bool_at("agentsCut"), snapshot.cut);
    }
}

/* ---- memory ---- */

/* Each allocation failing once: an error, never a torn answer called good, and nothing kept. */
static void without_memory(int (*write)(const struct view *v, struct writer *out))
{
    for (size_t n = 1;; n++) {
        struct buf out;
        struct writer torn;
        fault_alloc_install();
        buf_init(&out, 65536);
        writer_init(&torn, &out);
        fault_alloc_fail_at(n);
        int rc = write(&view, &torn);
        if (rc == 0)
            rc = writer_end(&torn);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        buf_done(&out);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired) {
            assert_int_equal(rc, 0);
            assert_true(n > 1);
            break;
        }
    }
}

static void each_view_without_memory(void **state)
{
    (void)state;
    close_json();
    show(AR_SOURCE_LIVE);
    add("c", "coordinator", "s");
    add("a", "coder", "s");
    without_memory(agents_with_health);
    without_memory(view_graph);
    without_memory(view_status);
}

static int seed(void **state)
{
    (void)state;
    hash_seed(1, 2);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_not_told_is_null),
        cmocka_unit_test(what_was_told_is_there),
        cmocka_unit_test(markers_stand_beside),
        cmocka_unit_test(each_status_has_a_kind),
        cmocka_unit_test(edges_stay_inside_a_swarm),
        cmocka_unit_test(a_place_depends_on_the_id_alone),
        cmocka_unit_test(an_empty_graph_says_why),
        cmocka_unit_test(averages_are_over_what_is_known),
        cmocka_unit_test(averages_are_written_as_a_reader_expects),
        cmocka_unit_test(health_of_the_system),
        cmocka_unit_test(health_says_what_is_served),
        cmocka_unit_test(a_round_trip_has_three_decimals),
        cmocka_unit_test(healthy_means_live_with_agents),
        cmocka_unit_test(each_answer_says_whether_agents_are_missing),
        cmocka_unit_test(each_view_without_memory),
    };
    return cmocka_run_group_tests(tests, seed, json_tear_down);
}

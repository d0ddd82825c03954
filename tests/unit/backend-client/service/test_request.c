/* agent-backend: what requests are refused for and what to write instead, and which clients may send them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/service/failure.h"
#include "backend-client/service/guard.h"
#include "backend-client/service/request.h"
#include "tests/unit/common/fault_alloc.h"
#include "tests/unit/backend-client/service/service_fixture.h"

static struct swarm_request swarm;
static struct task_request task;
static struct failure failure;

static int read_swarm(const char *body)
{
    return request_swarm(body, strlen(body), NULL, &swarm, &failure);
}

static void accepts(const char *body)
{
    if (read_swarm(body) != 0)
        fail_msg("%s: %s", body, failure.text);
    json_free(swarm.doc);
}

static void refuses(const char *body, const char *text, const char *suggestion)
{
    assert_int_equal(read_swarm(body), -1);
    assert_int_equal(failure.status, 400);
    assert_non_null(strstr(failure.text, text));
    assert_non_null(strstr(failure.suggestion, suggestion));
}

/* ---- initialize-swarm ---- */

static void a_swarm_has_defaults(void **state)
{
    (void)state;
    assert_int_equal(read_swarm("{\"unknown\":[1],\"topology\":null}"), 0);
    assert_string_equal(swarm.topology, "hierarchical");
    assert_string_equal(swarm.strategy, "balanced");
    assert_int_equal(swarm.max_agents, 8);
    assert_int_equal(swarm.type_count, 0);
    assert_null(swarm.custom_prompt);
    assert_false(swarm.neural_given);
    assert_int_equal(swarm.when_down, AR_FAIL_FAST);
    json_free(swarm.doc);
}

static void a_swarm_takes_all_members(void **state)
{
    (void)state;
    assert_int_equal(
        read_swarm(
            "{\"topology\":\"ring\",\"maxAgents\":3,\"strategy\":\"adaptive\",\"enableNeural\":"
            "true,\"agentTypes\":[\"coder\",\"tester\",\"\\u00e9\"],\"customPrompt\":\"be kind\",\"whenDown\":\"wait\"}"),
        0);
    assert_string_equal(swarm.topology, "ring");
    assert_int_equal(swarm.max_agents, 3);
    assert_true(swarm.neural_given && swarm.enable_neural);
    assert_int_equal(swarm.type_count, 3);
    assert_string_equal(swarm.types[2], "\xc3\xa9");
    assert_string_equal(swarm.custom_prompt, "be kind");
    assert_int_equal(swarm.when_down, AR_WAIT);
    json_free(swarm.doc);
}

static void each_topology_has_its_limits(void **state)
{
    (void)state;
    static const struct {
        const char *topology;
        int min, max;
    } limits[] = {{"hierarchical", 1, 50}, {"mesh", 1, 20}, {"ring", 3, 100}, {"star", 1, 100}};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        const int tries[] = {limits[i].min - 1, limits[i].min, limits[i].max, limits[i].max + 1};
        for (size_t t = 0; t < 4; t++) {
            char body[96], advice[64];
            bool good = tries[t] >= limits[i].min && tries[t] <= limits[i].max;
            (void)snprintf(body, sizeof(body), "{\"topology\":\"%s\",\"maxAgents\":%d}", limits[i].topology,
                           tries[t]);
            (void)snprintf(advice, sizeof(advice), "from %d to %d", limits[i].min, limits[i].max);
            if (good)
                accepts(body);
            else
                refuses(body, limits[i].topology, advice);
        }
    }
}

static void a_swarm_is_refused_with_advice(void **state)
{
    (void)state;
    refuses("{\"topology\":\"cube\"}", "topology \"cube\"", "mesh, hierarchical, ring, star");
    refuses("{\"topology\":7}", "topology must be a string", "quotes");
    refuses("{\"strategy\":\"best\"}", "strategy", "balanced, specialized, adaptive");
    refuses("{\"maxAgents\":2.5}", "whole number", "such as 8");
    refuses("{\"maxAgents\":\"8\"}", "whole number", "such as 8");
    refuses("{\"enableNeural\":\"yes\"}", "enableNeural", "true or false");
    refuses("{\"agentTypes\":\"coder\"}", "must be an array", "[\"coordinator\"");
    refuses("{\"agentTypes\":[\"coder\",\"\"]}", "words", "coordinator");
    refuses("{\"agentTypes\":[5]}", "words", "coordinator");
    refuses("{\"maxAgents\":1,\"agentTypes\":[\"a\",\"b\"]}", "more agents than maxAgents (1)",
            "raise maxAgents");
    refuses("{\"whenDown\":\"lie\"}", "whenDown \"lie\"", "mock");
    refuses("{\"customPrompt\":\"a\\u0000b\"}", "customPrompt must be a string", "u0000");
    refuses("", "empty", "Send for example");
    refuses("[]", "must be a JSON object", "Send for example");
    refuses("{\n\"a\":1,\n}", "line 3", "Send for example");
}

static void words_at_their_limit(void **state)
{
    (void)state;
    for (int len = REQUEST_MAX_WORD - 1; len <= REQUEST_MAX_WORD + 1; len++) {
        char body[160];
        (void)snprintf(body, sizeof(body), "{\"agentTypes\":[\"%0*d\"]}", len, 0);
        if (len <= REQUEST_MAX_WORD)
            accepts(body);
        else
            refuses(body, "1 to 64 bytes", "words");
    }
}

static void the_query_wins_over_the_body(void **state)
{
    (void)state;
    static const char body[] = "{\"whenDown\":\"wait\"}";
    assert_int_equal(request_swarm(body, sizeof(body) - 1, "mock", &swarm, &failure), 0);
    assert_int_equal(swarm.when_down, AR_MOCK);
    json_free(swarm.doc);
    assert_int_equal(request_swarm(body, sizeof(body) - 1, "", &swarm, &failure), -1);
}

static void without_memory(void **state)
{
    (void)state;
    fault_alloc_install();
    size_t n = 1;
    for (;; n++) {
        fault_alloc_fail_at(n);
        int rc = read_swarm("{\"agentTypes\":[\"coder\"]}");
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        if (rc == 0)
            json_free(swarm.doc);
        assert_int_equal(fault_alloc_live(), 0);
        if (!fired)
            break;
    }
    assert_true(n > 1);
}

/* ---- submit-task and task-status ---- */

static int read_task(const char *body)
{
    return request_task(body, strlen(body), NULL, &task, &failure);
}

static void a_task_needs_a_text(void **state)
{
    (void)state;
    static const char *const empty[] = {"{}", "{\"task\":\"\"}", "{\"task\":\" \\n\\t\"}", "{\"task\":null}"};
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
        assert_int_equal(read_task(empty[i]), -1);
        assert_string_equal(failure.text, "Task description is required");
        assert_int_equal(failure.status, 400);
    }
    assert_int_equal(read_task("{\"task\":\"x\",\"priority\":\"soon\"}"), -1);
    assert_non_null(strstr(failure.suggestion, "low, medium, high, critical"));
    assert_int_equal(read_task("{\"task\":\"x\",\"priority\":\"high\",\"strategy\":\"parallel\"}"), 0);
    assert_string_equal(task.priority, "high");
    assert_string_equal(task.strategy, "parallel");
    json_free(task.doc);
    assert_int_equal(read_task("{\"task\":\"x\"}"), 0);
    assert_null(task.priority);
    json_free(task.doc);
}

/* Each refusal of a body is a whole sentence. */
static void a_deep_or_crowded_body_is_named_so(void **state)
{
    static char body[65536];
    (void)state;
    memset(body, '[', 200);
    assert_int_equal(read_swarm(body), -1);
    assert_int_equal(failure.status, 400);
    assert_string_equal(failure.text, "The body's JSON is nested too deeply.");
    size_t len = (size_t)snprintf(body, sizeof(body), "{\"x\":[0");
    while (len < 30000)
        len += (size_t)snprintf(body + len, sizeof(body) - len, ",0");
    (void)snprintf(body + len, sizeof(body) - len, "]}");
    assert_int_equal(read_swarm(body), -1);
    assert_int_equal(failure.status, 413);
    assert_string_equal(failure.code, "TOO_LARGE");
    assert_string_equal(failure.text, "The body's JSON has too many values; at most 8192 are taken.");
}

static void a_task_id_is_a_word(void **state)
{
    (void)state;
    char id[REQUEST_MAX_ID + 2];
    memset(id, 'a', sizeof(id));
    id[REQUEST_MAX_ID + 1] = '\0';
    assert_int_equal(request_task_id(id, &failure), -1);
    id[REQUEST_MAX_ID] = '\0';
    assert_int_equal(request_task_id(id, &failure), 0);
    assert_int_equal(request_task_id("", &failure), -1);
    assert_int_equal(request_task_id("a\nb", &failure), -1);
    assert_int_equal(request_task_id("task_1 \xc3\xa9", &failure), 0);
}

/* ---- which clients may send requests ---- */

static void only_json_is_taken(void **state)
{
    (void)state;
    assert_true(guard_is_json("application/json"));
    assert_true(guard_is_json("Application/JSON; charset=utf-8"));
    assert_false(guard_is_json(NULL));
    assert_false(guard_is_json("text/plain"));
    assert_false(guard_is_json("application/jsonp"));
    assert_false(guard_is_json("application/x-www-form-urlencoded"));
}

static void only_our_own_pages_may_post(void **state)
{
    (void)state;
    assert_true(guard_origin(NULL, "127.0.0.1:8080", NULL));
    assert_true(guard_origin("http://127.0.0.1:8080", "127.0.0.1:8080", NULL));
    assert_true(guard_origin("http://localhost:8080", "localhost:8080", NULL));
    assert_true(guard_origin("http://backend:8080", "backend:8080", NULL));
    assert_true(guard_origin("http://[::1]:8080", "[::1]:8080", NULL));
    assert_true(guard_origin("http://app.localhost", "app.localhost", NULL));
    assert_false(guard_origin("null", "127.0.0.1:8080", NULL));
    assert_false(guard_origin("http://127.0.0.1:8081", "127.0.0.1:8080", NULL));
    assert_false(guard_origin("https://example.org", "127.0.0.1:8080", NULL));
    assert_false(guard_origin("http://127.0.0.1:8080", NULL, NULL));
    /* A public name that was made to point here. */
    assert_false(guard_origin("http://evil.example:8080", "evil.example:8080", NULL));
    assert_false(guard_origin("http://1.2.3.4.evil.example", "1.2.3.4.evil.example", NULL));
    assert_true(guard_origin("https://agents.example.org", "127.0.0.1:8080", "https://agents.example.org"));
    assert_true(guard_origin("https://agents.example.org", "127.0.0.1:8080", "https://Agents.Example.org"));
    assert_false(guard_origin("https://agents.example.org.evil", "127.0.0.1", "https://agents.example.org"));
}

static void only_our_own_names_are_served(void **state)
{
    (void)state;
    static const char *const good[] = {"127.0.0.1:8080", "127.0.0.1",    "localhost:8080", "LOCALHOST",
                                       "[::1]:8080",     "backend:8080", "app.localhost:1"};
    static const char *const bad[] = {"evil.example",
                                      "evil.example:8080",
                                      "127.0.0.1.evil.example",
                                      "localhost.",
                                      "127.0.0.1.",
                                      "",
                                      ":8080",
                                      "[::1"};
    static const char allowed[] = "https://agents.example.org:8443";
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(guard_host(good[i], NULL));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(guard_host(bad[i], NULL));
        assert_false(guard_host(bad[i], allowed));
    }
    assert_true(guard_host(NULL, NULL));
    assert_false(guard_host("agents.example.org", NULL));
    assert_true(guard_host("agents.example.org", allowed));
    assert_true(guard_host("Agents.example.org:8443", allowed));
    assert_false(guard_host("agents.example.org.evil.example", allowed));
}

static void what_is_an_origin(void **state)
{
    (void)state;
    static const char *const good[] = {"https://agents.example.org", "http://x",          "HTTPS://X:8443",
                                       "http://127.0.0.1:8080",      "http://[::1]:8080", "http://x:443"};
    static const char *const bad[] = {"",
                                      "*",
                                      "null",
                                      "agents.example.org",
                                      "https://",
                                      "https://x/",
                                      "https://x/y",
                                      "https://x:",
                                      "https://x:443",
                                      "http://x:80",
                                      "http://x:0",
                                      "http://x:65536",
                                      "http://x:8080/",
                                      "ftp://x",
                                      "https://u@x",
                                      "https://x y",
                                      "https://[::1",
                                      "https://[]",
                                      "https://\xc3\xa9",
                                      "https://x,https://y"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(guard_is_origin(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(guard_is_origin(bad[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_swarm_has_defaults),
        cmocka_unit_test(a_swarm_takes_all_members),
        cmocka_unit_test(each_topology_has_its_limits),
        cmocka_unit_test(a_swarm_is_refused_with_advice),
        cmocka_unit_test(words_at_their_limit),
        cmocka_unit_test(the_query_wins_over_the_body),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(a_task_needs_a_text),
        cmocka_unit_test(a_deep_or_crowded_body_is_named_so),
        cmocka_unit_test(a_task_id_is_a_word),
        cmocka_unit_test(only_json_is_taken),
        cmocka_unit_test(only_our_own_pages_may_post),
        cmocka_unit_test(only_our_own_names_are_served),
        cmocka_unit_test(what_is_an_origin),
    };
    return cmocka_run_group_tests(tests, NULL, json_tear_down);
}

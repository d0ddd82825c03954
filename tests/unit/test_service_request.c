/* agent-backend: what requests are refused for and what to write instead, who may POST, and what failures
 * say. */
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
#include "backend-client/service/words.h"
#include "tests/unit/fault_alloc.h"
#include "tests/unit/service_kit.h"

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
        read_swarm("{\"topology\":\"ring\",\"maxAgents\":3,\"strategy\":\"adaptive\",\"enableNeural\":"
                   "true,\"agentTypes\":[\"coder\",\"tester\",\"\\u00e9\"],\"customPrompt\":\"be "
                   "kind\",\"whenDown\":\"wait\"}"),
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
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        const int tries[] = {limits[i].min - 1, limits[i].min, limits[i].max, limits[i].max + 1};
        for (size_t t = 0; t < 4; t++) {
            char body[96], advice[64];
            bool good = tries[t] >= limits[i].min && tries[t] <= limits[i].max;
            snprintf(body, sizeof body, "{\"topology\":\"%s\",\"maxAgents\":%d}", limits[i].topology,
                     tries[t]);
            snprintf(advice, sizeof advice, "from %d to %d", limits[i].min, limits[i].max);
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
        snprintf(body, sizeof body, "{\"agentTypes\":[\"%0*d\"]}", len, 0);
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
    assert_int_equal(request_swarm(body, sizeof body - 1, "mock", &swarm, &failure), 0);
    assert_int_equal(swarm.when_down, AR_MOCK);
    json_free(swarm.doc);
    assert_int_equal(request_swarm(body, sizeof body - 1, "", &swarm, &failure), -1);
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
    for (size_t i = 0; i < sizeof empty / sizeof empty[0]; i++) {
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

static void a_task_id_is_a_word(void **state)
{
    (void)state;
    char id[REQUEST_MAX_ID + 2];
    memset(id, 'a', sizeof id);
    id[REQUEST_MAX_ID + 1] = '\0';
    assert_int_equal(request_task_id(id, &failure), -1);
    id[REQUEST_MAX_ID] = '\0';
    assert_int_equal(request_task_id(id, &failure), 0);
    assert_int_equal(request_task_id("", &failure), -1);
    assert_int_equal(request_task_id("a\nb", &failure), -1);
    assert_int_equal(request_task_id("task_1 \xc3\xa9", &failure), 0);
}

/* ---- who may ask ---- */

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
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(guard_host(good[i], NULL));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
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
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(guard_is_origin(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(guard_is_origin(bad[i]));
}

/* ---- failures ---- */

static struct ar_health refused_health(void)
{
    struct ar_health h = {.state = AR_DEGRADED};
    snprintf(h.address, sizeof h.address, "relay:9500");
    snprintf(h.peer, sizeof h.peer, "10.0.0.2:9500");
    snprintf(h.last_error_name, sizeof h.last_error_name, "ECONNREFUSED");
    snprintf(h.last_error, sizeof h.last_error, "10.0.0.2:9500 refused the connection");
    snprintf(h.suggestion, sizeof h.suggestion, "Start the relay.");
    return h;
}

static void look_at_failure(void)
{
    struct writer w;
    kit_write_begin(&w);
    failure_write(&failure, &w);
    kit_look(&w);
    assert_false(kit_true("success"));
}

static void a_refused_connection_is_said(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    failure_from_reply(&failure, &(struct ar_reply){.code = AR_E_DEGRADED, .message = "not live"}, &h);
    look_at_failure();
    assert_int_equal(failure.status, 503);
    assert_string_equal(kit_text("code"), "CONNECTION_REFUSED");
    assert_string_equal(kit_text("error"), "10.0.0.2:9500 refused the connection");
    assert_string_equal(kit_text("details.suggestion"), "Start the relay.");
    assert_string_equal(kit_text("details.address"), "relay:9500");
    assert_string_equal(kit_text("details.peer"), "10.0.0.2:9500");
    assert_false(kit_true("details.mayHaveRun"));
    h.last_error_name[0] = h.last_error[0] = h.suggestion[0] = '\0';
    failure_from_code(&failure, AR_E_DEGRADED, &h);
    look_at_failure();
    assert_string_equal(kit_text("code"), "NOT_CONNECTED_YET");
    assert_non_null(strstr(kit_text("error"), "relay:9500"));
    assert_true(strlen(kit_text("details.suggestion")) > 10);
}

static void an_unknown_error_keeps_its_name(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    snprintf(h.last_error_name, sizeof h.last_error_name, "RELAY_SILENT");
    failure_from_code(&failure, AR_E_DEGRADED, &h);
    assert_string_equal(failure.code, "RELAY_SILENT");
    assert_int_equal(failure.status, 503);
    failure_from_code(&failure, AR_E_SYSTEM, &h);
    assert_int_equal(failure.status, 500);
    assert_string_equal(failure.code, "AR_E_SYSTEM");
}

static void a_server_error_keeps_its_words(void **state)
{
    (void)state;
    static const char data[] = "{\"relay\":true,\"code\":\"TIMEOUT\",\"retryable\":false,\"sent\":true}";
    struct ar_health h = refused_health();
    struct ar_reply r = {
        .code = AR_E_SERVER, .error_code = -32602, .message = "Unknown tool: x", .may_have_run = true};
    failure_from_reply(&failure, &r, &h);
    look_at_failure();
    assert_int_equal(failure.status, 502);
    assert_string_equal(kit_text("code"), "SERVER_ERROR");
    assert_non_null(strstr(kit_text("error"), "-32602: Unknown tool: x"));
    assert_true(kit_true("details.mayHaveRun"));
    r.error_data = data;
    r.error_data_len = sizeof data - 1;
    failure_from_reply(&failure, &r, &h);
    assert_int_equal(failure.status, 504);
    assert_string_equal(failure.code, "TIMEOUT");
}

/* Its reason is read out of the error's data; words of a server among them come out clean. */
static void a_relay_error_tells_its_reason(void **state)
{
    (void)state;
#define DATA(more) "{\"relay\":true,\"code\":\"SERVER_UNAVAILABLE\"" more "}"
    static const struct {
        const char *data, *text, *suggestion;
    } cases[] = {
        {DATA(",\"server\":\"boom\",\"state\":\"backing-off\",\"exitStatus\":3,\"retryAfterMs\":855,"
              "\"stderrTail\":"
              "\"one\\nError: cannot open /data/x.db\\n\""),
         "The relay at relay:9500 answered: Server unavailable; server boom is backing-off, exited with "
         "status 3; "
         "next try in 855 ms; it wrote \"one Error: cannot open /data/x.db\"",
         "ended by itself"},
        {DATA(",\"server\":\"s\",\"state\":\"down\",\"exitStatus\":127"),
         "The relay at relay:9500 answered: Server unavailable; server s is down, exited with status 127",
         "was not found"},
        {DATA(",\"signal\":9"), "The relay at relay:9500 answered: Server unavailable, killed by SIGKILL",
         "killed"},
        {DATA(",\"state\":\"removed\""), "The relay at relay:9500 answered: Server unavailable is removed",
         "put it back"},
        {DATA(",\"server\":7,\"exitStatus\":-1,\"stderrTail\":[]"),
         "The relay at relay:9500 answered: Server unavailable", "agent-relayctl servers"},
        {"{\"relay\":true,\"code\":\"BAD <b>\"}", "The relay at relay:9500 answered: Server unavailable",
         "compare its version"},
    };
    struct ar_health h = refused_health();
    struct ar_reply r = {.code = AR_E_SERVER, .error_code = -31001, .message = "Server unavailable"};
    h.state = AR_LIVE;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        r.error_data = cases[i].data;
        r.error_data_len = strlen(cases[i].data);
        failure_from_reply(&failure, &r, &h);
        assert_string_equal(failure.text, cases[i].text);
        assert_non_null(strstr(failure.suggestion, cases[i].suggestion));
        assert_null(strstr(failure.suggestion, "Start the relay"));
        assert_string_equal(failure.code, i == 5 ? "RELAY_ERROR" : "SERVER_UNAVAILABLE");
        assert_int_equal(failure.status, i == 5 ? 502 : 503);
    }
#undef DATA
}

static void a_long_tail_keeps_its_end(void **state)
{
    (void)state;
    char data[4096];
    struct ar_health h = refused_health();
    struct ar_reply r = {.code = AR_E_SERVER, .message = "Server unavailable", .error_data = data};
    int len = snprintf(
        data, sizeof data,
        "{\"relay\":true,\"code\":\"SERVER_UNAVAILABLE\",\"server\":\"%0200d\",\"stderrTail\":\"%02000d "
        "the cause\"}",
        1, 2);
    r.error_data_len = (size_t)len;
    failure_from_reply(&failure, &r, &h);
    assert_int_equal(strlen(failure.text), FAILURE_TEXT_SIZE - 1);
    assert_non_null(strstr(failure.text, "; it wrote \"...0"));
    assert_string_equal(failure.text + strlen(failure.text) - 11, " the cause\"");
}

/* The error of an outage that is over explains nothing. */
static void an_old_outage_is_not_told(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    h.state = AR_LIVE;
    failure_from_reply(&failure, &(struct ar_reply){.code = AR_E_TIMEOUT, .message = ""}, &h);
    look_at_failure();
    assert_int_equal(json_type(kit_doc, kit_at("details.lastError")), JSON_NULL);
    h.state = AR_DEGRADED;
    failure_from_tool(&failure, "x", NULL, 0, AR_SOURCE_MOCK, &h);
    look_at_failure();
    assert_string_equal(kit_text("details.lastError"), h.last_error);
}

static void a_wait_in_vain_says_for_what(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
    struct ar_reply r = {.code = AR_E_TIMEOUT, .message = "no answer within the deadline"};
    failure_from_reply(&failure, &r, &h);
    assert_int_equal(failure.status, 504);
    assert_string_equal(failure.code, "TIMEOUT");
    assert_string_equal(failure.text, "It waited, and was not sent: 10.0.0.2:9500 refused the connection");
    assert_string_equal(failure.suggestion, "Start the relay.");
    assert_false(failure.may_have_run);
    r.may_have_run = true;
    failure_from_reply(&failure, &r, &h);
    assert_string_equal(failure.text, r.message);
    h.state = AR_LIVE;
    r.may_have_run = false;
    failure_from_reply(&failure, &r, &h);
    assert_string_equal(failure.text, r.message);
}

static void words_of_others_become_clean(void **state)
{
    (void)state;
    static const struct {
        const char *words, *clean, *end;
    } cases[] = {
        {"plain", "plain", "plain"},
        {" \t a\r\n\x1b[31mb \n", "a [31mb", "a [31mb"},
        {"a\xe2\x80\xae"
         "b\xc2\x85"
         "c\xef\xbb\xbf",
         "a b c", "a b c"},
        {"\xff\xc3", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},
        {"0123456789abcdef", "0123456789ab...", "...456789abcdef"},
        {"0123456789a\xf0\x9f\x98\x80x", "0123456789a...", "...456789a\xf0\x9f\x98\x80x"},
        {"\xf0\x9f\x98\x80 0123456789abc", "\xf0\x9f\x98\x80 0123456...", "...123456789abc"},
        {"", "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char into[16];
        words_clean(into, sizeof into, cases[i].words, strlen(cases[i].words));
        assert_string_equal(into, cases[i].clean);
        words_clean_end(into, sizeof into, cases[i].words, strlen(cases[i].words));
        assert_string_equal(into, cases[i].end);
    }
}

/* Whatever bytes, whatever room: it fits, ends, and is UTF-8 (the writer would replace what is not). */
static void words_fit_their_room(void **state)
{
    (void)state;
    static const char bytes[] = "a\xf0\x9f\x98\x80\xc3\xa9 \xff\xe2\x82\xac\n\xe2\x80\xa8z\xf0\x9f";
    for (size_t size = 8; size < 32; size++) {
        for (size_t len = 0; len < sizeof bytes; len++) {
            char into[2][32];
            words_clean(into[0], size, bytes, len);
            words_clean_end(into[1], size, bytes, len);
            for (size_t i = 0; i < 2; i++) {
                struct writer w;
                assert_true(strlen(into[i]) < size);
                kit_write_begin(&w);
                write_cstring(&w, into[i]);
                kit_look(&w);
                assert_string_equal(kit_text(""), into[i]);
            }
        }
    }
}

static void every_code_has_a_failure(void **state)
{
    (void)state;
    struct ar_health h = refused_health();
#define X(name, number, words) (number),
    static const int codes[] = {AR_CODES(X)};
#undef X
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (codes[i] == AR_OK)
            continue;
        failure_from_reply(&failure, &(struct ar_reply){.code = codes[i], .message = ""}, &h);
        assert_in_range(failure.status, 400, 504);
        assert_true(failure.code[0] && failure.text[0] && failure.suggestion[0]);
    }
}

static int clean(void **state)
{
    (void)state;
    kit_done();
    return 0;
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
        cmocka_unit_test(a_task_id_is_a_word),
        cmocka_unit_test(only_json_is_taken),
        cmocka_unit_test(only_our_own_pages_may_post),
        cmocka_unit_test(only_our_own_names_are_served),
        cmocka_unit_test(what_is_an_origin),
        cmocka_unit_test(a_refused_connection_is_said),
        cmocka_unit_test(an_unknown_error_keeps_its_name),
        cmocka_unit_test(a_server_error_keeps_its_words),
        cmocka_unit_test(a_relay_error_tells_its_reason),
        cmocka_unit_test(a_long_tail_keeps_its_end),
        cmocka_unit_test(an_old_outage_is_not_told),
        cmocka_unit_test(a_wait_in_vain_says_for_what),
        cmocka_unit_test(words_of_others_become_clean),
        cmocka_unit_test(words_fit_their_room),
        cmocka_unit_test(every_code_has_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, clean);
}

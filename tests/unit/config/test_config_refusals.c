/* Configurations that are refused or doubted: all problems in one run, with which words and in which place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/unit/config/config_fixture.h"

static void not_json(void **state)
{
    (void)state;
    load_bad((struct load){.text = "{\n\"relay\": {\n\"drainMs\": 1 \"x\"\n}}"},
             ARGS("t.json:3: error: from here on it is not JSON"));
    load_bad((struct load){.text = ""}, ARGS("t.json:", "it is not JSON"));
    load_bad((struct load){.text = "[]"}, ARGS("error: is an object; write {\"mcpServers\": {...}}"));
    load_bad((struct load){.text = "{\"relay\": 1}"}, ARGS("t.json:1: error: relay is an object"));
    load_bad((struct load){.text = "{\"relay\": {\"servers\": []}}"}, ARGS("relay.servers is an object"));
    load_bad((struct load){.text = "{\"mcpServers\": 1}"},
             ARGS("t.json:1: note: mcpServers is an object", "error: has no servers"));
    char deep[402];
    memset(deep, '[', 400);
    deep[400] = '\0';
    load_bad((struct load){.text = deep}, ARGS("t.json", "error: "));
}

static void every_problem_in_one_run(void **state)
{
    (void)state;
    load_bad((struct load){.text = "{\"mcpServers\": {\n"
                                   "\"c\": {\"command\": \"x\"},\n"
                                   "\"d\": {\"command\": \"x\"},\n"
                                   "\"d\": {\"command\": \"x\"}},\n"
                                   "\"servers\": {\"c\": {\"command\": \"y\"}},\n"
                                   "\"relay\": {\"maxClients\": 0,\n"
                                   "\"logLevel\": \"loud\",\n"
                                   "\"servers\": {\"zz\": {}, \"d\": 1, \"c\": {\"drainMs\": 1}}}}",
                           .argv = ARGS("--wrong", "--listen", "nowhere", "stray", "--drain-ms")},
             ARGS("t.json:4: error: mcpServers has a second server \"d\"; give each a name of its own\n",
                  "t.json:5: error: servers has a second server \"c\"",
                  "t.json:6: error: relay.maxClients is between 1 and",
                  "t.json:7: error: relay.logLevel is one of debug, info, warn, error, off, not \"loud\"\n",
                  "t.json:8: error: relay.servers.zz names no server of this file\n",
                  "t.json:8: error: relay.servers.d is an object",
                  "t.json:8: error: relay.servers.c.drainMs holds for all servers; write it under relay\n",
                  "--wrong: error: is not a flag",
                  "--listen: error: \"nowhere\" has no port; write nowhere:9500\n",
                  "stray: error: is not expected here", "--drain-ms: error: needs a value\n"));
}

/* Whoever names a file does not want the mock agents; they get a place to look at, where there is one. */
static void files_without_servers(void **state)
{
    (void)state;
    static const char *const empty[] = {
        "{}",
        "{\"relay\": {\"drainMs\": 1}}",
        "{\"mcpServers\": {}}",
        "{\"mcpServers\": null}",
        "{\"mcpServers\": []}",
        "{\"mcpServers\": {\"_comment\": \"none yet\"}}",
        "{\"mcp\": {\"servers\": {}, \"allowed\": [\"x\"]}}",
        "{\"editor.fontSize\": 12, \"mcp\": true}",
    };
    for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++)
        load_bad(
            (struct load){.text = empty[i]},
            ARGS(
                "t.json: error: has no servers; write {\"mcpServers\": {\"NAME\": {\"command\": \"...\"}}}, with "
                "\"agent-mock\" for the mock agents\n"));
    load_bad(
        (struct load){.text = "{\n\"mcpservers\": {\n\"a\": {\"command\": \"x\"}}}"},
        ARGS("t.json:2: error: has no servers where they are looked for; \"mcpservers\" seems to hold some",
             "did you mean \"mcpServers\"?"));
    load_bad(
        (struct load){
            .text = "{\"projects\": {\"/home/me\": {\"x\": 1,\n\"mcpServers\": {\"a\": {\"url\": \"x\"}}}}}"},
        ARGS("t.json:2: error: ", "\"projects./home/me.mcpServers\" seems to hold some"));
    load_bad((struct load){.text = "{\"tools\": [{\"name\": \"a\", \"command\": \"x\"}]}"},
             ARGS("\"tools\" seems to hold some"));
    load_bad((struct load){.text = "{\"command\": \"npx\", \"args\": [\"x\"]}"},
             ARGS("t.json:1: error: is a single entry without a name; write {\"mcpServers\""));
    load_bad((struct load){.text = "\xFF\xFE{\0}\0"}, ARGS("is written in UTF-16; save it as UTF-8"));
    struct config *c = load_good((struct load){.text = "{}", .argv = ARGS("--", "cat")});
    assert_string_equal(c->default_server, "default");
    config_free(c);
    c = load_good((struct load){.text = "\xEF\xBB\xBF{\"servers\": {\"a\": {\"command\": \"x\"}}}"});
    assert_string_equal(report(), "");
    config_free(c);
}

static void did_you_mean(void **state)
{
    (void)state;
    load_bad((struct load){.argv = ARGS("--max-client", "3")},
             ARGS("--max-client: error: is not a flag; did you mean --max-clients?\n"));
    load_bad((struct load){.argv = ARGS("--confg=x")}, ARGS("did you mean --config?\n"));
    load_bad((struct load){.argv = ARGS("--completely-different")},
             ARGS("is not a flag; --help lists them\n"));
    struct config *c = load_good((struct load){
        .text =
            "{\"mcpservers\": {},\n\"relay\": {\"max_clients\": 1, \"logLvel\": \"info\", \"zzzzzz\": 1},\n"
            "\"servers\": {\"a\": {\"comand\": \"x\", \"command\": \"x\"}}}",
        .environ = ARGS("AGENT_RELAY_MAX_CLIENT=3", "AGENT_RELAY_BIN=/x", "AGENT_RELAY_CONFIG=", "OTHER")});
    assert_reported(
        "t.json:1: note: the key \"mcpservers\" means nothing here; did you mean \"mcpServers\"?\n");
    assert_reported(
        "t.json:2: note: relay has a key that means nothing: \"max_clients\"; did you mean \"maxClients\"?\n");
    assert_reported("\"logLvel\"; did you mean \"logLevel\"?\n");
    assert_reported("means nothing: \"zzzzzz\"\n");
    assert_reported(
        "t.json:3: note: servers.a has a key that means nothing here: \"comand\"; did you mean \"command\"?\n");
    assert_reported(
        "AGENT_RELAY_MAX_CLIENT: note: is not a variable of the relay; did you mean AGENT_RELAY_MAX_CLIENTS?\n");
    assert_null(strstr(report(), "AGENT_RELAY_BIN"));
    assert_int_equal(c->max_clients, 20000);
    config_free(c);
}

/* Nothing that a user wrote reaches the terminal as it is. */
static void report_is_printable(void **state)
{
    (void)state;
    load_bad((struct load){.argv = ARGS("\x1b[31m\nx")}, ARGS("?[31m?x: error: "));
    char name[600];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    load_bad((struct load){.argv = ARGS(name)},
             ARGS("nnn: error: is not expected here; a command goes behind --\n"));
}

static void contradictions(void **state)
{
    (void)state;
    load_bad((struct load){.argv = ARGS("--backoff-min-ms=5000", "--backoff-max-ms=4999")},
             ARGS("--backoff-min-ms: error: makes backoffMinMs (5000) larger than backoffMaxMs (4999)"));
    struct config *c =
        load_good((struct load){.argv = ARGS("--backoff-min-ms=5000", "--backoff-max-ms=5000")});
    config_free(c);
    load_bad(
        (struct load){.environ = ARGS("AGENT_RELAY_CLIENT_OUT_BYTES=4000000")},
        ARGS(
            "AGENT_RELAY_CLIENT_OUT_BYTES: error: makes maxFrameBytes (8388608) larger than clientOutBytes (4000000)"));
    load_bad((struct load){.text = "{\"relay\": {\"timeoutMs\": 700000}}"},
             ARGS("t.json: error: timeoutMs makes timeoutMs (700000) larger than timeoutMaxMs (600000)"));
    load_bad((struct load){.text = "{\"servers\": {\"a\": {\"command\": \"x\"}},\n"
                                   "\"relay\": {\"servers\": {\"a\": {\"timeoutMaxMs\": 5}}}}"},
             ARGS("t.json: error: a makes timeoutMs (60000) larger than timeoutMaxMs (5)"));
    load_bad((struct load){.argv = ARGS("--listen=:1", "--listen=:1")},
             ARGS("--listen: error: has :1 twice\n"));
    load_bad(
        (struct load){.text = "{\"servers\": {\"a\": {\"command\": \"x\"}}, \"relay\": {\"listen\": []}}"},
        ARGS("t.json: error: listen is empty"));
    c = load_good((struct load){.argv = ARGS("--max-frame-bytes=10485760")});
    assert_reported("--max-frame-bytes: note: lets messages of 10 MiB and more through");
    config_free(c);
    c = load_good((struct load){.argv = ARGS("--max-frame-bytes=10485759", "--", "x")});
    assert_string_equal(report(), "");
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(not_json),     CONFIG_TEST(every_problem_in_one_run), CONFIG_TEST(files_without_servers),
        CONFIG_TEST(did_you_mean), CONFIG_TEST(report_is_printable),      CONFIG_TEST(contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
    load_bad((struct load){.text = "{\"mcpServers\": []}"}, ARGS("mcpServers is an object"));
    char deep[402];
    memset(deep, '[', 400);
    deep[400] = '\0';
    load_bad((struct load){.text = deep}, ARGS("t.json", "error: "));
}

static void every_problem_in_one_run(void **state)
{
    (void)state;
    load_bad(
        (struct load){
            .text =
                "{\"mcpServers\": {\n"
                "\"a\": {},\n"
                "\"b\": {\"command\": 5},\n"
                "\"c\": {\"command\": \"x\", \"args\": [\"ok\",\n"
                "7]},\n"
                "\"d\": {\"command\": \"x\", \"env\": {\"N\": [], \"A=B\": \"\"}},\n"
                "\"e\": {\"type\": \"htpp\", \"url\": \"x\"},\n"
                "\"f\": {\"type\": \"http\", \"command\": \"x\"},\n"
                "\"g\": {\"type\": \"stdio\", \"url\": \"x\"},\n"
                "\"h\": 1,\n"
                "\"d\": {\"command\": \"x\"},\n"
                "\"i\": {\"command\": \"x\", \"disabled\": \"yes\", \"headers\": 1, \"env\": 1, \"cwd\": \"\"},\n"
                "\"\": {\"command\": \"x\"}, \"a=b\": {\"command\": \"x\"}},\n"
                "\"relay\": {\"maxClients\": 0,\n"
                "\"logLevel\": \"loud\",\n"
                "\"servers\": {\"zz\": {}, \"d\": 1, \"c\": {\"drainMs\": 1}}}}",
            .argv = ARGS("--wrong", "--listen", "nowhere", "stray", "--drain-ms")},
        ARGS("t.json:2: error: mcpServers.a has neither a command nor a url",
             "t.json:3: error: mcpServers.b.command is a string that is not empty\n",
             "t.json:5: error: mcpServers.c.args holds something that is not a string",
             "t.json:6: error: mcpServers.d.env holds a value that is not a string",
             "t.json:6: error: mcpServers.d.env holds a name that is empty, or has =",
             "t.json:7: error: mcpServers.e.type is one of stdio, http, streamable-http, sse, ws\n",
             "t.json:8: error: mcpServers.f has this type but no url\n",
             "t.json:9: error: mcpServers.g has this type but no command\n",
             "t.json:10: error: mcpServers.h is an object",
             "t.json:11: error: mcpServers has a second server \"d\"",
             "t.json:12: error: mcpServers.i.disabled is true or false\n",
             "t.json:12: error: mcpServers.i.headers is an object",
             "t.json:12: error: mcpServers.i.env is an object",
             "t.json:12: error: mcpServers.i.cwd is a string",
             "t.json:13: error: mcpServers has a server whose name is empty",
             "t.json:14: error: relay.maxClients is between 1 and",
             "t.json:15: error: relay.logLevel is one of debug, info, warn, error, off, not \"loud\"\n",
             "t.json:16: error: relay.servers.zz names no server of mcpServers\n",
             "t.json:16: error: relay.servers.d is an object",
             "t.json:16: error: relay.servers.c.drainMs holds for all servers; write it under relay\n",
             "--wrong: error: is not a flag",
             "--listen: error: \"nowhere\" has no port; write nowhere:9500\n",
             "stray: error: is not expected here", "--drain-ms: error: needs a value\n"));
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
    load_bad((struct load){.text = "{\"relay\": {\"listen\": []}}"}, ARGS("t.json: error: listen is empty"));
    c = load_good((struct load){.argv = ARGS("--max-frame-bytes=10485760")});
    assert_reported("--max-frame-bytes: note: lets messages of 10 MiB and more through");
    config_free(c);
    c = load_good((struct load){.argv = ARGS("--max-frame-bytes=10485759")});
    assert_string_equal(report(), "");
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(not_json),       CONFIG_TEST(every_problem_in_one_run),
        CONFIG_TEST(did_you_mean),   CONFIG_TEST(report_is_printable),
        CONFIG_TEST(contradictions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

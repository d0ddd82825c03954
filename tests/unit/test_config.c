/* Whole configurations: where the servers come from, what is refused and with which words, what a reload
 * compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/config_kit.h"
#include "tests/unit/fault_alloc.h"

/* ---- where the servers come from ---- */

static void test_no_configuration(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){.text = NULL});
    assert_string_equal(report(), "");
    assert_int_equal(c->listen_count, 1);
    assert_string_equal(c->listen[0].host, "127.0.0.1");
    assert_int_equal(c->listen[0].port, 9500);
    assert_null(c->listen[0].server);
    assert_int_equal(c->server_count, 1);
    assert_string_equal(c->servers[0].name, "mock");
    assert_string_equal(c->servers[0].command, "agent-mock");
    assert_null(c->servers[0].args[0]);
    assert_string_equal(c->default_server, "mock");
    assert_null(c->file);
    assert_null(c->pid_file);
    config_free(c);
    config_free(NULL);
}

static void test_mock_beside_the_program(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_config.XXXXXX";
    char path[64];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/agent-mock", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0755), 0);
    assert_int_equal(fclose(file), 0);
    char *none[] = {NULL};
    struct config_args args = {.argc = 0, .argv = none, .environ = none, .program_dir = folder};
    struct buf out;
    struct config *c = NULL;
    buf_init(&out, 1000);
    assert_int_equal(config_load(&args, &out, &c), 0);
    assert_string_equal(c->servers[0].command, path);
    config_free(c);
    buf_done(&out);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void test_command(void **state)
{
    (void)state;
    struct config *c =
        load_good((struct load){.argv = ARGS("--drain-ms", "5", "--", "npx", "-y", "--listen", "${X}")});
    assert_int_equal(c->server_count, 1);
    const struct server_config *s = &c->servers[0];
    assert_string_equal(s->name, "default");
    assert_string_equal(s->command, "npx");
    assert_string_equal(s->args[0], "-y");
    assert_string_equal(s->args[1], "--listen");
    assert_string_equal(s->args[2], "${X}"); /* the shell's business, not ours */
    assert_null(s->args[3]);
    assert_string_equal(s->shown, "npx -y --listen ${X}");
    assert_int_equal(c->drain_ms, 5);
    config_free(c);
    load_bad((struct load){.argv = ARGS("--")}, ARGS("--: error: is not followed by a command\n"));
}

/* A command stands in for the file's servers; what the file says about those does not get in the way. */
static void test_command_over_a_file(void **state)
{
    (void)state;
    const char *file =
        "{\"mcpServers\": {\"a\": {\"command\": \"x\"}}, \"relay\": {\"defaultServer\": \"a\",\n"
        "\"drainMs\": 7, \"servers\": {\"a\": {\"maxInFlight\": 3}}}}";
    struct config *c = load_good((struct load){.text = file, .argv = ARGS("--", "cat")});
    assert_int_equal(c->server_count, 1);
    assert_string_equal(c->default_server, "default");
    assert_int_equal(c->drain_ms, 7);
    assert_int_equal(c->servers[0].max_in_flight, 512);
    config_free(c);
}

static void test_blocks_of_other_tools(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){
        .text =
            "// as pasted\n"
            "{ \"inputs\": [],\n"
            "  \"mcpServers\": {\n"
            "    \"memory\": { \"command\": \"npx\", \"args\": [\"-y\", \"server\"], \"env\": {\"A\": \"1\", "
            "\"PORT\": 8080,\n"
            "                \"ON\": true}, \"cwd\": \"/tmp\", \"autoApprove\": [\"x\"] },\n"
            "    \"off\": { \"type\": \"stdio\", \"command\": \"x\", \"disabled\": true },\n"
            "    \"off2\": { \"command\": \"x\", \"enabled\": false }, /* trailing commas */\n"
            "    \"web\": { \"url\": \"https://example.org/mcp\", \"headers\": {\"X\": \"y\"}, },\n"
            "    \"web2\": { \"type\": \"streamableHttp\", \"url\": \"http://x\" },\n"
            "  },\n"
            "  \"servers\": { \"other\": { \"type\": \"stdio\", \"command\": \"y\", \"enabled\": true } },\n"
            "}\n"});
    assert_int_equal(c->server_count, 6);
    const struct server_config *s = config_server(c, "memory");
    assert_string_equal(s->command, "npx");
    assert_string_equal(s->args[1], "server");
    assert_null(s->args[2]);
    assert_int_equal(s->env_count, 3);
    assert_string_equal(s->env[1].name, "PORT");
    assert_string_equal(s->env[1].value, "8080");
    assert_string_equal(s->env[2].value, "true");
    assert_string_equal(s->cwd, "/tmp");
    assert_string_equal(s->shown, "npx -y server");
    assert_false(s->disabled || s->remote);
    assert_null(s->problem);
    assert_non_null(s->inherit_env);
    assert_true(config_server(c, "off")->disabled && config_server(c, "off2")->disabled);
    assert_false(config_server(c, "other")->disabled);
    assert_true(config_server(c, "web")->remote && config_server(c, "web2")->remote);
    assert_string_equal(config_server(c, "web")->url, "https://example.org/mcp");
    assert_null(config_server(c, "web")->command);
    assert_string_equal(config_server(c, "web")->problem, "remote servers are not built in yet");
    assert_null(config_server(c, "nobody"));
    assert_reported("t.json:5: note: mcpServers.memory has a key that means nothing here: \"autoApprove\"\n");
    assert_reported("t.json:8: note: mcpServers.web remote servers are not built in yet");
    assert_reported("t.json:2: note: the key \"inputs\" means nothing here\n");
    config_free(c);
}

static void test_default_server(void **state)
{
    (void)state;
    const char *file =
        "{\"mcpServers\": {\"a\": {\"command\": \"x\", \"disabled\": true}, \"b\": {\"command\": \"x\"},\n"
        "\"c\": {\"command\": \"x\"}}}";
    struct config *c = load_good((struct load){.text = file});
    assert_string_equal(c->default_server, "b");
    assert_reported("t.json: note: relay.defaultServer is not set: it is \"b\", the first one\n");
    config_free(c);
    c = load_good((struct load){.text = file, .environ = ARGS("AGENT_RELAY_DEFAULT_SERVER=c")});
    assert_string_equal(c->default_server, "c");
    config_free(c);
    load_bad((struct load){.text = file, .argv = ARGS("--default-server", "d")},
             ARGS("--default-server: error: names no server: \"d\"; there is: a, b, c\n"));
    load_bad((struct load){.text = file, .argv = ARGS("--listen", ":1=e")},
             ARGS("--listen: error: names no server: \"e\"; there is: a, b, c\n"));
    c = load_good((struct load){.text = "{\"servers\": {\"a\": {\"command\": \"x\", \"disabled\": true}}}"});
    assert_string_equal(c->default_server, "a");
    config_free(c);
}

/* ---- what is refused ---- */

static void test_not_json(void **state)
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

static void test_every_problem_in_one_run(void **state)
{
    (void)state;
    load_bad((struct load){.text = "{\"mcpServers\": {\n"
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
                                   "\"i\": {\"command\": \"x\", \"disabled\": \"yes\", \"headers\": 1, "
                                   "\"env\": 1, \"cwd\": \"\"},\n"
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
                  "t.json:16: error: relay.servers.c.drainMs is one for all servers; write it under relay\n",
                  "--wrong: error: is not a flag",
                  "--listen: error: \"nowhere\" has no port; write nowhere:9500\n",
                  "stray: error: is not expected here", "--drain-ms: error: needs a value\n"));
}

static void test_did_you_mean(void **state)
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
    assert_reported("t.json:2: note: relay has a key that means nothing: \"max_clients\"; did you mean "
                    "\"maxClients\"?\n");
    assert_reported("\"logLvel\"; did you mean \"logLevel\"?\n");
    assert_reported("means nothing: \"zzzzzz\"\n");
    assert_reported("t.json:3: note: servers.a has a key that means nothing here: \"comand\"; did you mean "
                    "\"command\"?\n");
    assert_reported("AGENT_RELAY_MAX_CLIENT: note: is not a variable of the relay; did you mean "
                    "AGENT_RELAY_MAX_CLIENTS?\n");
    assert_null(strstr(report(), "AGENT_RELAY_BIN"));
    assert_int_equal(c->max_clients, 20000);
    config_free(c);
}

/* Nothing that a user wrote reaches the terminal as it is. */
static void test_report_is_printable(void **state)
{
    (void)state;
    load_bad((struct load){.argv = ARGS("\x1b[31m\nx")}, ARGS("?[31m?x: error: "));
    char name[600];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    load_bad((struct load){.argv = ARGS(name)},
             ARGS("nnn: error: is not expected here; a command goes behind --\n"));
}

static void test_contradictions(void **state)
{
    (void)state;
    load_bad((struct load){.argv = ARGS("--backoff-min-ms=5000", "--backoff-max-ms=4999")},
             ARGS("--backoff-min-ms: error: makes backoffMinMs (5000) larger than backoffMaxMs (4999)"));
    struct config *c =
        load_good((struct load){.argv = ARGS("--backoff-min-ms=5000", "--backoff-max-ms=5000")});
    config_free(c);
    load_bad((struct load){.environ = ARGS("AGENT_RELAY_CLIENT_OUT_BYTES=4000000")},
             ARGS("AGENT_RELAY_CLIENT_OUT_BYTES: error: makes maxFrameBytes (8388608) larger than "
                  "clientOutBytes (4000000)"));
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

/* ---- listen ---- */

static struct config *listening(const char *text)
{
    return load_good((struct load){.argv = ARGS("--listen", text, "--", "x")});
}

static void check_tcp(const char *text, const char *host, uint16_t port, bool loopback)
{
    struct config *c = listening(text);
    assert_string_equal(c->listen[0].text, text);
    assert_string_equal(c->listen[0].host, host);
    assert_int_equal(c->listen[0].port, port);
    assert_null(c->listen[0].path);
    assert_int_equal(listen_entry_is_loopback(&c->listen[0]), loopback);
    config_free(c);
}

static void test_listen_addresses(void **state)
{
    (void)state;
    check_tcp("127.0.0.1:9500", "127.0.0.1", 9500, true);
    check_tcp("127.9.9.9:0", "127.9.9.9", 0, true);
    check_tcp("0.0.0.0:65535", "0.0.0.0", 65535, false);
    check_tcp(":80", "0.0.0.0", 80, false);
    check_tcp("[::1]:1", "::1", 1, true);
    check_tcp("[::]:1", "::", 1, false);
    check_tcp("[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", 1, true);
    check_tcp("[::ffff:10.0.0.1]:1", "::ffff:10.0.0.1", 1, false);
    check_tcp("LocalHost:1", "LocalHost", 1, true);
    check_tcp("relay.internal:1", "relay.internal", 1, false);
    struct config *c = listening("unix:/run/a=b=default");
    assert_string_equal(c->listen[0].path, "/run/a=b");
    assert_string_equal(c->listen[0].server, "default");
    assert_null(c->listen[0].host);
    assert_true(listen_entry_is_loopback(&c->listen[0]));
    config_free(c);
    c = listening("[::1]:7=default");
    assert_string_equal(c->listen[0].host, "::1");
    assert_string_equal(c->listen[0].server, "default");
    config_free(c);
}

static void check_refused(const char *text, const char *why)
{
    load_bad((struct load){.argv = ARGS("--listen", text)}, ARGS(why));
}

static void test_listen_refusals(void **state)
{
    (void)state;
    check_refused("9500", "\"9500\" has no host; write 127.0.0.1:9500, or :9500 for every interface\n");
    check_refused("host", "\"host\" has no port; write host:9500\n");
    check_refused("host:", "has no port between 0 and 65535");
    check_refused("host:65536", "has no port between 0 and 65535");
    check_refused("host:1x", "has no port between 0 and 65535");
    check_refused("host:-1", "has no port between 0 and 65535");
    check_refused("::1:9500", "an IPv6 address stands in brackets: [::1]:9500\n");
    check_refused("[::1]", "is not HOST:PORT");
    check_refused("tcp://host:1", "write it without tcp://");
    check_refused("host:1=", "names no server behind the =\n");
    check_refused("unix:", "has no path; write unix:");
    char path[140] = "unix:";
    for (size_t over = 0; over < 2; over++) {
        memset(path + 5, 'p', 107 + over);
        path[5 + 107 + over] = '\0';
        if (over > 0)
            check_refused(path, "has a path of 108 bytes; a Unix socket's path has at most 107\n");
        else
            config_free(listening(path));
    }
}

/* ---- variables ---- */

static void check_expanded(const char *text, const char *expected, const char *expected_missing)
{
    const char *variables[] = {"A=alpha", "EMPTY=", "AB=no", "B=${A}", NULL};
    char *copy[5] = {NULL};
    memcpy(copy, variables, sizeof(variables));
    struct buf missing;
    buf_init(&missing, 100);
    char *expanded = expand_variables(copy, text, &missing);
    assert_string_equal(expanded, expected);
    assert_int_equal(buf_append(&missing, "", 1), 0);
    assert_string_equal(buf_data(&missing), expected_missing);
    mem_free(expanded);
    buf_done(&missing);
}

static void test_expansion(void **state)
{
    (void)state;
    check_expanded("", "", "");
    check_expanded("plain", "plain", "");
    check_expanded("${A}", "alpha", "");
    check_expanded("<${A}${env:A}>", "<alphaalpha>", "");
    check_expanded("${A:-x}${EMPTY:-y}${NONE:-z}${NONE:-}", "alphayz", "");
    check_expanded("${env:NONE:-fall:-back}", "fall:-back", "");
    check_expanded("${EMPTY}", "", "");
    check_expanded("${NONE}/${A}/${OTHER}/${NONE}", "/alpha//", "NONE, OTHER");
    check_expanded("$A $$ ${ ${A ${} $", "$A $$ ${ ${A ${} $", "");
    check_expanded("$${A}", "$alpha", "");
    check_expanded("${B}", "${A}", ""); /* once */
    check_expanded("${NONE:-${A}}", "${A}", "");
    check_expanded("${input:key}", "", "input:key");
}

static void test_variables_of_an_entry(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){
        .text =
            "{\"mcpServers\": {\n\"a\": {\"command\": \"${C}\", \"args\": [\"--key=${KEY}\"], \"cwd\": "
            "\"${D:-/}\",\n"
            "\"env\": {\"TOKEN\": \"${env:KEY}\"}},\n"
            "\"b\": {\"command\": \"x\", \"env\": {\"T\": \"${NONE}\"}, \"args\": [\"${OTHER} ${NONE}\"]},\n"
            "\"e\": {\"command\": \"${EMPTY}\"}}}",
        .environ = ARGS("C=cat", "KEY=secret", "EMPTY=")});
    const struct server_config *a = config_server(c, "a");
    assert_string_equal(a->command, "cat");
    assert_string_equal(a->args[0], "--key=secret");
    assert_string_equal(a->cwd, "/");
    assert_string_equal(a->env[0].value, "secret");
    assert_string_equal(a->shown, "${C} --key=${KEY}");
    assert_null(a->problem);
    assert_string_equal(config_server(c, "b")->problem, "needs variables that are not set: OTHER, NONE");
    assert_reported(
        "t.json:4: note: mcpServers.b needs variables that are not set: OTHER, NONE; its sessions are told");
    assert_string_equal(config_server(c, "e")->problem, "its command is empty once its variables are put in");
    config_free(c);
}

/* ---- what people read ---- */

static char *printed(const struct config *c, bool options, bool markdown)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    if (options)
        config_print_options(out, markdown);
    else
        config_print(c, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void test_print(void **state)
{
    (void)state;
    struct config *c =
        load_good((struct load){.text = "{\"mcpServers\": {\"a\": {\"command\": \"cat\", \"args\": "
                                        "[\"${KEY}\"], \"env\": {\"T\": \"plain-secret\"}}},\n"
                                        "\"relay\": {\"drainMs\": 5}}",
                                .argv = ARGS("--max-clients", "9"),
                                .environ = ARGS("KEY=hidden-secret", "AGENT_RELAY_LOG_LEVEL=warn")});
    char *text = printed(c, false, false);
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "t.json"));
    assert_non_null(strstr(text, "cat ${KEY}"));
    assert_non_null(strstr(text, "T=(not shown)"));
    for (size_t i = 0; i < option_count(); i++)
        assert_non_null(strstr(text, option_at(i)->key));
    assert_non_null(strstr(text, "maxClients             9                            flag\n"));
    assert_non_null(strstr(text, "drainMs                5                            file\n"));
    assert_non_null(strstr(text, "logLevel               warn                         environment\n"));
    assert_non_null(strstr(text, "logFormat              logfmt                       default\n"));
    free(text);
    config_free(c);
}

static void test_print_options(void **state)
{
    (void)state;
    char *help = printed(NULL, true, false);
    char *table = printed(NULL, true, true);
    for (size_t i = 0; i < option_count(); i++) {
        char name[OPTION_NAME_BYTES];
        option_flag_name(option_at(i), name);
        assert_non_null(strstr(help, name));
        assert_non_null(strstr(table, name));
        option_env_name(option_at(i), name);
        assert_non_null(strstr(help, name));
        assert_non_null(strstr(table, name));
        assert_non_null(strstr(table, option_at(i)->key));
    }
    assert_non_null(strstr(help, "--config FILE"));
    free(help);
    free(table);
}

/* ---- reload ---- */

static void check_server_differs(const char *entry, const char *options)
{
    char file[1024];
    struct config *a =
        load_good((struct load){.text = "{\"servers\": {\"s\": {\"command\": \"x\", \"args\": [\"1\"],\n"
                                        "\"env\": {\"A\": \"1\"}, \"cwd\": \"/\"}}}"});
    (void)snprintf(file, sizeof(file),
                   "{\"servers\": {\"s\": {%s}}, \"relay\": {\"servers\": {\"s\": {%s}}}}", entry, options);
    struct config *b = load_good((struct load){.text = file});
    assert_false(server_config_equal(&a->servers[0], &b->servers[0]));
    assert_true(server_config_equal(&b->servers[0], &b->servers[0]));
    config_free(a);
    config_free(b);
}

#define SAME_ENTRY "\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\""

static void test_server_equal(void **state)
{
    (void)state;
    check_server_differs("\"command\": \"y\", \"args\": [\"1\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"",
                         "");
    check_server_differs("\"command\": \"x\", \"args\": [\"2\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"",
                         "");
    check_server_differs(
        "\"command\": \"x\", \"args\": [\"1\", \"2\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"", "");
    check_server_differs("\"command\": \"x\", \"args\": [], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"", "");
    check_server_differs("\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"A\": \"2\"}, \"cwd\": \"/\"",
                         "");
    check_server_differs("\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"B\": \"1\"}, \"cwd\": \"/\"",
                         "");
    check_server_differs("\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"A\": \"1\"}", "");
    check_server_differs("\"url\": \"http://x\"", "");
    check_server_differs(SAME_ENTRY ", \"disabled\": true", "");
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        char options[128];
        if (!o->per_server)
            continue;
        if (o->type == OPTION_UINT)
            (void)snprintf(options, sizeof(options), "\"%s\": %d", o->key, (int)o->number + 1);
        else
            (void)snprintf(options, sizeof(options), "\"%s\": \"%s\"", o->key,
                           o->choices != NULL ? o->choices[1] : "V");
        check_server_differs(SAME_ENTRY, options);
    }
    struct config *a = load_good((struct load){.text = "{\"servers\": {\"s\": {" SAME_ENTRY "}}}"});
    struct config *b =
        load_good((struct load){.text = "{\n\"mcpServers\":{\"s\":{\"env\":{\"A\":\"1\"},\"cwd\":\"/\",\n"
                                        "\"args\":[\"1\"],\"command\":\"x\"}}}"});
    assert_true(server_config_equal(&a->servers[0], &b->servers[0]));
    config_free(a);
    config_free(b);
}

static void test_restart_needed(void **state)
{
    (void)state;
    struct config *a = load_good((struct load){.text = NULL});
    struct config *b =
        load_good((struct load){.argv = ARGS("--drain-ms=1", "--log-level=warn", "--max-in-flight=1")});
    struct buf names;
    buf_init(&names, 1000);
    config_restart_needed(a, b, &names);
    assert_int_equal(buf_len(&names), 0);
    config_free(b);
    b = load_good(
        (struct load){.argv = ARGS("--listen=:1", "--pid-file=/x", "--max-id-bytes=100", "--drain-ms=1")});
    config_restart_needed(a, b, &names);
    assert_int_equal(buf_append(&names, "", 1), 0);
    assert_string_equal(buf_data(&names), "listen, maxIdBytes, pidFile");
    buf_done(&names);
    config_free(a);
    config_free(b);
}

/* ---- files, memory ---- */

static void test_files(void **state)
{
    (void)state;
    char path[] = "/tmp/test_config.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "{\"relay\": {\"drainMs\": 42}}";
    assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    assert_int_equal(close(fd), 0);
    char variable[64];
    (void)snprintf(variable, sizeof(variable), "AGENT_RELAY_CONFIG=%s", path);
    char flag[] = "--config";
    char short_flag[] = "-c";
    char missing[] = "/nowhere/relay.json";
    char *with_flag[] = {flag, path, NULL};
    char *with_short_flag[] = {short_flag, path, NULL};
    char *with_nothing[] = {NULL};
    char *with_missing[] = {flag, missing, NULL};
    char *variables[] = {variable, NULL};
    struct config_args runs[] = {
        {.argc = 2, .argv = with_flag, .environ = with_nothing},
        {.argc = 2, .argv = with_short_flag, .environ = with_nothing},
        {.argc = 0, .argv = with_nothing, .environ = variables},
        {.argc = 2, .argv = with_missing, .environ = variables},
    };
    struct buf out;
    buf_init(&out, 4096);
    for (int i = 0; i < 3; i++) {
        struct config *c = NULL;
        assert_int_equal(config_load(&runs[i], &out, &c), 0);
        assert_int_equal(c->drain_ms, 42);
        assert_string_equal(c->file, path);
        config_free(c);
    }
    struct config *c = NULL;
    assert_int_equal(config_load(&runs[3], &out, &c), ERR_SYNTAX);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_data(&out),
                        "/nowhere/relay.json: error: cannot be read: No such file or directory\n");
    buf_done(&out);
    assert_int_equal(unlink(path), 0);
}

/* Everything at once, with the Nth allocation failing until a run gets by without: no crash, no leak, no half
 * result. */
static void test_no_memory(void **state)
{
    (void)state;
    struct load load = {.text = "{\"mcpServers\": {\"a\": {\"command\": \"${C}\", \"args\": [\"${N}\", "
                                "\"b\"], \"cwd\": \"/\", \"bad\": 1,\n"
                                "\"env\": {\"A\": \"1\", \"B\": 2}}, \"w\": {\"url\": \"http://x\"}},\n"
                                "\"relay\": {\"listen\": [\":1\", \"unix:/x=a\"], \"inheritEnv\": [\"X\", "
                                "\"Y\"], \"pidFile\": \"p\",\n"
                                "\"servers\": {\"a\": {\"inheritEnv\": [\"Z\"]}}}}",
                        .argv = ARGS("--default-server", "a", "--listen", "h:1"),
                        .environ = ARGS("C=c", "AGENT_RELAY_LISTEN=:4")};
    size_t runs = 0;
    for (size_t n = 1;; n++) {
        struct config *c = NULL;
        size_t live_before = fault_alloc_live();
        fault_alloc_fail_at(n);
        int r = load_code(load, &c);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        if (r == 0)
            config_free(c);
        assert_true(r == 0 || r == -ENOMEM);
        assert_true(fired || r == 0);
        if (!fired)
            break;
        /* the report's own buffer, at most */
        assert_in_range(fault_alloc_live(), 0, live_before + 1);
        runs++;
    }
    assert_in_range(runs, 50, 5000);
}

int main(void)
{
#define CONFIG_TEST(name) cmocka_unit_test_setup_teardown(name, config_set_up, config_tear_down)
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(test_no_configuration),
        CONFIG_TEST(test_mock_beside_the_program),
        CONFIG_TEST(test_command),
        CONFIG_TEST(test_command_over_a_file),
        CONFIG_TEST(test_blocks_of_other_tools),
        CONFIG_TEST(test_default_server),
        CONFIG_TEST(test_not_json),
        CONFIG_TEST(test_every_problem_in_one_run),
        CONFIG_TEST(test_did_you_mean),
        CONFIG_TEST(test_report_is_printable),
        CONFIG_TEST(test_contradictions),
        CONFIG_TEST(test_listen_addresses),
        CONFIG_TEST(test_listen_refusals),
        CONFIG_TEST(test_expansion),
        CONFIG_TEST(test_variables_of_an_entry),
        CONFIG_TEST(test_print),
        CONFIG_TEST(test_print_options),
        CONFIG_TEST(test_server_equal),
        CONFIG_TEST(test_restart_needed),
        CONFIG_TEST(test_files),
        CONFIG_TEST(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

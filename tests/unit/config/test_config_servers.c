/* Servers in a configuration: where they come from, which one is the default, and the variables of their
 * entries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/config/config_fixture.h"

/* ---- where the servers come from ---- */

static void no_configuration(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){.text = NULL});
    assert_string_equal(
        report(),
        "agent-relay: note: no configuration is named: it serves the mock agents, which are invented\n");
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

static void mock_beside_the_program(void **state)
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

static void command_of_the_arguments(void **state)
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
static void command_over_a_file(void **state)
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

static void blocks_of_other_tools(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){
        .text =
            "// as pasted\n"
            "{ \"inputs\": [],\n"
            "  \"mcpServers\": {\n"
            "    \"memory\": { \"command\": \"npx\", \"args\": [\"-y\", \"server\"], \"env\": {\"A\": \"1\", \"PORT\": 8080,\n"
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
    config_free(c);
}

static void default_server_of_the_file(void **state)
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

/* ---- variables ---- */

static void check_expanded_in(struct expansion where, const char *text, const char *expected,
                              const char *expected_missing)
{
    const char *variables[] = {"A=alpha", "EMPTY=", "AB=no", "B=${A}", "HOME=/home/me", NULL};
    char *copy[6] = {NULL};
    memcpy(copy, variables, sizeof(variables));
    where.environ = copy;
    where.workspace = "/projects/notes";
    where.cwd = "/run";
    struct buf missing;
    buf_init(&missing, 100);
    char *expanded = expand_variables(&where, text, &missing);
    assert_string_equal(expanded, expected);
    assert_int_equal(buf_append(&missing, "", 1), 0);
    assert_string_equal(buf_data(&missing), expected_missing);
    mem_free(expanded);
    buf_done(&missing);
}

static void check_expanded(const char *text, const char *expected, const char *expected_missing)
{
    check_expanded_in((struct expansion){.is_env = true}, text, expected, expected_missing);
}

static void check_argument(const char *text, const char *expected)
{
    check_expanded_in((struct expansion){.is_argument = true}, text, expected, "");
}

static void expansion(void **state)
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
    check_expanded("${input:my key}${command:do it}", "", "input:my key, command:do it");
    check_expanded("{env:AB} {env:NONE} {file:x}", "no  {file:x}", "NONE");
}

static void folders_of_other_tools(void **state)
{
    (void)state;
    check_expanded("${userHome}/x", "/home/me/x", "");
    check_expanded("${env:HOME}/x", "/home/me/x", "");
    check_expanded("$HOME/x", "/home/me/x", "");
    check_expanded("%USERPROFILE%/x", "/home/me/x", "");
    check_expanded("~", "/home/me", "");
    check_expanded("~/x:~/y", "/home/me/x:/home/me/y", "");
    check_expanded("${workspaceFolder}/x${/}${workspaceFolderBasename}", "/projects/notes/x/notes", "");
    check_expanded("${CLAUDE_PROJECT_DIR:-/else}", "/projects/notes", "");
    check_expanded("${cwd}${pathSeparator}x", "/run/x", "");
    check_expanded("%APPDATA%/x", "/x", "APPDATA");
    check_expanded("~me/x ~/y 100% %A", "~me/x ~/y 100% %A", "");
    check_argument("~/x", "/home/me/x");
    check_argument("--root=~/x", "--root=/home/me/x");
    check_argument("${userHome}", "/home/me");
    check_argument("a~/x:~/y", "a~/x:~/y");
}

/* $VAR: passwords have dollar signs, and an argument may be a shell's text. */
static void dollar_names(void **state)
{
    (void)state;
    check_expanded("$AB", "no", "");
    check_expanded("Bearer $AB", "Bearer no", "");
    check_expanded("$NONE", "", "NONE");
    check_expanded("$NONE/x", "/x", "NONE");
    check_expanded("pa$NONE $ab $ABc $$AB", "pa$NONE $ab $ABc $$AB", "");
    check_argument("$HOME/x", "/home/me/x");
    check_argument("$AB", "no");
    check_argument("$NONE", "$NONE");
    check_argument("cd $HOME && echo $AB", "cd $HOME && echo $AB");
}

static void variables_of_an_entry(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){
        .text =
            "{\"mcpServers\": {\n\"a\": {\"command\": \"${C}\", \"args\": [\"--key=${KEY}\"], \"cwd\": \"${D:-/}\",\n"
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
        "t.json:4: note: mcpServers.b needs variables that are not set: OTHER, NONE; requests to it get this as their error, the other servers run\n");
    assert_string_equal(config_server(c, "e")->problem, "its command is empty once its variables are put in");
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(no_configuration),
        CONFIG_TEST(mock_beside_the_program),
        CONFIG_TEST(command_of_the_arguments),
        CONFIG_TEST(command_over_a_file),
        CONFIG_TEST(blocks_of_other_tools),
        CONFIG_TEST(default_server_of_the_file),
        CONFIG_TEST(expansion),
        CONFIG_TEST(folders_of_other_tools),
        CONFIG_TEST(dollar_names),
        CONFIG_TEST(variables_of_an_entry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Entries as other tools write them, and what is wrong with one entry: it is that entry's alone. */
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

#include "tests/unit/config/config_fixture.h"

/* The entry stands on line 2, beside one that runs. */
static struct config *load_beside(const char *entry)
{
    char file[2048];
    (void)snprintf(file, sizeof(file), "{\"mcpServers\": {\"fine\": {\"command\": \"cat\"},\n\"odd\": %s}}",
                   entry);
    struct config *c = load_good((struct load){.text = file, .environ = ARGS("HOME=/home/me", "SET=s")});
    assert_null(config_server(c, "fine")->problem);
    assert_false(config_server(c, "fine")->disabled);
    return c;
}

/* The sessions of the entry are told `problem`; the operator is, with the line. */
static void check_fault(const char *entry, const char *problem)
{
    struct config *c = load_beside(entry);
    const struct server_config *s = config_server(c, "odd");
    assert_non_null(s);
    assert_false(s->disabled);
    assert_non_null(s->problem);
    if (!strstr(s->problem, problem))
        print_error("%s: %s\n", entry, s->problem);
    assert_non_null(strstr(s->problem, problem));
    assert_non_null(s->shown);
    assert_reported("t.json:2: note: mcpServers.odd");
    assert_reported("; requests to it get this as their error, the other servers run\n");
    config_free(c);
}

static void faults_of_one_entry(void **state)
{
    (void)state;
    check_fault("{}", "has neither a command nor a url; write \"command\": \"...\"");
    check_fault("{\"command\": \"\"}", "has neither a command nor a url");
    check_fault("{\"command\": 5}", "its configuration is wrong: command is a string");
    check_fault("{\"command\": []}", "command is an empty list");
    check_fault("{\"command\": [\"x\", {}]}", "args holds something that is not a string");
    check_fault("\"npx server\"", "is an object; write {\"command\": \"...\"}");
    check_fault("5", "is an object");
    check_fault("[]", "is an object");
    check_fault("{\"command\": \"x\", \"args\": \"-y z\"}", "args is a list of strings; write [\"...\"]");
    check_fault("{\"command\": \"x\", \"args\": [\"ok\", []]}", "args holds something that is not a string");
    check_fault("{\"command\": \"x\", \"env\": 1}", "env is an object");
    check_fault("{\"command\": \"x\", \"env\": [1]}", "env is an object");
    check_fault("{\"command\": \"x\", \"env\": [\"=x\"]}", "env is an object");
    check_fault("{\"command\": \"x\", \"env\": [\"UNSET\"]}", "needs variables that are not set: UNSET");
    check_fault("{\"command\": \"x\", \"env\": {\"N\": []}}", "env holds a value that is not a string");
    check_fault("{\"command\": \"x\", \"env\": {\"A=B\": \"\"}}", "env holds a name that is empty, or has =");
    check_fault("{\"command\": \"x\", \"env\": {\"\": \"\"}}", "env holds a name that is empty, or has =");
    check_fault("{\"command\": \"x\", \"cwd\": 1}", "cwd is a string");
    check_fault("{\"command\": \"x\", \"headers\": 1}", "headers is an object");
    check_fault("{\"command\": \"x\", \"disabled\": \"maybe\"}", "disabled is true or false");
    check_fault("{\"command\": \"x\", \"enabled\": 2}", "enabled is true or false");
    check_fault("{\"type\": \"htpp\", \"url\": \"x\"}",
                "type is \"htpp\", and none of stdio, http, streamable-http, sse, ws");
    check_fault("{\"type\": 1, \"command\": \"x\"}", "type is no string, and none of stdio");
    check_fault("{\"type\": \"http\", \"command\": \"x\"}", "type is \"http\", but there is no url");
    check_fault("{\"type\": \"LOCAL\", \"url\": \"x\"}", "type is \"LOCAL\", but there is no command");
    check_fault("{\"command\": \"x\", \"envFile\": 1}", "envFile is a string");
    check_fault("{\"command\": \"x\", \"envFile\": \"/nowhere/.env\"}",
                "envFile cannot be read: /nowhere/.env: No such file or directory");
    check_fault("{\"command\": \"x\", \"envFile\": \"/dev/zero\"}",
                "envFile cannot be read: /dev/zero: not a plain file");
    check_fault("{\"command\": \"x\", \"envFile\": \"${NONE}/.env\"}",
                "needs variables that are not set: NONE");
    check_fault(
        "{\"command\": \"x\", \"env\": {\"K\": \"${input:key}\"}}",
        "needs variables that are not set: input:key (an editor asks for input:...; write ${env:NAME} in its place)");
    check_fault("{\"url\": \"http://x\"}", "remote servers are not built in yet");
}

/* Whatever else is wrong with it. */
static void disabled_entries_refuse_nothing(void **state)
{
    (void)state;
    static const char *const rest[] = {
        "\"type\": \"htpp\"", "\"command\": 5",           "\"env\": []", "\"args\": 1", "\"cwd\": []",
        "\"x\": 1",           "\"envFile\": \"/nowhere\""};
    static const char *const off[] = {"\"disabled\": true",  "\"disabled\": \"true\"", "\"disabled\": 1",
                                      "\"enabled\": \"No\"", "\"isActive\": false",    "\"enabled\": 0"};
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        for (size_t k = 0; k < sizeof(off) / sizeof(off[0]); k++) {
            char entry[256];
            (void)snprintf(entry, sizeof(entry), "{%s, %s}", rest[i], off[k]);
            struct config *c = load_beside(entry);
            assert_true(config_server(c, "odd")->disabled);
            assert_null(strstr(report(), "mcpServers.odd"));
            config_free(c);
        }
    }
    struct config *c = load_beside("null");
    assert_true(config_server(c, "odd")->disabled);
    assert_reported("t.json:2: note: mcpServers.odd is null: it counts as disabled\n");
    config_free(c);
    c = load_good((struct load){.text = "{\"servers\": {\"a\": {\"command\": \"x\", \"disabled\": true}},\n"
                                        "\"mcpServers\": {\"a\": {\"command\": \"y\"}}}"});
    assert_int_equal(c->server_count, 1);
    assert_string_equal(c->servers[0].command, "y");
    assert_reported("has \"a\" twice, once disabled; the other one is taken\n");
    config_free(c);
}

static void check_runs(const char *entry)
{
    struct config *c = load_beside(entry);
    const struct server_config *s = config_server(c, "odd");
    if (s->problem)
        print_error("%s: %s\n", entry, s->problem);
    assert_null(s->problem);
    assert_false(s->disabled || s->remote || s->cwd || s->env_count > 0);
    assert_string_equal(s->command, "x");
    assert_null(s->args[0]);
    config_free(c);
}

static void null_and_empty_are_absent(void **state)
{
    (void)state;
    check_runs(
        "{\"command\": \"x\", \"args\": null, \"env\": null, \"cwd\": null, \"type\": null, \"url\": null,\n"
        "\"headers\": null, \"disabled\": null, \"enabled\": null, \"envFile\": null}");
    check_runs(
        "{\"command\": \"x\", \"args\": \"\", \"env\": \"\", \"cwd\": \"\", \"type\": \"\", \"url\": \"\",\n"
        "\"headers\": \"\", \"disabled\": \"\", \"enabled\": \"\", \"envFile\": \"\"}");
    check_runs(
        "{\"command\": \"x\", \"args\": [null], \"env\": {\"X\": null}, \"serverUrl\": null, \"headers\": []}");
    check_runs("{\"command\": \"x\", \"env\": [], \"disabled\": \"false\", \"enabled\": \"true\"}");
    check_runs("{\"command\": null, \"cmd\": \"x\"}");
}

static void spellings_of_the_kind(void **state)
{
    (void)state;
    static const char *const local[] = {"stdio", "STDIO", "local", "Stdio", "std-io", "process"};
    static const char *const remote[] = {"http",
                                         "streamable_http",
                                         "streamable-http",
                                         "streamableHttp",
                                         "StreamableHTTP",
                                         "http-stream",
                                         "sse",
                                         "SSE",
                                         "http+sse",
                                         "ws",
                                         "websocket",
                                         "remote"};
    static const char *const keys[] = {"type", "transport", "transportType"};
    static const char *const urls[] = {"url", "serverUrl", "httpUrl", "server_url", "uri"};
    char entry[256];
    for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
        for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++) {
            (void)snprintf(entry, sizeof(entry), "{\"%s\": \"%s\", \"command\": \"x\"}", keys[k], local[i]);
            check_runs(entry);
        }
        for (size_t i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
            (void)snprintf(entry, sizeof(entry), "{\"%s\": \"%s\", \"%s\": \"http://h/mcp\"}", keys[k],
                           remote[i], urls[i % 5]);
            struct config *c = load_beside(entry);
            assert_true(config_server(c, "odd")->remote);
            assert_string_equal(config_server(c, "odd")->url, "http://h/mcp");
            assert_string_equal(config_server(c, "odd")->problem, "remote servers are not built in yet");
            config_free(c);
        }
    }
}

static void check_command_line(const char *entry, const char *shown, const char *env)
{
    struct config *c = load_beside(entry);
    const struct server_config *s = config_server(c, "odd");
    char text[256];
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", s->command);
    for (char **arg = s->args; *arg; arg++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", *arg);
    assert_string_equal(text, shown);
    assert_string_equal(s->shown, shown);
    assert_null(s->problem);
    text[0] = '\0';
    len = 0;
    for (size_t i = 0; i < s->env_count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s=%s ", s->env[i].name, s->env[i].value);
    assert_string_equal(text, env);
    config_free(c);
}

static void spellings_of_the_command(void **state)
{
    (void)state;
    check_command_line("{\"command\": [\"npx\", \"-y\"], \"args\": [\"z\"], \"environment\": {\"A\": \"1\"}}",
                       "npx -y z", "A=1 ");
    check_command_line("{\"cmd\": \"npx\", \"arguments\": [\"--port\", 3000], \"envs\": {\"A\": 1}}",
                       "npx --port 3000", "A=1 ");
    check_command_line("{\"command\": \"x\", \"env\": [\"A=b=c\", \"SET\"]}", "x", "A=b=c SET=s ");
    check_command_line(
        "{\"command\": {\"path\": \"/bin/x\", \"args\": [\"-v\"], \"env\": {\"A\": \"~/k\"}}, \"settings\": {}}",
        "/bin/x -v", "A=/home/me/k ");
    check_command_line("{\"transport\": {\"type\": \"stdio\", \"command\": \"x\", \"args\": [\"y\"]}}", "x y",
                       "");
    struct config *c = load_beside("{\"command\": \"~/bin/x\", \"working_directory\": \"$HOME/w\"}");
    assert_string_equal(config_server(c, "odd")->command, "/home/me/bin/x");
    assert_string_equal(config_server(c, "odd")->cwd, "/home/me/w");
    config_free(c);
}

static void names_and_remarks(void **state)
{
    (void)state;
    struct config *c =
        load_good((struct load){.text = "{\"mcpServers\": {\"//\": \"mine\", \"_comment\": [\"a\"],\n"
                                        "\"\": {\"command\": \"x\"}, \"a=b\": {\"command\": \"x\"},\n"
                                        "\"web\": {\"url\": \"http://x\"},\n"
                                        "\"b\": {\"command\": 1}, \"c\": {\"command\": \"x\"}}}"});
    assert_int_equal(c->server_count, 3);
    assert_string_equal(c->default_server, "b"); /* not the remote one; and its fault shows */
    assert_reported("t.json:2: note: mcpServers has a server whose name is empty");
    config_free(c);
    c = load_good((struct load){
        .text = "{\"mcpServers\": [{\"name\": \"a\", \"command\": \"x\"}, {\"command\": \"y\"}]}"});
    assert_string_equal(c->servers[0].name, "a");
    assert_string_equal(c->servers[1].name, "server-2");
    config_free(c);
}

/* ---- envFile ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void variables_of_a_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_config.XXXXXX";
    char editor[64], path[80], env[80];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(editor, sizeof(editor), "%s/.vscode", folder);
    (void)snprintf(path, sizeof(path), "%s/mcp.json", editor);
    (void)snprintf(env, sizeof(env), "%s/.env", folder);
    assert_int_equal(mkdir(editor, 0700), 0);
    write_file(
        env, "# secrets\n\nexport A=plain # remark\nB = \"two\\nlines # \\\"x\\\"\"\r\nC='${HOME} # x'\nD=\n"
             "nonsense here\nE=a#b=c");
    write_file(
        path,
        "{\"servers\": {\"s\": {\"command\": \"${workspaceFolder}/x\", \"envFile\": \"${workspaceFolder}/.env\",\n"
        "\"env\": {\"A\": \"mine\"}}, \"t\": {\"command\": \"x\", \"envFile\": \".env\"}}}");
    char flag[] = "--config";
    char *argv[] = {flag, path, NULL};
    char *none[] = {NULL};
    struct config_args args = {.argc = 2, .argv = argv, .environ = none};
    struct buf out;
    struct config *c = NULL;
    buf_init(&out, 4096);
    assert_int_equal(config_load(&args, &out, &c), 0);
    static const struct env_entry expected[] = {
        {(char *)(uintptr_t) "A", (char *)(uintptr_t) "plain"},
        {(char *)(uintptr_t) "B", (char *)(uintptr_t) "two\nlines # \"x\""},
        {(char *)(uintptr_t) "C", (char *)(uintptr_t) "${HOME} # x"},
        {(char *)(uintptr_t) "D", (char *)(uintptr_t) ""},
        {(char *)(uintptr_t) "E", (char *)(uintptr_t) "a#b=c"},
        {(char *)(uintptr_t) "A", (char *)(uintptr_t) "mine"}};
    for (size_t k = 0; k < 2; k++) {
        const struct server_config *s = config_server(c, k == 0 ? "s" : "t");
        assert_null(s->problem);
        assert_int_equal(s->env_count, k == 0 ? 6 : 5);
        for (size_t i = 0; i < s->env_count; i++) {
            assert_string_equal(s->env[i].name, expected[i].name);
            assert_string_equal(s->env[i].value, expected[i].value);
        }
    }
    char command[80];
    (void)snprintf(command, sizeof(command), "%s/x", folder);
    assert_string_equal(config_server(c, "s")->command, command);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_non_null(strstr(buf_data(&out), "/.env:7: note: is not NAME=VALUE; left out\n"));
    config_free(c);
    buf_done(&out);
    assert_int_equal(unlink(env) + unlink(path) + rmdir(editor) + rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(faults_of_one_entry),       CONFIG_TEST(disabled_entries_refuse_nothing),
        CONFIG_TEST(null_and_empty_are_absent), CONFIG_TEST(spellings_of_the_kind),
        CONFIG_TEST(spellings_of_the_command),  CONFIG_TEST(names_and_remarks),
        CONFIG_TEST(variables_of_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

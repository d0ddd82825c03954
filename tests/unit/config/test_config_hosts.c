/* The blocks of MCP hosts, as their documentation has them and people paste them: each works as it is, or
 * says which entry does not, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/config/config_fixture.h"

static struct config *load_host(const char *text)
{
    return load_good(
        (struct load){.text = text, .environ = ARGS("HOME=/home/me", "API_KEY=k-1", "MY_API_TOKEN=t-1")});
}

/* "command arg arg | NAME=value" of a server that runs. */
static void check_server(const struct config *c, const char *name, const char *expected)
{
    char text[512];
    const struct server_config *s = config_server(c, name);
    if (!s)
        print_error("no %s\n", name);
    assert_non_null(s);
    if (s->problem)
        print_error("%s: %s\n", name, s->problem);
    assert_null(s->problem);
    assert_false(s->disabled || s->remote);
    size_t len = (size_t)snprintf(text, sizeof(text), "%s", s->command);
    for (char **arg = s->args; *arg; arg++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %s", *arg);
    for (size_t i = 0; i < s->env_count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s", i == 0 ? " | " : " ",
                                s->env[i].name, s->env[i].value);
    assert_string_equal(text, expected);
}

static void check_problem(const struct config *c, const char *name, const char *problem)
{
    const struct server_config *s = config_server(c, name);
    assert_non_null(s);
    assert_non_null(s->problem);
    assert_non_null(strstr(s->problem, problem));
}

static void check_remote(const struct config *c, const char *name, const char *url)
{
    const struct server_config *s = config_server(c, name);
    assert_non_null(s);
    assert_true(s->remote);
    assert_string_equal(s->url, url);
    check_problem(c, name, "remote servers are not built in yet");
}

static void claude_code(void **state)
{
    (void)state;
    struct config *c = load_host(
        "{\"mcpServers\": {\n"
        "  \"airtable\": {\"type\": \"stdio\", \"command\": \"npx\", \"args\": [\"-y\", \"airtable-mcp-server\"],\n"
        "    \"env\": {\"AIRTABLE_API_KEY\": \"${API_KEY}\", \"CACHE\": \"${CACHE_DIR:-/tmp}\"}},\n"
        "  \"project\": {\"command\": \"${CLAUDE_PROJECT_DIR:-.}/servers/run.sh\", \"args\": [], \"env\": {}},\n"
        "  \"sentry\": {\"type\": \"http\", \"url\": \"https://mcp.sentry.dev/mcp\"},\n"
        "  \"asana\": {\"type\": \"sse\", \"url\": \"https://mcp.asana.com/sse\", \"headers\": {\"X-API-Key\": \"${API_KEY}\"}},\n"
        "  \"db\": {\"command\": \"db-mcp\", \"env\": {\"DB_URL\": \"${DB_URL}\"}}\n"
        "}}");
    char here[256], expected[300];
    assert_non_null(getcwd(here, sizeof(here)));
    check_server(c, "airtable", "npx -y airtable-mcp-server | AIRTABLE_API_KEY=k-1 CACHE=/tmp");
    (void)snprintf(expected, sizeof(expected), "%s/servers/run.sh", here);
    check_server(c, "project", expected);
    check_remote(c, "sentry", "https://mcp.sentry.dev/mcp");
    check_remote(c, "asana", "https://mcp.asana.com/sse");
    check_problem(c, "db", "needs variables that are not set: DB_URL");
    config_free(c);
    load_bad((struct load){.text = "{\"numStartups\": 3, \"projects\": {\"/home/me/p\": {\"mcpServers\": {\n"
                                   "\"a\": {\"type\": \"stdio\", \"command\": \"x\"}}}}}"},
             ARGS("\"projects./home/me/p.mcpServers\" seems to hold some: move them to \"mcpServers\"\n"));
}

static void claude_desktop(void **state)
{
    (void)state;
    struct config *c = load_host(
        "{\"globalShortcut\": \"Ctrl+Space\", \"preferences\": {\"menuBarEnabled\": false},\n"
        "\"mcpServers\": {\n"
        "  \"filesystem\": {\"command\": \"npx\", \"args\": [\"-y\", \"@modelcontextprotocol/server-filesystem\", \"/home/me/Desktop\"]},\n"
        "  \"appdata\": {\"command\": \"npx\", \"args\": [\"-y\", \"x\"], \"env\": {\"APPDATA\": \"%APPDATA%\\\\Roaming\"}},\n"
        "  \"github\": {\"command\": \"docker\", \"args\": [\"run\", \"-i\", \"--rm\", \"-e\", \"GITHUB_TOKEN\", \"mcp/github\"],\n"
        "    \"env\": {\"GITHUB_TOKEN\": \"<YOUR_TOKEN>\"}}\n"
        "}}");
    check_server(c, "filesystem", "npx -y @modelcontextprotocol/server-filesystem /home/me/Desktop");
    check_problem(c, "appdata", "needs variables that are not set: APPDATA");
    check_server(c, "github", "docker run -i --rm -e GITHUB_TOKEN mcp/github | GITHUB_TOKEN=<YOUR_TOKEN>");
    assert_string_equal(c->default_server, "filesystem");
    config_free(c);
}

static void vs_code(void **state)
{
    (void)state;
    static const char servers[] =
        "\"inputs\": [{\"type\": \"promptString\", \"id\": \"perplexity-key\", \"description\": \"Perplexity API Key\", \"password\": true},\n"
        "  {\"type\": \"pickString\", \"id\": \"mode\", \"options\": [\"ro\", \"rw\"], \"default\": \"ro\"}],\n"
        "\"servers\": {\n"
        "  \"Perplexity\": {\"type\": \"stdio\", \"command\": \"npx\", \"args\": [\"-y\", \"server-perplexity-ask\"],\n"
        "    \"env\": {\"PERPLEXITY_API_KEY\": \"${input:perplexity-key}\"}},\n"
        "  \"files\": {\"type\": \"stdio\", \"command\": \"node\", \"args\": [\"${userHome}${/}server.js\", \"${input:mode}\"],\n"
        "    \"env\": {\"UNSET_ME\": null, \"PORT\": 3000}, \"dev\": {\"watch\": \"src/**\"}},\n"
        "  \"secret\": {\"type\": \"stdio\", \"command\": \"x\", \"envFile\": \"${workspaceFolder}/.env.none\"},\n"
        "  \"fetch\": {\"type\": \"http\", \"url\": \"https://api.githubcopilot.com/mcp\"}\n"
        "}";
    static const char *const wraps[] = {"{%s}", "{\"editor.fontSize\": 12, \"mcp\": {%s}}",
                                        "{\"customizations\": {\"vscode\": {\"mcp\": {%s}}}}"};
    for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++) {
        char file[2048];
        const char *mark = strstr(wraps[i], "%s");
        (void)snprintf(file, sizeof(file), "%.*s%s%s", (int)(mark - wraps[i]), wraps[i], servers, mark + 2);
        struct config *c = load_host(file);
        assert_int_equal(c->server_count, 4);
        check_problem(c, "Perplexity", "needs variables that are not set: input:perplexity-key");
        if (i == 0)
            check_server(c, "files", "node /home/me/server.js ro | PORT=3000");
        check_problem(c, "secret", ".env.none: No such file or directory");
        check_remote(c, "fetch", "https://api.githubcopilot.com/mcp");
        config_free(c);
    }
    struct config *c = load_host("{\"mcp.servers\": {\"a\": {\"type\": \"stdio\", \"command\": \"x\"}}}");
    check_server(c, "a", "x");
    config_free(c);
}

static void cursor(void **state)
{
    (void)state;
    struct config *c = load_host(
        "{\"mcpServers\": {\n"
        "  \"local-server\": {\"command\": \"python\", \"args\": [\"${workspaceFolder}/tools/mcp_server.py\"],\n"
        "    \"env\": {\"API_KEY\": \"${env:API_KEY}\"}},\n"
        "  \"node\": {\"type\": \"stdio\", \"command\": \"npx\", \"args\": [\"-y\", \"mcp-server\"], \"envFile\": \"${userHome}/.env.none\"},\n"
        "  \"remote-server\": {\"url\": \"https://api.example.com/mcp\", \"headers\": {\"Authorization\": \"Bearer ${env:MY_SERVICE_TOKEN}\"}}\n"
        "}}");
    char here[256], expected[300];
    assert_non_null(getcwd(here, sizeof(here)));
    (void)snprintf(expected, sizeof(expected), "python %s/tools/mcp_server.py | API_KEY=k-1", here);
    check_server(c, "local-server", expected);
    check_problem(c, "node", "envFile cannot be read: /home/me/.env.none: No such file or directory");
    check_remote(c, "remote-server", "https://api.example.com/mcp");
    config_free(c);
}

static void windsurf(void **state)
{
    (void)state;
    struct config *c = load_host(
        "{\"mcpServers\": {\n"
        "  \"remote-http-mcp\": {\"serverUrl\": \"https://h/mcp\", \"headers\": {\"API_KEY\": \"Bearer ${env:AUTH_TOKEN}\"}},\n"
        "  \"github\": {\"command\": \"npx\", \"args\": [\"-y\", \"@modelcontextprotocol/server-github\"],\n"
        "    \"env\": {\"GITHUB_TOKEN\": \"${env:API_KEY}\"}, \"disabled\": false, \"alwaysAllow\": [], \"disabledTools\": [\"x\"]},\n"
        "  \"old\": {\"command\": \"x\", \"disabled\": true},\n"
        "  \"file\": {\"command\": \"x\", \"env\": {\"T\": \"${file:/run/secret}\"}}\n"
        "}}");
    check_remote(c, "remote-http-mcp", "https://h/mcp");
    check_server(c, "github", "npx -y @modelcontextprotocol/server-github | GITHUB_TOKEN=k-1");
    assert_true(config_server(c, "old")->disabled);
    check_problem(c, "file", "needs variables that are not set: file:/run/secret");
    assert_string_equal(c->default_server, "github");
    config_free(c);
}

static void gemini_cli(void **state)
{
    (void)state;
    struct config *c = load_host(
        "{\"selectedAuthType\": \"gemini-api-key\", \"theme\": \"Dracula\", \"mcp\": {\"allowed\": [\"py\"], \"serverCommand\": \"x\"},\n"
        "\"mcpServers\": {\n"
        "  \"py\": {\"command\": \"path/to/server\", \"args\": [\"--arg1\", \"value1\"],\n"
        "    \"env\": {\"API_KEY\": \"$MY_API_TOKEN\", \"URL\": \"${MY_API_TOKEN}/x\"}, \"cwd\": \"./server-directory\",\n"
        "    \"timeout\": 30000, \"trust\": false, \"includeTools\": [\"a\"]},\n"
        "  \"unset\": {\"command\": \"x\", \"env\": {\"API_KEY\": \"$MISSING_TOKEN\"}},\n"
        "  \"http\": {\"httpUrl\": \"http://localhost:3000/mcp\", \"headers\": {\"A\": \"b\"}, \"timeout\": 5000},\n"
        "  \"sse\": {\"url\": \"http://localhost:8080/sse\"}\n"
        "}}");
    check_server(c, "py", "path/to/server --arg1 value1 | API_KEY=t-1 URL=t-1/x");
    assert_string_equal(config_server(c, "py")->cwd, "./server-directory");
    check_problem(c, "unset", "needs variables that are not set: MISSING_TOKEN");
    check_remote(c, "http", "http://localhost:3000/mcp");
    check_remote(c, "sse", "http://localhost:8080/sse");
    assert_int_equal(c->server_count, 4);
    config_free(c);
}

static void zed(void **state)
{
    (void)state;
    struct config *c = load_host(
        "// Zed settings\n"
        "{\"theme\": \"One Dark\", \"context_servers\": {\n"
        "  \"kagi\": {\"source\": \"custom\", \"enabled\": true, \"command\": \"uvx\", \"args\": [\"kagimcp\"], \"env\": {}},\n"
        "  \"older\": {\"command\": {\"path\": \"/bin/some-server\", \"args\": [\"arg-1\"], \"env\": {\"A\": \"b\"}}, \"settings\": {}},\n"
        "  \"mcp-server-github\": {\"source\": \"extension\", \"settings\": {\"github_personal_access_token\": \"TOKEN\"}},\n"
        "  \"remote\": {\"url\": \"https://h/mcp\", \"headers\": {\"Authorization\": \"Bearer x\"}},\n"
        "}}");
    check_server(c, "kagi", "uvx kagimcp");
    check_server(c, "older", "/bin/some-server arg-1 | A=b");
    check_problem(c, "mcp-server-github", "has neither a command nor a url");
    check_remote(c, "remote", "https://h/mcp");
    config_free(c);
}

static void cline_and_others(void **state)
{
    (void)state;
    struct config *c = load_host(
        "{\"mcpServers\": {\n"
        "  \"cline\": {\"autoApprove\": [], \"disabled\": \"false\", \"timeout\": 60, \"type\": \"stdio\", \"command\": \"x\"},\n"
        "  \"roo\": {\"type\": \"streamable-http\", \"url\": \"http://h\", \"alwaysAllow\": []},\n"
        "  \"copilot\": {\"type\": \"local\", \"command\": \"x\", \"args\": [], \"tools\": [\"*\"]}}}");
    check_server(c, "cline", "x");
    check_remote(c, "roo", "http://h");
    check_server(c, "copilot", "x");
    config_free(c);
    c = load_host(
        "{\"$schema\": \"https://opencode.ai/config.json\", \"mcp\": {\n"
        "  \"mine\": {\"type\": \"local\", \"command\": [\"npx\", \"-y\", \"pkg\"], \"enabled\": true, \"environment\": {\"K\": \"{env:API_KEY}\"}},\n"
        "  \"web\": {\"type\": \"remote\", \"url\": \"https://h/mcp\", \"enabled\": false}}}");
    check_server(c, "mine", "npx -y pkg | K=k-1");
    assert_true(config_server(c, "web")->disabled);
    config_free(c);
    c = load_host("{\"notes\": {\"command\": \"npx\", \"args\": [\"notes\"]}, \"relay\": {\"drainMs\": 1}}");
    check_server(c, "notes", "npx notes");
    assert_int_equal(c->server_count, 1);
    config_free(c);
    c = load_host("{\"mcp_servers\": {\"codex\": {\"command\": \"x\", \"env_vars\": [\"API_KEY\"]}}}");
    check_server(c, "codex", "x | API_KEY=k-1");
    config_free(c);
    c = load_host(
        "{\"experimental\": {\"modelContextProtocolServers\": [{\"transport\": {\"type\": \"stdio\", \"command\": \"uvx\", \"args\": [\"s\"]}}]}}");
    check_server(c, "server-1", "uvx s");
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(claude_code), CONFIG_TEST(claude_desktop),   CONFIG_TEST(vs_code),
        CONFIG_TEST(cursor),      CONFIG_TEST(windsurf),         CONFIG_TEST(gemini_cli),
        CONFIG_TEST(zed),         CONFIG_TEST(cline_and_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

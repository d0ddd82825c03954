/* Advice: commands that are not found, and servers of which a part lives outside the process tree. */
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

#include "config/config_advice.h"
#include "tests/unit/config/config_fixture.h"

/* ---- outside the process tree ---- */

static const char *outside(const char *entry)
{
    char file[1024];
    (void)snprintf(file, sizeof(file), "{\"servers\": {\"s\": %s}}", entry);
    struct config *c = load_good((struct load){.text = file});
    const char *found = config_outside_tree(&c->servers[0]);
    config_free(c);
    return found;
}

static void check_outside(const char *entry, const char *words)
{
    const char *found = outside(entry);
    if (!found || !strstr(found, words))
        print_error("%s: %s\n", entry, found ? found : "(nothing)");
    assert_non_null(found);
    assert_non_null(strstr(found, words));
}

static void check_inside(const char *entry)
{
    const char *found = outside(entry);
    if (found)
        print_error("%s: %s\n", entry, found);
    assert_null(found);
}

static void containers_without_init(void **state)
{
    (void)state;
    check_outside("{\"command\": \"docker\", \"args\": [\"run\", \"-i\", \"--rm\", \"mcp/x\"]}",
                  "add --init");
    check_outside(
        "{\"command\": \"/usr/bin/docker\", \"args\": [\"--context\", \"c\", \"run\", \"-i\", \"x\"]}",
        "add --init");
    check_outside("{\"command\": \"docker\", \"args\": [\"container\", \"run\", \"-i\", \"x\"]}",
                  "add --init");
    check_outside("{\"command\": \"podman\", \"args\": [\"run\", \"-i\", \"x\"]}", "add --init");
    check_outside("{\"command\": \"nerdctl\", \"args\": [\"run\", \"-i\", \"x\"]}", "add --init");
    check_outside("{\"command\": \"sudo\", \"args\": [\"-n\", \"docker\", \"run\", \"-i\", \"x\"]}",
                  "add --init");
    check_outside("{\"command\": \"env\", \"args\": [\"A=b\", \"docker\", \"run\", \"x\"]}", "add --init");
    check_outside("{\"command\": \"timeout\", \"args\": [\"60\", \"docker\", \"run\", \"x\"]}", "add --init");
    check_outside("{\"command\": \"sh\", \"args\": [\"-c\", \"cd /x && docker run -i --rm x\"]}",
                  "add --init");
    check_outside("{\"command\": \"bash\", \"args\": [\"-lc\", \"exec docker run -i x\"]}", "add --init");
    check_outside("{\"command\": [\"docker\", \"run\", \"x\"]}", "add --init");
    check_inside("{\"command\": \"docker\", \"args\": [\"run\", \"-i\", \"--rm\", \"--init\", \"mcp/x\"]}");
    check_inside("{\"command\": \"docker\", \"args\": [\"run\", \"--init=true\", \"x\"]}");
    check_inside("{\"command\": \"sh\", \"args\": [\"-c\", \"docker run --init x\"]}");
}

static void other_daemons_and_machines(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "[\"docker\", \"exec\", \"-i\", \"c\", \"x\"]",
        "[\"docker\", \"compose\", \"run\", \"--init\", \"x\"]",
        "[\"docker\", \"start\", \"-ai\", \"c\"]",
        "[\"docker-compose\", \"exec\", \"-T\", \"c\", \"x\"]",
        "[\"podman\", \"exec\", \"-i\", \"c\", \"x\"]",
        "[\"kubectl\", \"-n\", \"a\", \"exec\", \"-i\", \"p\", \"--\", \"x\"]",
        "[\"kubectl\", \"run\", \"-i\", \"p\"]",
        "[\"oc\", \"rsh\", \"p\"]",
        "[\"ssh\", \"host\", \"server\"]",
        "[\"systemd-run\", \"--pipe\", \"x\"]",
        "[\"vagrant\", \"ssh\", \"-c\", \"x\"]",
        "[\"lxc\", \"exec\", \"c\", \"x\"]",
        "[\"flatpak-spawn\", \"--host\", \"x\"]",
        "[\"distrobox\", \"enter\", \"b\", \"--\", \"x\"]",
    };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        char entry[256];
        (void)snprintf(entry, sizeof(entry), "{\"command\": %s}", lines[i]);
        check_outside(entry, "outside the relay's process tree");
    }
    check_inside("{\"command\": \"systemd-run\", \"args\": [\"--scope\", \"x\"]}");
    check_inside("{\"command\": \"npx\", \"args\": [\"-y\", \"docker\", \"run\"]}");
    check_inside("{\"command\": \"docker-mcp\", \"args\": [\"run\"]}");
    check_inside("{\"command\": \"docker\", \"args\": [\"mcp\", \"gateway\"]}");
    check_inside("{\"command\": \"sh\", \"args\": [\"docker\", \"run\"]}");
    check_inside("{\"command\": \"docker\", \"args\": [\"run\", \"x\"], \"disabled\": true}");
    check_inside("{\"command\": \"\"}");
}

/* ---- what is not found ---- */

static void check_advice(const char *entry, char *const *environ, const char *expected)
{
    char file[1024];
    (void)snprintf(file, sizeof(file), "{\"servers\": {\n\"s\": %s}}", entry);
    struct config *c = load_good((struct load){.text = file});
    struct buf out;
    buf_init(&out, 4096);
    assert_int_equal(config_advise(c, environ, &out), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_data(&out), expected);
    buf_done(&out);
    config_free(c);
}

static void commands_that_are_not_found(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_config.XXXXXX";
    char program[64], plain[64], path[64], entry[256], expected[256];
    assert_non_null(mkdtemp(folder));
    (void)snprintf(program, sizeof(program), "%s/server", folder);
    (void)snprintf(plain, sizeof(plain), "%s/plain", folder);
    (void)snprintf(path, sizeof(path), "PATH=/nowhere:%s", folder);
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(i == 0 ? program : plain, "w");
        assert_non_null(file);
        assert_int_equal(fchmod(fileno(file), i == 0 ? 0755 : 0644), 0);
        assert_int_equal(fclose(file), 0);
    }
    char *environ[] = {path, NULL};
    check_advice("{\"command\": \"server\"}", environ, "");
    check_advice("{\"command\": \"none\", \"disabled\": true}", environ, "");
    (void)snprintf(expected, sizeof(expected),
                   "t.json:2: note: server s: the command \"none\" is not found in %s\n", path);
    check_advice("{\"command\": \"none\"}", environ, expected);
    (void)snprintf(expected, sizeof(expected),
                   "t.json:2: note: server s: the command \"plain\" is not found in %s\n", path);
    check_advice("{\"command\": \"plain\"}", environ, expected);
    check_advice("{\"command\": \"server\", \"env\": {\"PATH\": \"/x\"}}", environ,
                 "t.json:2: note: server s: the command \"server\" is not found in PATH=/x\n");
    check_advice(
        "{\"command\": \"server -y\"}", environ,
        "t.json:2: note: server s: the command \"server -y\" is not found; write its arguments in \"args\"\n");
    check_advice("{\"command\": \"/nowhere/x\"}", environ,
                 "t.json:2: note: server s: the command \"/nowhere/x\" is no program that can be run here\n");
    check_advice("{\"command\": \"C:\\\\x.exe\"}", environ,
                 "t.json:2: note: server s: the command \"C:\\x.exe\" is no program that can be run here\n");
    (void)snprintf(entry, sizeof(entry), "{\"command\": \"./server\", \"cwd\": \"%s\"}", folder);
    check_advice(entry, environ, "");
    check_advice("{\"command\": \"server\", \"cwd\": \"/nowhere\"}", environ,
                 "t.json:2: note: server s: there is no folder \"/nowhere\" to start it in\n");
    assert_int_equal(unlink(program) + unlink(plain) + rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(containers_without_init),
        CONFIG_TEST(other_daemons_and_machines),
        CONFIG_TEST(commands_that_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

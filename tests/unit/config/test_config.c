/* Whole configurations: files, where to listen, what is printed, what a reload compares, running out of
 * memory. The servers are in test_config_servers.c, what is refused in test_config_refusals.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/config/config_fixture.h"
#include "tests/unit/common/fault_alloc.h"

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

static void listen_addresses(void **state)
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

static void listen_refusals(void **state)
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

static void print(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){
        .text =
            "{\"mcpServers\": {\"a\": {\"command\": \"cat\", \"args\": [\"${KEY}\"], \"env\": {\"T\": \"plain-secret\"}}},\n"
            "\"relay\": {\"drainMs\": 5}}",
        .argv = ARGS("--max-clients", "9"),
        .environ = ARGS("KEY=hidden-secret", "AGENT_RELAY_LOG_LEVEL=warn")});
    char *text = printed(c, false, false);
    assert_null(strstr(text, "secret"));
    assert_non_null(strstr(text, "t.json"));
    assert_non_null(strstr(text, "cat ${KEY}"));
    assert_non_null(strstr(text, "T=(not shown)"));
    for (size_t i = 0; i < config_options.count; i++)
        assert_non_null(strstr(text, config_options.rows[i].key));
    assert_non_null(strstr(text, "maxClients             9                            flag\n"));
    assert_non_null(strstr(text, "drainMs                5                            file\n"));
    assert_non_null(strstr(text, "logLevel               warn                         environment\n"));
    assert_non_null(strstr(text, "logFormat              logfmt                       default\n"));
    free(text);
    config_free(c);
}

static void print_options(void **state)
{
    (void)state;
    char *help = printed(NULL, true, false);
    char *table = printed(NULL, true, true);
    for (size_t i = 0; i < config_options.count; i++) {
        assert_non_null(strstr(help, config_options.rows[i].flag));
        assert_non_null(strstr(table, config_options.rows[i].flag));
        assert_non_null(strstr(help, config_options.rows[i].env));
        assert_non_null(strstr(table, config_options.rows[i].env));
        assert_non_null(strstr(table, config_options.rows[i].key));
    }
    assert_non_null(strstr(help, "--config FILE"));
    free(help);
    free(table);
}

/* ---- reload ---- */

static void check_server_change(const char *entry, const char *options, enum server_change expected)
{
    char file[1024];
    struct config *a =
        load_good((struct load){.text = "{\"servers\": {\"s\": {\"command\": \"x\", \"args\": [\"1\"],\n"
                                        "\"env\": {\"A\": \"1\"}, \"cwd\": \"/\"}}}"});
    (void)snprintf(file, sizeof(file),
                   "{\"servers\": {\"s\": {%s}}, \"relay\": {\"servers\": {\"s\": {%s}}}}", entry, options);
    struct config *b = load_good((struct load){.text = file});
    assert_int_equal(server_config_change(&a->servers[0], &b->servers[0]), expected);
    assert_int_equal(server_config_change(&b->servers[0], &a->servers[0]), expected);
    assert_int_equal(server_config_change(&b->servers[0], &b->servers[0]), SERVER_SAME);
    config_free(a);
    config_free(b);
}

static void check_entry_differs(const char *entry)
{
    check_server_change(entry, "", SERVER_RESTARTS_CHILD);
}

#define SAME_ENTRY "\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\""

static void server_entries(void **state)
{
    (void)state;
    check_entry_differs("\"command\": \"y\", \"args\": [\"1\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"");
    check_entry_differs("\"command\": \"x\", \"args\": [\"2\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"");
    check_entry_differs(
        "\"command\": \"x\", \"args\": [\"1\", \"2\"], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"");
    check_entry_differs("\"command\": \"x\", \"args\": [], \"env\": {\"A\": \"1\"}, \"cwd\": \"/\"");
    check_entry_differs("\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"A\": \"2\"}, \"cwd\": \"/\"");
    check_entry_differs("\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"B\": \"1\"}, \"cwd\": \"/\"");
    check_entry_differs("\"command\": \"x\", \"args\": [\"1\"], \"env\": {\"A\": \"1\"}");
    check_entry_differs("\"url\": \"http://x\"");
    check_entry_differs(SAME_ENTRY ", \"disabled\": true");
    struct config *a = load_good((struct load){.text = "{\"servers\": {\"s\": {" SAME_ENTRY "}}}"});
    struct config *b =
        load_good((struct load){.text = "{\n\"mcpServers\":{\"s\":{\"env\":{\"A\":\"1\"},\"cwd\":\"/\",\n"
                                        "\"args\":[\"1\"],\"command\":\"x\"}}}"});
    assert_int_equal(server_config_change(&a->servers[0], &b->servers[0]), SERVER_SAME);
    config_free(a);
    config_free(b);
}

/* Another value of an option than its default, as the file has it. */
static void another_value(const struct option *o, char *ret_text, size_t cap)
{
    if (o->type == OPTION_UINT)
        (void)snprintf(ret_text, cap, "%" PRIu64, o->number < o->max ? o->number + 1 : o->number - 1);
    else if (o->type == OPTION_LISTEN)
        (void)snprintf(ret_text, cap, "\"127.0.0.1:1\"");
    else
        (void)snprintf(ret_text, cap, "\"%s\"", o->choices ? o->choices[(o->number + 1) % 2] : "other");
}

/* Every row of the table is changed alone, relay-wide: what notices it follows from its `reload`. */
static void check_reload_of(const struct option *o)
{
    static const char servers[] =
        "\"servers\": {\"s\": {\"command\": \"x\"}, \"other\": {\"command\": \"x\"}}";
    char file[512];
    char value[128];
    char before[128];
    another_value(o, value, sizeof(value));
    (void)snprintf(file, sizeof(file), "{%s}", servers);
    struct config *now = load_good((struct load){.text = file});
    (void)snprintf(before, sizeof(before), "%s", value_of(now, o->key));
    (void)snprintf(file, sizeof(file), "{%s, \"relay\": {\"%s\": %s}}", servers, o->key, value);
    struct config *next = load_good((struct load){.text = file});
    char after[128];
    (void)snprintf(after, sizeof(after), "%s", value_of(next, o->key));
    assert_string_not_equal(before, after);

    enum server_change change = server_config_change(&now->servers[0], &next->servers[0]);
    assert_int_equal(change, o->reload == OPTION_RESTARTS_CHILD ? SERVER_RESTARTS_CHILD
                             : o->per_server                    ? SERVER_LIVE
                                                                : SERVER_SAME);
    assert_true(o->per_server || o->reload != OPTION_RESTARTS_CHILD);
    assert_true(!o->per_server || o->reload != OPTION_RESTARTS_RELAY);
    struct buf names;
    buf_init(&names, 1000);
    config_restart_needed(now, next, &names);
    assert_int_equal(buf_append(&names, "", 1), 0);
    assert_string_equal(buf_data(&names), o->reload == OPTION_RESTARTS_RELAY ? o->key : "");
    buf_done(&names);

    config_keep_started(now, next);
    config_free(now);
    assert_string_equal(value_of(next, o->key), o->reload == OPTION_RESTARTS_RELAY ? before : after);
    assert_int_equal(next->sources[config_option_index(o)],
                     o->reload == OPTION_RESTARTS_RELAY ? CONFIG_DEFAULT : CONFIG_FILE);
    config_free(next);
}

static void every_reload(void **state)
{
    (void)state;
    size_t seen[3] = {0};
    OPTION_EACH(o, &config_options)
    {
        check_reload_of(o);
        seen[o->reload]++;
    }
    assert_true(seen[OPTION_LIVE] > 15 && seen[OPTION_RESTARTS_CHILD] >= 3 &&
                seen[OPTION_RESTARTS_RELAY] >= 5);
}

static void restart_needed(void **state)
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

static void files_are_loaded_or_refused(void **state)
{
    (void)state;
    char path[] = "/tmp/test_config.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char text[] = "{\"servers\": {\"a\": {\"command\": \"x\"}}, \"relay\": {\"drainMs\": 42}}";
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

/* A FIFO without a writer, above all, would stop a relay that reloads. */
static void only_plain_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/test_config.XXXXXX";
    char fifo[64], link[64], missing[] = "/dev/null", endless[] = "/dev/zero";
    assert_non_null(mkdtemp(folder));
    (void)snprintf(fifo, sizeof(fifo), "%s/fifo", folder);
    (void)snprintf(link, sizeof(link), "%s/link", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink(fifo, link), 0);
    char *paths[] = {fifo, link, folder, missing, endless};
    char flag[] = "--config";
    char *none[] = {NULL};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        char *argv[] = {flag, paths[i], NULL};
        struct config_args args = {.argc = 2, .argv = argv, .environ = none};
        struct buf out;
        struct config *c = NULL;
        buf_init(&out, 4096);
        assert_int_equal(config_load(&args, &out, &c), ERR_SYNTAX);
        assert_int_equal(buf_append(&out, "", 1), 0);
        assert_non_null(strstr(buf_data(&out), ": error: cannot be read: not a plain file\n"));
        buf_done(&out);
    }
    assert_int_equal(unlink(fifo) + unlink(link) + rmdir(folder), 0);
}

/* Everything at once, with the Nth allocation failing until a run gets by without: no crash, no leak, no half
 * result. */
static void no_memory(void **state)
{
    (void)state;
    struct load load = {
        .text =
            "{\"mcpServers\": {\"a\": {\"command\": \"${C}\", \"args\": [\"${N}\", \"b\"], \"cwd\": \"/\", \"bad\": 1,\n"
            "\"env\": {\"A\": \"1\", \"B\": 2}}, \"w\": {\"serverUrl\": \"~/x\"},\n"
            "\"l\": {\"command\": [\"x\", 1], \"env\": [\"A=1\"], \"envFile\": \"/proc/version\"}, \"f\": {\"env\": 1}},\n"
            "\"relay\": {\"listen\": [\":1\", \"unix:/x=a\"], \"inheritEnv\": [\"X\", \"Y\"], \"pidFile\": \"p\",\n"
            "\"servers\": {\"a\": {\"inheritEnv\": [\"Z\"]}}}}",
        .argv = ARGS("--default-server", "a", "--listen", "h:1"),
        .environ = ARGS("C=c", "AGENT_RELAY_LISTEN=:4")};
    size_t runs = 0;
    for (size_t n = 1;; n++) {
        struct config *c = NULL;
        size_t live_before = fault_alloc_live();
        fault_alloc_fail_at(n);
        int rc = load_code(load, &c);
        bool fired = fault_alloc_fired();
        fault_alloc_fail_at(0);
        if (rc == 0)
            config_free(c);
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_true(fired || rc == 0);
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
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(listen_addresses),
        CONFIG_TEST(listen_refusals),
        CONFIG_TEST(print),
        CONFIG_TEST(print_options),
        CONFIG_TEST(server_entries),
        CONFIG_TEST(every_reload),
        CONFIG_TEST(restart_needed),
        CONFIG_TEST(files_are_loaded_or_refused),
        CONFIG_TEST(only_plain_files),
        CONFIG_TEST(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

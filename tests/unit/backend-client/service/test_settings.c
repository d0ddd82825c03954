/* agent-backend: options from flags and the environment, and addresses to listen on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend-client/service/listen.h"
#include "backend-client/service/settings.h"

static struct settings settings;
static enum settings_verb verb;
static char problem[SETTINGS_PROBLEM_SIZE];
static const char *variable_name, *variable_value;

static const char *environment(const char *name)
{
    return variable_name && strcmp(name, variable_name) == 0 ? variable_value : NULL;
}

/* Words up to NULL. */
static int read_words(const char *first, ...)
{
    char *argv[8];
    char room[8][64];
    int argc = 0;
    va_list words;
    va_start(words, first);
    for (const char *word = first; word; word = va_arg(words, const char *)) {
        (void)snprintf(room[argc], sizeof(room[argc]), "%s", word);
        argv[argc] = room[argc];
        argc++;
    }
    va_end(words);
    return settings_read(&settings, argc, argv, environment, &verb, problem);
}

static void defaults(void **state)
{
    (void)state;
    struct ar_options preset;
    ar_options_init(&preset);
    assert_int_equal(read_words(NULL), 0);
    assert_int_equal(verb, SETTINGS_SERVE);
    assert_string_equal(settings.listen, "127.0.0.1:8080");
    assert_null(settings.client.url);
    assert_int_equal(settings.client.stale_max_ms, preset.stale_max_ms);
}

static void the_flag_wins_over_the_environment(void **state)
{
    (void)state;
    variable_name = "AGENT_STALE_MAX_MS";
    variable_value = "1234";
    assert_int_equal(read_words(NULL), 0);
    assert_int_equal(settings.client.stale_max_ms, 1234);
    assert_int_equal(read_words("--stale-max-ms", "5", NULL), 0);
    assert_int_equal(settings.client.stale_max_ms, 5);
    assert_int_equal(read_words("--stale-max-ms=6", "serve", NULL), 0);
    assert_int_equal(settings.client.stale_max_ms, 6);
    variable_value = "";
    assert_int_equal(read_words(NULL), 0);
    assert_int_not_equal(settings.client.stale_max_ms, 0);
    variable_value = "soon";
    assert_int_equal(read_words(NULL), -1);
    assert_non_null(strstr(problem, "AGENT_STALE_MAX_MS is \"soon\""));
    assert_int_equal(read_words("--help", NULL), 0);
    variable_name = NULL;
}

static void wrong_flags_are_explained(void **state)
{
    (void)state;
    assert_int_equal(read_words("--pol-ms", "5", NULL), -1);
    assert_non_null(strstr(problem, "--pol-ms"));
    assert_int_equal(read_words("--poll-ms", NULL), -1);
    assert_non_null(strstr(problem, "needs a value"));
    static const char *const bad[] = {
        "0", "-1", "1.5", "1e3", " 5", "5 ", "86400001", "99999999999999999999", "never"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(read_words("--poll-ms", bad[i], NULL), -1);
        assert_non_null(strstr(problem, "write milliseconds from 1 to 86400000"));
    }
    assert_int_equal(read_words("--poll-ms", "86400000", NULL), 0);
    assert_int_equal(read_words("--mock-refresh-ms", "never", NULL), 0);
    assert_int_equal(settings.client.mock_refresh_ms, AR_NEVER);
}

static void an_origin_that_never_matches_is_refused(void **state)
{
    (void)state;
    assert_int_equal(read_words("--allow-origin", "https://agents.example.org:8443", NULL), 0);
    assert_string_equal(settings.allow_origin, "https://agents.example.org:8443");
    assert_int_equal(read_words("--allow-origin=https://x/", NULL), -1);
    assert_non_null(strstr(problem, "--allow-origin is \"https://x/\"; write the origin"));
    assert_non_null(strstr(problem, "scheme://host[:port]"));
    variable_name = "AGENT_BACKEND_ALLOW_ORIGIN";
    variable_value = "*";
    assert_int_equal(read_words(NULL), -1);
    assert_non_null(strstr(problem, "AGENT_BACKEND_ALLOW_ORIGIN is \"*\""));
    variable_name = NULL;
}

static void members_become_flags(void **state)
{
    (void)state;
    char text[SETTINGS_PROBLEM_SIZE];
    char longest[2 * SETTINGS_PROBLEM_SIZE];
    settings_name_flags("dead_after_ms is not above heartbeat_ms: the relay must be asked", text);
    assert_string_equal(text, "--dead-after-ms is not above --heartbeat-ms: the relay must be asked");
    settings_name_flags("agents_poll_ms,xagents_poll_ms url listen AGENT_CONTROL_URL 7", text);
    assert_string_equal(text, "--poll-ms,xagents_poll_ms url listen AGENT_CONTROL_URL 7");
    settings_name_flags("url: \"http\" is no url: write host:port", text);
    assert_string_equal(text, "--relay: \"http\" is no url: write host:port");
    settings_name_flags("health_url is longer than 2048 bytes", text);
    assert_string_equal(text, "--health-url is longer than 2048 bytes");
    settings_name_flags("", text);
    assert_string_equal(text, "");
    for (size_t i = 0; i + 15 < sizeof(longest); i += 14)
        memcpy(longest + i, "dead_after_ms ", 15);
    settings_name_flags(longest, text);
    assert_int_equal(strlen(text), sizeof(text) - 1);
}

static void verbs(void **state)
{
    (void)state;
    assert_int_equal(read_words("health", NULL), 0);
    assert_int_equal(verb, SETTINGS_CHECK);
    assert_int_equal(read_words("--listen", "127.0.0.1:1", "--health", NULL), 0);
    assert_int_equal(verb, SETTINGS_CHECK);
    assert_string_equal(settings.listen, "127.0.0.1:1");
    assert_int_equal(read_words("--version", NULL), 0);
    assert_int_equal(verb, SETTINGS_VERSION);
    assert_int_equal(read_words("server", NULL), -1);
}

/* ---- addresses ---- */

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host, *port;
    } good[] = {{"127.0.0.1:8080", "127.0.0.1", "8080"},
                {"[::1]:0", "::1", "0"},
                {"localhost:65535", "localhost", "65535"}};
    static const char *const bad[] = {"",
                                      "8080",
                                      ":8080",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      "127.0.0.1:65536",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:80a",
                                      "::1:80",
                                      "[]:80"};
    struct listen_address a;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(listen_parse(good[i].text, &a, problem), LISTEN_OK);
        assert_string_equal(a.host, good[i].host);
        assert_string_equal(a.port, good[i].port);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(listen_parse(bad[i], &a, problem), LISTEN_BAD_ADDRESS);
        assert_non_null(strstr(problem, "write HOST:PORT"));
    }
}

static void a_port_in_use_is_said(void **state)
{
    (void)state;
    int first, second;
    char where[LISTEN_WHERE_SIZE];
    char other[LISTEN_WHERE_SIZE];
    assert_int_equal(listen_open("127.0.0.1:0", &first, where, problem), LISTEN_OK);
    assert_null(strstr(where, ":0"));
    assert_int_equal(listen_open(where, &second, other, problem), LISTEN_REFUSED);
    assert_non_null(strstr(problem, where));
    assert_non_null(strstr(problem, "in use"));
    assert_int_equal(listen_connect(where, 1000, &second, problem), LISTEN_OK);
    close(second);
    close(first);
    assert_int_equal(listen_connect(where, 1000, &second, problem), LISTEN_REFUSED);
    assert_non_null(strstr(problem, "nothing answers at"));
}

static void loopback_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool loopback;
    } cases[] = {
        {"127.0.0.1:0", true}, {"127.9.9.9:0", true}, {"[::1]:0", true}, {"[::ffff:127.0.0.1]:0", true},
        {"localhost:0", true}, {"0.0.0.0:0", false},  {"[::]:0", false}};
    size_t opened = 0;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd;
        char where[LISTEN_WHERE_SIZE];
        if (listen_open(cases[i].text, &fd, where, problem) != LISTEN_OK)
            continue; /* no IPv6 here */
        assert_int_equal(listen_is_loopback(fd), cases[i].loopback);
        close(fd);
        opened++;
    }
    assert_true(opened >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(the_flag_wins_over_the_environment),
        cmocka_unit_test(wrong_flags_are_explained),
        cmocka_unit_test(an_origin_that_never_matches_is_refused),
        cmocka_unit_test(members_become_flags),
        cmocka_unit_test(verbs),
        cmocka_unit_test(addresses),
        cmocka_unit_test(a_port_in_use_is_said),
        cmocka_unit_test(loopback_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

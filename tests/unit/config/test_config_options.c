/* The option table, walked: every option from file, variable and flag, in that order of rank; every limit;
 * every wrong type. A new row of the table is tested by being there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/config/config_fixture.h"

/* Three values of an option that differ from its default and each other, as text for flags and variables. */
struct samples {
    char text[3][64];
};

static struct samples samples_of(const struct option *o)
{
    struct samples s = {0};
    static const char *const listens[] = {"127.0.0.1:1", "127.0.0.2:2", "unix:/tmp/3"};
    for (int i = 0; i < 3; i++) {
        const char *const *choices = o->choices;
        size_t count = 0;
        while (choices && choices[count])
            count++;
        if (o->type == OPTION_UINT)
            (void)snprintf(s.text[i], sizeof(s.text[i]), "%" PRIu64, o->number - 1 - (uint64_t)i);
        else if (count > 0)
            (void)snprintf(s.text[i], sizeof(s.text[i]), "%s", choices[(size_t)(i + 1) % count]);
        else if (o->type == OPTION_LISTEN)
            (void)snprintf(s.text[i], sizeof(s.text[i]), "%s", listens[i]);
        else
            (void)snprintf(s.text[i], sizeof(s.text[i]), "name%d", i);
    }
    /* too small to be counted down from the default: the limits of its range instead */
    if (o->type == OPTION_UINT && (o->number < o->min + 3 || o->number > o->max)) {
        for (int i = 0; i < 3; i++)
            (void)snprintf(s.text[i], sizeof(s.text[i]), "%" PRIu64, o->number + 1 + (uint64_t)i);
    }
    return s;
}

/* A file with one option, and servers that every sample of defaultServer names. */
static const char *file_with(const struct option *o, const char *text)
{
    static char file[1024];
    const char *quote = o->type == OPTION_UINT ? "" : "\"";
    (void)snprintf(file, sizeof(file),
                   "{\"mcpServers\": {\"name0\": {\"command\": \"x\"}, \"name1\": {\"command\": \"x\"},\n"
                   "\"name2\": {\"command\": \"x\"}},\n\"relay\": {\n\"%s\": %s%s%s}}",
                   o->key, quote, text, quote);
    return file;
}

static enum config_source source_of(const struct config *c, const struct option *o)
{
    return c->sources[config_option_index(o)];
}

static void check_value(struct load load, const struct option *o, const char *text, enum config_source source)
{
    struct config *c = load_good(load);
    assert_string_equal(value_of(c, o->key), text);
    assert_int_equal(source_of(c, o), source);
    if (o->per_server)
        assert_string_equal(server_value_of(c, "name0", o->key), text);
    config_free(c);
}

static void every_option_from_every_source(void **state)
{
    (void)state;
    assert_true(config_options.count > 25);
    for (size_t i = 0; i < config_options.count; i++) {
        const struct option *o = &config_options.rows[i];
        struct samples s = samples_of(o);
        char flag_text[OPTION_NAME_BYTES + 80];
        char env_text[OPTION_NAME_BYTES + 80];
        (void)snprintf(flag_text, sizeof(flag_text), "%s=%s", o->flag, s.text[2]);
        (void)snprintf(env_text, sizeof(env_text), "%s=%s", o->env, s.text[1]);
        const char *file = file_with(o, s.text[0]);
        check_value((struct load){.text = file}, o, s.text[0], CONFIG_FILE);
        check_value((struct load){.text = file, .environ = ARGS("X=y", env_text)}, o, s.text[1], CONFIG_ENV);
        check_value((struct load){.text = file, .argv = ARGS(flag_text)}, o, s.text[2], CONFIG_FLAG);
        check_value((struct load){.text = file, .argv = ARGS(o->flag, s.text[2]), .environ = ARGS(env_text)},
                    o, s.text[2], CONFIG_FLAG);
    }
}

static void every_default(void **state)
{
    (void)state;
    struct config *c = load_good((struct load){.text = NULL});
    for (size_t i = 0; i < config_options.count; i++) {
        const struct option *o = &config_options.rows[i];
        char number[32];
        (void)snprintf(number, sizeof(number), "%" PRIu64, o->number);
        const char *expected = o->type == OPTION_UINT ? number : o->choices ? o->choices[o->number] : o->text;
        if (strcmp(o->key, "defaultServer") == 0)
            expected = "mock";
        assert_string_equal(value_of(c, o->key), expected ? expected : "");
        assert_int_equal(source_of(c, o), CONFIG_DEFAULT);
        assert_true(o->type != OPTION_UINT || (o->number >= o->min && o->number <= o->max));
        assert_non_null(o->help);
    }
    config_free(c);
}

/* An empty variable is how a compose file says "not set". */
static void empty_variable_is_not_set(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_options.count; i++) {
        char env[OPTION_NAME_BYTES + 1];
        (void)snprintf(env, sizeof(env), "%s=", config_options.rows[i].env);
        struct config *c = load_good((struct load){.environ = ARGS(env)});
        assert_int_equal(source_of(c, &config_options.rows[i]), CONFIG_DEFAULT);
        config_free(c);
    }
}

/* -1, 0, +1 around both ends. Other options' relations to it may object in words of their own; the range must
 * not. */
static void check_number(const struct option *o, uint64_t number, bool in_range)
{
    char text[32];
    char expected[128];
    (void)snprintf(text, sizeof(text), "%" PRIu64, number);
    (void)snprintf(expected, sizeof(expected), "%s: error: is between %" PRIu64 " and %" PRIu64 ", not %s\n",
                   o->flag, o->min, o->max, text);
    struct config *c = NULL;
    int rc = load_code((struct load){.argv = ARGS(o->flag, text)}, &c);
    assert_true(!!(strstr(report(), expected)) == !in_range);
    assert_true(in_range || rc == ERR_SYNTAX);
    if (rc == 0) {
        assert_string_equal(value_of(c, o->key), text);
        config_free(c);
    }
}

static void every_range(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_options.count; i++) {
        const struct option *o = &config_options.rows[i];
        if (o->type != OPTION_UINT)
            continue;
        if (o->min > 0)
            check_number(o, o->min - 1, false);
        check_number(o, o->min, true);
        check_number(o, o->min + 1, true);
        check_number(o, o->max - 1, true);
        check_number(o, o->max, true);
        check_number(o, o->max + 1, false);
        check_number(o, UINT64_MAX, false);
    }
}

static void check_file_value(const struct option *o, const char *json)
{
    char file[512];
    char expected[128];
    (void)snprintf(file, sizeof(file), "{\n\"relay\": {\n\n\"%s\": %s\n}}", o->key, json);
    (void)snprintf(expected, sizeof(expected), "t.json:4: error: relay.%s ", o->key);
    load_bad((struct load){.text = file}, ARGS(expected));
}

static void every_wrong_type(void **state)
{
    (void)state;
    static const char *const json[] = {"true", "null", "{}", "1.5", "-1", "[1]", "[[]]", "\"\""};
    for (size_t i = 0; i < config_options.count; i++) {
        for (size_t k = 0; k < sizeof(json) / sizeof(json[0]); k++)
            check_file_value(&config_options.rows[i], json[k]);
        if (config_options.rows[i].type == OPTION_UINT)
            check_file_value(&config_options.rows[i], "\"17\"");
        else
            check_file_value(&config_options.rows[i], "17");
        if (config_options.rows[i].choices)
            check_file_value(&config_options.rows[i], "\"neither\"");
    }
}

static void units_are_answered_with_the_number(void **state)
{
    (void)state;
    load_bad((struct load){.argv = ARGS("--max-frame-bytes", "8MB")},
             ARGS("--max-frame-bytes: error: is a plain number of bytes, not \"8MB\"; write 8388608\n"));
    load_bad((struct load){.argv = ARGS("--max-frame-bytes=16KiB")}, ARGS("write 16384\n"));
    load_bad((struct load){.argv = ARGS("--max-frame-bytes=1 g")}, ARGS("write 1073741824\n"));
    load_bad(
        (struct load){.environ = ARGS("AGENT_RELAY_TIMEOUT_MS=30s")},
        ARGS("AGENT_RELAY_TIMEOUT_MS: error: is a plain number of milliseconds, not \"30s\"; write 30000\n"));
    load_bad((struct load){.environ = ARGS("AGENT_RELAY_TIMEOUT_MS=5m")}, ARGS("write 300000\n"));
    load_bad(
        (struct load){.text = "{\"relay\":{\"drainMs\":\"2s\"}}"},
        ARGS("t.json:1: error: relay.drainMs is a plain number of milliseconds, not \"2s\"; write 2000\n"));
    load_bad((struct load){.text = "{\"relay\":{\"drainMs\":\"2000\"}}"},
             ARGS("relay.drainMs is a number; write 2000 without the quotes\n"));
    load_bad((struct load){.argv = ARGS("--max-clients=5MB")}, ARGS("is a whole number, not \"5MB\""));
    load_bad((struct load){.argv = ARGS("--max-clients=")}, ARGS("is a whole number, not \"\""));
    load_bad((struct load){.argv = ARGS("--max-clients=99999999999999999999")}, ARGS("is a whole number"));
    load_bad((struct load){.argv = ARGS("--max-frame-bytes=99999999999999999G")},
             ARGS("is a whole number of bytes"));
    load_bad((struct load){.argv = ARGS("--max-clients", "0x10")}, ARGS("is a whole number"));
}

static void server_overrides(void **state)
{
    (void)state;
    for (size_t i = 0; i < config_options.count; i++) {
        const struct option *o = &config_options.rows[i];
        if (!o->per_server)
            continue;
        struct samples s = samples_of(o);
        char file[512];
        const char *quote = o->type == OPTION_UINT ? "" : "\"";
        (void)snprintf(file, sizeof(file),
                       "{\"servers\": {\"a\": {\"command\": \"x\"}, \"b\": {\"command\": \"x\"}},\n"
                       "\"relay\": {\"servers\": {\"b\": {\"%s\": %s%s%s}}}}",
                       o->key, quote, s.text[0], quote);
        /* the relay-wide value, from wherever, is only the default of each server */
        struct config *c = load_good((struct load){.text = file, .argv = ARGS(o->flag, s.text[1])});
        assert_string_equal(server_value_of(c, "a", o->key), s.text[1]);
        assert_string_equal(server_value_of(c, "b", o->key), s.text[0]);
        assert_string_equal(value_of(c, o->key), s.text[1]);
        config_free(c);
    }
}

static void lists_replace_lower_sources(void **state)
{
    (void)state;
    const char *file = "{\"servers\":{\"mock\":{\"command\":\"x\"}},\n"
                       "\"relay\":{\"listen\":[\":1\",\":2\"],\"inheritEnv\":[\"A\",\"B\"]}}";
    struct config *c = load_good((struct load){.text = file});
    assert_string_equal(value_of(c, "listen"), ":1,:2");
    assert_string_equal(value_of(c, "inheritEnv"), "A,B");
    config_free(c);
    c = load_good((struct load){
        .text = file,
        .environ = ARGS("AGENT_RELAY_LISTEN= :3 ,:4,,unix:/x ", "AGENT_RELAY_INHERIT_ENV=C,D")});
    assert_string_equal(value_of(c, "listen"), ":3,:4,unix:/x");
    assert_string_equal(value_of(c, "inheritEnv"), "C,D");
    config_free(c);
    c = load_good((struct load){.text = file,
                                .argv = ARGS("--listen", ":5", "--listen=:6", "--inherit-env", "E"),
                                .environ = ARGS("AGENT_RELAY_LISTEN=:3")});
    assert_string_equal(value_of(c, "listen"), ":5,:6");
    assert_string_equal(value_of(c, "inheritEnv"), "E");
    assert_string_equal(server_value_of(c, "mock", "inheritEnv"), "E");
    config_free(c);
    load_bad((struct load){.text = "{\"relay\":{\"inheritEnv\":[\"A=1\",\"\"]}}"},
             ARGS("takes names of variables, not \"A=1\"", "takes names of variables, not \"\""));
}

static void options_given_twice(void **state)
{
    (void)state;
    load_bad((struct load){.text = "{\"relay\":{\"drainMs\":1,\n\"drainMs\":2}}"},
             ARGS("t.json:2: error: relay.drainMs occurs twice; keep one"));
    struct config *c = load_good((struct load){.argv = ARGS("--drain-ms", "1", "--drain-ms", "2")});
    assert_int_equal(c->drain_ms, 2);
    config_free(c);
}

/* "sessionWaitingBytes", '-' -> "session-waiting-bytes" */
static void spell(const char *key, char between, char *ret_words)
{
    size_t len = 0;
    for (; *key != '\0'; key++) {
        if (isupper((unsigned char)*key))
            ret_words[len++] = between;
        ret_words[len++] =
            (char)(between == '_' ? toupper((unsigned char)*key) : tolower((unsigned char)*key));
    }
    ret_words[len] = '\0';
}

/* The key, the flag and the variable of a row are the same words, and no two rows share them. */
static void names_of_options(void **state)
{
    (void)state;
    OPTION_EACH(o, &config_options)
    {
        char words[OPTION_NAME_BYTES];
        spell(o->key, '-', words);
        assert_string_equal(o->flag + 2, words);
        assert_memory_equal(o->flag, "--", 2);
        spell(o->key, '_', words);
        assert_string_equal(o->env + strlen("AGENT_RELAY_"), words);
        assert_memory_equal(o->env, "AGENT_RELAY_", strlen("AGENT_RELAY_"));
        assert_ptr_equal(config_option(o->key), o);
    }
    assert_null(config_option("nothing"));
    assert_true(config_flags.count < OPTIONS_MAX);
}

/* perSession was called session before. */
static void former_name(void **state)
{
    (void)state;
    static const char *const names[] = {"perSession", "session"};
    for (size_t i = 0; i < 2; i++) {
        struct config *c = load_good((struct load){.argv = ARGS("--sharing", names[i])});
        assert_int_equal(c->defaults.sharing, CONFIG_PER_SESSION);
        assert_string_equal(value_of(c, "sharing"), "perSession");
        config_free(c);
    }
    assert_string_equal(config_sharing_name(CONFIG_PER_SESSION), "perSession");
    assert_string_equal(config_sharing_name(CONFIG_SHARED), "shared");
    load_bad((struct load){.argv = ARGS("--sharing=both")},
             ARGS("--sharing: error: is one of shared, perSession, not \"both\"\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONFIG_TEST(every_option_from_every_source),
        CONFIG_TEST(every_default),
        CONFIG_TEST(empty_variable_is_not_set),
        CONFIG_TEST(every_range),
        CONFIG_TEST(every_wrong_type),
        CONFIG_TEST(units_are_answered_with_the_number),
        CONFIG_TEST(server_overrides),
        CONFIG_TEST(lists_replace_lower_sources),
        CONFIG_TEST(options_given_twice),
        CONFIG_TEST(names_of_options),
        CONFIG_TEST(former_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Tables of options: walking argv, storing values, sentences about faults, --help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/names.h"
#include "base/options.h"

#define WORDS_MAX 16

struct values {
    uint64_t size;
    uint32_t wait_ms;
    unsigned color;
    bool eager;
    const char *name;
};

static bool is_short(const char *text)
{
    return strlen(text) < 5;
}

static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const former_colors[] = {NULL, "on", NULL};
static const char *const starts[] = {"lazy", "eager", NULL};

enum row { ROW_SIZE, ROW_WAIT, ROW_COLOR, ROW_EAGER, ROW_NAME, ROW_LIST, ROW_ALL, ROW_COUNT };

static const struct option rows[ROW_COUNT] = {
    [ROW_SIZE] = {.flag = "--max-size",
                  .letter = 's',
                  .env = "X_MAX_SIZE",
                  .key = "maxSize",
                  .type = OPTION_UINT,
                  .unit = OPTION_BYTES,
                  .min = 2,
                  .max = UINT64_MAX,
                  .number = 7,
                  .offset = offsetof(struct values, size),
                  .per_server = true,
                  .help = "How much."},
    [ROW_WAIT] = {.flag = "--wait-ms",
                  .env = "X_WAIT_MS",
                  .type = OPTION_UINT32,
                  .unit = OPTION_MS,
                  .max = 1000,
                  .never = true,
                  .offset = offsetof(struct values, wait_ms),
                  .help = "how long"},
    [ROW_COLOR] = {.flag = "--color",
                   .env = "X_COLOR",
                   .key = "color",
                   .value = "WHEN",
                   .type = OPTION_CHOICE,
                   .choices = colors,
                   .former = former_colors,
                   .reload = OPTION_RESTARTS_CHILD,
                   .offset = offsetof(struct values, color),
                   .help = "Colors."},
    [ROW_EAGER] = {.flag = "--start",
                   .env = "X_START",
                   .type = OPTION_SWITCH,
                   .choices = starts,
                   .offset = offsetof(struct values, eager),
                   .help = "when"},
    [ROW_NAME] = {.flag = "--name",
                  .letter = 'n',
                  .env = "X_NAME",
                  .key = "name",
                  .type = OPTION_STRING,
                  .accepts = is_short,
                  .expected = "up to four letters",
                  .reload = OPTION_RESTARTS_RELAY,
                  .offset = offsetof(struct values, name),
                  .help = "Who."},
    [ROW_LIST] =
        {.flag = "--listen", .env = "X_LISTEN", .type = OPTION_LISTEN, .text = ":1", .help = "where"},
    [ROW_ALL] = {.flag = "--all", .letter = 'a', .help = "everything"},
};
static const struct option_table table = {rows, ROW_COUNT, "x --help lists all"};

static struct option_walk walk;
static char line[256];
static char *words[WORDS_MAX];

/* Begins a walk over the words of `text`, cut at blanks. */
static void begin(const char *text)
{
    walk = (struct option_walk){.table = &table, .argv = words};
    (void)snprintf(line, sizeof(line), "%s", text);
    for (char *save = NULL, *w = strtok_r(line, " ", &save); w && walk.argc < WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        words[walk.argc++] = w;
}

static struct option_arg next(void)
{
    struct option_arg arg;
    assert_true(option_next(&walk, &arg));
    return arg;
}

static void assert_end(void)
{
    struct option_arg arg;
    assert_false(option_next(&walk, &arg));
}

static void assert_flag(enum row row, const char *name, const char *value)
{
    struct option_arg arg = next();
    assert_ptr_equal(arg.option, &rows[row]);
    assert_int_equal(arg.fault, OPTION_FINE);
    assert_string_equal(arg.name, name);
    if (value)
        assert_string_equal(arg.value, value);
    else
        assert_null(arg.value);
}

static void assert_operand(const char *word)
{
    struct option_arg arg = next();
    assert_null(arg.option);
    assert_string_equal(arg.name, "");
    assert_string_equal(arg.word, word);
}

static void values_stand_behind_the_flag_or_the_sign(void **state)
{
    (void)state;
    begin("--max-size 5 --max-size=6 --max-size= -s 7 -s8 -s=9 --wait-ms -5 --name - --name=--all");
    assert_flag(ROW_SIZE, "--max-size", "5");
    assert_flag(ROW_SIZE, "--max-size", "6");
    assert_flag(ROW_SIZE, "--max-size", "");
    assert_flag(ROW_SIZE, "-s", "7");
    assert_flag(ROW_SIZE, "-s", "8");
    assert_flag(ROW_SIZE, "-s", "9");
    assert_flag(ROW_WAIT, "--wait-ms", "-5");
    assert_flag(ROW_NAME, "--name", "-");
    assert_flag(ROW_NAME, "--name", "--all");
    assert_end();
    assert_end();
}

static void bare_flags_take_no_value(void **state)
{
    (void)state;
    begin("--all -a x --all=yes -ay");
    assert_flag(ROW_ALL, "--all", NULL);
    assert_flag(ROW_ALL, "-a", NULL);
    assert_operand("x");
    assert_int_equal(next().fault, OPTION_TAKES_NO_VALUE);
    assert_int_equal(next().fault, OPTION_TAKES_NO_VALUE);
    assert_end();
}

static void operands_and_the_end_of_flags(void **state)
{
    (void)state;
    begin("one - --all -- --all -- -s");
    assert_operand("one");
    assert_operand("-");
    assert_flag(ROW_ALL, "--all", NULL);
    assert_false(walk.flags_ended);
    assert_operand("--all");
    assert_true(walk.flags_ended);
    assert_operand("--");
    assert_operand("-s");
    assert_end();
    begin("--");
    assert_end();
    begin("");
    assert_end();
}

static void a_missing_value_is_not_the_next_flag(void **state)
{
    (void)state;
    begin("--max-size --all --max-size -- x");
    assert_int_equal(next().fault, OPTION_NEEDS_VALUE);
    assert_flag(ROW_ALL, "--all", NULL);
    assert_int_equal(next().fault, OPTION_NEEDS_VALUE);
    assert_operand("x");
    begin("-s");
    assert_int_equal(next().fault, OPTION_NEEDS_VALUE);
}

static void unknown_flags_take_nothing(void **state)
{
    (void)state;
    begin("--max-siz 5 -x --max-sizes=7");
    struct option_arg arg = next();
    assert_int_equal(arg.fault, OPTION_UNKNOWN);
    assert_string_equal(arg.name, "--max-siz");
    assert_operand("5");
    assert_int_equal(next().fault, OPTION_UNKNOWN);
    arg = next();
    assert_int_equal(arg.fault, OPTION_UNKNOWN);
    assert_string_equal(arg.name, "--max-sizes");
    char longest[3 * OPTION_NAME_BYTES];
    memset(longest, 'x', sizeof(longest) - 1);
    memcpy(longest, "--", 2);
    longest[sizeof(longest) - 1] = '\0';
    begin(longest);
    assert_int_equal(strlen(next().name), OPTION_NAME_BYTES - 1);
}

static void values_are_stored_by_type(void **state)
{
    (void)state;
    struct values v = {0};
    begin("--max-size 18446744073709551615 --wait-ms 1000 --color never --start eager --name abc --all");
    for (int i = 0; i < 6; i++) {
        struct option_arg arg = next();
        assert_int_equal(option_take(&arg, &v), OPTION_FINE);
    }
    assert_true(v.size == UINT64_MAX);
    assert_int_equal(v.wait_ms, 1000);
    assert_int_equal(v.color, 2);
    assert_true(v.eager);
    assert_string_equal(v.name, "abc");
    assert_int_equal(option_set(&rows[ROW_WAIT], &v.wait_ms, "never"), OPTION_FINE);
    assert_true(v.wait_ms == UINT32_MAX);
    assert_int_equal(option_set(&rows[ROW_COLOR], &v.color, "on"), OPTION_FINE);
    assert_int_equal(v.color, 1);
    assert_int_equal(option_set(&rows[ROW_EAGER], &v.eager, "lazy"), OPTION_FINE);
    assert_false(v.eager);
}

static void wrong_values_are_not_stored(void **state)
{
    (void)state;
    static const struct {
        enum row row;
        const char *text;
        enum option_fault fault;
    } bad[] = {
        {ROW_SIZE, "", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "x", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "-1", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "+1", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, " 1", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "5 ", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "1.5", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "0x10", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "18446744073709551616", OPTION_NOT_A_NUMBER},
        {ROW_SIZE, "1", OPTION_OUT_OF_RANGE},
        {ROW_WAIT, "1001", OPTION_OUT_OF_RANGE},
        {ROW_WAIT, "4294967296", OPTION_OUT_OF_RANGE},
        {ROW_SIZE, "never", OPTION_NOT_A_NUMBER},
        {ROW_COLOR, "Never", OPTION_NOT_A_CHOICE},
        {ROW_COLOR, "", OPTION_NOT_A_CHOICE},
        {ROW_EAGER, "true", OPTION_NOT_A_CHOICE},
        {ROW_NAME, "", OPTION_EMPTY},
        {ROW_NAME, "abcde", OPTION_REFUSED},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct values v;
        struct values same;
        memset(&v, 0x5A, sizeof(v));
        memset(&same, 0x5A, sizeof(same));
        const struct option *o = &rows[bad[i].row];
        assert_int_equal(option_set(o, option_place(o, &v), bad[i].text), bad[i].fault);
        assert_memory_equal(&v, &same, sizeof(v));
    }
    assert_int_equal(option_set_number(&rows[ROW_WAIT], &(uint32_t){0}, 1001), OPTION_OUT_OF_RANGE);
}

/* ---- sentences ---- */

static const char *sentence_of(const char *text)
{
    static char sentence[400];
    struct values v = {0};
    begin(text);
    struct option_arg arg = next();
    enum option_fault fault = option_take(&arg, &v);
    sentence[0] = '\0';
    if (fault != OPTION_FINE)
        option_fault_text(&table, &arg, fault, sentence, sizeof(sentence));
    return sentence;
}

static void faults_say_what_to_write(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"--max-size 5", ""},
        {"--max-size x", "--max-size is \"x\"; write bytes from 2 to 18446744073709551615"},
        {"-s1", "-s is \"1\"; write bytes from 2 to 18446744073709551615"},
        {"--wait-ms=soon", "--wait-ms is \"soon\"; write milliseconds from 0 to 1000, or never"},
        {"--color=red", "--color is \"red\"; write auto, always or never"},
        {"--start x", "--start is \"x\"; write lazy or eager"},
        {"--name abcde", "--name is \"abcde\"; write up to four letters"},
        {"--name=", "--name is empty: write up to four letters"},
        {"--name", "--name needs a value: Who."},
        {"--color", "--color needs a value: --color WHEN"},
        {"--all=x", "--all takes no value"},
        {"--max-siz", "there is no flag --max-siz; did you mean --max-size?"},
        {"--MAX_SIZE=3", "there is no flag --MAX_SIZE; did you mean --max-size?"},
        {"--quite-another", "there is no flag --quite-another; x --help lists all"},
        {"word", "\"word\" is not expected here; x --help lists all"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_string_equal(sentence_of(cases[i][0]), cases[i][1]);
    struct values v = {0};
    struct option_arg arg;
    char text[100];
    assert_int_equal(option_take_variable(&rows[ROW_WAIT], "1", &v, &arg), OPTION_FINE);
    assert_int_equal(v.wait_ms, 1);
    enum option_fault fault = option_take_variable(&rows[ROW_WAIT], "x", &v, &arg);
    option_fault_text(&table, &arg, fault, text, sizeof(text));
    assert_string_equal(text, "X_WAIT_MS is \"x\"; write milliseconds from 0 to 1000, or never");
    option_fault_text(&table, &arg, fault, text, 10);
    assert_string_equal(text, "X_WAIT_MS");
}

/* ---- texts ---- */

static struct buf out;

static void assert_written(int rc, const char *expected)
{
    assert_int_equal(rc, 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    assert_string_equal(buf_data(&out), expected);
    buf_clear(&out);
}

static void values_are_written_as_they_are_read(void **state)
{
    (void)state;
    char a[] = "A", b[] = "B";
    char *names[] = {a, b, NULL};
    char **list = names;
    struct option list_row = {.type = OPTION_NAMES};
    struct values v = {.size = 5, .wait_ms = UINT32_MAX, .color = 1, .eager = true, .name = "n"};
    static const char *const expected[] = {"5", "never", "always", "eager", "n"};
    buf_init(&out, 1000);
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
        assert_written(option_text(&rows[i], option_place(&rows[i], &v), &out), expected[i]);
    v.name = NULL;
    assert_written(option_text(&rows[ROW_NAME], &v.name, &out), "");
    assert_written(option_text(&list_row, &list, &out), "A,B");
    list = NULL;
    assert_written(option_text(&list_row, &list, &out), "");
    buf_done(&out);
}

static void help_has_three_forms(void **state)
{
    (void)state;
    const struct values preset = {.size = 3, .wait_ms = 4};
    const struct option_layout two = {.two_lines = true};
    const struct option_layout plain = {.usage_width = 14};
    const struct option_layout columns = {.usage_width = 14, .env_width = 12, .defaults = &preset};
    buf_init(&out, 1000);
    assert_written(option_help(&rows[ROW_SIZE], &two, &out),
                   "  -s, --max-size BYTES   (X_MAX_SIZE, default 7)\n"
                   "      How much. 2 to 18446744073709551615.\n");
    assert_written(option_help(&rows[ROW_COLOR], &two, &out), "  --color WHEN   (X_COLOR, default auto)\n"
                                                              "      Colors. One of auto, always, never.\n");
    assert_written(option_help(&rows[ROW_NAME], &two, &out),
                   "  -n, --name TEXT   (X_NAME, default -)\n      Who.\n");
    assert_written(option_help(&rows[ROW_LIST], &two, &out),
                   "  --listen ADDR[=SERVER]   (X_LISTEN)\n"
                   "      where May be given several times; commas in the variable.\n");
    assert_written(option_help(&rows[ROW_COLOR], &plain, &out), "  --color WHEN   Colors.\n");
    assert_written(option_help(&rows[ROW_ALL], &plain, &out), "  -a, --all      everything\n");
    assert_written(option_help(&rows[ROW_WAIT], &columns, &out),
                   "  --wait-ms      X_WAIT_MS    how long (4)\n");
    assert_written(option_help(&rows[ROW_NAME], &columns, &out), "  -n, --name     X_NAME       Who.\n");
    assert_written(option_markdown(&rows[ROW_SIZE], &out),
                   "| `maxSize` * | `--max-size` | `X_MAX_SIZE` | 7 | at once | How much. 2 to "
                   "18446744073709551615. |\n");
    assert_written(
        option_markdown(&rows[ROW_COLOR], &out),
        "| `color` | `--color` | `X_COLOR` | auto | restarts the child | Colors. One of auto, always, "
        "never. |\n");
    assert_written(option_markdown(&rows[ROW_NAME], &out),
                   "| `name` | `--name` | `X_NAME` | - | needs a restart | Who. |\n");
    buf_done(&out);
}

/* Every text is cut off at every length: the code says so. */
static void no_room_is_an_error(void **state)
{
    (void)state;
    const struct option_layout two = {.two_lines = true};
    const struct values preset = {.size = 3};
    const struct option_layout columns = {.usage_width = 14, .env_width = 12, .defaults = &preset};
    for (size_t max = 1; max < 60; max++) {
        buf_init(&out, max);
        assert_int_equal(option_help(&rows[ROW_SIZE], &two, &out), ERR_TOO_LARGE);
        buf_clear(&out);
        assert_int_equal(option_markdown(&rows[ROW_COLOR], &out), ERR_TOO_LARGE);
        buf_clear(&out);
        assert_int_equal(option_help(&rows[ROW_SIZE], &columns, &out), max < 45 ? ERR_TOO_LARGE : 0);
        buf_done(&out);
    }
}

static void rows_are_found(void **state)
{
    (void)state;
    assert_ptr_equal(option_find_flag(&table, "--all=x", 5), &rows[ROW_ALL]);
    assert_null(option_find_flag(&table, "--all=x", 6));
    assert_ptr_equal(option_find_key(&table, "name"), &rows[ROW_NAME]);
    assert_null(option_find_key(&table, "names"));
    assert_null(option_nearest_flag(&table, "--zzzzzzzz"));
    for (size_t i = 0; i < ROW_COUNT; i++)
        assert_true(option_is_list(&rows[i]) == (i == ROW_LIST));
}

static void near_names(void **state)
{
    (void)state;
    static const char *const known[] = {"alpha", "beta", NULL};
    assert_int_equal(name_distance("max_clients", "maxClients"), 0);
    assert_int_equal(name_distance("", "abc"), 3);
    assert_int_equal(name_distance("kitten", "sitting"), 3);
    assert_true(name_is_near("maxClient", 1));
    assert_false(name_is_near("abc", 2));
    assert_string_equal(nearest_name("Alpa", known), "alpha");
    assert_string_equal(nearest_name("beta", known), "beta");
    assert_null(nearest_name("gamma", known));
    assert_null(nearest_name("x", known + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_stand_behind_the_flag_or_the_sign),
        cmocka_unit_test(bare_flags_take_no_value),
        cmocka_unit_test(operands_and_the_end_of_flags),
        cmocka_unit_test(a_missing_value_is_not_the_next_flag),
        cmocka_unit_test(unknown_flags_take_nothing),
        cmocka_unit_test(values_are_stored_by_type),
        cmocka_unit_test(wrong_values_are_not_stored),
        cmocka_unit_test(faults_say_what_to_write),
        cmocka_unit_test(values_are_written_as_they_are_read),
        cmocka_unit_test(help_has_three_forms),
        cmocka_unit_test(no_room_is_an_error),
        cmocka_unit_test(rows_are_found),
        cmocka_unit_test(near_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

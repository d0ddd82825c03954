/* agent-relayctl's command line, its table of commands, its help. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/cli/args.h"
#include "backend-client/cli/commands.h"
#include "backend-client/cli/help.h"
#include "backend-client/cli/exit_code.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define WORDS_MAX    16

static char problem[CTL_PROBLEM_SIZE];
static char *words[WORDS_MAX];

/* Puts the words of `line`, cut at blanks, into `words`; "~" stands for an empty one. They live until the
 * next call. Returns how many, the program's name included. */
static int split(const char *line)
{
    static char copy[512];
    int argc = 1;
    words[0] = copy + sizeof(copy) - 1;
    (void)snprintf(copy, sizeof(copy) - 1, "%s", line);
    for (char *save = NULL, *w = strtok_r(copy, " ", &save); w && argc < WORDS_MAX;
         w = strtok_r(NULL, " ", &save))
        words[argc++] = strcmp(w, "~") == 0 ? w + 1 : w;
    return argc;
}

static int parse(const char *line, struct ctl_args *args)
{
    int argc = split(line);
    problem[0] = '\0';
    return ctl_args_parse(argc, words, args, problem, sizeof(problem));
}

static void reads_flags_wherever_they_stand(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "--relay r:1 --timeout 70 --json tool echo message=a x=b",
        "tool --relay=r:1 echo --json message=a --timeout=70 x=b",
        "tool echo message=a x=b --timeout 70 --json --relay r:1",
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct ctl_args a;
        assert_int_equal(parse(lines[i], &a), 0);
        assert_int_equal(a.command->verb, CTL_TOOL);
        assert_string_equal(a.relay, "r:1");
        assert_int_equal(a.timeout_ms, 70);
        assert_true(ctl_given(&a, CTL_FLAG_JSON));
        assert_int_equal(a.operand_count, 3);
        assert_string_equal(a.operands[0], "echo");
        assert_string_equal(a.operands[1], "message=a");
        assert_string_equal(a.operands[2], "x=b");
    }
}

static void has_defaults(void **state)
{
    (void)state;
    struct ctl_args a;
    assert_int_equal(parse("ping", &a), 0);
    assert_null(a.relay);
    assert_int_equal(a.timeout_ms, 0);
    assert_int_equal(a.count, 5);
    assert_int_equal(a.interval_ms, 200);
    assert_int_equal(a.policy, AR_FAIL_FAST);
    assert_int_equal(a.color, CTL_COLOR_AUTO);
    assert_int_equal(a.operand_count, 0);
}

static void reads_letters_and_words(void **state)
{
    (void)state;
    struct ctl_args a;
    assert_int_equal(parse("ping -n 7 -i0 --color never", &a), 0);
    assert_int_equal(a.count, 7);
    assert_int_equal(a.interval_ms, 0);
    assert_int_equal(a.color, CTL_COLOR_NEVER);
    assert_int_equal(parse("call m --policy wait", &a), 0);
    assert_int_equal(a.policy, AR_WAIT);
    assert_int_equal(parse("agents -w --policy=mock", &a), 0);
    assert_int_equal(a.policy, AR_MOCK);
    assert_true(ctl_given(&a, CTL_FLAG_WATCH));
}

static void takes_dashes_as_operands(void **state)
{
    (void)state;
    struct ctl_args a;
    assert_int_equal(parse("call m -", &a), 0);
    assert_string_equal(a.operands[1], "-");
    assert_int_equal(parse("tool -- --odd -n=x --json", &a), 0);
    assert_int_equal(a.operand_count, 3);
    assert_string_equal(a.operands[0], "--odd");
    assert_string_equal(a.operands[2], "--json");
    assert_false(ctl_given(&a, CTL_FLAG_JSON));
}

static void refuses_with_advice(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        const char *expected;
    } lines[] = {
        {"", "which command"},
        {"--json", "which command"},
        {"stauts", "is status meant"},
        {"tols", "is tools meant"},
        {"frobnicate", "see agent-relayctl --help"},
        {"status --frob", "no flag --frob"},
        {"status -x", "no flag -x"},
        {"status --timeout", "--timeout MS"},
        {"status --timeout 0", "from 1 to"},
        {"status --timeout 5s", "whole number"},
        {"status --timeout -5", "whole number"},
        {"status --timeout 99999999999999999999", "whole number"},
        {"ping -n 0", "from 1 to 1000000"},
        {"ping -n 1000001", "from 1 to 1000000"},
        {"status --json=yes", "takes no value"},
        {"status --relay ~", "empty"},
        {"status --color maybe", "auto, always or never"},
        {"call m --policy hope", "fail, wait or mock"},
        {"status --count 3", "--count is not for status"},
        {"ping --policy wait", "--policy is not for ping"},
        {"status extra", "'extra' is too much"},
        {"call", "call METHOD"},
        {"call m {} {}", "too much"},
        {"tool", "tool NAME"},
    };
    for (size_t i = 0; i < COUNT(lines); i++) {
        struct ctl_args a = {.count = 4711};
        assert_int_equal(parse(lines[i].line, &a), ERR_SYNTAX);
        if (!strstr(problem, lines[i].expected))
            fail_msg("'%s': '%s' does not say '%s'", lines[i].line, problem, lines[i].expected);
        assert_int_equal(a.count, 4711); /* written only on success */
    }
}

static void help_and_version_need_nothing_else(void **state)
{
    (void)state;
    struct ctl_args a;
    assert_int_equal(parse("--help", &a), 0);
    assert_null(a.command);
    assert_int_equal(parse("--version", &a), 0);
    assert_int_equal(parse("tool -h", &a), 0); /* without its NAME */
    assert_int_equal(a.command->verb, CTL_TOOL);
    assert_int_equal(parse("--version status --count 3", &a), 0);
    assert_int_equal(ctl_args_parse(0, NULL, &a, problem, sizeof(problem)), ERR_SYNTAX);
}

static void knows_where_errors_go(void **state)
{
    (void)state;
    assert_true(ctl_args_want_json(split("--frob --json"), words));
    assert_true(ctl_args_want_json(split("call m --json -- x"), words));
    assert_false(ctl_args_want_json(split("call m -- --json"), words));
    assert_false(ctl_args_want_json(split("--jso"), words));
    assert_false(ctl_args_want_json(0, NULL));
}

static void finds_commands(void **state)
{
    (void)state;
    const struct ctl_command *c;
    size_t count = 0;
    for (; (c = ctl_command_at(count)); count++) {
        assert_ptr_equal(ctl_command_find(c->name), c);
        assert_non_null(strchr(c->example, '\n'));
        assert_true(c->operands_max >= c->operands_min);
        assert_true(c->timeout_ms > 0 || c->verb == CTL_HELP);
    }
    assert_int_equal(count, 9);
    assert_null(ctl_command_find("Status"));
    assert_null(ctl_command_find(""));
    assert_null(ctl_command_like("x"));
    assert_null(ctl_command_like("somethingverylongindeed"));
    assert_string_equal(ctl_command_like("agent")->name, "agents");
    assert_string_equal(ctl_command_like("wacth")->name, "watch");
    assert_string_equal(ctl_command_like("pin")->name, "ping");
    assert_string_equal(ctl_command_like("serverz")->name, "servers");
    assert_null(ctl_command_like("foo")); /* two of three letters from tool */
    assert_null(ctl_command_like("calm me"));
    assert_null(ctl_command_like("tl"));
    assert_null(ctl_command_like(""));
}

/* ---- help ---- */

static void assert_says(struct buf *b, const char *text)
{
    assert_int_equal(buf_append(b, "", 1), 0);
    if (!strstr(buf_data(b), text))
        fail_msg("no '%s' in:\n%s", text, buf_data(b));
    buf_truncate(b, buf_len(b) - 1);
}

static void explains_everything(void **state)
{
    (void)state;
    const struct ctl_command *c;
    struct buf all;
    buf_init(&all, 1 << 16);
    assert_int_equal(help_write(&all, NULL), 0);
    for (size_t i = 0; (c = ctl_command_at(i)); i++) {
        struct buf one;
        assert_says(&all, c->name);
        assert_says(&all, c->summary);
        buf_init(&one, 1 << 16);
        assert_int_equal(help_write(&one, c), 0);
        assert_says(&one, c->example);
        assert_says(&one, c->details);
        for (int f = 0; f < CTL_FLAG_COUNT_; f++)
            if (c->flags & (1U << f))
                assert_says(&one, ctl_flag((enum ctl_flag)f)->help);
        assert_says(&one, "--relay URL");
        assert_says(&one, "  130  interrupted");
        buf_done(&one);
    }
#define X(name, number, meaning) assert_says(&all, meaning);
    CTL_EXITS(X)
#undef X
    buf_done(&all);
}

static void help_fails_where_there_is_no_room(void **state)
{
    (void)state;
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(help_write(&b, NULL), ERR_TOO_LARGE);
    assert_int_equal(help_write(&b, ctl_command_at(0)), ERR_TOO_LARGE);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_flags_wherever_they_stand),
        cmocka_unit_test(has_defaults),
        cmocka_unit_test(reads_letters_and_words),
        cmocka_unit_test(takes_dashes_as_operands),
        cmocka_unit_test(refuses_with_advice),
        cmocka_unit_test(help_and_version_need_nothing_else),
        cmocka_unit_test(knows_where_errors_go),
        cmocka_unit_test(finds_commands),
        cmocka_unit_test(explains_everything),
        cmocka_unit_test(help_fails_where_there_is_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

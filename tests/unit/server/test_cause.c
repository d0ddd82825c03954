/* Which line of standard error says what failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "server/cause.h"

static void picks_the_line_that_says_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *cause;
    } programs[] = {
        {"node:internal/modules/cjs/loader:1228\n  throw err;\n  ^\n\nError: Cannot find module '/srv/index.js'\n"
         "    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)\n    at x {\n"
         "  code: 'MODULE_NOT_FOUND',\n  requireStack: []\n}\n\nNode.js v20.11.0\n",
         "Error: Cannot find module '/srv/index.js'"},
        {"Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in <module>\n    import mcp\n"
         "ModuleNotFoundError: No module named 'mcp'\n",
         "ModuleNotFoundError: No module named 'mcp'"},
        {"INFO starting\nTraceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'x'\n\nDuring handling of the "
         "above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"a.py\", line 2\n"
         "ValueError: no token given\n",
         "ValueError: no token given"},
        {"npm warn exec installing\nnpm error code E404\nnpm error 404 Not Found - GET https://example.test/no-such\n"
         "npm error 404\nnpm error A complete log of this run can be found in: /root/.npm/_logs/x.log\n",
         "npm error code E404; 404 Not Found - GET https://example.test/no-such"},
        {"npm ERR! code ENOTFOUND\nnpm ERR! errno ENOTFOUND\nnpm ERR! network request failed\n",
         "npm ERR! code ENOTFOUND; errno ENOTFOUND"},
        {"bash: line 1: frobnicate: command not found\n", "bash: line 1: frobnicate: command not found"},
        {"agent-relay-keeper: cannot run 'npx': not found in PATH=/usr/bin:/bin\n",
         "cannot run 'npx': not found in PATH=/usr/bin:/bin"},
        {"error: something else\nagent-relay-keeper: cannot run '/srv/x': Permission denied",
         "cannot run '/srv/x': Permission denied"},
        {"\x1b[31merror:\x1b[0m bad flag --no-such\nUsage: server [options]\n",
         "error: [0m bad flag --no-such"},
        {"thread 'main' panicked at src/main.rs:4:\nnote: run with `RUST_BACKTRACE=1`\n",
         "thread 'main' panicked at src/main.rs:4:"},
        {"connecting\nlistening on 3000\n", "listening on 3000"},
        {"\n \n", ""},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        char cause[CAUSE_BYTES];
        bool found = cause_find(programs[i].text, strlen(programs[i].text), cause);
        if (i == 8) /* an escape in the middle: its ESC is no control character any more */
            assert_null(strchr(cause, '\x1b'));
        else
            assert_string_equal(cause, programs[i].cause);
        assert_int_equal(found, i < 10);
    }
}

static void a_cause_is_one_short_line(void **state)
{
    (void)state;
    char text[5000];
    char cause[CAUSE_BYTES];
    memset(text, 'x', sizeof(text));
    memcpy(text, "Error: ", 7);
    text[20] = '\t';
    assert_true(cause_find(text, sizeof(text), cause));
    assert_int_equal(strlen(cause), CAUSE_BYTES - 1);
    assert_null(strpbrk(cause, "\n\t"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(picks_the_line_that_says_it),
        cmocka_unit_test(a_cause_is_one_short_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

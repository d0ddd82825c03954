/* Any bytes as a configuration: the first line is flags (separated by blanks), the second variables, the rest
 * the file. Must end with a configuration or a report, and what is accepted must be printable and equal to
 * itself.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WORDS_MAX 32

/* Cuts the text at blanks, in place. */
static int split(char *text, char **words)
{
    int count = 0;
    for (char *at = text; *at != '\0' && count + 1 < WORDS_MAX;) {
        size_t len = strcspn(at, " ");
        bool last = at[len] == '\0';
        at[len] = '\0';
        if (len > 0)
            words[count++] = at;
        at += len + !last;
    }
    words[count] = NULL;
    return count;
}

/* The next line without its end; `at` moves behind it. NUL bytes end it early, as they would a flag. */
static char *take_line(char **at)
{
    char *line = *at;
    size_t len = strcspn(line, "\n");
    *at = line + len + (line[len] == '\n');
    line[len] = '\0';
    return line;
}

static void use(const struct config *c)
{
    static FILE *null;
    if (!null)
        null = fopen("/dev/null", "we");
    assert(null);
    config_print(c, null);
    struct buf names;
    buf_init(&names, 4096);
    config_restart_needed(c, c, &names);
    assert(buf_len(&names) == 0);
    buf_done(&names);
    assert(c->server_count > 0 && c->listen_count > 0);
    assert(config_server(c, c->default_server));
    for (size_t i = 0; i < c->server_count; i++) {
        const struct server_config *s = &c->servers[i];
        assert(server_config_change(s, s) == SERVER_SAME);
        assert(s->shown && s->inherit_env && s->args);
        assert(s->problem || s->disabled || (s->remote ? s->url : s->command));
        assert(s->max_in_flight >= 1 && s->timeout_ms <= s->timeout_max_ms);
    }
    for (size_t i = 0; i < c->listen_count; i++) {
        assert((!c->listen[i].host) != (!c->listen[i].path));
        (void)listen_entry_is_loopback(&c->listen[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = mem_strndup(size > 0 ? (const char *)data : "", size);
    if (!text)
        return 0;
    char *at = text;
    char *argv[WORDS_MAX];
    char *environ[WORDS_MAX];
    int argc = split(take_line(&at), argv);
    (void)split(take_line(&at), environ);
    size_t left = size - (size_t)(at - text);
    struct config_args args = {.argc = argc, .argv = argv, .environ = environ, .program_dir = NULL};
    struct buf report;
    buf_init(&report, (size_t)64 << 10);
    struct config *c = NULL;
    int rc = config_load_text(&args, left > 0 ? "f" : NULL, left > 0 ? at : NULL, left, &report, &c);
    if (rc == 0) {
        use(c);
        config_free(c);
    } else {
        assert(rc == ERR_SYNTAX && buf_len(&report) > 0);
    }
    buf_done(&report);
    mem_free(text);
    return 0;
}

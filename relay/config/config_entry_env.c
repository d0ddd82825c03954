/* The variables of an entry: those of its envFile, and its env, which is an object, or a list of
 * "NAME=VALUE" (and of "NAME", which is taken from the relay's own environment).
 *
 * Failure modes: an envFile that cannot be read, a value or a name that is none: the entry's fault, since a
 * server without its secrets fails in ways that nobody understands. A line of an envFile that is no
 * NAME=VALUE is noted.
 */
#include "config/config_entry.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"

/* Far above any real one. */
#define ENV_FILE_MAX_BYTES ((size_t)1 << 20)

/* Takes `value`. */
static void add_env(struct entry *e, const char *name, size_t name_len, char *value)
{
    struct server_config *s = e->s;
    struct env_entry *longer = mem_realloc(s->env, (s->env_count + 1) * sizeof(*longer));
    if (longer)
        s->env = longer;
    char *copy = longer ? mem_strndup(name, name_len) : NULL;
    if (!copy) {
        e->l->no_memory = true;
        mem_free(value);
        return;
    }
    s->env[s->env_count++] = (struct env_entry){copy, value};
}

/* ---- envFile ---- */

/* The value of a line in its quotes, or up to its end or comment; copied. Double quotes know \n, \" and \\. */
static char *line_value(const char *text, size_t len)
{
    char quote = len > 0 && (text[0] == '"' || text[0] == '\'') ? text[0] : '\0';
    char *value = mem_alloc(len + 1);
    size_t out = 0;
    for (size_t i = quote ? 1 : 0; value && i < len && (!quote || text[i] != quote); i++) {
        char c = text[i];
        if (!quote && c == '#' && (i == 0 || isspace((unsigned char)text[i - 1])))
            break;
        if (quote == '"' && c == '\\' && i + 1 < len)
            c = text[++i] == 'n' ? '\n' : text[i];
        value[out++] = c;
    }
    while (value && !quote && out > 0 && isspace((unsigned char)value[out - 1]))
        out--;
    if (value)
        value[out] = '\0';
    return value;
}

static size_t skip_blanks(const char *text, size_t len, size_t from)
{
    while (from < len && isspace((unsigned char)text[from]))
        from++;
    return from;
}

/* [export] NAME = VALUE. False: something else stands there. */
static bool add_line(struct entry *e, const char *line, size_t len)
{
    size_t from = skip_blanks(line, len, 0);
    if (from == len || line[from] == '#')
        return true;
    if (len - from > 7 && memcmp(line + from, "export ", 7) == 0)
        from = skip_blanks(line, len, from + 7);
    const char *equals = memchr(line + from, '=', len - from);
    size_t name_end = equals ? (size_t)(equals - line) : from;
    while (name_end > from && isspace((unsigned char)line[name_end - 1]))
        name_end--;
    if (name_end == from || memchr(line + from, ' ', name_end - from) || memchr(line, '\0', len))
        return false;
    size_t value_at = skip_blanks(line, len, (size_t)(equals + 1 - line));
    char *value = line_value(line + value_at, len - value_at);
    if (!value)
        e->l->no_memory = true;
    else
        add_env(e, line + from, name_end - from, value);
    return true;
}

static void add_lines(struct entry *e, const char *path, const struct buf *text)
{
    const char *at = buf_data(text);
    size_t left = buf_len(text);
    for (unsigned number = 1; left > 0 && !e->l->no_memory; number++) {
        const char *newline = memchr(at, '\n', left);
        size_t len = newline ? (size_t)(newline - at) : left;
        if (!add_line(e, at, len))
            loader_note(e->l, (struct place){path, number, ""}, "is not NAME=VALUE; left out");
        size_t step = newline ? len + 1 : len;
        at += step;
        left -= step;
    }
}

/* A relative path is meant from the workspace. */
static void read_env_file(struct entry *e)
{
    json_node node = entry_find(e, KEY_ENV_FILE);
    const char *written = json_string(e->l->doc, node, NULL);
    if (node == JSON_ABSENT || e->s->disabled)
        return;
    if (!written) {
        entry_fault(e, node, "envFile", "is a string");
        return;
    }
    char path[PATH_MAX];
    char *expanded = entry_expand(e, KEY_ENV_FILE, written);
    if (!expanded)
        return;
    bool relative = expanded[0] != '/' && e->l->workspace;
    (void)snprintf(path, sizeof(path), "%s%s%s", relative ? e->l->workspace : "", relative ? "/" : "",
                   expanded);
    mem_free(expanded);
    struct buf text;
    buf_init(&text, ENV_FILE_MAX_BYTES);
    int rc = buf_len(&e->missing) == 0 ? file_read(path, &text) : 0; /* what is missing is the problem then */
    if (rc == -ENOMEM)
        e->l->no_memory = true;
    else if (rc != 0)
        entry_fault(e, node, "envFile", "cannot be read: %.200s: %s", path, err_text(rc));
    else
        add_lines(e, path, &text);
    buf_done(&text);
}

/* ---- env ---- */

static bool is_name(const char *name, size_t len)
{
    return name && len > 0 && !memchr(name, '=', len);
}

static void read_env_object(struct entry *e, json_node env)
{
    for (json_node key = json_first(e->l->doc, env); key != JSON_ABSENT; key = json_next(e->l->doc, key)) {
        size_t len = 0;
        const char *name = json_string(e->l->doc, key, &len);
        json_node node = json_value(e->l->doc, key);
        if (json_type(e->l->doc, node) == JSON_NULL)
            continue;
        if (!is_name(name, len)) {
            entry_fault(e, key, "env", "holds a name that is empty, or has = or NUL in it");
            continue;
        }
        char *value = entry_scalar(e, KEY_ENV, node);
        if (value)
            add_env(e, name, len, value);
        else if (!e->l->no_memory)
            entry_fault(e, key, "env", "holds a value that is not a string; write it in quotes");
    }
}

/* "NAME=VALUE" or "NAME". */
static void add_env_word(struct entry *e, json_node node)
{
    char reference[128];
    const char *word = json_string(e->l->doc, node, NULL);
    size_t len = word ? strcspn(word, "=") : 0;
    if (!word || len == 0 || len + sizeof("${}") > sizeof(reference)) {
        entry_fault(e, node, "env", "is an object; write {\"NAME\": \"value\"}");
        return;
    }
    (void)snprintf(reference, sizeof(reference), "${%.*s}", (int)len, word);
    char *value = entry_expand(e, KEY_ENV, word[len] == '=' ? word + len + 1 : reference);
    if (value)
        add_env(e, word, len, value);
}

void entry_read_env(struct entry *e)
{
    read_env_file(e);
    json_node env = entry_find(e, KEY_ENV);
    enum json_type type = json_type(e->l->doc, env);
    if (type == JSON_OBJECT)
        read_env_object(e, env);
    else if (env != JSON_ABSENT && type != JSON_ARRAY)
        entry_fault(e, env, "env", "is an object; write {\"NAME\": \"value\"}");
    for (json_node it = type == JSON_ARRAY ? json_first(e->l->doc, env) : JSON_ABSENT; it != JSON_ABSENT;
         it = json_next(e->l->doc, it))
        add_env_word(e, it);
}

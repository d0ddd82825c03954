/* The references in a server's command, args, env, envFile, cwd and url, as MCP tools write them:
 *
 *   ${VAR} ${VAR:-default} ${env:VAR} {env:VAR}    a variable of the relay's environment
 *   ${userHome} ${workspaceFolder} ${cwd} ...      the words of editors, in the table below
 *   ${input:ID}                                    the default of that entry of `inputs`
 *   $VAR                                           in capitals; in args only where it begins a path
 *   ~ ~/...                                        the home folder, at the beginning, behind =, in env behind :
 *   %VAR%                                          at the beginning
 *
 * As in a shell, :- also replaces an empty value. A default reaches to the first closing brace and is not
 * expanded again. $$ and a brace that is never closed are text. What has no value and no default expands to
 * nothing and is reported to the caller, which decides about the entry; only $VAR inside a longer text stays as
 * it is, since passwords have dollar signs.
 */
#include "config/config_expand.h"

#include <errno.h>
#include <string.h>

#include "base/alloc.h"

/* Longer than any argument list of Linux (2 MiB). */
#define EXPANDED_MAX_BYTES ((size_t)4 << 20)

const char *environ_find(char *const *environ, const char *name, size_t name_len)
{
    for (char *const *p = environ; p && *p; p++) {
        if (strncmp(*p, name, name_len) == 0 && (*p)[name_len] == '=')
            return *p + name_len + 1;
    }
    return NULL;
}

/* ---- the words of editors ---- */

static bool is_word(const char *name, size_t len, const char *word)
{
    return strlen(word) == len && memcmp(name, word, len) == 0;
}

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash ? slash + 1 : path;
}

static const char *home_of(const struct expansion *e)
{
    return environ_find(e->environ, "HOME", strlen("HOME"));
}

/* NULL: not one of them, or it has no value here. */
static const char *editor_word(const struct expansion *e, const char *name, size_t len)
{
    if (is_word(name, len, "userHome") || is_word(name, len, "USERPROFILE"))
        return home_of(e);
    if (is_word(name, len, "workspaceFolder") || is_word(name, len, "workspaceRoot") ||
        is_word(name, len, "CLAUDE_PROJECT_DIR"))
        return e->workspace;
    if (is_word(name, len, "workspaceFolderBasename"))
        return base_name(e->workspace);
    if (is_word(name, len, "cwd"))
        return e->cwd;
    return is_word(name, len, "pathSeparator") || is_word(name, len, "/") ? "/" : NULL;
}

/* The default of the entry of `inputs` with this id. */
static const char *input_default(const struct expansion *e, const char *id, size_t len)
{
    json_node inputs = e->doc ? json_get(e->doc, json_root(e->doc), "inputs") : JSON_ABSENT;
    if (json_type(e->doc, inputs) != JSON_ARRAY)
        return NULL;
    for (json_node it = json_first(e->doc, inputs); it != JSON_ABSENT; it = json_next(e->doc, it)) {
        const char *name = json_string(e->doc, json_get(e->doc, it, "id"), NULL);
        const char *value = json_string(e->doc, json_get(e->doc, it, "default"), NULL);
        if (name && value && value[0] != '\0' && is_word(id, len, name))
            return value;
    }
    return NULL;
}

static const char *value_of(const struct expansion *e, const char *name, size_t len)
{
    static const char input[] = "input:";
    size_t prefix = sizeof(input) - 1;
    if (len > prefix && memcmp(name, input, prefix) == 0)
        return input_default(e, name + prefix, len - prefix);
    const char *value = environ_find(e->environ, name, len);
    return value ? value : editor_word(e, name, len);
}

/* ---- references ---- */

/* A reference in pieces of the text: ${env:NAME:-FALLBACK} */
struct reference {
    const char *name;
    size_t name_len;
    const char *fallback; /* NULL: none */
    size_t fallback_len;
    const char *end;    /* behind it */
    bool text_if_unset; /* what has no value stays as it is */
};

static size_t skip_prefix(const char *name, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(name, prefix, len) == 0 ? len : 0;
}

/* ${...}, and {env:...} */
static bool find_braced(const char *text, struct reference *ret)
{
    size_t open = skip_prefix(text, "${");
    bool bare = open == 0 && skip_prefix(text, "{env:") > 0;
    const char *close = strchr(text, '}');
    if ((open == 0 && !bare) || !close)
        return false;
    *ret = (struct reference){.name = text + (bare ? 1 : 2), .end = close + 1};
    ret->name += skip_prefix(ret->name, "env:");
    ret->name += skip_prefix(ret->name, "localEnv:");
    ret->name_len = (size_t)(close - ret->name);
    const char *mark = memmem(ret->name, ret->name_len, ":-", 2);
    if (mark) {
        ret->name_len = (size_t)(mark - ret->name);
        ret->fallback = mark + 2;
        ret->fallback_len = (size_t)(close - ret->fallback);
    }
    bool has_prefix = memchr(ret->name, ':', ret->name_len);
    return ret->name_len > 0 && strcspn(ret->name, has_prefix ? "${}" : "${ \t\n}") >= ret->name_len;
}

static size_t capitals(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char more[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
    return strspn(text, letters) > 0 ? strspn(text, more) : 0;
}

/* $VAR; `start` is where the whole text begins. */
static bool find_dollar(const struct expansion *e, const char *start, const char *text, struct reference *ret)
{
    size_t len = text[0] == '$' ? capitals(text + 1) : 0;
    char next = len > 0 ? text[1 + len] : '\0';
    bool whole = text == start && (next == '\0' || next == '/');
    if (len < 2 || (next >= 'a' && next <= 'z') || (text > start && text[-1] == '$') ||
        (e->is_argument && !whole))
        return false;
    *ret = (struct reference){.name = text + 1, .name_len = len, .end = text + 1 + len};
    ret->text_if_unset = e->is_argument || !whole;
    return true;
}

static bool find_percent(const char *start, const char *text, struct reference *ret)
{
    size_t len = text == start && text[0] == '%' ? capitals(text + 1) : 0;
    if (len < 2 || text[1 + len] != '%')
        return false;
    *ret = (struct reference){.name = text + 1, .name_len = len, .end = text + len + 2};
    return true;
}

static bool find_tilde(const struct expansion *e, const char *start, const char *text, struct reference *ret)
{
    if (text[0] != '~' || (text[1] != '\0' && text[1] != '/' && !(e->is_env && text[1] == ':')))
        return false;
    if (text > start && text[-1] != '=' && !(e->is_env && text[-1] == ':'))
        return false;
    *ret = (struct reference){.name = "HOME", .name_len = strlen("HOME"), .end = text + 1};
    return true;
}

static bool find_reference(const struct expansion *e, const char *start, const char *text,
                           struct reference *ret)
{
    return find_braced(text, ret) || find_dollar(e, start, text, ret) || find_percent(start, text, ret) ||
           find_tilde(e, start, text, ret);
}

/* ---- expanding ---- */

/* Whether the comma-separated names have this one. */
static bool is_named(const struct buf *missing, const char *name, size_t len)
{
    const char *at = buf_data(missing);
    for (size_t left = buf_len(missing); left > 0;) {
        const char *comma = memmem(at, left, ", ", 2);
        size_t at_len = comma ? (size_t)(comma - at) : left;
        if (at_len == len && memcmp(at, name, len) == 0)
            return true;
        size_t step = comma ? at_len + 2 : left;
        at += step;
        left -= step;
    }
    return false;
}

static int add_missing(struct buf *missing, const char *name, size_t len)
{
    if (is_named(missing, name, len))
        return 0;
    int rc = buf_len(missing) > 0 ? buf_append(missing, ", ", 2) : 0;
    rc = rc == 0 ? buf_append(missing, name, len) : rc;
    return rc == ERR_TOO_LARGE ? 0 : rc; /* the list of names is full */
}

static int append_value(const struct expansion *e, const char *text, const struct reference *ref,
                        struct buf *out, struct buf *missing)
{
    const char *value = value_of(e, ref->name, ref->name_len);
    if (ref->fallback && (!value || value[0] == '\0'))
        return buf_append(out, ref->fallback, ref->fallback_len);
    if (!value && ref->text_if_unset)
        return buf_append(out, text, (size_t)(ref->end - text));
    if (!value)
        return add_missing(missing, ref->name, ref->name_len);
    return buf_append(out, value, strlen(value));
}

char *expand_variables(const struct expansion *e, const char *text, struct buf *missing)
{
    struct buf out;
    struct reference ref;
    const char *start = text;
    buf_init(&out, EXPANDED_MAX_BYTES);
    int rc = 0;
    while (*text != '\0' && rc == 0) {
        if (find_reference(e, start, text, &ref)) {
            rc = append_value(e, text, &ref, &out, missing);
            text = ref.end;
        } else {
            size_t plain = 1 + strcspn(text + 1, "${~");
            rc = buf_append(&out, text, plain);
            text += plain;
        }
    }
    if (rc == ERR_TOO_LARGE) /* cut: the kernel would refuse it in any case */
        rc = 0;
    char *expanded = rc == 0 ? mem_strndup(buf_len(&out) > 0 ? buf_data(&out) : "", buf_len(&out)) : NULL;
    buf_done(&out);
    return expanded;
}

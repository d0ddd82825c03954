/* ${VAR}, ${VAR:-default} and ${env:VAR} in a server's command, args, env, cwd and url, as other MCP tools
 * write them.
 *
 * As in a shell, :- also replaces an empty value. A default reaches to the first closing brace and is not
 * expanded again. $VAR, $$ and a brace that is never closed are text. An unset variable without a default
 * expands to nothing and is reported to the caller, which decides about the entry.
 */
#include "config/config_internal.h"

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

/* A reference in pieces of the text: ${env:NAME:-FALLBACK} */
struct reference {
    const char *name;
    size_t name_len;
    const char *fallback; /* NULL: none */
    size_t fallback_len;
    const char *end; /* behind the closing brace */
};

static bool find_reference(const char *text, struct reference *ret)
{
    const char *close = strchr(text, '}');
    if (strncmp(text, "${", 2) != 0 || !close)
        return false;
    *ret = (struct reference){.name = text + 2, .end = close + 1};
    if (strncmp(ret->name, "env:", 4) == 0)
        ret->name += 4;
    ret->name_len = (size_t)(close - ret->name);
    const char *mark = memmem(ret->name, ret->name_len, ":-", 2);
    if (mark) {
        ret->name_len = (size_t)(mark - ret->name);
        ret->fallback = mark + 2;
        ret->fallback_len = (size_t)(close - ret->fallback);
    }
    return ret->name_len > 0 && strcspn(ret->name, "${ \t\n}") >= ret->name_len;
}

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

static int append_value(char *const *environ, const struct reference *ref, struct buf *out,
                        struct buf *missing)
{
    const char *value = environ_find(environ, ref->name, ref->name_len);
    if (ref->fallback && (!value || value[0] == '\0'))
        return buf_append(out, ref->fallback, ref->fallback_len);
    if (!value)
        return add_missing(missing, ref->name, ref->name_len);
    return buf_append(out, value, strlen(value));
}

char *expand_variables(char *const *environ, const char *text, struct buf *missing)
{
    struct buf out;
    struct reference ref;
    buf_init(&out, EXPANDED_MAX_BYTES);
    int rc = 0;
    while (*text != '\0' && rc == 0) {
        if (find_reference(text, &ref)) {
            rc = append_value(environ, &ref, &out, missing);
            text = ref.end;
        } else {
            size_t plain = 1 + strcspn(text + 1, "$");
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

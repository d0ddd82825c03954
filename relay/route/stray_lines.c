/* A handful of lines per child, allocated with the first one. Failure modes: no memory -> lines are counted only. */
#include "route/stray_lines.h"

#include <assert.h>

#include "base/alloc.h"
#include "route/state.h"
#include "wire/sanitize.h"

#define LINES_MAX  4   /* a banner has two or three */
#define LINE_BYTES 200 /* sanitized, with its NUL */
#define OWNER_ALL  0   /* serials of sessions begin at 1 */
#define OWNER_NONE UINT64_MAX

struct stray_line {
    uint64_t owner; /* the serial of the session that may see it, or one of OWNER_* */
    char text[LINE_BYTES];
};

struct stray_lines {
    uint64_t count;
    unsigned looks; /* one bit for each enum stray */
    size_t kept;
    struct stray_line lines[LINES_MAX];
};

static_assert(STRAY_COUNT <= 8 * sizeof(unsigned), "a bit for each look");

static uint64_t owner_now(const struct upstream *upstream)
{
    uint64_t owner = OWNER_NONE;
    if (!upstream_is_shared(upstream) || upstream->state != UPSTREAM_READY)
        return OWNER_ALL;
    for (const struct list *node = upstream->in_flight.next; node != &upstream->in_flight;
         node = node->next) {
        const struct call *c = CONST_CONTAINER_OF(node, struct call, upstream_node);
        if (owner != OWNER_NONE && owner != c->session->serial)
            return OWNER_NONE;
        owner = c->session->serial;
    }
    return owner;
}

void stray_lines_note(struct upstream *upstream, enum stray look, const char *line, size_t len)
{
    upstream->stats.invalid_lines++;
    if (!upstream->strays && !(upstream->strays = mem_zalloc(sizeof(*upstream->strays))))
        return;
    struct stray_lines *strays = upstream->strays;
    strays->count++;
    strays->looks |= 1U << look;
    if (strays->kept == LINES_MAX)
        return;
    struct stray_line *to = &strays->lines[strays->kept++];
    to->owner = owner_now(upstream);
    sanitize_copy(to->text, sizeof(to->text), line, len, SANITIZE_ESCAPE);
    const struct server_ops *ops = upstream->server ? upstream->server->ops : NULL;
    if (ops && ops->stray)
        ops->stray(upstream->server->data, upstream, stray_name(look), to->text);
}

void stray_lines_forget(struct upstream *upstream)
{
    mem_free(upstream->strays);
    upstream->strays = NULL;
}

/* The most telling of the looks. */
static enum stray look_of(const struct stray_lines *strays)
{
    return (enum stray)__builtin_ctz(strays->looks);
}

bool stray_lines_has(const struct upstream *upstream, enum stray look)
{
    return upstream->strays && (upstream->strays->looks & 1U << look);
}

const char *stray_lines_text(const struct upstream *upstream)
{
    return upstream->strays ? stray_text(look_of(upstream->strays)) : NULL;
}

static bool may_see(const struct stray_line *line, const struct route_session *s)
{
    return line->owner == OWNER_ALL || (s && line->owner == s->serial);
}

void stray_lines_write(const struct upstream *upstream, const struct route_session *s, struct writer *w)
{
    const struct stray_lines *strays = upstream->strays;
    if (!strays)
        return;
    write_member_uint(w, "stdoutStray", strays->count);
    write_member_string(w, "stdoutLooksLike", stray_name(look_of(strays)));
    write_key(w, "stdoutLines");
    write_array(w);
    for (size_t i = 0; i < strays->kept; i++)
        if (may_see(&strays->lines[i], s))
            write_cstring(w, strays->lines[i].text);
    write_array_end(w);
}

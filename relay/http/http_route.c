/* Routes. A path is compared with each row in turn, segment by segment, decoded on the way; tables have a
 * few dozen rows, and most differ in their first bytes.
 */
#include "http/http_route.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "http/http_percent.h"
#include "wire/utf8.h"

/* Up to the next slash, without the one before it. */
static struct part next_segment(struct part *path)
{
    const char *begin = path->bytes + 1;
    const char *end = path->len > 1 ? memchr(begin, '/', path->len - 1) : NULL;
    size_t len = end ? (size_t)(end - begin) : path->len - 1;
    path->bytes += len + 1;
    path->len -= len + 1;
    return (struct part){begin, len};
}

static bool is_param(struct part segment)
{
    return segment.len > 2 && segment.bytes[0] == '{' && segment.bytes[segment.len - 1] == '}';
}

static bool decodes_to(struct part segment, struct part literal)
{
    size_t i = 0;
    while (segment.len > 0 && i < literal.len && http_percent_next(&segment) == literal.bytes[i])
        i++;
    return segment.len == 0 && i == literal.len;
}

/* The path fits the pattern; its parameters are left encoded in `params`. */
static bool fits(struct part pattern, struct part path, struct http_route_match *m)
{
    m->count = 0;
    while (pattern.len > 0 && path.len > 0) {
        struct part want = next_segment(&pattern);
        struct part have = next_segment(&path);
        if (!is_param(want)) {
            if (!decodes_to(have, want))
                return false;
            continue;
        }
        if (have.len == 0)
            return false;
        assert(m->count < HTTP_ROUTE_MAX_PARAMS);
        m->params[m->count++] = have;
    }
    return pattern.len == 0 && path.len == 0;
}

static bool is_shown(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return false;
    return utf8_is_valid(text, len);
}

static bool decode_params(struct http_route_match *m)
{
    size_t used = 0;
    for (unsigned i = 0; i < m->count; i++) {
        char *out = m->text + used;
        size_t len;
        if (!http_percent_decode(m->params[i], out, sizeof(m->text) - used, &len) || !is_shown(out, len))
            return false;
        m->params[i] = (struct part){out, len};
        used += len + 1;
    }
    return true;
}

static unsigned methods_of(const struct http_route *route)
{
    return route->methods | HTTP_OPTIONS | ((route->methods & HTTP_GET) != 0 ? (unsigned)HTTP_HEAD : 0U);
}

static bool takes(const struct http_route *route, enum http_method method)
{
    unsigned methods = route->methods;
    if (method == HTTP_METHOD_HEAD && (methods & HTTP_GET) != 0)
        return true;
    return method != HTTP_METHOD_OTHER && (methods & 1U << method) != 0;
}

/* OPTIONS * asks about the whole server. */
static enum http_route_result take_asterisk(const struct http_route *routes, size_t count,
                                            struct http_route_match *m)
{
    for (size_t i = 0; i < count; i++)
        m->allowed |= methods_of(&routes[i]);
    return HTTP_ROUTE_OPTIONS;
}

enum http_route_result http_route_find(const struct http_route *routes, size_t count, enum http_method method,
                                       struct part path, struct http_route_match *ret_match)
{
    struct http_route_match *m = ret_match;
    m->route = NULL;
    m->allowed = m->count = 0;
    if (path.len == 1 && path.bytes[0] == '*')
        return take_asterisk(routes, count, m);
    for (size_t i = 0; i < count; i++) {
        const char *pattern = routes[i].pattern;
        if (!fits((struct part){pattern, strlen(pattern)}, path, m))
            continue;
        m->allowed |= methods_of(&routes[i]);
        if (takes(&routes[i], method)) {
            m->route = &routes[i];
            break;
        }
    }
    if (m->route)
        return decode_params(m) ? HTTP_ROUTE_FOUND : HTTP_ROUTE_BAD;
    if (m->allowed == 0)
        return HTTP_ROUTE_NOT_FOUND;
    return method == HTTP_METHOD_OPTIONS ? HTTP_ROUTE_OPTIONS : HTTP_ROUTE_METHOD;
}

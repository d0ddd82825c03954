/* Host and Origin. Whatever cannot be parsed is not allowed. */
#include "http/http_guard.h"

#include <string.h>

#include "http/http_host.h"
#include "http/http_text.h"

static struct part text_of(const char *text)
{
    return (struct part){text, strlen(text)};
}

/* ---- Host ---- */

/* "*.example.com" as ".example.com"; NULL: the entry is no such one. */
static const char *suffix_of(const char *entry)
{
    return entry[0] == '*' && entry[1] == '.' ? entry + 1 : NULL;
}

/* The end of `name` is `suffix`, whatever the letter case, and something stands before it. */
static bool is_below(struct part name, struct part suffix)
{
    return name.len > suffix.len &&
           http_text_same((struct part){name.bytes + name.len - suffix.len, suffix.len}, suffix);
}

static bool is_listed_host(const struct http_host *host, const char *entry)
{
    struct http_host allowed;
    const char *suffix = suffix_of(entry);
    if (suffix)
        return host->kind == HTTP_HOST_NAME && is_below(host->name, text_of(suffix));
    return http_host_parse(text_of(entry), &allowed) && http_text_same(host->name, allowed.name) &&
           (allowed.port == 0 || allowed.port == host->port);
}

bool http_guard_is_host(const char *text)
{
    struct http_host host;
    const char *suffix = suffix_of(text);
    return http_host_parse(text_of(suffix ? suffix + 1 : text), &host) &&
           (!suffix || (host.kind == HTTP_HOST_NAME && host.port == 0));
}

bool http_guard_allows_host(const struct http_guard *g, struct part host)
{
    struct http_host h;
    if (host.len == 0)
        return true;
    if (!http_host_parse(host, &h))
        return false;
    if (http_host_is_private(&h))
        return true;
    for (const char *const *entry = g->hosts; entry && *entry; entry++)
        if (is_listed_host(&h, *entry))
            return true;
    return false;
}

/* ---- Origin ---- */

bool http_guard_is_origin(const char *text)
{
    struct http_host host;
    return strcmp(text, "*") == 0 || http_origin_parse(text_of(text), &host);
}

/* scheme://HOST[:PORT], with the Host field's HOST[:PORT]. */
static bool is_own(struct part origin, struct part host)
{
    struct http_host o, h;
    if (!http_origin_parse(origin, &o) || !http_host_parse(host, &h) || origin.len < host.len)
        return false;
    return http_host_is_private(&h) && is_below(origin, host) &&
           origin.bytes[origin.len - host.len - 1] == '/';
}

bool http_guard_allows_origin(const struct http_guard *g, struct part origin, struct part host)
{
    struct http_host o;
    for (const char *const *entry = g->origins; entry && *entry; entry++)
        if (strcmp(*entry, "*") == 0 || http_text_same(origin, text_of(*entry)))
            return true;
    if (!http_origin_parse(origin, &o))
        return false;
    return http_host_is_loopback(&o) || (g->own_origin && is_own(origin, host));
}

bool http_guard_check(const struct http_guard *g, const struct http_head *head,
                      struct http_refusal *ret_refusal)
{
    struct part origin;
    struct part host = http_head_host(head);
    if (!http_guard_allows_host(g, host))
        return http_refuse(ret_refusal, 403, "The Host field's name is not in allowedHosts.");
    if (http_head_field(head, HTTP_FIELD_ORIGIN, &origin) && !http_guard_allows_origin(g, origin, host))
        return http_refuse(ret_refusal, 403, "The Origin is not in allowedOrigins.");
    return true;
}

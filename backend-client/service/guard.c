/* Admission of requests: content type, host and origin (reasons in guard.h). */
#include "guard.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define JSON_TYPE "application/json"
#define IPV4_MAX  16

/* ---- origins ---- */

/* Bytes of the host at `text`; 0: none. */
static size_t host_len(const char *text)
{
    if (text[0] != '[')
        return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    size_t len = strspn(text + 1, "0123456789abcdefABCDEF:.");
    return len > 0 && text[1 + len] == ']' ? len + 2 : 0;
}

static bool is_port(const char *text)
{
    size_t len = strspn(text, "0123456789");
    return len > 0 && len <= 5 && text[len] == '\0' && text[0] != '0' && strtol(text, NULL, 10) <= 65535;
}

bool guard_is_origin(const char *text)
{
    bool secure = strncasecmp(text, "https://", 8) == 0;
    if (!secure && strncasecmp(text, "http://", 7) != 0)
        return false;
    const char *host = text + (secure ? 8 : 7);
    size_t len = host_len(host);
    if (len == 0 || len >= GUARD_HOST_MAX)
        return false;
    if (host[len] == '\0')
        return true;
    const char *port = host + len + 1;
    return host[len] == ':' && is_port(port) && strcmp(port, secure ? "443" : "80") != 0;
}

/* ---- hosts ---- */

bool guard_is_json(const char *content_type)
{
    size_t len = sizeof(JSON_TYPE) - 1;
    if (!content_type || strncasecmp(content_type, JSON_TYPE, len) != 0)
        return false;
    return content_type[len] == '\0' || content_type[len] == ';' || content_type[len] == ' ' ||
           content_type[len] == '\t';
}

/* The host without its port; a bracketed IPv6 address keeps its brackets. */
static bool host_name(const char *host, char name[GUARD_HOST_MAX])
{
    size_t len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    if (len == 0 || len >= GUARD_HOST_MAX || len > strlen(host))
        return false;
    memcpy(name, host, len);
    name[len] = '\0';
    return true;
}

static bool ends_with(const char *text, const char *end)
{
    size_t text_len = strlen(text);
    size_t end_len = strlen(end);
    return text_len >= end_len && strcasecmp(text + text_len - end_len, end) == 0;
}

/* An attacker cannot make such a name resolve to this service. */
static bool cannot_be_rebound(const char *host)
{
    char name[GUARD_HOST_MAX];
    struct in_addr v4;
    if (!host_name(host, name))
        return false;
    if (name[0] == '[' || !strchr(name, '.'))
        return true;
    return (strlen(name) < IPV4_MAX && inet_pton(AF_INET, name, &v4) == 1) || ends_with(name, ".localhost");
}

/* "https://name:port" and "name:port" name the same host, whatever the ports. */
static bool is_host_of(const char *host, const char *origin)
{
    char name[GUARD_HOST_MAX], allowed[GUARD_HOST_MAX];
    const char *at = strstr(origin, "://");
    return at && host_name(at + 3, allowed) && host_name(host, name) && strcasecmp(name, allowed) == 0;
}

bool guard_host(const char *host, const char *allowed)
{
    return !host || cannot_be_rebound(host) || (allowed && is_host_of(host, allowed));
}

bool guard_origin(const char *origin, const char *host, const char *allowed)
{
    static const char *const schemes[] = {"http://", "https://"};
    if (!origin)
        return true;
    if (allowed && strcasecmp(origin, allowed) == 0)
        return true;
    for (size_t i = 0; host && i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        if (strncasecmp(origin, schemes[i], len) == 0 && strcasecmp(origin + len, host) == 0)
            return cannot_be_rebound(host);
    }
    return false;
}

/* The health address, taken apart: scheme://host[:port][/...]. Purpose and rules: probe_url.h. It has one
 * failure mode, ERR_SYNTAX, whose sentence quotes the address unless a password may stand in it.
 */
#include "probe_url.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char name_letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
static const char ip6_letters[] = "0123456789abcdefABCDEF:.";

static bool is_printable(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p <= ' ' || *p >= 0x7f || *p == '\\')
            return false;
    }
    return true;
}

/* Behind "scheme://", and the scheme's own port; NULL: neither http nor https. */
static const char *after_scheme(const char *url, uint16_t *ret_port)
{
    if (strncmp(url, "http://", 7) == 0) {
        *ret_port = 80;
        return url + 7;
    }
    if (strncmp(url, "https://", 8) == 0) {
        *ret_port = 443;
        return url + 8;
    }
    return NULL;
}

static bool take_port(const char *text, size_t len, uint16_t *ret_port)
{
    unsigned port = 0;
    if (len == 0 || len > 5 || strspn(text, "0123456789") < len)
        return false;
    for (size_t i = 0; i < len; i++)
        port = port * 10 + (unsigned)(text[i] - '0');
    if (port == 0 || port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool take_host(const char *host, size_t len, const char *letters, struct probe_url *ret_url)
{
    if (len == 0 || len > PROBE_HOST_MAX || strspn(host, letters) < len)
        return false;
    memcpy(ret_url->host, host, len);
    ret_url->host[len] = '\0';
    return true;
}

static bool take_authority(const char *at, struct probe_url *ret_url)
{
    size_t len = strcspn(at, "/?#");
    const char *end = at + len;
    bool bracketed = *at == '[';
    const char *host = bracketed ? at + 1 : at;
    const char *host_end = memchr(at, bracketed ? ']' : ':', len);
    if (!host_end && bracketed)
        return false;
    if (!host_end)
        host_end = end;
    if (!take_host(host, (size_t)(host_end - host), bracketed ? ip6_letters : name_letters, ret_url))
        return false;
    if (bracketed)
        host_end++;
    if (host_end == end)
        return true;
    return *host_end == ':' && take_port(host_end + 1, (size_t)(end - host_end - 1), &ret_url->port);
}

int probe_url_parse(const char *url, struct probe_url *ret_url, char *problem, size_t problem_size)
{
    static const char advice[] = "write one such as http://relay:8080/health";
    struct probe_url parsed = {.port = 0};
    const char *authority = is_printable(url) ? after_scheme(url, &parsed.port) : NULL;
    const char *text = authority ? authority : url; /* without an authority a user may stand anywhere */
    if (memchr(text, '@', strcspn(text, "/?#"))) {
        (void)snprintf(problem, problem_size, "the health address holds a user or password: %s", advice);
        return ERR_SYNTAX;
    }
    if (!authority || !take_authority(authority, &parsed)) {
        (void)snprintf(problem, problem_size, "\"%.180s\" is no http:// or https:// address: %s", url,
                       advice);
        return ERR_SYNTAX;
    }
    *ret_url = parsed;
    return 0;
}

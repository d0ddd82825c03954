/* Hosts. Addresses are read by inet_pton alone: its forms are the ones that mean the same everywhere (127.1
 * and 0x7f.0.0.1 do not). Nothing can fail.
 */
#include "http/http_host.h"

#include <arpa/inet.h>
#include <string.h>

#include "http/http_text.h"

#define NAME_MAX_BYTES 253 /* RFC 1035 2.3.4 */

static bool is_address(int family, struct part text)
{
    unsigned char address[sizeof(struct in6_addr)];
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.bytes, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, address) == 1;
}

static bool is_name_char(char c)
{
    char lower = http_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Labels that are not empty, with dots between them. */
static bool is_name(struct part text)
{
    bool label = false;
    for (size_t i = 0; i < text.len; i++) {
        bool dot = text.bytes[i] == '.';
        if (dot ? !label : !is_name_char(text.bytes[i]))
            return false;
        label = !dot;
    }
    return label && text.len <= NAME_MAX_BYTES;
}

/* ":PORT", or nothing. */
static bool parse_port(struct part text, uint16_t *ret_port)
{
    uint64_t port = 0;
    if (text.len > 0 &&
        (text.bytes[0] != ':' || text.len > 6 ||
         !http_text_number((struct part){text.bytes + 1, text.len - 1}, &port) || port == 0 || port > 65535))
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

/* "[...]" and what follows it. */
static bool parse_bracketed(struct part text, struct http_host *h, struct part *ret_rest)
{
    const char *end = memchr(text.bytes, ']', text.len);
    if (!end)
        return false;
    h->kind = HTTP_HOST_IPV6;
    h->name = (struct part){text.bytes + 1, (size_t)(end - text.bytes) - 1};
    *ret_rest = (struct part){end + 1, text.len - h->name.len - 2};
    return is_address(AF_INET6, h->name);
}

static bool parse_plain(struct part text, struct http_host *h, struct part *ret_rest)
{
    const char *colon = memchr(text.bytes, ':', text.len);
    size_t len = colon ? (size_t)(colon - text.bytes) : text.len;
    *ret_rest = (struct part){text.bytes + len, text.len - len};
    len -= len > 1 && text.bytes[len - 1] == '.';
    h->name = (struct part){text.bytes, len};
    h->kind = is_address(AF_INET, h->name) ? HTTP_HOST_IPV4 : HTTP_HOST_NAME;
    return is_name(h->name);
}

bool http_host_parse(struct part text, struct http_host *ret_host)
{
    struct http_host h = {.port = 0};
    struct part rest;
    if (text.len == 0)
        return false;
    if (!(text.bytes[0] == '[' ? parse_bracketed(text, &h, &rest) : parse_plain(text, &h, &rest)) ||
        !parse_port(rest, &h.port))
        return false;
    *ret_host = h;
    return true;
}

static bool is_below_localhost(const struct http_host *host)
{
    return host->kind == HTTP_HOST_NAME && http_text_ends_with(host->name, ".localhost");
}

/* Of any spelling: ::1 is 0:0:0:0:0:0:0:1 too. */
static bool is_ipv6_loopback(struct part name)
{
    struct in6_addr address;
    char copy[INET6_ADDRSTRLEN];
    memcpy(copy, name.bytes, name.len);
    copy[name.len] = '\0';
    return inet_pton(AF_INET6, copy, &address) == 1 && IN6_IS_ADDR_LOOPBACK(&address);
}

bool http_host_is_loopback(const struct http_host *host)
{
    switch (host->kind) {
    case HTTP_HOST_IPV4:
        return host->name.len > 4 && memcmp(host->name.bytes, "127.", 4) == 0;
    case HTTP_HOST_IPV6:
        return is_ipv6_loopback(host->name);
    case HTTP_HOST_NAME:
        break;
    }
    return http_text_is(host->name, "localhost") || is_below_localhost(host);
}

bool http_host_is_private(const struct http_host *host)
{
    return host->kind != HTTP_HOST_NAME || !memchr(host->name.bytes, '.', host->name.len) ||
           is_below_localhost(host);
}

bool http_origin_parse(struct part text, struct http_host *ret_host)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t len = strlen(schemes[i]);
        if (text.len > len && http_text_is((struct part){text.bytes, len}, schemes[i]))
            return http_host_parse((struct part){text.bytes + len, text.len - len}, ret_host);
    }
    return false;
}

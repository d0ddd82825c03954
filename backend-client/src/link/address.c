/* The relay's address.
 *
 * Happy path: unix:PATH is taken as the relay's own --listen takes it; everything else is host and port, with
 * or without tcp:// before them, the default port where none is named.
 *
 * Failure modes: each text that is no address is refused with what to write instead. Nothing is guessed: bare
 * IPv6 addresses need brackets (which colon is the port's?), a lone number is no host (the resolver would
 * take 9500 for 0.0.37.28), blanks, paths and user names are refused rather than dropped. A scheme that the
 * relay will speak one day gets another text than one that it never will.
 */
#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/text_builder.h"
#include "wire/text.h"

#define SHOWN_BYTES 80

/* What is being parsed, and where to say what is wrong with it. */
struct parser {
    struct address *address;
    char *problem;
    size_t problem_size;
};

__attribute__((format(printf, 3, 4))) static int refuse(const struct parser *p, int rc, const char *format,
                                                        ...)
{
    char why[256];
    struct text_builder s;
    va_list args;
    if (!p->problem || p->problem_size == 0)
        return rc;
    va_start(args, format);
    (void)vsnprintf(why, sizeof(why), format, args);
    va_end(args);
    text_builder_begin(&s, p->problem, p->problem_size);
    text_builder_add(&s, "\"");
    text_builder_quote(&s, p->address->text, strlen(p->address->text), SHOWN_BYTES);
    text_builder_addf(&s, "\" %s", why);
    return rc;
}

/* ---- the text as a whole ---- */

/* Control characters or broken UTF-8 would end up in every error text, and are typing errors anyway. */
static bool is_printable(const char *text)
{
    while (*text != '\0') {
        size_t len = 1;
        if ((unsigned char)*text >= 0x80)
            len = text_sequence(text);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            len = 0;
        if (len == 0)
            return false;
        text += len;
    }
    return true;
}

static bool has_scheme(const char *text, const char *scheme)
{
    size_t len = strlen(scheme);
    return strncasecmp(text, scheme, len) == 0 && strncmp(text + len, "://", 3) == 0;
}

/* Names the scheme that is refused; `rest` is what stands behind it. */
static int refuse_scheme(const struct parser *p, const char *text)
{
    static const char *const planned[] = {"tls", "ws", "wss"};
    const char *rest = strstr(text, "://") + 3;
    int shown = (int)strcspn(rest, "/");
    if (shown > SHOWN_BYTES)
        shown = SHOWN_BYTES;
    for (size_t i = 0; i < sizeof(planned) / sizeof(planned[0]); i++) {
        if (has_scheme(text, planned[i]))
            return refuse(p, ERR_TYPE, "asks for %s://, which is not yet built in; write tcp://%.*s",
                          planned[i], shown, rest);
    }
    if (has_scheme(text, "http") || has_scheme(text, "https"))
        return refuse(p, ERR_TYPE,
                      "is a web address, and the relay's port speaks JSON-RPC in lines; write tcp://%.*s",
                      shown, rest);
    return refuse(p, ERR_TYPE, "has an unknown scheme; write tcp://HOST:PORT or unix:PATH");
}

/* ---- unix: ---- */

static int parse_unix(const struct parser *p, const char *path)
{
    struct address *a = p->address;
    size_t len = strlen(path);
    if (len == 0)
        return refuse(p, ERR_SYNTAX, "has no path; write unix:/run/agent-relay.sock");
    if (len >= sizeof(a->path))
        return refuse(p, ERR_TOO_LARGE, "has a path of %zu bytes; a Unix socket's path has at most %zu", len,
                      sizeof(a->path) - 1);
    a->kind = ADDRESS_UNIX;
    memcpy(a->path, path, len + 1);
    return 0;
}

/* ---- host and port ---- */

static bool is_made_of(const char *text, size_t len, const char *allowed)
{
    return len > 0 && strspn(text, allowed) >= len;
}

#define DIGITS     "0123456789"
#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" DIGITS "-._"

static int parse_port(const struct parser *p, const char *text)
{
    unsigned long port = 0;
    if (!is_made_of(text, strlen(text), DIGITS))
        return refuse(p, ERR_SYNTAX, "has no port number behind the last colon; write HOST:%d",
                      ADDRESS_DEFAULT_PORT);
    for (; *text != '\0' && port <= UINT16_MAX; text++)
        port = port * 10 + (unsigned long)(*text - '0');
    if (port == 0 || port > UINT16_MAX)
        return refuse(p, ERR_RANGE, "has a port that is not between 1 and 65535; the relay's default is %d",
                      ADDRESS_DEFAULT_PORT);
    p->address->port = (uint16_t)port;
    return 0;
}

/* What stands behind the host: nothing, or a colon and the port. */
static int parse_rest(const struct parser *p, const char *rest)
{
    p->address->port = ADDRESS_DEFAULT_PORT;
    if (*rest == '\0')
        return 0;
    if (*rest != ':')
        return refuse(p, ERR_SYNTAX, "has more than an address in the brackets; write [::1]:%d",
                      ADDRESS_DEFAULT_PORT);
    return parse_port(p, rest + 1);
}

static void take_host(const struct parser *p, const char *host, size_t len)
{
    p->address->kind = ADDRESS_TCP;
    memcpy(p->address->host, host, len);
    p->address->host[len] = '\0';
}

/* An address, and perhaps a zone: fe80::1%eth0. */
static bool is_ipv6(const char *text, size_t len)
{
    char numeric[INET6_ADDRSTRLEN];
    struct in6_addr unused;
    const char *percent = memchr(text, '%', len);
    size_t numeric_len = percent ? (size_t)(percent - text) : len;
    size_t zone_len = percent ? len - numeric_len - 1 : 0;
    if (numeric_len >= sizeof(numeric) || zone_len >= IF_NAMESIZE)
        return false;
    if (percent && !is_made_of(percent + 1, zone_len, NAME_CHARS))
        return false;
    memcpy(numeric, text, numeric_len);
    numeric[numeric_len] = '\0';
    return inet_pton(AF_INET6, numeric, &unused) == 1;
}

static int parse_bracketed(const struct parser *p, const char *text)
{
    const char *end = strchr(text, ']');
    if (!end || !is_ipv6(text + 1, (size_t)(end - text - 1)))
        return refuse(p, ERR_SYNTAX, "has no IPv6 address in its brackets; write [::1]:%d",
                      ADDRESS_DEFAULT_PORT);
    take_host(p, text + 1, (size_t)(end - text - 1));
    return parse_rest(p, end + 1);
}

static int parse_named(const struct parser *p, const char *text)
{
    size_t len = strcspn(text, ":");
    const char *rest = text + len;
    if (strchr(rest, ':') != strrchr(rest, ':'))
        return refuse(p, ERR_SYNTAX,
                      "has more than one colon; write HOST:PORT, or an IPv6 address in brackets: [::1]:%d",
                      ADDRESS_DEFAULT_PORT);
    if (len == 0)
        return refuse(p, ERR_SYNTAX, "has no host; write HOST:PORT, for this machine %s",
                      ADDRESS_DEFAULT_TEXT);
    if (is_made_of(text, len, DIGITS))
        return refuse(p, ERR_SYNTAX, "names no host but a number; write HOST:PORT, for this machine %s",
                      ADDRESS_DEFAULT_TEXT);
    if (!is_made_of(text, len, NAME_CHARS))
        return refuse(
            p, ERR_SYNTAX,
            "has something in its host that no host name has; write HOST:PORT and nothing around it");
    if (len >= sizeof(p->address->host))
        return refuse(p, ERR_TOO_LARGE, "has a host of %zu bytes; host names have at most %zu", len,
                      sizeof(p->address->host) - 1);
    take_host(p, text, len);
    return parse_rest(p, rest);
}

static int parse(const struct parser *p, const char *text)
{
    if (!is_printable(text))
        return refuse(p, ERR_SYNTAX,
                      "holds control characters, or is not UTF-8; write HOST:PORT or unix:PATH");
    if (strncmp(text, "unix:", 5) == 0)
        return parse_unix(p, text + 5);
    if (has_scheme(text, "tcp"))
        text += strlen("tcp://");
    else if (strstr(text, "://"))
        return refuse_scheme(p, text);
    if (*text == '\0')
        return refuse(p, ERR_SYNTAX, "names no relay; write HOST:PORT (default: %s) or unix:PATH",
                      ADDRESS_DEFAULT_TEXT);
    const char *slash = strchr(text, '/');
    if (slash == text)
        return refuse(p, ERR_SYNTAX, "is a path; write unix:PATH for a Unix socket");
    if (slash)
        return refuse(p, ERR_SYNTAX, "has a path; write %.*s, or unix:PATH for a Unix socket",
                      slash - text < SHOWN_BYTES ? (int)(slash - text) : SHOWN_BYTES, text);
    return text[0] == '[' ? parse_bracketed(p, text) : parse_named(p, text);
}

int address_parse(const char *text, struct address *ret_address, char *problem, size_t problem_size)
{
    struct address a = {0};
    const struct parser p = {.address = &a, .problem = problem, .problem_size = problem_size};
    size_t len = strnlen(text, sizeof(a.text));
    bool fits = len < sizeof(a.text);
    memcpy(a.text, text, fits ? len : sizeof(a.text) - 1);
    int rc = fits ? parse(&p, text)
                  : refuse(&p, ERR_TOO_LARGE, "is longer than %zu bytes; write HOST:PORT or unix:PATH",
                           sizeof(a.text) - 1);
    if (rc == 0)
        *ret_address = a;
    return rc;
}

/* Listen entries: ADDR or ADDR=SERVER, with ADDR one of HOST:PORT, [IPV6]:PORT, :PORT, unix:PATH. Names are
 * resolved by the listener, not here. A problem names the fault and the correct form.
 */
#include "config/config_internal.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#include "base/alloc.h"

/* An address in pieces of the text. */
struct address {
    const char *host;
    size_t host_len;
    const char *path;
    size_t path_len;
    const char *server; /* NULL: none */
    uint16_t port;
};

#define UNIX_PATH_MAX_BYTES (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

static bool parse_port(const char *text, size_t len, uint16_t *ret_port)
{
    unsigned port = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    if (port > UINT16_MAX)
        return false;
    *ret_port = (uint16_t)port;
    return true;
}

static bool is_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
    }
    return len > 0;
}

static bool parse_unix(struct loader *l, struct place at, const char *text, size_t len, struct address *ret)
{
    ret->path = text + strlen("unix:");
    ret->path_len = len - strlen("unix:");
    if (ret->path_len == 0) {
        loader_problem(l, at, "has no path; write unix:/run/agent-relay.sock");
        return false;
    }
    if (ret->path_len > UNIX_PATH_MAX_BYTES) {
        loader_problem(l, at, "has a path of %zu bytes; a Unix socket's path has at most %zu", ret->path_len,
                       UNIX_PATH_MAX_BYTES);
        return false;
    }
    return true;
}

/* Splits at the colon before the port; an IPv6 address must be in brackets, or the split would be ambiguous. */
static bool parse_tcp(struct loader *l, struct place at, const char *text, size_t len, struct address *ret)
{
    int shown = len < 100 ? (int)len : 100;
    const char *colon = memrchr(text, ':', len);
    if (!colon && is_digits(text, len)) {
        loader_problem(l, at, "\"%.*s\" has no host; write 127.0.0.1:%.*s, or :%.*s for every interface",
                       shown, text, shown, text, shown, text);
        return false;
    }
    if (!colon) {
        loader_problem(l, at, "\"%.*s\" has no port; write %.*s:9500", shown, text, shown, text);
        return false;
    }
    ret->host = text;
    ret->host_len = (size_t)(colon - text);
    bool bracketed = ret->host_len >= 2 && text[0] == '[' && colon[-1] == ']';
    if (!bracketed && memchr(text, ':', ret->host_len)) {
        loader_problem(l, at, "\"%.*s\" is not HOST:PORT; an IPv6 address stands in brackets: [::1]:9500",
                       shown, text);
        return false;
    }
    if (bracketed) {
        ret->host++;
        ret->host_len -= 2;
    }
    if (!parse_port(colon + 1, len - (size_t)(colon + 1 - text), &ret->port)) {
        loader_problem(l, at, "\"%.*s\" has no port between 0 and 65535 behind its last colon", shown, text);
        return false;
    }
    return true;
}

static bool parse_address(struct loader *l, struct place at, const char *text, struct address *ret)
{
    size_t len = strlen(text);
    const char *equals = strrchr(text, '=');
    if (equals) {
        ret->server = equals + 1;
        len = (size_t)(equals - text);
        if (ret->server[0] == '\0') {
            loader_problem(l, at, "\"%.100s\" names no server behind the =", text);
            return false;
        }
    }
    if (strncmp(text, "tcp://", 6) == 0) {
        loader_problem(l, at, "\"%.100s\" is not an address; write it without tcp://", text);
        return false;
    }
    if (len >= 5 && strncmp(text, "unix:", 5) == 0)
        return parse_unix(l, at, text, len, ret);
    return parse_tcp(l, at, text, len, ret);
}

static bool fill_entry(struct loader *l, const char *text, const struct address *a,
                       struct listen_entry *ret_entry)
{
    ret_entry->text = loader_strdup(l, text);
    if (a->path)
        ret_entry->path = mem_strndup(a->path, a->path_len);
    else if (a->host_len == 0)
        ret_entry->host = mem_strdup("0.0.0.0");
    else
        ret_entry->host = mem_strndup(a->host, a->host_len);
    ret_entry->port = a->port;
    if (a->server)
        ret_entry->server = loader_strdup(l, a->server);
    if (!ret_entry->path && !ret_entry->host)
        l->no_memory = true;
    return !l->no_memory;
}

void loader_add_listen(struct loader *l, struct place at, const char *text)
{
    struct address a = {0};
    if (!parse_address(l, at, text, &a))
        return;
    struct config *c = l->c;
    struct listen_entry *longer = mem_realloc(c->listen, (c->listen_count + 1) * sizeof(*longer));
    if (!longer) {
        l->no_memory = true;
        return;
    }
    c->listen = longer;
    struct listen_entry entry = {0};
    if (fill_entry(l, text, &a, &entry))
        c->listen[c->listen_count++] = entry;
    else
        listen_entry_done(&entry);
}

void listen_entry_done(struct listen_entry *entry)
{
    mem_free(entry->text);
    mem_free(entry->host);
    mem_free(entry->path);
    mem_free(entry->server);
}

bool listen_entry_is_loopback(const struct listen_entry *entry)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (!entry->host || strcasecmp(entry->host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, entry->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, entry->host, &v6) != 1)
        return false;
    if (IN6_IS_ADDR_V4MAPPED(&v6))
        return v6.s6_addr[12] == 127;
    return IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Binding TCP addresses, and one sentence for whatever goes wrong.
 *
 * Numeric addresses are read without the resolver; a name is resolved once, at start. With port 0 the first
 * address gets a port from the kernel and the others of the entry follow it.
 */
#include "front/bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/bind_unix.h"
#include "front/peer.h"

static int set_on(int fd, int level, int option)
{
    int on = 1;
    return setsockopt(fd, level, option, &on, sizeof(on)) == 0 ? 0 : -errno;
}

static void set_port(struct sockaddr *address, in_port_t port)
{
    if (address->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)(void *)address)->sin6_port = port;
    else
        ((struct sockaddr_in *)(void *)address)->sin_port = port;
}

static in_port_t get_port(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6)
        return ((const struct sockaddr_in6 *)(const void *)address)->sin6_port;
    return ((const struct sockaddr_in *)(const void *)address)->sin_port;
}

static int open_listening(int fd, const struct addrinfo *a)
{
    int rc = set_on(fd, SOL_SOCKET, SO_REUSEADDR);
    /* An IPv6 wildcard takes IPv6 alone, so that the same port may be listed for IPv4 beside it. */
    if (rc == 0 && a->ai_family == AF_INET6)
        rc = set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    if (rc != 0)
        return rc;
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0)
        return -errno;
    return 0;
}

static int bind_tcp(const struct addrinfo *a, struct bound *ret_bound)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } name = {.v6 = {0}};
    socklen_t len = sizeof(name);
    int rc = open_listening(fd, a);
    if (rc == 0 && getsockname(fd, &name.any, &len) != 0)
        rc = -errno;
    if (rc != 0) {
        close(fd);
        return rc;
    }
    *ret_bound = (struct bound){.fd = fd, .is_exposed = !peer_is_loopback(&name.any)};
    peer_format(&name.any, ret_bound->address, sizeof(ret_bound->address));
    set_port(a->ai_addr, get_port(&name.any));
    return 0;
}

static int resolve(const struct listen_entry *entry, struct addrinfo **ret_list)
{
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)entry->port);
    const char *host =
        entry->host && entry->host[0] != '\0' && strcmp(entry->host, "*") != 0 ? entry->host : NULL;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV | AI_NUMERICHOST};
    int rc = getaddrinfo(host, port, &hints, ret_list);
    if (rc == EAI_NONAME && host) {
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
        rc = getaddrinfo(host, port, &hints, ret_list);
    }
    return rc;
}

/* A family that this machine lacks does not matter while another of the entry's addresses can be had. */
static bool is_tolerable(int rc)
{
    return rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL;
}

static void say(struct bind_error *error, const char *text, const char *why)
{
    (void)snprintf(error->text, sizeof(error->text), "cannot listen on %s: %s", text, why);
    /* The C library's texts begin with a capital. */
    char *first = error->text + strlen("cannot listen on ") + strlen(text) + strlen(": ");
    if (first < error->text + sizeof(error->text) && *first >= 'A' && *first <= 'Z' && first[1] >= 'a')
        *first = (char)(*first - 'A' + 'a');
}

/* As written, without "=SERVER". */
static const char *entry_address(const struct listen_entry *entry, char *out, size_t cap)
{
    if (entry->path)
        (void)snprintf(out, cap, "unix:%s", entry->path);
    else if (entry->host && strchr(entry->host, ':'))
        (void)snprintf(out, cap, "[%s]:%u", entry->host, (unsigned)entry->port);
    else
        (void)snprintf(out, cap, "%s:%u", entry->host ? entry->host : "", (unsigned)entry->port);
    return out;
}

static int bind_list(const struct addrinfo *list, struct bound *bound, size_t *ret_count)
{
    size_t count = 0;
    int last = -EADDRNOTAVAIL;
    in_port_t port = get_port(list->ai_addr);
    for (const struct addrinfo *a = list; a && count < BIND_MAX_ADDRESSES; a = a->ai_next) {
        set_port(a->ai_addr, port);
        int rc = bind_tcp(a, &bound[count]);
        if (rc == 0) {
            count++;
            port = get_port(a->ai_addr);
        } else if (!is_tolerable(rc)) {
            while (count > 0)
                bind_release(&bound[--count]);
            return rc;
        } else {
            last = rc;
        }
    }
    *ret_count = count;
    return count > 0 ? 0 : last;
}

int bind_entry(const struct listen_entry *entry, struct bound *ret_bound, size_t *ret_count,
               struct bind_error *ret_error)
{
    char text[300];
    entry_address(entry, text, sizeof(text));
    int rc;
    if (entry->path) {
        rc = bind_unix(entry->path, ret_bound);
        if (rc == 0)
            *ret_count = 1;
        if (rc == -ENOTSOCK)
            say(ret_error, text, "the file exists and is no socket");
        else if (rc == -EAGAIN)
            say(ret_error, text, "another process keeps the folder locked");
        else if (rc != 0)
            say(ret_error, text, strerror(-rc));
        return rc;
    }
    struct addrinfo *list;
    rc = resolve(entry, &list);
    if (rc != 0) {
        say(ret_error, text, gai_strerror(rc));
        return -EADDRNOTAVAIL;
    }
    rc = bind_list(list, ret_bound, ret_count);
    freeaddrinfo(list);
    if (rc != 0)
        say(ret_error, text, strerror(-rc));
    return rc;
}

void bind_release(struct bound *b)
{
    if (b->fd < 0)
        return;
    close(b->fd);
    b->fd = -1;
    if (b->is_unix)
        bind_unix_release(b);
}

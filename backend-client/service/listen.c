/* The address that the service listens on.
 *
 * Purpose: parse HOST:PORT, resolve, bind, listen; and for the health check connect to the same text. Failure
 * modes: an invalid address is a usage error; a name without address, a port in use or not allowed is an
 * error of the system, reported with the address and a suggestion.
 */
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define BACKLOG 1024

static bool good_port(const char *port)
{
    size_t len = strlen(port);
    if (len == 0 || len > 5 || strspn(port, "0123456789") != len)
        return false;
    return strtol(port, NULL, 10) <= 65535;
}

enum listen_result listen_parse(const char *text, struct listen_address *ret,
                                char problem[LISTEN_PROBLEM_SIZE])
{
    const char *colon = strrchr(text, ':');
    const char *host = text;
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        host++;
        len -= 2;
    } else if (colon && memchr(text, ':', len)) {
        len = 0; /* several colons and no brackets */
    }
    if (len > 0 && len < sizeof(ret->host) && good_port(colon + 1)) {
        (void)snprintf(ret->host, sizeof(ret->host), "%.*s", (int)len, host);
        (void)snprintf(ret->port, sizeof(ret->port), "%s", colon + 1);
        return LISTEN_OK;
    }
    (void)snprintf(
        problem, LISTEN_PROBLEM_SIZE,
        "\"%.100s\" is no address to listen on; write HOST:PORT, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080",
        text);
    return LISTEN_BAD_ADDRESS;
}

static enum listen_result resolve(const char *text, bool passive, struct addrinfo **ret_list, char *problem)
{
    struct listen_address address;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0)};
    if (listen_parse(text, &address, problem) != LISTEN_OK)
        return LISTEN_BAD_ADDRESS;
    int rc = getaddrinfo(address.host, address.port, &hints, ret_list);
    if (rc == 0)
        return LISTEN_OK;
    (void)snprintf(problem, LISTEN_PROBLEM_SIZE,
                   "\"%.100s\": %s; write an address of this machine, such as 127.0.0.1", address.host,
                   gai_strerror(rc));
    return LISTEN_REFUSED;
}

static void say_where(int fd, char where[LISTEN_WHERE_SIZE])
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    char host[INET6_ADDRSTRLEN] = "?";
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)&address;
    memset(&address, 0, sizeof(address));
    if (getsockname(fd, (struct sockaddr *)(void *)&address, &len) == 0 && address.ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        (void)snprintf(where, LISTEN_WHERE_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
    } else {
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        (void)snprintf(where, LISTEN_WHERE_SIZE, "%s:%u", host, ntohs(v4->sin_port));
    }
}

bool listen_is_loopback(int fd)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof(address);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)&address;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)&address)->sin6_addr;
    memset(&address, 0, sizeof(address));
    if (getsockname(fd, (struct sockaddr *)(void *)&address, &len) != 0)
        return false;
    if (address.ss_family == AF_INET)
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    return address.ss_family == AF_INET6 &&
           (IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == IN_LOOPBACKNET));
}

/* A socket bound and listening, or -1 with errno. */
static int bind_one(const struct addrinfo *at)
{
    int yes = 1;
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, at->ai_protocol);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

static void say_refusal(const char *text, int reason, char *problem)
{
    const char *advice = reason == EADDRINUSE
                             ? "something else listens there: end it, or choose another with --listen"
                         : reason == EACCES ? "choose a port above 1023 with --listen"
                                            : "choose an address of this machine with --listen";
    (void)snprintf(problem, LISTEN_PROBLEM_SIZE, "cannot listen on %.100s: %s; %s", text, strerror(reason),
                   advice);
}

enum listen_result listen_open(const char *text, int *ret_fd, char where[LISTEN_WHERE_SIZE],
                               char problem[LISTEN_PROBLEM_SIZE])
{
    struct addrinfo *list;
    enum listen_result result = resolve(text, true, &list, problem);
    if (result != LISTEN_OK)
        return result;
    int fd = -1;
    int reason = 0;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next) {
        fd = bind_one(at);
        reason = reason ? reason : errno; /* the first address is the one that was meant */
    }
    freeaddrinfo(list);
    if (fd < 0) {
        say_refusal(text, reason, problem);
        return LISTEN_REFUSED;
    }
    say_where(fd, where);
    *ret_fd = fd;
    return LISTEN_OK;
}

/* ---- the other end ---- */

static int connect_one(const struct addrinfo *at, unsigned timeout_ms)
{
    struct timeval patience = {.tv_sec = timeout_ms / 1000,
                               .tv_usec = (suseconds_t)(timeout_ms % 1000) * 1000};
    int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* bounds connect too */
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

/* What listens on every address is reached through loopback: Linux takes the any-address for it. */
enum listen_result listen_connect(const char *text, unsigned timeout_ms, int *ret_fd,
                                  char problem[LISTEN_PROBLEM_SIZE])
{
    struct addrinfo *list;
    enum listen_result result = resolve(text, false, &list, problem);
    if (result != LISTEN_OK)
        return result;
    int fd = -1;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_one(at, timeout_ms);
    int reason = errno;
    freeaddrinfo(list);
    if (fd >= 0) {
        *ret_fd = fd;
        return LISTEN_OK;
    }
    (void)snprintf(problem, LISTEN_PROBLEM_SIZE, "nothing answers at %.100s: %s", text, strerror(reason));
    return LISTEN_REFUSED;
}

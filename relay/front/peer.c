/* Addresses as text. A Unix peer has no address worth showing; the kernel knows its process instead. */
#include "front/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

void peer_format(const struct sockaddr *address, char *out, size_t cap)
{
    char host[INET6_ADDRSTRLEN] = "?";
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
        (void)snprintf(out, cap, "%s:%u", host, (unsigned)ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
        (void)snprintf(out, cap, "[%s]:%u", host, (unsigned)ntohs(v6->sin6_port));
    } else {
        (void)snprintf(out, cap, "?");
    }
}

bool peer_is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
    }
    if (address->sa_family != AF_INET6)
        return false;
    const struct in6_addr *v6 = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == 127);
}

struct peer_key peer_key_of(const struct sockaddr *address)
{
    struct peer_key key = {.kind = PEER_ADDRESS};
    if (address->sa_family == AF_INET) {
        static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        memcpy(key.bytes, mapped, sizeof(mapped));
        memcpy(key.bytes + sizeof(mapped), &v4->sin_addr, 4);
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
        bool is_whole = IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) || IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr);
        memcpy(key.bytes, &v6->sin6_addr, is_whole ? 16 : 8);
        key.scope = IN6_IS_ADDR_LINKLOCAL(&v6->sin6_addr) ? v6->sin6_scope_id : 0;
    }
    return key;
}

void peer_of(int fd, const struct sockaddr *address, struct session_origin *ret_origin)
{
    if (address->sa_family != AF_UNIX) {
        ret_origin->family = SESSION_TCP;
        ret_origin->key = peer_key_of(address);
        ret_origin->local = peer_is_loopback(address);
        peer_format(address, ret_origin->peer, sizeof(ret_origin->peer));
        return;
    }
    ret_origin->family = SESSION_UNIX;
    ret_origin->local = true;
    ret_origin->key = (struct peer_key){.kind = PEER_USER};
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof(who);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0)
        (void)snprintf(ret_origin->peer, sizeof(ret_origin->peer), "unix:pid=%ld,uid=%lu", (long)who.pid,
                       (unsigned long)who.uid);
    else
        (void)snprintf(ret_origin->peer, sizeof(ret_origin->peer), "unix");
    memcpy(ret_origin->key.bytes, &who.uid, sizeof(who.uid));
}

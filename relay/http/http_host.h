/* Whom a request is sent to: HOST[:PORT], of the Host field, of an absolute request target, of an Origin.
 * Pure. */
#ifndef HTTP_HOST_H
#define HTTP_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/part.h"

enum http_host_kind {
    HTTP_HOST_NAME,
    HTTP_HOST_IPV4, /* four decimal numbers */
    HTTP_HOST_IPV6, /* in brackets; without a zone */
};

struct http_host {
    struct part name; /* borrowed; an IPv6 address without its brackets, a name without a dot at its end */
    enum http_host_kind kind;
    uint16_t port; /* 0: none stands there */
};

/* false: it is no host: empty, a name with anything but letters, digits, - _ and dots (or with an empty
 * label), a malformed address, a port that is empty or not from 1 to 65535, user information. */
bool http_host_parse(struct part text, struct http_host *ret_host);
/* localhost, a name below .localhost (RFC 6761 6.3), 127.0.0.0/8, ::1. */
bool http_host_is_loopback(const struct http_host *host);
/* No public name can be made to mean such a host: an address, a name of one label, or one below .localhost.
 * */
bool http_host_is_private(const struct http_host *host);

/* scheme://HOST[:PORT] of http or https, as a browser writes it in Origin. false: anything else. */
bool http_origin_parse(struct part text, struct http_host *ret_host);

#endif

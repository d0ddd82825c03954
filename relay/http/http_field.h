/* The fields that HTTP itself, the web's rules and WebSocket ask about: known by number once the head is
 * parsed. Pure. */
#ifndef HTTP_FIELD_H
#define HTTP_FIELD_H

#include <stdbool.h>

#include "base/part.h"

/* X(NAME, "lower-case name", once): sorted by the name's length. `once`: a second field of the name is
 * refused (400), since readers differ in which of the two they take; the others are lists, and may be
 * spread over several. */
#define HTTP_FIELDS(X)                                                                                       \
    X(TE, "te", false)                                                                                       \
    X(HOST, "host", true)                                                                                    \
    X(ALLOW, "allow", false)                                                                                 \
    X(ACCEPT, "accept", false)                                                                               \
    X(COOKIE, "cookie", false)                                                                               \
    X(EXPECT, "expect", true)                                                                                \
    X(ORIGIN, "origin", true)                                                                                \
    X(UPGRADE, "upgrade", false)                                                                             \
    X(TRAILER, "trailer", false)                                                                             \
    X(X_API_KEY, "x-api-key", true)                                                                          \
    X(CONNECTION, "connection", false)                                                                       \
    X(USER_AGENT, "user-agent", true)                                                                        \
    X(CONTENT_TYPE, "content-type", true)                                                                    \
    X(AUTHORIZATION, "authorization", true)                                                                  \
    X(IF_NONE_MATCH, "if-none-match", false)                                                                 \
    X(LAST_EVENT_ID, "last-event-id", true)                                                                  \
    X(CONTENT_LENGTH, "content-length", true)                                                                \
    X(CONTENT_ENCODING, "content-encoding", true)                                                            \
    X(TRANSFER_ENCODING, "transfer-encoding", true)                                                          \
    X(SEC_WEBSOCKET_KEY, "sec-websocket-key", true)                                                          \
    X(SEC_WEBSOCKET_ACCEPT, "sec-websocket-accept", true)                                                    \
    X(SEC_WEBSOCKET_VERSION, "sec-websocket-version", true)                                                  \
    X(SEC_WEBSOCKET_PROTOCOL, "sec-websocket-protocol", false)                                               \
    X(SEC_WEBSOCKET_EXTENSIONS, "sec-websocket-extensions", false)                                           \
    X(AC_REQUEST_METHOD, "access-control-request-method", true)                                              \
    X(AC_REQUEST_HEADERS, "access-control-request-headers", false)

enum http_field_id {
#define X(name, text, once) HTTP_FIELD_##name,
    HTTP_FIELDS(X)
#undef X
        HTTP_FIELD_COUNT,
    HTTP_FIELD_UNKNOWN = HTTP_FIELD_COUNT
};

enum http_field_id http_field_find(struct part name);
/* The sentence for a second one, "The field host stands twice."; NULL where it may stand more often. */
const char *http_field_twice(enum http_field_id id);
const char *http_field_name(enum http_field_id id);

#endif

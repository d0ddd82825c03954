/* The JSON-RPC errors that the relay itself originates, in one table that code, tests and documentation
 * read. The codes of its own lie outside the reserved range, as the allocation policy of MCP 2026-07-28 asks.
 */
#ifndef WIRE_RPC_ERROR_H
#define WIRE_RPC_ERROR_H

#include <stdbool.h>

/* X(name, code, message) */
#define RPC_ERRORS(X)                                                                                        \
    X(PARSE_ERROR, -32700, "Parse error")                                                                    \
    X(INVALID_REQUEST, -32600, "Invalid request")                                                            \
    X(METHOD_NOT_FOUND, -32601, "Method not found")                                                          \
    X(INVALID_PARAMS, -32602, "Invalid params")                                                              \
    X(SERVER_UNAVAILABLE, -31001, "Server unavailable")                                                      \
    X(TIMEOUT, -31002, "Request timed out")                                                                  \
    X(OVERLOADED, -31003, "Overloaded")                                                                      \
    X(RATE_LIMITED, -31004, "Rate limited")                                                                  \
    X(UNAUTHENTICATED, -31005, "Unauthenticated")                                                            \
    X(FORBIDDEN, -31006, "Forbidden")                                                                        \
    X(TOO_LARGE, -31007, "Message too large")                                                                \
    X(NO_SUCH_SERVER, -31008, "No such server")                                                              \
    X(DRAINING, -31009, "Relay is draining")                                                                 \
    X(CONNECTION_LOST, -31010, "Connection lost")                                                            \
    X(BAD_REPLY, -31011, "Bad reply from the server")

enum rpc_error {
#define X(name, code, message) RPC_E_##name = (code),
    RPC_ERRORS(X)
#undef X
};

/* "SERVER_UNAVAILABLE" for RPC_E_SERVER_UNAVAILABLE; NULL for a code that is not in the table. */
const char *rpc_error_name(int code);
/* The message that goes on the wire when there is nothing more precise to say. */
const char *rpc_error_message(int code);
/* The same request may succeed later, without any change by the peer: never once it had been sent to a server. */
bool rpc_error_is_retryable(int code, bool sent);

#endif

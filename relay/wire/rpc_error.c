/* Names and messages of the errors that the relay originates, out of the one table in rpc_error.h. A code
 * that is not in the table has no name (NULL) and the plain message "Error", so that an answer can always be
 * written.
 */
#include "wire/rpc_error.h"

#include <stddef.h>

const char *rpc_error_name(int code)
{
    switch (code) {
#define X(name, number, text)                                                                                \
    case number:                                                                                             \
        return #name;
        RPC_ERRORS(X)
#undef X
    default:
        return NULL;
    }
}

const char *rpc_error_message(int code)
{
    switch (code) {
#define X(name, number, text)                                                                                \
    case number:                                                                                             \
        return text;
        RPC_ERRORS(X)
#undef X
    default:
        return "Error";
    }
}

bool rpc_error_is_retryable(int code, bool sent)
{
    switch (code) {
    case RPC_E_SERVER_UNAVAILABLE:
    case RPC_E_TIMEOUT:
    case RPC_E_OVERLOADED:
    case RPC_E_RATE_LIMITED:
    case RPC_E_DRAINING:
        return !sent;
    default:
        return false;
    }
}

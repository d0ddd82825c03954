/* Whether a text is strict JSON in valid UTF-8: rpc_check_json as a yes or no. */
#ifndef TESTS_COMMON_STRICT_JSON_H
#define TESTS_COMMON_STRICT_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/rpc.h"

static inline bool is_strict_json(const char *bytes, size_t len)
{
    return rpc_check_json(bytes, len, NULL) == RPC_OK;
}

#endif

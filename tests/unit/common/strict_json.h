/* Whether a text is strict JSON in valid UTF-8: one word for what rpc_check_json says in detail. */
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

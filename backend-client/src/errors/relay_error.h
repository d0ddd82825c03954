/* The one reader of JSON-RPC error objects: the error that answers a call, initialize or a poll, and whether
 * the relay made it (data.relay) or the server behind it. Allocates nothing; accepts any input.
 */
#ifndef CLIENT_RELAY_ERROR_H
#define CLIENT_RELAY_ERROR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The limit of data.retryAfterMs; a longer one is cut to it. */
#define RELAY_ERROR_RETRY_MAX_MS UINT64_C(60000)

struct relay_error {
    bool valid; /* a JSON-RPC error object: strict JSON, with a code that is an integer */
    int code;   /* 0: not valid */
    /* Raw JSON text, borrowed from the error object; NULL: absent. */
    const char *message;
    size_t message_len;
    const char *data;
    size_t data_len;
    /* The relay's own error. All below is false, empty or 0 for a server's. */
    bool relay;
    char name[40];           /* data.code; "" where it is no name of capitals, digits and underscores */
    bool retryable;          /* the request may be sent again unchanged */
    bool sent;               /* the server may have received it; true where the member is absent */
    uint64_t retry_after_ms; /* 0: not given; at most RELAY_ERROR_RETRY_MAX_MS */
};

void relay_error_read(struct relay_error *ret_error, const char *json, size_t len);

#endif

/* The reader of JSON-RPC error objects.
 *
 * Happy path: the text is checked once, then one pass for each member of the result. Failure modes: a member
 * that is missing, huge or of another type counts as absent; text that is not an error object is not `valid`.
 */
#include "backend-client/src/errors/relay_error.h"

#include <string.h>

#include "wire/json_member.h"
#include "wire/rpc.h"

#define NO_NUMBER INT64_MIN

/* An object's text, and where a member of it is. */
struct object {
    const char *json;
    size_t len;
};

static bool find(const struct object *o, const char *key, const char **ret, size_t *ret_len)
{
    struct span value;
    if (!json_member_find(o->json, o->len, key, &value))
        return false;
    *ret = o->json + value.off;
    *ret_len = value.len;
    return true;
}

static bool member_is(const struct object *o, const char *key, const char *literal)
{
    const char *value;
    size_t len;
    return find(o, key, &value, &len) && len == strlen(literal) && memcmp(value, literal, len) == 0;
}

/* Whole numbers below 2^53; NO_NUMBER for anything else. */
static int64_t number_of(const struct object *o, const char *key)
{
    const char *lexeme;
    size_t len;
    uint64_t magnitude;
    if (!find(o, key, &lexeme, &len))
        return NO_NUMBER;
    bool negative = len > 0 && lexeme[0] == '-';
    if (!rpc_parse_id(lexeme + negative, len - negative, &magnitude))
        return NO_NUMBER;
    return negative ? -(int64_t)magnitude : (int64_t)magnitude;
}

/* An ill-formed name counts as absent. */
static void read_name(struct relay_error *e, const struct object *data)
{
    const char *quoted;
    size_t len;
    if (!find(data, "code", &quoted, &len))
        return;
    len = rpc_decode_string(quoted, len, e->name, sizeof(e->name) - 1);
    e->name[len == SIZE_MAX ? 0 : len] = '\0';
    if (strspn(e->name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != len)
        e->name[0] = '\0';
}

static void read_data(struct relay_error *e, const struct object *data)
{
    e->relay = member_is(data, "relay", "true");
    if (!e->relay)
        return;
    read_name(e, data);
    e->retryable = member_is(data, "retryable", "true");
    e->sent = !member_is(data, "sent", "false");
    int64_t after_ms = number_of(data, "retryAfterMs");
    if (after_ms > 0)
        e->retry_after_ms =
            (uint64_t)after_ms < RELAY_ERROR_RETRY_MAX_MS ? (uint64_t)after_ms : RELAY_ERROR_RETRY_MAX_MS;
}

void relay_error_read(struct relay_error *ret_error, const char *json, size_t len)
{
    const struct object root = {json, len};
    *ret_error = (struct relay_error){.valid = false};
    if (rpc_check_json(json, len, NULL) != RPC_OK)
        return;
    int64_t code = number_of(&root, "code");
    if (code >= INT32_MIN && code <= INT32_MAX) {
        ret_error->valid = true;
        ret_error->code = (int)code;
    }
    (void)find(&root, "message", &ret_error->message, &ret_error->message_len);
    if (find(&root, "data", &ret_error->data, &ret_error->data_len))
        read_data(ret_error, &(struct object){ret_error->data, ret_error->data_len});
}

/* The known fields: a table sorted by the length of the names. Nothing can fail. */
#include "http/http_field.h"

#include <stddef.h>
#include <stdint.h>

#include "http/http_text.h"

static const struct {
    const char *name;
    size_t len;
    const char *twice;
} fields[HTTP_FIELD_COUNT] = {
#define TWICE_true(text)    "The field " text " stands twice."
#define TWICE_false(text)   NULL
#define X(name, text, once) {text, sizeof(text) - 1, TWICE_##once(text)},
    HTTP_FIELDS(X)
#undef X
};

#define NAME_MAX_BYTES 30

/* The first field whose name has so many bytes; where there is none, any one before the longer ones. */
static const uint8_t first_of_length[NAME_MAX_BYTES + 1] = {
    [2] = HTTP_FIELD_TE,
    [4] = HTTP_FIELD_HOST,
    [5] = HTTP_FIELD_ALLOW,
    [6] = HTTP_FIELD_ACCEPT,
    [7] = HTTP_FIELD_UPGRADE,
    [9] = HTTP_FIELD_X_API_KEY,
    [10] = HTTP_FIELD_CONNECTION,
    [12] = HTTP_FIELD_CONTENT_TYPE,
    [13] = HTTP_FIELD_AUTHORIZATION,
    [14] = HTTP_FIELD_CONTENT_LENGTH,
    [16] = HTTP_FIELD_CONTENT_ENCODING,
    [17] = HTTP_FIELD_TRANSFER_ENCODING,
    [20] = HTTP_FIELD_SEC_WEBSOCKET_ACCEPT,
    [21] = HTTP_FIELD_SEC_WEBSOCKET_VERSION,
    [22] = HTTP_FIELD_SEC_WEBSOCKET_PROTOCOL,
    [24] = HTTP_FIELD_SEC_WEBSOCKET_EXTENSIONS,
    [29] = HTTP_FIELD_AC_REQUEST_METHOD,
    [30] = HTTP_FIELD_AC_REQUEST_HEADERS,
};

enum http_field_id http_field_find(struct part name)
{
    if (name.len > NAME_MAX_BYTES)
        return HTTP_FIELD_UNKNOWN;
    for (unsigned id = first_of_length[name.len]; id < HTTP_FIELD_COUNT && fields[id].len == name.len; id++)
        if (http_text_is(name, fields[id].name))
            return (enum http_field_id)id;
    return HTTP_FIELD_UNKNOWN;
}

const char *http_field_twice(enum http_field_id id)
{
    return fields[id].twice;
}

const char *http_field_name(enum http_field_id id)
{
    return fields[id].name;
}

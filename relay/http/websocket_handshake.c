/* The handshake of WebSocket. */
#include "http/websocket_handshake.h"

#include <string.h>

#include "base/base64.h"
#include "base/sha1.h"
#include "http/http_error.h"
#include "http/http_text.h"

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */

void websocket_accept_of(const char *key, char out[WEBSOCKET_ACCEPT_SIZE])
{
    char text[WEBSOCKET_KEY_LEN + sizeof(GUID)];
    uint8_t digest[SHA1_BYTES];
    memcpy(text, key, WEBSOCKET_KEY_LEN);
    memcpy(text + WEBSOCKET_KEY_LEN, GUID, sizeof(GUID));
    sha1(text, sizeof(text) - 1, digest);
    base64_encode(digest, sizeof(digest), out);
}

/* ---- server ---- */

/* 16 bytes in base64. */
static bool is_key(struct part key)
{
    if (key.len != WEBSOCKET_KEY_LEN || key.bytes[22] != '=' || key.bytes[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!base64_is_digit(key.bytes[i]))
            return false;
    return true;
}

/* Names of subprotocols are compared with their letter case (RFC 6455 4.1). */
static bool offers(const struct http_head *head, const char *protocol)
{
    struct part list, element;
    size_t len = strlen(protocol);
    for (unsigned cursor = 0; http_head_each(head, HTTP_FIELD_SEC_WEBSOCKET_PROTOCOL, &cursor, &list);)
        while (http_list_next(&list, ',', &element))
            if (element.len == len && memcmp(element.bytes, protocol, len) == 0)
                return true;
    return false;
}

bool websocket_offer_read(const struct http_head *head, const char *const *protocols,
                          struct websocket_offer *ret_offer, struct http_refusal *ret_refusal)
{
    struct part value;
    if (head->line.method != HTTP_METHOD_GET)
        return http_refuse(ret_refusal, 405, "A WebSocket begins with GET.");
    if (!head->upgrade_websocket)
        return http_refuse(ret_refusal, 426, "Ask for an upgrade to websocket, in HTTP/1.1.");
    if (!http_head_field(head, HTTP_FIELD_SEC_WEBSOCKET_VERSION, &value) || !http_text_is(value, "13"))
        return http_refuse(ret_refusal, 426, "Sec-WebSocket-Version is not 13.");
    if (!http_head_field(head, HTTP_FIELD_SEC_WEBSOCKET_KEY, &value) || !is_key(value))
        return http_refuse(ret_refusal, 400, "Sec-WebSocket-Key is not 16 bytes in base64.");
    if (head->chunked || head->length > 0)
        return http_refuse(ret_refusal, 400, "A request for a WebSocket has no body.");
    ret_offer->protocol = NULL;
    for (; protocols && *protocols && !ret_offer->protocol; protocols++)
        if (offers(head, *protocols))
            ret_offer->protocol = *protocols;
    websocket_accept_of(value.bytes, ret_offer->accept);
    return true;
}

int websocket_append_accept(struct buf *out, const struct websocket_offer *offer)
{
    struct http_response r;
    http_response_begin(&r, out, (struct http_terms){.keep_alive = true}, 101);
    http_response_field(&r, "Sec-WebSocket-Accept", offer->accept);
    if (offer->protocol)
        http_response_field(&r, "Sec-WebSocket-Protocol", offer->protocol);
    return http_response_end_upgrade(&r, "websocket");
}

int websocket_append_refusal(struct buf *out, struct http_terms terms, const struct http_refusal *refusal)
{
    struct http_response r;
    http_response_begin(&r, out, terms, refusal->status);
    if (refusal->status == 405)
        http_response_field(&r, "Allow", "GET");
    if (refusal->status == 426) {
        http_response_field(&r, "Upgrade", "websocket");
        http_response_field(&r, "Sec-WebSocket-Version", "13");
    }
    return http_error_end(&r, refusal->reason);
}

/* ---- client ---- */

void websocket_make_key(const uint8_t random[16], char out[WEBSOCKET_KEY_LEN + 1])
{
    base64_encode(random, 16, out);
}

/* May stand in the request line. */
static bool is_visible(const char *text)
{
    for (; *text != '\0'; text++)
        if (!http_is_visible(*text))
            return false;
    return true;
}

/* Nothing in it ends the field. */
static bool is_value(const char *text)
{
    for (; *text != '\0'; text++)
        if (!http_is_value_char(*text))
            return false;
    return true;
}

static int append_all(struct buf *out, const char *const *texts)
{
    int rc = 0;
    for (; *texts && rc == 0; texts++)
        if (**texts != '\0')
            rc = buf_append(out, *texts, strlen(*texts));
    return rc;
}

int websocket_append_request(struct buf *out, const char *host, const char *path, const char *key,
                             const char *protocol, const char *authorization)
{
    size_t before = buf_len(out);
    if (!is_visible(host) || !is_visible(path) || (protocol && !is_visible(protocol)) ||
        (authorization && !is_value(authorization)))
        return ERR_SYNTAX;
    const char *const texts[] = {
        "GET ",
        path,
        " HTTP/1.1\r\nHost: ",
        host,
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: ",
        key,
        protocol ? "\r\nSec-WebSocket-Protocol: " : "",
        protocol ? protocol : "",
        authorization ? "\r\nAuthorization: " : "",
        authorization ? authorization : "",
        "\r\n\r\n",
        NULL};
    int rc = append_all(out, texts);
    if (rc != 0)
        buf_truncate(out, before);
    return rc;
}

const char *websocket_check_response(const struct http_head *head, const char *key, const char *protocol,
                                     bool *ret_protocol)
{
    char accept[WEBSOCKET_ACCEPT_SIZE];
    struct part value;
    if (head->line.status != 101)
        return "The server does not speak WebSocket there.";
    if (!head->upgrade_websocket)
        return "The server's answer is no upgrade to websocket.";
    websocket_accept_of(key, accept);
    if (!http_head_field(head, HTTP_FIELD_SEC_WEBSOCKET_ACCEPT, &value) || value.len != strlen(accept) ||
        memcmp(value.bytes, accept, value.len) != 0)
        return "The server's answer does not belong to the request: Sec-WebSocket-Accept differs.";
    if (http_head_field(head, HTTP_FIELD_SEC_WEBSOCKET_EXTENSIONS, &value))
        return "The server chose an extension that was not offered.";
    *ret_protocol = http_head_field(head, HTTP_FIELD_SEC_WEBSOCKET_PROTOCOL, &value);
    if (*ret_protocol && (!protocol || !offers(head, protocol)))
        return "The server chose a subprotocol that was not offered.";
    return NULL;
}

/* WebSocket frames out. Nothing can fail. */
#include "http/websocket_frame.h"

#include <string.h>

#include "wire/text.h"
#include "wire/utf8.h"

bool websocket_code_is_sent(unsigned code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

size_t websocket_head(uint8_t out[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode, uint64_t len,
                      const uint8_t *mask)
{
    unsigned more = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;
    unsigned code = more == 0 ? (unsigned)len : more == 2 ? 126 : 127;
    size_t at = 2 + more;
    out[0] = (uint8_t)(0x80U | opcode);
    out[1] = (uint8_t)(code | (mask ? 0x80U : 0U));
    for (unsigned i = 0; i < more; i++)
        out[2 + i] = (uint8_t)(len >> (8 * (more - 1 - i)));
    if (mask) {
        memcpy(out + at, mask, 4);
        at += 4;
    }
    return at;
}

void websocket_mask(char *bytes, size_t len, const uint8_t mask[4], size_t at)
{
    uint8_t turned[8];
    uint64_t words[2];
    for (size_t i = 0; i < sizeof(turned); i++)
        turned[i] = mask[(at + i) & 3];
    memcpy(&words[0], turned, sizeof(turned));
    words[1] = words[0];
    size_t i = 0;
    for (; len - i >= sizeof(words); i += sizeof(words)) {
        uint64_t block[2];
        memcpy(block, bytes + i, sizeof(block));
        block[0] ^= words[0];
        block[1] ^= words[1];
        memcpy(bytes + i, block, sizeof(block));
    }
    for (; i < len; i++)
        bytes[i] = (char)((uint8_t)bytes[i] ^ turned[i & 7]);
}

size_t websocket_control(uint8_t out[WEBSOCKET_CONTROL_FRAME_MAX], enum websocket_opcode opcode,
                         struct part payload, const uint8_t *mask)
{
    size_t len = payload.len < WEBSOCKET_CONTROL_MAX ? payload.len : WEBSOCKET_CONTROL_MAX;
    size_t at = websocket_head(out, opcode, len, mask);
    if (len > 0)
        memcpy(out + at, payload.bytes, len);
    if (mask)
        websocket_mask((char *)out + at, len, mask, 0);
    return at + len;
}

size_t websocket_close(uint8_t out[WEBSOCKET_CONTROL_FRAME_MAX], unsigned code, struct part reason,
                       const uint8_t *mask)
{
    char payload[WEBSOCKET_CONTROL_MAX] = {(char)(code >> 8), (char)code};
    size_t room = sizeof(payload) - 2;
    if (code == WEBSOCKET_NO_CODE)
        return websocket_control(out, WEBSOCKET_OP_CLOSE, PART(""), mask);
    if (!utf8_is_valid(reason.bytes, reason.len))
        reason.len = 0;
    if (reason.len > room)
        for (reason.len = room; text_is_continuation(reason.bytes[reason.len]);)
            reason.len--;
    if (reason.len > 0)
        memcpy(payload + 2, reason.bytes, reason.len);
    return websocket_control(out, WEBSOCKET_OP_CLOSE, (struct part){payload, 2 + reason.len}, mask);
}

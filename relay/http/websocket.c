/* WebSocket frames in.
 *
 * Happy path: a head of 2 to 14 bytes is gathered, its payload is unmasked where it stands and handed out.
 * Failure modes: websocket.h lists them. What the first two bytes say is judged before more of the head is
 * awaited, so that the verdict falls at the same byte for any chunks.
 */
#include "http/websocket.h"

#include <string.h>

#include "http/websocket_frame.h"

#define MASK_BIT 0x80
#define FIN_BIT  0x80

void websocket_init(struct websocket *ws, const struct websocket_limits *limits)
{
    *ws = (struct websocket){.limits = *limits, .head_need = 2};
    if (ws->limits.max_fragments == 0)
        ws->limits.max_fragments = WEBSOCKET_MAX_FRAGMENTS;
}

static bool fail(struct websocket *ws, enum websocket_code code, const char *reason)
{
    ws->close_code = (uint16_t)code;
    ws->reason = reason;
    return false;
}

static bool violates(struct websocket *ws, const char *reason)
{
    return fail(ws, WEBSOCKET_PROTOCOL_ERROR, reason);
}

/* ---- the head of a frame ---- */

static unsigned opcode_of(const struct websocket *ws)
{
    return ws->head[0] & 0x0fU;
}

static bool is_control(const struct websocket *ws)
{
    return opcode_of(ws) >= WEBSOCKET_OP_CLOSE;
}

static bool is_final(const struct websocket *ws)
{
    return (ws->head[0] & FIN_BIT) != 0;
}

/* The length in the second byte: 126 and 127 announce a longer one. */
static unsigned short_length(const struct websocket *ws)
{
    return ws->head[1] & 0x7fU;
}

static size_t mask_bytes(const struct websocket *ws)
{
    return ws->limits.role == WEBSOCKET_SERVER ? 4 : 0;
}

static bool check_control(struct websocket *ws)
{
    if (opcode_of(ws) > WEBSOCKET_OP_PONG)
        return violates(ws, "An opcode is reserved.");
    if (!is_final(ws))
        return violates(ws, "A control frame is fragmented.");
    if (short_length(ws) > WEBSOCKET_CONTROL_MAX)
        return violates(ws, "A control frame has more than 125 bytes.");
    if (opcode_of(ws) == WEBSOCKET_OP_CLOSE && short_length(ws) == 1)
        return violates(ws, "A close frame has half a code.");
    return true;
}

static bool check_message(struct websocket *ws)
{
    if (opcode_of(ws) > WEBSOCKET_OP_BINARY)
        return violates(ws, "An opcode is reserved.");
    if (opcode_of(ws) == WEBSOCKET_OP_CONTINUATION)
        return ws->opcode != 0 || violates(ws, "A frame continues no message.");
    if (ws->opcode != 0)
        return violates(ws, "A message begins inside another one.");
    if (opcode_of(ws) == WEBSOCKET_OP_BINARY && !ws->limits.takes_binary)
        return fail(ws, WEBSOCKET_UNSUPPORTED, "Only text messages are taken.");
    return true;
}

/* What the first two bytes say. */
static bool check_start(struct websocket *ws)
{
    bool is_masked = (ws->head[1] & MASK_BIT) != 0;
    if ((ws->head[0] & 0x70) != 0)
        return violates(ws, "A reserved bit is set.");
    if (is_masked != (ws->limits.role == WEBSOCKET_SERVER))
        return violates(ws, is_masked ? "A server's frame is masked." : "A client's frame is not masked.");
    if (!(is_control(ws) ? check_control(ws) : check_message(ws)))
        return false;
    unsigned more = short_length(ws) == 127 ? 8 : short_length(ws) == 126 ? 2 : 0;
    ws->head_need = (uint8_t)(2 + more + mask_bytes(ws));
    return true;
}

static bool read_length(struct websocket *ws)
{
    unsigned bytes = short_length(ws) == 127 ? 8 : short_length(ws) == 126 ? 2 : 0;
    uint64_t len = bytes == 0 ? short_length(ws) : 0;
    for (unsigned i = 0; i < bytes; i++)
        len = len << 8 | ws->head[2 + i];
    if ((bytes == 2 && len < 126) || (bytes == 8 && (len <= UINT16_MAX || len >> 63 != 0)))
        return violates(ws, "A length is not in its shortest form, or is negative.");
    ws->left = len;
    return true;
}

static bool count_message(struct websocket *ws)
{
    if (opcode_of(ws) != WEBSOCKET_OP_CONTINUATION) {
        ws->opcode = (uint8_t)opcode_of(ws);
        ws->message_bytes = 0;
        ws->fragments = 0;
        ws->utf8 = (struct utf8_check){0};
    }
    if (ws->left > ws->limits.max_bytes - ws->message_bytes)
        return fail(ws, WEBSOCKET_TOO_LARGE, "The message is larger than its limit.");
    ws->message_bytes += ws->left;
    if (++ws->fragments > ws->limits.max_fragments)
        return fail(ws, WEBSOCKET_POLICY, "The message has more fragments than are joined.");
    return true;
}

/* The head is whole. */
static bool begin_frame(struct websocket *ws)
{
    ws->head_need = 0;
    ws->mask_at = 0;
    ws->control_len = 0;
    return read_length(ws) && (is_control(ws) || count_message(ws));
}

/* true: the head is whole, or more bytes are needed (*len is then 0). */
static bool take_head(struct websocket *ws, char **bytes, size_t *len)
{
    while (ws->head_need > 0 && *len > 0) {
        size_t missing = (size_t)ws->head_need - ws->head_len;
        size_t taken = missing < *len ? missing : *len;
        memcpy(ws->head + ws->head_len, *bytes, taken);
        ws->head_len = (uint8_t)(ws->head_len + taken);
        *bytes += taken;
        *len -= taken;
        if (ws->head_len < ws->head_need)
            break;
        bool is_start = ws->head_len == 2;
        if (is_start && !check_start(ws))
            return false;
        if (ws->head_len == ws->head_need && !begin_frame(ws))
            return false;
    }
    return true;
}

static void end_frame(struct websocket *ws)
{
    ws->head_len = 0;
    ws->head_need = 2;
}

/* ---- the payload ---- */

static struct part take_payload(struct websocket *ws, char **bytes, size_t *len)
{
    char *data = *bytes;
    size_t taken = *len < ws->left ? *len : (size_t)ws->left;
    if (mask_bytes(ws) > 0)
        websocket_mask(data, taken, ws->head + ws->head_len - 4, ws->mask_at);
    ws->mask_at = (uint8_t)((ws->mask_at + taken) & 3);
    ws->left -= taken;
    *bytes += taken;
    *len -= taken;
    return (struct part){data, taken};
}

static enum websocket_event take_message(struct websocket *ws, struct part data,
                                         struct websocket_piece *piece)
{
    bool frame_ends = ws->left == 0;
    bool is_last = frame_ends && is_final(ws);
    bool is_text = ws->opcode == WEBSOCKET_OP_TEXT;
    if (is_text &&
        (!utf8_check_feed(&ws->utf8, data.bytes, data.len) || (is_last && !utf8_check_ended(&ws->utf8)))) {
        (void)fail(ws, WEBSOCKET_BAD_TEXT, "The text is not valid UTF-8.");
        return WEBSOCKET_FAILED;
    }
    if (frame_ends)
        end_frame(ws);
    if (is_last)
        ws->opcode = 0;
    *piece = (struct websocket_piece){.data = data, .is_text = is_text, .is_last = is_last};
    return data.len > 0 || is_last ? WEBSOCKET_DATA : WEBSOCKET_MORE;
}

static bool read_close(struct websocket *ws, struct websocket_piece *piece)
{
    ws->closed = true;
    piece->close_code = WEBSOCKET_NO_CODE;
    if (ws->control_len == 0)
        return true;
    piece->close_code = (uint16_t)((unsigned char)ws->control[0] << 8 | (unsigned char)ws->control[1]);
    piece->data = (struct part){ws->control + 2, ws->control_len - 2U};
    if (!websocket_code_is_sent(piece->close_code))
        return violates(ws, "A close frame has a code that must not be sent.");
    if (!utf8_is_valid(piece->data.bytes, piece->data.len))
        return fail(ws, WEBSOCKET_BAD_TEXT, "A close frame's reason is not valid UTF-8.");
    return true;
}

static enum websocket_event take_control(struct websocket *ws, struct part data,
                                         struct websocket_piece *piece)
{
    memcpy(ws->control + ws->control_len, data.bytes, data.len);
    ws->control_len = (uint8_t)(ws->control_len + data.len);
    if (ws->left > 0)
        return WEBSOCKET_MORE;
    end_frame(ws);
    *piece = (struct websocket_piece){.data = {ws->control, ws->control_len}};
    if (opcode_of(ws) == WEBSOCKET_OP_PING)
        return WEBSOCKET_PING;
    if (opcode_of(ws) == WEBSOCKET_OP_PONG)
        return WEBSOCKET_PONG;
    return read_close(ws, piece) ? WEBSOCKET_CLOSE : WEBSOCKET_FAILED;
}

/* ---- the stream ---- */

static enum websocket_event failed(const struct websocket *ws, struct websocket_piece *piece)
{
    *piece = (struct websocket_piece){.data = {ws->reason, strlen(ws->reason)}, .close_code = ws->close_code};
    return WEBSOCKET_FAILED;
}

enum websocket_event websocket_next(struct websocket *ws, char **bytes, size_t *len,
                                    struct websocket_piece *ret_piece)
{
    while (!ws->reason && !ws->closed) {
        if (!take_head(ws, bytes, len))
            break;
        if (ws->head_need > 0 || (ws->left > 0 && *len == 0))
            return WEBSOCKET_MORE;
        struct part data = take_payload(ws, bytes, len);
        enum websocket_event event =
            is_control(ws) ? take_control(ws, data, ret_piece) : take_message(ws, data, ret_piece);
        if (event == WEBSOCKET_FAILED)
            break;
        if (event != WEBSOCKET_MORE)
            return event;
    }
    if (ws->reason)
        return failed(ws, ret_piece);
    *bytes += *len;
    *len = 0;
    return WEBSOCKET_MORE;
}

bool websocket_in_message(const struct websocket *ws)
{
    return !ws->closed && (ws->opcode != 0 || ws->head_len > 0);
}

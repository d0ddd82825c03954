/* WebSocket (RFC 6455) frames in, pieces of messages out; either role. Pure; nothing is gathered, nothing
 * allocated.
 *
 *   websocket_init -> websocket_next until WEBSOCKET_MORE, for each chunk
 *
 * The writers are in websocket_frame.h.
 *
 * The chunk is unmasked in place: its bytes change. The pieces of a message are pieces of the chunk, and suit
 * frame_feed_chunk (wire/frame.h) as they are; fragments are joined. A text message is checked to be valid
 * UTF-8, across pieces and fragments. Control frames come whole, between the pieces of a message too. What
 * the messages are, and why a connection fails, depends on the bytes alone, never on where the chunks are
 * cut; where the pieces are cut does.
 *
 * The connection fails (send websocket_close with close_code and reason, then close) with
 *   1002  a reserved bit or opcode, a length that is not in its shortest form, masking that is not the
 *         role's, a control frame that is fragmented or over 125 bytes, a continuation of nothing, a new
 *         message inside another, a close frame with one byte or with a code that must not be sent
 *   1003  a binary message, where they are not taken
 *   1007  text, or a close's reason, that is not valid UTF-8
 *   1008  a message of more than max_fragments frames
 *   1009  a message over max_bytes, at the frame that announces it
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/part.h"
#include "wire/utf8.h"

#define WEBSOCKET_MAX_FRAGMENTS 16384
#define WEBSOCKET_CONTROL_MAX   125

enum websocket_role { WEBSOCKET_SERVER, WEBSOCKET_CLIENT };

enum websocket_opcode {
    WEBSOCKET_OP_CONTINUATION = 0,
    WEBSOCKET_OP_TEXT = 1,
    WEBSOCKET_OP_BINARY = 2,
    WEBSOCKET_OP_CLOSE = 8,
    WEBSOCKET_OP_PING = 9,
    WEBSOCKET_OP_PONG = 10,
};

/* RFC 6455 7.4.1 and the registry it began. */
enum websocket_code {
    WEBSOCKET_NORMAL = 1000,
    WEBSOCKET_GOING_AWAY = 1001,
    WEBSOCKET_PROTOCOL_ERROR = 1002,
    WEBSOCKET_UNSUPPORTED = 1003,
    WEBSOCKET_NO_CODE = 1005, /* never sent: a close frame without a code */
    WEBSOCKET_BAD_TEXT = 1007,
    WEBSOCKET_POLICY = 1008,
    WEBSOCKET_TOO_LARGE = 1009,
    WEBSOCKET_INTERNAL_ERROR = 1011,
    WEBSOCKET_TRY_AGAIN_LATER = 1013,
};

struct websocket_limits {
    enum websocket_role role; /* our own */
    uint64_t max_bytes;       /* of a message */
    uint32_t max_fragments;   /* of a message; 0: WEBSOCKET_MAX_FRAGMENTS */
    bool takes_binary;
};

enum websocket_event {
    WEBSOCKET_MORE,   /* the chunk is used up; everything behind a close frame is thrown away */
    WEBSOCKET_DATA,   /* a piece of a message; may be empty if it is the last */
    WEBSOCKET_PING,   /* answer it: websocket_control with WEBSOCKET_OP_PONG and the same payload */
    WEBSOCKET_PONG,   /* also unasked for */
    WEBSOCKET_CLOSE,  /* answer it with its code, if we have not closed ourselves, and close */
    WEBSOCKET_FAILED, /* close_code and reason say why; so does every later call */
};

/* Borrowed: until the next call, and as long as the chunk is. */
struct websocket_piece {
    struct part data; /* of the message; a ping's or pong's payload; a close's reason */
    bool is_text;     /* of WEBSOCKET_DATA */
    bool is_last;     /* the message ends with it */
    uint16_t
        close_code; /* of WEBSOCKET_CLOSE and WEBSOCKET_FAILED; WEBSOCKET_NO_CODE where a close has none */
};

struct websocket {
    uint64_t left;          /* payload of the frame under way to come */
    uint64_t message_bytes; /* announced so far of the message under way */
    struct websocket_limits limits;
    const char *reason;     /* static: a sentence; NULL until WEBSOCKET_FAILED */
    uint32_t fragments;     /* of the message under way */
    uint16_t close_code;    /* with `reason` */
    struct utf8_check utf8; /* of the message under way */
    uint8_t head[14];       /* of the frame under way */
    uint8_t head_len;       /* what of it has come */
    uint8_t head_need;      /* how long it is, as far as that is known; 0: it is over */
    uint8_t opcode;         /* of the message under way; 0: there is none */
    uint8_t mask_at;        /* which byte of the mask is next, 0 to 3 */
    uint8_t control_len;    /* gathered of a control frame's payload */
    bool closed;            /* a close frame came */
    char control[WEBSOCKET_CONTROL_MAX];
};

void websocket_init(struct websocket *ws, const struct websocket_limits *limits);
/* Takes bytes up to the next event, moving *bytes and *len over them; call until WEBSOCKET_MORE or
 * WEBSOCKET_FAILED. */
enum websocket_event websocket_next(struct websocket *ws, char **bytes, size_t *len,
                                    struct websocket_piece *ret_piece);
/* A message has begun, or a frame, and has not ended: it must end within a time-out. */
bool websocket_in_message(const struct websocket *ws);

#endif

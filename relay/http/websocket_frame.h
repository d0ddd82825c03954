/* WebSocket frames out; either role. Pure. A server's frames are not masked, a client's are, with a mask
 * that the caller draws for each from a source that cannot be guessed (RFC 6455 5.3).
 *
 *   n = websocket_head(head, WEBSOCKET_OP_TEXT, len, NULL);      send head and the message's parts as they
 * are
 *   n = websocket_head(head, WEBSOCKET_OP_TEXT, len, mask);      send head and a copy of the message that
 * was masked
 */
#ifndef HTTP_WEBSOCKET_FRAME_H
#define HTTP_WEBSOCKET_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/websocket.h"

#define WEBSOCKET_HEAD_MAX 14
/* A whole control frame, its mask included. */
#define WEBSOCKET_CONTROL_FRAME_MAX (2 + 4 + WEBSOCKET_CONTROL_MAX)

/* The head of a frame that is a whole message, or a control frame. `mask`: 4 bytes, NULL for a server.
 * Returns its length. */
size_t websocket_head(uint8_t out[WEBSOCKET_HEAD_MAX], enum websocket_opcode opcode, uint64_t len,
                      const uint8_t *mask);
/* Masks, or unmasks, in place; the first byte is number `at` (only its last two bits count) of the payload.
 * */
void websocket_mask(char *bytes, size_t len, const uint8_t mask[4], size_t at);

/* A ping, or the pong to one, with at most WEBSOCKET_CONTROL_MAX bytes (the rest is left out); its length. */
size_t websocket_control(uint8_t out[WEBSOCKET_CONTROL_FRAME_MAX], enum websocket_opcode opcode,
                         struct part payload, const uint8_t *mask);
/* A close frame; its length. `code`: WEBSOCKET_NO_CODE: none, nor a reason. The reason is cut between
 * characters where it is too long, and left out where it is not valid UTF-8. */
size_t websocket_close(uint8_t out[WEBSOCKET_CONTROL_FRAME_MAX], unsigned code, struct part reason,
                       const uint8_t *mask);
/* The code may stand in a close frame: 1000 to 1003, 1007 to 1014, 3000 to 4999. */
bool websocket_code_is_sent(unsigned code);

#endif

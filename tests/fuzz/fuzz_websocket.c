/* WebSocket frames of a stream.
 *
 * Input: role, whether binary is taken, and the limit, one byte; seed of the cuts, one byte; then the
 * stream. The messages, control frames and the failure must be the same in one chunk and in many; text that
 * was handed out whole is valid UTF-8. Of a stream that fails the pieces before the failure may differ, its
 * code and reason may not.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/websocket_frame.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
    struct websocket ws;
    uint64_t hash;    /* of whole messages and control frames */
    uint64_t message; /* of the one under way */
    uint64_t message_len;
    struct utf8_check utf8;
    unsigned code;
};

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ p[i]) * UINT64_C(1099511628211);
    return hash;
}

static void take_piece(struct run *run, const struct websocket_piece *piece)
{
    run->message = mix(run->message, piece->data.bytes, piece->data.len);
    run->message_len += piece->data.len;
    CHECK(run->message_len <= run->ws.limits.max_bytes && (piece->data.len > 0 || piece->is_last));
    CHECK(piece->is_text || run->ws.limits.takes_binary);
    if (piece->is_text)
        CHECK(utf8_check_feed(&run->utf8, piece->data.bytes, piece->data.len));
    if (!piece->is_last)
        return;
    CHECK(!piece->is_text || utf8_check_ended(&run->utf8));
    run->hash = mix(run->hash, &run->message, sizeof(run->message));
    run->message = run->message_len = 0;
    run->utf8 = (struct utf8_check){0};
}

static void take_control(struct run *run, enum websocket_event event, const struct websocket_piece *piece)
{
    uint8_t kind = (uint8_t)event;
    CHECK(piece->data.len <= WEBSOCKET_CONTROL_MAX);
    run->hash = mix(run->hash, &kind, 1);
    run->hash = mix(run->hash, &piece->close_code, sizeof(piece->close_code));
    run->hash = mix(run->hash, piece->data.bytes, piece->data.len);
}

static void feed(struct run *run, const uint8_t *bytes, size_t len)
{
    char *copy = malloc(len);
    CHECK(copy);
    memcpy(copy, bytes, len);
    char *p = copy;
    struct websocket_piece piece;
    enum websocket_event event;
    while (run->code == 0 && (event = websocket_next(&run->ws, &p, &len, &piece)) != WEBSOCKET_MORE) {
        if (event == WEBSOCKET_DATA)
            take_piece(run, &piece);
        else
            take_control(run, event, &piece);
        if (event == WEBSOCKET_FAILED)
            run->code = piece.close_code;
    }
    CHECK(run->code != 0 || len == 0);
    free(copy);
}

static struct run run_stream(const struct websocket_limits *limits, const uint8_t *bytes, size_t size,
                             unsigned seed, size_t max_chunk)
{
    struct run run = {.hash = 1};
    websocket_init(&run.ws, limits);
    for (size_t at = 0; at < size;) {
        seed = seed * 1103515245U + 12345U;
        size_t n = max_chunk > 0 ? 1 + (seed >> 16) % max_chunk : size;
        if (n > size - at)
            n = size - at;
        feed(&run, bytes + at, n);
        at += n;
    }
    return run;
}

static void check_same(const struct run *a, const struct run *b)
{
    CHECK(a->code == b->code && a->hash == b->hash && a->ws.reason == b->ws.reason);
    CHECK(a->code != 0 || (a->message == b->message && a->message_len == b->message_len));
    CHECK(a->code != 0 || websocket_in_message(&a->ws) == websocket_in_message(&b->ws));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct websocket_limits limits = {
        .role = (data[0] & 1) != 0 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER,
        .takes_binary = (data[0] & 2) != 0,
        .max_bytes = (uint64_t)(data[0] >> 2) * 8,
    };
    struct run whole = run_stream(&limits, data + 2, size - 2, data[1], 0);
    struct run cut = run_stream(&limits, data + 2, size - 2, data[1], 1 + data[1] % 40);
    struct run bytewise = run_stream(&limits, data + 2, size - 2, data[1], 1);
    check_same(&whole, &cut);
    check_same(&whole, &bytewise);
    return 0;
}

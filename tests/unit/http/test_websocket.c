/* http/websocket: frames in, each stream in one chunk, in two cut at every byte, and byte by byte. The
 * cases follow the sections of the Autobahn test suite: framing, pings, reserved bits, opcodes,
 * fragmentation, UTF-8, close, limits.
 *
 * A stream is written as frames: {first byte, payload}; what comes out as text:
 *     text <hello>    ping <x>    close 1000 <bye>    failed 1002    more (a message is not whole)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/websocket_frame.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define FIN          0x80

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};

struct frame {
    uint8_t first;
    const char *payload;
    size_t len;
};

#define F(first, literal)                                                                                    \
    {                                                                                                        \
        (first), (literal), sizeof(literal) - 1                                                              \
    }

struct stream {
    uint8_t bytes[300000];
    size_t len;
};

static struct stream stream;

/* ---- building streams ---- */

static void add_raw(const void *bytes, size_t len)
{
    assert_true(stream.len + len <= sizeof(stream.bytes));
    memcpy(stream.bytes + stream.len, bytes, len);
    stream.len += len;
}

static void add_frame(uint8_t first, const char *payload, size_t len, const uint8_t *with_mask)
{
    uint8_t head[WEBSOCKET_HEAD_MAX];
    size_t n = websocket_head(head, WEBSOCKET_OP_TEXT, len, with_mask);
    head[0] = first;
    add_raw(head, n);
    add_raw(payload, len);
    if (with_mask)
        websocket_mask((char *)stream.bytes + stream.len - len, len, with_mask, 0);
}

/* ---- running them ---- */

struct run {
    char text[70000];
    size_t len;
    struct websocket ws;
    bool in_message;
    bool failed;
};

static void note(struct run *run, const char *bytes, size_t len)
{
    assert_true(run->len + len < sizeof(run->text));
    memcpy(run->text + run->len, bytes, len);
    run->len += len;
    run->text[run->len] = '\0';
}

static void note_text(struct run *run, const char *text)
{
    note(run, text, strlen(text));
}

static void note_data(struct run *run, const struct websocket_piece *piece)
{
    if (!run->in_message)
        note_text(run, piece->is_text ? "text <" : "binary <");
    note(run, piece->data.bytes, piece->data.len);
    run->in_message = !piece->is_last;
    if (piece->is_last)
        note_text(run, "> ");
}

static void note_control(struct run *run, enum websocket_event event, const struct websocket_piece *piece)
{
    char text[32];
    switch (event) {
    case WEBSOCKET_PING:
        note_text(run, "ping <");
        break;
    case WEBSOCKET_PONG:
        note_text(run, "pong <");
        break;
    case WEBSOCKET_CLOSE:
        (void)snprintf(text, sizeof(text), "close %u <", (unsigned)piece->close_code);
        note_text(run, text);
        break;
    default:
        (void)snprintf(text, sizeof(text), "failed %u ", (unsigned)piece->close_code);
        note_text(run, text);
        run->failed = true;
        return;
    }
    note(run, piece->data.bytes, piece->data.len);
    note_text(run, "> ");
}

static void feed(struct run *run, const uint8_t *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    char *p = copy;
    struct websocket_piece piece;
    enum websocket_event event;
    while (!run->failed && (event = websocket_next(&run->ws, &p, &len, &piece)) != WEBSOCKET_MORE) {
        if (event == WEBSOCKET_DATA)
            note_data(run, &piece);
        else
            note_control(run, event, &piece);
    }
    free(copy);
}

static void run_cut(struct run *run, const struct websocket_limits *limits, size_t first, size_t chunk)
{
    run->len = 0;
    run->text[0] = '\0';
    run->in_message = run->failed = false;
    websocket_init(&run->ws, limits);
    feed(run, stream.bytes, first);
    for (size_t at = first; at < stream.len; at += chunk)
        feed(run, stream.bytes + at, stream.len - at < chunk ? stream.len - at : chunk);
    if (!run->failed && websocket_in_message(&run->ws))
        note_text(run, "more ");
}

/* The last event, and what was whole before it: the pieces of a message that fails later depend on the
 * cuts. */
static void expect_same(const struct run *run, const char *expected)
{
    const char *failure = strstr(expected, "failed ");
    size_t len = failure ? strlen(failure) : 0;
    if (!failure || !strstr(run->text, "<"))
        assert_string_equal(run->text, expected);
    assert_true(run->len >= len);
    if (failure)
        assert_string_equal(run->text + run->len - len, failure);
}

static void expect_with(const struct websocket_limits *limits, const char *expected)
{
    static struct run run;
    run_cut(&run, limits, stream.len, 1);
    assert_string_equal(run.text, expected);
    for (size_t cut = 0; cut<stream.len; cut += stream.len> 2000 ? stream.len / 20 : 1) {
        run_cut(&run, limits, cut, stream.len);
        expect_same(&run, expected);
    }
    run_cut(&run, limits, 0, 1);
    expect_same(&run, expected);
}

static const struct websocket_limits text_only = {.max_bytes = 66000};
static const struct websocket_limits any = {.max_bytes = 66000, .takes_binary = true};
static const struct websocket_limits client = {
    .role = WEBSOCKET_CLIENT, .max_bytes = 66000, .takes_binary = true};

/* ---- the cases ---- */

static const struct {
    struct frame frames[6];
    const char *expected;
} cases[] = {
    /* 1: framing */
    {{F(FIN | 1, "")}, "text <> "},
    {{F(FIN | 1, "hello")}, "text <hello> "},
    {{F(FIN | 2, "")}, "binary <> "},
    {{F(FIN | 2, "\x01\xff")}, "binary <\x01\xff> "},
    {{F(FIN | 1, "a"), F(FIN | 1, "b")}, "text <a> text <b> "},
    /* 2: pings and pongs */
    {{F(FIN | 9, "")}, "ping <> "},
    {{F(FIN | 9, "hello")}, "ping <hello> "},
    {{F(FIN | 9, "\xfe\xff")}, "ping <\xfe\xff> "},
    {{F(FIN | 10, "")}, "pong <> "},
    {{F(FIN | 10, "unasked"), F(FIN | 9, "x")}, "pong <unasked> ping <x> "},
    {{F(FIN | 9, "1"), F(FIN | 9, "2"), F(FIN | 9, "3")}, "ping <1> ping <2> ping <3> "},
    /* 3: reserved bits */
    {{F(FIN | 0x10 | 1, "a")}, "failed 1002 "},
    {{F(FIN | 0x20 | 1, "a")}, "failed 1002 "},
    {{F(FIN | 0x40 | 1, "a")}, "failed 1002 "},
    {{F(FIN | 1, "a"), F(FIN | 0x70 | 1, "b")}, "text <a> failed 1002 "},
    {{F(FIN | 0x40 | 9, "a")}, "failed 1002 "},
    {{F(FIN | 0x10 | 8, "")}, "failed 1002 "},
    /* 4: opcodes */
    {{F(FIN | 3, "")}, "failed 1002 "},
    {{F(FIN | 4, "a")}, "failed 1002 "},
    {{F(FIN | 7, "a")}, "failed 1002 "},
    {{F(FIN | 1, "a"), F(FIN | 5, "a"), F(FIN | 9, "")}, "text <a> failed 1002 "},
    {{F(FIN | 11, "")}, "failed 1002 "},
    {{F(FIN | 12, "a")}, "failed 1002 "},
    {{F(FIN | 15, "a")}, "failed 1002 "},
    /* 5: fragmentation */
    {{F(9, "a")}, "failed 1002 "},
    {{F(10, "")}, "failed 1002 "},
    {{F(8, "")}, "failed 1002 "},
    {{F(1, "a"), F(FIN | 0, "b")}, "text <ab> "},
    {{F(1, "a"), F(FIN | 9, "p"), F(FIN | 0, "b")}, "text <aping <p> b> "},
    {{F(1, "a"), F(0, "b"), F(0, ""), F(FIN | 0, "c"), F(FIN | 1, "d")}, "text <abc> text <d> "},
    {{F(1, ""), F(0, ""), F(FIN | 0, "")}, "text <> "},
    {{F(2, "a"), F(FIN | 0, "")}, "binary <a> "},
    {{F(1, "a"), F(0, "b")}, "text <abmore "},
    {{F(FIN | 0, "a"), F(FIN | 1, "b")}, "failed 1002 "},
    {{F(0, "a"), F(FIN | 0, "b")}, "failed 1002 "},
    {{F(1, "a"), F(FIN | 0, "b"), F(FIN | 0, "c")}, "text <ab> failed 1002 "},
    {{F(1, "a"), F(FIN | 1, "b")}, "text <afailed 1002 "},
    {{F(1, "a"), F(2, "b")}, "text <afailed 1002 "},
    /* 6: UTF-8, across pieces and fragments */
    {{F(FIN | 1, "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5")},
     "text <\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5> "},
    {{F(1, "\xe4"), F(0, "\xb8"), F(FIN | 0, "\xad")}, "text <\xe4\xb8\xad> "},
    {{F(FIN | 1, "\xf4\x8f\xbf\xbf")}, "text <\xf4\x8f\xbf\xbf> "},
    {{F(FIN | 1, "\xf4\x90\x80\x80")}, "failed 1007 "},
    {{F(FIN | 1, "\xed\xa0\x80")}, "failed 1007 "},
    {{F(FIN | 1, "\xc0\xaf")}, "failed 1007 "},
    {{F(FIN | 1, "\xff")}, "failed 1007 "},
    {{F(FIN | 1, "\xe4\xb8")}, "failed 1007 "},
    {{F(1, "\xce"), F(FIN | 0, "")},
     "text <\xce"
     "failed 1007 "},
    {{F(1, "\xf4"), F(0, "\x90")},
     "text <\xf4"
     "failed 1007 "},
    {{F(FIN | 2, "\xff\xfe")}, "binary <\xff\xfe> "},
    {{F(1, "\xce"), F(FIN | 9, "\xff"), F(FIN | 0, "\xba")}, "text <\xceping <\xff> \xba> "},
    /* 7: close */
    {{F(FIN | 8, "")}, "close 1005 <> "},
    {{F(FIN | 8, "\x03\xe8")}, "close 1000 <> "},
    {{F(FIN | 8, "\x03\xe8"
                 "bye")},
     "close 1000 <bye> "},
    {{F(FIN | 8, ""), F(FIN | 1, "a"), F(FIN | 0x70, "b")}, "close 1005 <> "},
    {{F(FIN | 1, "a"), F(FIN | 8, "\x03\xe9"), F(FIN | 9, "")}, "text <a> close 1001 <> "},
    {{F(1, "a"), F(FIN | 8, ""), F(FIN | 0, "b")}, "text <aclose 1005 <> "},
    {{F(FIN | 8, "\x03")}, "failed 1002 "},
    {{F(FIN | 8, "\x03\xe8\xce")}, "failed 1007 "},
    {{F(FIN | 8, "\x03\xe8\xff")}, "failed 1007 "},
};

static void frames_are_understood(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct frame *f = cases[i].frames;
        for (int masked = 0; masked < 2; masked++) {
            stream.len = 0;
            for (size_t k = 0; k < COUNT(cases[i].frames) && f[k].payload; k++)
                add_frame(f[k].first, f[k].payload, f[k].len, masked ? mask : NULL);
            expect_with(masked ? &any : &client, cases[i].expected);
        }
    }
}

static void lengths_are_understood(void **state)
{
    (void)state;
    static const size_t lengths[] = {1, 124, 125, 126, 127, 128, 65535, 65536};
    static char payload[65536], expected[65600];
    for (size_t i = 0; i < COUNT(lengths); i++) {
        memset(payload, '*', lengths[i]);
        (void)snprintf(expected, sizeof(expected), "text <%.*s> ", (int)lengths[i], payload);
        stream.len = 0;
        add_frame(FIN | 1, payload, lengths[i], mask);
        expect_with(&any, expected);
    }
}

static void expect_bytes(const char *bytes, size_t len, const char *expected)
{
    stream.len = 0;
    add_raw(bytes, len);
    expect_with(&text_only, expected);
}

#define EXPECT_BYTES(literal, expected) expect_bytes(literal, sizeof(literal) - 1, expected)

static void heads_are_judged_early(void **state)
{
    (void)state;
    EXPECT_BYTES("\x81\x05", "failed 1002 ");                             /* not masked */
    EXPECT_BYTES("\x89\xfe", "failed 1002 ");                             /* a ping of 126 */
    EXPECT_BYTES("\x88\xff", "failed 1002 ");                             /* a long close */
    EXPECT_BYTES("\x82\x80", "failed 1003 ");                             /* binary */
    EXPECT_BYTES("\x02\x80", "failed 1003 ");                             /* its first fragment */
    EXPECT_BYTES("\x81\xfe\x00\x7d\0\0\0\0", "failed 1002 ");             /* 125 in two bytes */
    EXPECT_BYTES("\x81\xff\0\0\0\0\0\0\xff\xff\0\0\0\0", "failed 1002 "); /* 65535 in eight */
    EXPECT_BYTES("\x81\xff\x80\0\0\0\0\0\0\0\0\0\0\0", "failed 1002 ");   /* negative */
    EXPECT_BYTES("\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", "failed 1009 ");
    EXPECT_BYTES("\x81", "more ");
    stream.len = 0;
    add_frame(FIN | 1, "a", 1, mask);
    expect_with(&client, "failed 1002 "); /* a server's frame that is masked */
}

static void close_codes_are_checked(void **state)
{
    (void)state;
    static const unsigned good[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                    1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const unsigned bad[] = {0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < COUNT(good) + COUNT(bad); i++) {
        bool is_good = i < COUNT(good);
        unsigned code = is_good ? good[i] : bad[i - COUNT(good)];
        char payload[2] = {(char)(code >> 8), (char)code};
        char expected[32];
        (void)snprintf(expected, sizeof(expected), "close %u <> ", code);
        assert_int_equal(websocket_code_is_sent(code), is_good);
        stream.len = 0;
        add_frame(FIN | 8, payload, 2, mask);
        expect_with(&any, is_good ? expected : "failed 1002 ");
    }
}

/* ---- limits ---- */

static void expect_limited(size_t first, size_t second, const char *failure)
{
    static const struct websocket_limits small = {.max_bytes = 100};
    static char payload[200];
    static struct run run;
    memset(payload, 'x', sizeof(payload));
    stream.len = 0;
    add_frame(1, payload, first, mask);
    add_frame(FIN | 0, payload, second, mask);
    run_cut(&run, &small, 0, 1);
    if (failure)
        assert_string_equal(run.text + run.len - strlen(failure), failure);
    assert_int_equal(run.failed, failure != NULL);
}

static void limits_the_message(void **state)
{
    (void)state;
    expect_limited(0, 99, NULL);
    expect_limited(0, 100, NULL);
    expect_limited(0, 101, "failed 1009 ");
    expect_limited(60, 39, NULL);
    expect_limited(60, 40, NULL);
    expect_limited(60, 41, "failed 1009 ");
    expect_limited(101, 0, "failed 1009 ");
}

static void expect_fragments(const struct websocket_limits *limits, unsigned count, bool is_taken)
{
    static struct run run;
    stream.len = 0;
    for (unsigned i = 0; i < count; i++)
        add_frame((uint8_t)((i == 0 ? 1 : 0) | (i + 1 == count ? FIN : 0)), "x", 1, mask);
    run_cut(&run, limits, stream.len, 1);
    assert_int_equal(run.failed, !is_taken);
    if (!is_taken)
        assert_int_equal(run.ws.close_code, 1008);
}

static void limits_the_fragments(void **state)
{
    (void)state;
    static const struct websocket_limits three = {.max_bytes = 100, .max_fragments = 3};
    expect_fragments(&any, WEBSOCKET_MAX_FRAGMENTS - 1, true);
    expect_fragments(&any, WEBSOCKET_MAX_FRAGMENTS, true);
    expect_fragments(&any, WEBSOCKET_MAX_FRAGMENTS + 1, false);
    expect_fragments(&three, 3, true);
    expect_fragments(&three, 4, false);
}

static void stays_failed(void **state)
{
    (void)state;
    struct websocket ws;
    struct websocket_piece piece;
    char bytes[] = "\x81\x05";
    char *p = bytes;
    size_t len = 2;
    websocket_init(&ws, &any);
    assert_int_equal(websocket_next(&ws, &p, &len, &piece), WEBSOCKET_FAILED);
    assert_true(piece.data.len > 0);
    len = 0;
    assert_int_equal(websocket_next(&ws, &p, &len, &piece), WEBSOCKET_FAILED);
    assert_int_equal(piece.close_code, 1002);
}

/* ---- frames out ---- */

static void masks_from_any_place(void **state)
{
    (void)state;
    for (size_t len = 0; len < 70; len++) {
        for (size_t at = 0; at < 9; at++) {
            char bytes[70];
            memset(bytes, 0x55, sizeof(bytes));
            websocket_mask(bytes, len, mask, at);
            for (size_t i = 0; i < sizeof(bytes); i++)
                assert_int_equal((uint8_t)bytes[i], i < len ? 0x55 ^ mask[(at + i) & 3] : 0x55);
        }
    }
}

static void writes_the_frames_of_the_rfc(void **state)
{
    (void)state;
    uint8_t out[WEBSOCKET_CONTROL_FRAME_MAX];
    /* RFC 6455 5.7 */
    assert_int_equal(websocket_control(out, WEBSOCKET_OP_PING, PART("Hello"), NULL), 7);
    assert_memory_equal(out, "\x89\x05Hello", 7);
    assert_int_equal(websocket_control(out, WEBSOCKET_OP_PONG, PART("Hello"), mask), 11);
    assert_memory_equal(out, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
    assert_int_equal(websocket_head(out, WEBSOCKET_OP_BINARY, 256, NULL), 4);
    assert_memory_equal(out, "\x82\x7e\x01\x00", 4);
    assert_int_equal(websocket_head(out, WEBSOCKET_OP_BINARY, 65536, NULL), 10);
    assert_memory_equal(out, "\x82\x7f\0\0\0\0\0\1\0\0", 10);
    assert_int_equal(websocket_head(out, WEBSOCKET_OP_TEXT, 65535, mask), 8);
    assert_memory_equal(out, "\x81\xfe\xff\xff\x37\xfa\x21\x3d", 8);
}

static void writes_closes(void **state)
{
    (void)state;
    uint8_t out[WEBSOCKET_CONTROL_FRAME_MAX];
    char reason[200];
    assert_int_equal(websocket_close(out, 1000, PART("bye"), NULL), 7);
    assert_memory_equal(out,
                        "\x88\x05\x03\xe8"
                        "bye",
                        7);
    assert_int_equal(websocket_close(out, WEBSOCKET_NO_CODE, PART("x"), NULL), 2);
    assert_int_equal(websocket_close(out, 1001, PART("\xff"), NULL), 4);
    for (size_t i = 0; i < 198; i += 3)
        memcpy(reason + i, "\xe4\xb8\xad", 3); /* 41 of them fit: 123 bytes */
    assert_int_equal(websocket_close(out, 1001, (struct part){reason, 198}, NULL), 2 + 2 + 123);
}

static void cuts_a_reason_between_characters(void **state)
{
    (void)state;
    uint8_t out[WEBSOCKET_CONTROL_FRAME_MAX];
    char reason[126];
    memset(reason, 'x', sizeof(reason));
    memcpy(reason + 121, "\xe4\xb8\xad", 3);
    assert_int_equal(websocket_close(out, 1001, (struct part){reason, sizeof(reason)}, mask),
                     2 + 4 + 2 + 121);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_understood),
        cmocka_unit_test(lengths_are_understood),
        cmocka_unit_test(heads_are_judged_early),
        cmocka_unit_test(close_codes_are_checked),
        cmocka_unit_test(limits_the_message),
        cmocka_unit_test(limits_the_fragments),
        cmocka_unit_test(stays_failed),
        cmocka_unit_test(masks_from_any_place),
        cmocka_unit_test(writes_the_frames_of_the_rfc),
        cmocka_unit_test(writes_closes),
        cmocka_unit_test(cuts_a_reason_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

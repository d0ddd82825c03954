/* wire/frame with lines of 8 MB: every cut gives the same frame, and the same verdict about its size. The
 * whole is built once; its frames are compared by their bytes and envelopes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/frame.h"

#define LINE_BYTES ((size_t)8 << 20)
#define EDGE_BYTES ((size_t)4096)

struct line {
    char *bytes; /* with its newline */
    size_t len;  /* without */
    struct rpc_envelope env;
};

/* Every kind of thing that a cut can fall into, over and over, up to exactly `len` bytes; the id stands last.
 */
static struct line make_line(size_t len)
{
    static const char head[] = "{\"jsonrpc\":\"2.0\",\"result\":[";
    static const char piece[] =
        "{\"text\":\"h\xc3\xa9 \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80 \\ud83d\\ude00 \\\"x\\\" \\n and some plain words\",\"n\":[-12.5e+3,true,null,{}]},";
    static const char tail[] = "\"\xf0\x9f\x98\x80\"],\"id\":\"the \\u0069d \xe2\x82\xac\"}";
    struct line line = {.bytes = mem_alloc(len + 1), .len = len};
    assert_non_null(line.bytes);
    size_t at = sizeof(head) - 1;
    memcpy(line.bytes, head, at);
    while (at + sizeof(piece) - 1 + sizeof(tail) - 1 <= len) {
        memcpy(line.bytes + at, piece, sizeof(piece) - 1);
        at += sizeof(piece) - 1;
    }
    size_t blanks = len - at - (sizeof(tail) - 1);
    memset(line.bytes + at, ' ', blanks);
    memcpy(line.bytes + at + blanks, tail, sizeof(tail) - 1);
    line.bytes[len] = '\n';
    rpc_scan_line(line.bytes, len, &line.env);
    assert_int_equal(line.env.kind, RPC_RESULT);
    return line;
}

static void assert_is_the_line(const struct line *line, const struct frame *f)
{
    assert_int_equal(f->len, line->len);
    assert_true(memcmp(f->bytes, line->bytes, line->len) == 0); /* assert_memory_equal would print it */
    assert_int_equal(f->env.kind, line->env.kind);
    assert_int_equal(f->env.fault, line->env.fault);
    assert_memory_equal(&f->env.id, &line->env.id, sizeof(f->env) - offsetof(struct rpc_envelope, id));
}

static void assert_is_too_large(const struct line *line, const struct frame *f)
{
    assert_int_equal(f->len, line->len);
    assert_int_equal(f->env.kind, line->env.kind);
    assert_int_equal(f->env.id.off, 0);
    assert_int_equal(f->env.id.len, line->env.id.len);
    assert_memory_equal(f->bytes, line->bytes + line->env.id.off, line->env.id.len);
}

/* One frame, or one too large, and nothing else. */
static void feed(struct frame_reader *r, const struct line *line, size_t from, size_t to, size_t *frames)
{
    const char *p = line->bytes + from;
    size_t len = to - from;
    struct frame f;
    enum frame_result result;
    while ((result = frame_next(r, &p, &len, &f)) != FRAME_MORE) {
        if (line->len > r->max_bytes) {
            assert_int_equal(result, FRAME_TOO_LARGE);
            assert_is_too_large(line, &f);
        } else {
            assert_int_equal(result, FRAME_READY);
            assert_is_the_line(line, &f);
        }
        ++*frames;
    }
}

static void check_chunks(const struct line *line, size_t chunk, size_t max_bytes)
{
    struct frame_reader r;
    size_t frames = 0;
    frame_reader_init(&r, max_bytes, 100);
    for (size_t at = 0; at <= line->len; at += chunk)
        feed(&r, line, at, line->len + 1 - at < chunk ? line->len + 1 : at + chunk, &frames);
    assert_int_equal(frames, 1);
    frame_reader_done(&r);
}

static void every_chunk_size_gives_the_same(void **state)
{
    (void)state;
    struct line line = make_line(20000);
    for (size_t chunk = 1; chunk <= 4096; chunk++) {
        check_chunks(&line, chunk, line.len);
        check_chunks(&line, chunk, line.len - 1);
    }
    mem_free(line.bytes);
}

static void eight_megabytes_in_chunks(void **state)
{
    (void)state;
    static const size_t chunks[] = {1,     7,     64,    255,     1000,       4095,          4096,
                                    65535, 65536, 65537, 1 << 20, LINE_BYTES, LINE_BYTES + 1};
    struct line line = make_line(LINE_BYTES);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        check_chunks(&line, chunks[i], LINE_BYTES);
        check_chunks(&line, chunks[i], LINE_BYTES - 1);
    }
    mem_free(line.bytes);
}

/* A cut anywhere in the first 4 KiB: scanned on with what is between as one piece. The scan's state at the
 * edge is compared with the state of the uncut scan there, so that the middle need not be read 8,192 times.
 */
static void same_state(const struct rpc_scan *a, const struct rpc_scan *b)
{
    assert_int_equal(a->json.at, b->json.at);
    assert_int_equal(a->json.state, b->json.state);
    assert_int_equal(a->json.fault, b->json.fault);
    assert_int_equal(a->json.depth, b->json.depth);
    assert_int_equal(a->json.watched, b->json.watched);
    assert_int_equal(a->json.objects[0], b->json.objects[0]);
    assert_memory_equal(&a->env, &b->env, sizeof(a->env));
}

static void eight_megabytes_cut_in_the_first_bytes(void **state)
{
    (void)state;
    struct line line = make_line(LINE_BYTES);
    struct rpc_scan uncut;
    rpc_scan_init(&uncut);
    rpc_scan_feed(&uncut, line.bytes, EDGE_BYTES);
    for (size_t cut = 0; cut <= EDGE_BYTES; cut++) {
        struct rpc_scan s;
        rpc_scan_init(&s);
        rpc_scan_feed(&s, line.bytes, cut);
        rpc_scan_feed(&s, line.bytes + cut, EDGE_BYTES - cut);
        same_state(&uncut, &s);
    }
    mem_free(line.bytes);
}

static void eight_megabytes_cut_in_the_last_bytes(void **state)
{
    (void)state;
    struct line line = make_line(LINE_BYTES);
    size_t edge = line.len - EDGE_BYTES;
    struct rpc_scan before;
    rpc_scan_init(&before);
    rpc_scan_feed(&before, line.bytes, edge);
    for (size_t cut = 0; cut <= EDGE_BYTES; cut++) {
        struct rpc_scan s = before;
        struct rpc_envelope env;
        rpc_scan_feed(&s, line.bytes + edge, cut);
        rpc_scan_feed(&s, line.bytes + edge + cut, EDGE_BYTES - cut);
        rpc_scan_end(&s, &env);
        assert_int_equal(env.kind, line.env.kind);
        assert_memory_equal(&env.id, &line.env.id, sizeof(env) - offsetof(struct rpc_envelope, id));
    }
    mem_free(line.bytes);
}

/* The same through the reader, at each hundredth place and around the CR and the newline. */
static void eight_megabytes_cut_through_the_reader(void **state)
{
    (void)state;
    struct line line = make_line(LINE_BYTES);
    for (size_t i = 0; i < 2 * EDGE_BYTES; i += i < 2 * EDGE_BYTES - 8 ? 293 : 1) {
        size_t cut = i < EDGE_BYTES ? i : line.len + 1 - (2 * EDGE_BYTES - i);
        struct frame_reader r;
        size_t frames = 0;
        frame_reader_init(&r, LINE_BYTES, 100);
        feed(&r, &line, 0, cut, &frames);
        feed(&r, &line, cut, line.len + 1, &frames);
        assert_int_equal(frames, 1);
        frame_reader_done(&r);
    }
    mem_free(line.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chunk_size_gives_the_same),
        cmocka_unit_test(eight_megabytes_in_chunks),
        cmocka_unit_test(eight_megabytes_cut_in_the_first_bytes),
        cmocka_unit_test(eight_megabytes_cut_in_the_last_bytes),
        cmocka_unit_test(eight_megabytes_cut_through_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The frame reader against a plain splitter that has the whole stream before it.
 *
 * Input: line limit, id limit, seed of the cuts, and which allocation fails (for lines the low half, for
 * messages the high half; 0: none), one byte each; then the stream. Each line must come out as the splitter
 * has it, scanned as rpc_scan_line scans it, in any cuts. With an allocation failing, one line may be missing
 * with FRAME_NO_MEMORY in its place, or an over-long one may come without its id. Then each line, and all of
 * the stream, goes through the entry for messages, in one chunk and in many.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "wire/frame.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- an allocator whose nth allocation fails ---- */

static size_t until_failure;
static bool failed;

static bool fails_now(void)
{
    if (until_failure == 0 || --until_failure > 0)
        return false;
    failed = true;
    return true;
}

static void *failing_malloc(size_t size)
{
    return fails_now() ? NULL : malloc(size);
}

static void *failing_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : calloc(count, size);
}

static void *failing_realloc(void *p, size_t size)
{
    return fails_now() ? NULL : realloc(p, size);
}

static const struct allocator failing = {failing_malloc, failing_calloc, failing_realloc, free};

/* ---- the splitter ---- */

struct stream {
    const char *bytes;
    size_t len;
    size_t at;
    size_t max_bytes;
    size_t max_id_bytes;
};

static bool is_blank(const char *bytes, size_t len)
{
    while (len > 0 && (bytes[len - 1] == ' ' || bytes[len - 1] == '\t' || bytes[len - 1] == '\r'))
        len--;
    return len == 0;
}

/* The next whole line that has to be reported. */
static bool split_next(struct stream *s, const char **ret_line, size_t *ret_len)
{
    for (;;) {
        const char *line = s->bytes + s->at;
        const char *newline = s->at < s->len ? memchr(line, '\n', s->len - s->at) : NULL;
        if (!newline)
            return false;
        size_t len = (size_t)(newline - line);
        s->at += len + 1;
        len -= len > 0 && line[len - 1] == '\r';
        if (is_blank(line, len) && len <= s->max_bytes)
            continue;
        *ret_line = line;
        *ret_len = len;
        return true;
    }
}

/* ---- comparing ---- */

static bool same_spans(const struct rpc_envelope *a, const struct rpc_envelope *b)
{
    size_t spans = offsetof(struct rpc_envelope, id);
    return memcmp((const char *)a + spans, (const char *)b + spans, sizeof(*a) - spans) == 0;
}

static void check_ready(const struct frame *f, const char *line, size_t len, const struct rpc_envelope *env)
{
    CHECK(f->len == len && memcmp(f->bytes, line, len) == 0);
    CHECK(same_spans(&f->env, env));
}

static void check_too_large(const struct frame *f, const char *line, size_t len,
                            const struct rpc_envelope *env, size_t max_id_bytes)
{
    CHECK(f->len == len && f->env.id.off == 0);
    if (f->env.id.len == 0) {
        CHECK(failed || env->id.len == 0 || env->id.len > max_id_bytes);
        return;
    }
    CHECK(f->env.id.len == env->id.len && env->id.len <= max_id_bytes);
    CHECK(memcmp(f->bytes, line + env->id.off, env->id.len) == 0);
    CHECK(f->env.id_null == env->id_null && f->env.id_is_int == env->id_is_int);
}

/* The line that holds the last byte taken, which stands before `taken`, is lost. */
static void lose_line(struct stream *s, size_t taken)
{
    size_t last = taken - 1;
    const char *before = memrchr(s->bytes, '\n', last);
    const char *newline = memchr(s->bytes + last, '\n', s->len - last);
    size_t begin = before ? (size_t)(before - s->bytes) + 1 : 0;
    const char *line;
    size_t len;
    struct stream skipped = *s;
    skipped.len = begin;
    CHECK(failed && !split_next(&skipped, &line, &len));
    s->at = newline ? (size_t)(newline - s->bytes) + 1 : s->len;
}

static void check_result(struct stream *s, enum frame_result result, const struct frame *f, size_t taken)
{
    const char *line;
    size_t len;
    struct rpc_envelope env;
    if (result == FRAME_NO_MEMORY) {
        lose_line(s, taken);
        return;
    }
    CHECK(split_next(s, &line, &len));
    rpc_scan_line(line, len, &env);
    CHECK(f->env.kind == env.kind && f->env.fault == env.fault && f->env.fault_at == env.fault_at &&
          f->env.has_method == env.has_method);
    CHECK((result == FRAME_TOO_LARGE) == (len > s->max_bytes));
    if (result == FRAME_READY)
        check_ready(f, line, len, &env);
    else
        check_too_large(f, line, len, &env, s->max_id_bytes);
}

static void check_chunk(struct stream *s, struct frame_reader *r, size_t at, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    CHECK(copy);
    memcpy(copy, s->bytes + at, len);
    const char *p = copy;
    enum frame_result result;
    struct frame f;
    while ((result = frame_next(r, &p, &len, &f)) != FRAME_MORE)
        check_result(s, result, &f, at + (size_t)(p - copy));
    CHECK(len == 0 && frame_reader_partial(r) <= s->max_bytes);
    free(copy);
}

static void check_stream(struct stream *s, unsigned seed)
{
    struct frame_reader r;
    size_t max_chunk = 1 + seed % 100;
    size_t mark = s->len < 3 ? s->len : 3;
    if (memcmp(s->bytes, "\xEF\xBB\xBF", mark) == 0)
        s->at = mark;
    frame_reader_init(&r, s->max_bytes, s->max_id_bytes);
    for (size_t at = 0; at < s->len;) {
        seed = seed * 1103515245U + 12345U;
        size_t n = 1 + (seed >> 16) % max_chunk;
        if (n > s->len - at)
            n = s->len - at;
        check_chunk(s, &r, at, n);
        if ((seed & 0x700) == 0)
            frame_reader_trim(&r);
        at += n;
    }
    const char *line;
    size_t len;
    CHECK(!split_next(s, &line, &len));
    CHECK(failed || frame_reader_in_line(&r) == (s->at < s->len));
    frame_reader_done(&r);
}

/* ---- messages ---- */

struct message {
    const char *bytes;
    const char *blanked; /* what is handed out of a sound message: line ends are spaces */
    size_t len;
    struct rpc_envelope env;
};

static void check_message_result(const struct stream *s, const struct message *m, enum frame_result result,
                                 const struct frame *f)
{
    if (result == FRAME_NO_MEMORY) {
        CHECK(failed);
        return;
    }
    CHECK(f->env.kind == m->env.kind && f->env.fault == m->env.fault && f->env.fault_at == m->env.fault_at &&
          f->env.has_method == m->env.has_method);
    CHECK((result == FRAME_TOO_LARGE) == (m->len > s->max_bytes));
    if (result == FRAME_READY)
        check_ready(f, m->env.fault == RPC_OK ? m->blanked : m->bytes, m->len, &m->env);
    else
        check_too_large(f, m->bytes, m->len, &m->env, s->max_id_bytes);
    if (frame_id_is_sound(f))
        CHECK(rpc_check_json(frame_id(f), f->env.id.len, NULL) == RPC_OK);
}

/* In chunks of at most `max_chunk` bytes, some of them empty; 0: in one. */
static void check_message(const struct stream *s, const struct message *m, struct frame_reader *r,
                          unsigned seed, size_t max_chunk)
{
    bool last = false;
    int results = 0;
    for (size_t at = 0; !last;) {
        struct frame f;
        seed = seed * 1103515245U + 12345U;
        size_t n = max_chunk > 0 ? (seed >> 16) % (max_chunk + 1) : m->len;
        if (n > m->len - at)
            n = m->len - at;
        last = at + n == m->len && (n > 0 || m->len == 0 || (seed & 0x100) != 0);
        char *copy = malloc(n > 0 ? n : 1);
        CHECK(copy);
        memcpy(copy, m->bytes + at, n);
        enum frame_result result = frame_feed_chunk(r, copy, n, last, &f);
        if (result != FRAME_MORE) {
            check_message_result(s, m, result, &f);
            results++;
        }
        CHECK(frame_reader_partial(r) <= s->max_bytes);
        free(copy);
        at += n;
    }
    CHECK(results == 1 && !frame_reader_in_line(r));
}

static void check_message_cuts(const struct stream *s, const struct message *m, unsigned seed)
{
    struct frame_reader r;
    frame_reader_init(&r, s->max_bytes, s->max_id_bytes);
    check_message(s, m, &r, seed, 1 + seed % 100);
    check_message(s, m, &r, seed, 0);
    frame_reader_done(&r);
}

/* A line is a message too, with the same verdict. */
static void check_lines_as_messages(struct stream s, unsigned seed)
{
    struct message m;
    s.at = 0;
    while (split_next(&s, &m.bytes, &m.len)) {
        if (memchr(m.bytes, '\r', m.len))
            continue;
        m.blanked = m.bytes;
        rpc_scan_line(m.bytes, m.len, &m.env);
        check_message_cuts(&s, &m, seed);
    }
}

/* All of it as one message: where its line ends are white space, it is what it is with spaces for them. */
static void check_all_as_message(const struct stream *s, unsigned seed)
{
    struct rpc_scan scan;
    struct message m = {.bytes = s->bytes, .len = s->len};
    char *blanked = malloc(s->len > 0 ? s->len : 1);
    CHECK(blanked);
    for (size_t i = 0; i < s->len; i++)
        blanked[i] = s->bytes[i] == '\n' || s->bytes[i] == '\r' ? ' ' : s->bytes[i];
    m.blanked = blanked;
    rpc_scan_init_message(&scan);
    rpc_scan_feed(&scan, s->bytes, s->len);
    rpc_scan_end(&scan, &m.env);
    if (rpc_check_json(s->bytes, s->len, NULL) == RPC_OK) {
        struct rpc_envelope line;
        rpc_scan_line(blanked, s->len, &line);
        CHECK(line.kind == m.env.kind && line.fault == m.env.fault && line.fault_at == m.env.fault_at);
        CHECK(same_spans(&line, &m.env));
    } else {
        CHECK(m.env.kind == RPC_INVALID && rpc_fault_code(m.env.fault) == -32700);
    }
    check_message_cuts(s, &m, seed);
    free(blanked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct stream s = {.bytes = (const char *)data + 4,
                       .len = size - 4,
                       .max_bytes = 1 + data[0],
                       .max_id_bytes = data[1] % 32};
    mem_set(&failing);
    until_failure = data[3] % 16;
    failed = false;
    check_stream(&s, data[2]);
    until_failure = data[3] / 16;
    failed = false;
    check_lines_as_messages(s, data[2]);
    check_all_as_message(&s, data[2]);
    until_failure = 0;
    mem_set(NULL);
    return 0;
}

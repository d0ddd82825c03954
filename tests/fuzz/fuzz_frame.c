/* The frame reader against a plain splitter that has the whole stream before it.
 *
 * Input: line limit, id limit, seed of the cuts, and which allocation fails (0: none), one byte each; then
 * the stream. Each line must come out as the splitter has it, scanned as rpc_scan_line scans it, in any cuts.
 * With an allocation failing, one line may be missing with FRAME_NO_MEMORY in its place, or an over-long one
 * may come without its id.
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
    until_failure = 0;
    mem_set(NULL);
    return 0;
}

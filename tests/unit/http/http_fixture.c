/* Reads a stream as a server would. Each chunk is a copy of its size, so that a sanitizer sees a read past
 * it, and that it is gone afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_body.h"
#include "tests/unit/http/http_fixture.h"

struct run {
    char text[40960];
    size_t len;
    struct http_head_reader reader;
    struct http_body body;
    bool in_body;
    unsigned status;
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

static void note_part(struct run *run, const char *before, struct part part)
{
    if (part.len == 0)
        return;
    note_text(run, before);
    note(run, part.bytes, part.len);
}

static void note_head(struct run *run, const struct http_head *head)
{
    note_part(run, "", http_head_text(head, head->line.method_text));
    note_part(run, " ", http_head_path(head));
    note_part(run, " ? ", http_head_text(head, head->line.query));
    note_part(run, " @ ", http_head_host(head));
    note_text(run, head->keep_alive ? " keep" : " close");
    note_text(run, head->expects_continue ? " continue" : "");
    note_text(run, head->upgrade_websocket ? " websocket" : "");
    note_text(run, head->chunked || head->length > 0 ? " <" : "\n");
}

static void note_refusal(struct run *run, const struct http_refusal *refusal)
{
    char text[160];
    (void)snprintf(text, sizeof(text), "%s%u %s\n", run->in_body ? "> " : "", refusal->status,
                   refusal->reason);
    note_text(run, text);
    run->status = refusal->status;
}

static void feed_head(struct run *run, const char **p, size_t *len)
{
    struct http_head head;
    switch (http_head_next(&run->reader, p, len, &head)) {
    case HTTP_HEAD_MORE:
        assert_int_equal(*len, 0);
        break;
    case HTTP_HEAD_READY:
        assert_int_equal(http_head_keep(&run->reader, &head), 0);
        note_head(run, &head);
        http_body_begin(&run->body, &head, BODY_LIMIT);
        run->in_body = head.chunked || head.length > 0;
        break;
    case HTTP_HEAD_REFUSED:
        note_refusal(run, &run->reader.refusal);
        break;
    }
}

static void feed_body(struct run *run, const char **p, size_t *len)
{
    struct part data = {NULL, 0};
    switch (http_body_next(&run->body, p, len, &data)) {
    case HTTP_BODY_MORE:
        assert_int_equal(*len, 0);
        break;
    case HTTP_BODY_DATA:
        assert_true(data.len > 0);
        note(run, data.bytes, data.len);
        break;
    case HTTP_BODY_END:
        note(run, data.bytes, data.len);
        note_text(run, ">\n");
        assert_true(http_body_is_over(&run->body));
        run->in_body = false;
        break;
    case HTTP_BODY_REFUSED:
        note_refusal(run, &run->body.refusal);
        break;
    }
}

static void feed(struct run *run, const char *bytes, size_t len)
{
    char *copy = malloc(len > 0 ? len : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, len);
    const char *p = copy;
    while (run->status == 0 && len > 0) {
        if (run->in_body)
            feed_body(run, &p, &len);
        else
            feed_head(run, &p, &len);
    }
    free(copy);
}

static void run_cut(struct run *run, const char *stream, size_t len, size_t first, size_t chunk)
{
    *run = (struct run){.len = 0};
    http_head_reader_init(&run->reader, HTTP_REQUEST);
    feed(run, stream, first);
    for (size_t at = first; at < len; at += chunk)
        feed(run, stream + at, len - at < chunk ? len - at : chunk);
    if (run->status == 0 && (run->in_body || http_head_reader_in_head(&run->reader)))
        note_text(run, "more\n");
    http_head_reader_done(&run->reader);
}

static void compare_cuts(struct run *run, const char *stream, size_t len, const char *expected)
{
    static struct run other;
    for (size_t cut = 0; cut<len; cut += len> 2000 ? len / 50 : 1) {
        run_cut(&other, stream, len, cut, len);
        assert_string_equal(other.text, expected);
        assert_int_equal(other.status, run->status);
    }
    run_cut(&other, stream, len, 0, 1);
    assert_string_equal(other.text, expected);
}

void expect_run_of(const char *stream, size_t len, const char *expected)
{
    static struct run run;
    run_cut(&run, stream, len, len, len);
    assert_string_equal(run.text, expected);
    compare_cuts(&run, stream, len, expected);
}

void expect_run(const char *stream, const char *expected)
{
    expect_run_of(stream, strlen(stream), expected);
}

unsigned refusal_of(const char *stream, size_t len)
{
    static struct run run;
    run_cut(&run, stream, len, len, len);
    compare_cuts(&run, stream, len, run.text);
    return run.status;
}

const struct http_head *open_head(const char *text)
{
    static struct http_head head;
    struct http_head_reader r;
    size_t len = strlen(text);
    http_head_reader_init(&r, HTTP_REQUEST);
    if (http_head_next(&r, &text, &len, &head) != HTTP_HEAD_READY)
        fail_msg("%u %s", r.refusal.status, r.refusal.reason ? r.refusal.reason : "not whole");
    http_head_reader_done(&r);
    return &head;
}

/* HTTP requests: heads and bodies of a stream.
 *
 * Input: seed of the cuts, one byte; then the stream. What is understood of it (each accepted head whole,
 * each body, the refusal) must be the same in one chunk and in many. Of each head that is accepted: its
 * pieces lie within it, its path and query go through the route table and the query reader, Accept and the
 * guard look at it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/http_accept.h"
#include "http/http_body.h"
#include "http/http_guard.h"
#include "http/http_query.h"
#include "http/http_route.h"
#include "http/http_text.h"
#include "http/websocket_handshake.h"

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

#define BODY_LIMIT 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a run understood, as a hash. */
struct run {
    struct http_head_reader reader;
    struct http_body body;
    bool in_body;
    unsigned status;
    uint64_t hash;
};

static void mix(struct run *run, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < len; i++)
        run->hash = (run->hash ^ p[i]) * UINT64_C(1099511628211);
}

static void check_span(const struct http_head *head, struct http_span span)
{
    CHECK((size_t)span.off + span.len <= head->len);
}

static void check_framing(const struct http_head *head)
{
    unsigned hosts = 0;
    struct part value;
    hosts = http_head_find(head, "host", &value);
    CHECK(hosts == 1 || (hosts == 0 && head->line.minor == 0));
    CHECK(!(head->chunked && head->has_length));
    CHECK(http_head_find(head, "content-length", &value) == head->has_length);
    CHECK(http_head_find(head, "transfer-encoding", &value) == head->chunked);
    CHECK(memmem(head->bytes, head->len, "\r\n\r\n", 4) == head->bytes + head->len - 4);
    CHECK(!memchr(head->bytes, '\0', head->len));
}

static void use_head(const struct http_head *head)
{
    static const struct http_route routes[] = {{HTTP_GET, "/a/{b}/c", 1}, {HTTP_POST, "/{x}", 2}};
    struct http_route_match match;
    struct websocket_offer offer;
    struct http_refusal refusal;
    char out[16];
    for (unsigned i = 0; i < head->count; i++) {
        check_span(head, head->fields[i].name);
        check_span(head, head->fields[i].value);
    }
    check_framing(head);
    if (http_route_find(routes, 2, head->line.method, http_head_path(head), &match) == HTTP_ROUTE_FOUND)
        for (unsigned i = 0; i < match.count; i++)
            CHECK(match.params[i].bytes[match.params[i].len] == '\0');
    (void)http_query_find(http_head_text(head, head->line.query), "a", out, sizeof(out), NULL);
    CHECK(http_accept_quality(head, "application/json") <= 1000);
    (void)http_guard_check(&(struct http_guard){.own_origin = true}, head, &refusal);
    (void)websocket_offer_read(head, NULL, &offer, &refusal);
}

static void take_head(struct run *run, const char **p, size_t *len)
{
    struct http_head head;
    enum http_head_result result = http_head_next(&run->reader, p, len, &head);
    CHECK(result != HTTP_HEAD_MORE || *len == 0);
    if (result == HTTP_HEAD_REFUSED) {
        run->status = run->reader.refusal.status;
        CHECK(run->status >= 400 && run->reader.refusal.reason);
    }
    if (result != HTTP_HEAD_READY)
        return;
    use_head(&head);
    mix(run, head.bytes, head.len);
    http_body_begin(&run->body, &head, BODY_LIMIT);
    run->in_body = !http_body_is_over(&run->body);
}

static void take_body(struct run *run, const char **p, size_t *len)
{
    struct part data = {NULL, 0};
    enum http_body_result result = http_body_next(&run->body, p, len, &data);
    CHECK(result != HTTP_BODY_MORE || *len == 0);
    if (result == HTTP_BODY_DATA || result == HTTP_BODY_END)
        mix(run, data.bytes, data.len);
    run->in_body = result != HTTP_BODY_END;
    run->status = run->body.refusal.status;
}

static void feed(struct run *run, const uint8_t *bytes, size_t len)
{
    char *copy = malloc(len);
    CHECK(copy);
    memcpy(copy, bytes, len);
    const char *p = copy;
    while (run->status == 0 && len > 0) {
        if (run->in_body)
            take_body(run, &p, &len);
        else
            take_head(run, &p, &len);
    }
    free(copy);
}

/* max_chunk 0: in one chunk. */
static struct run run_stream(const uint8_t *bytes, size_t size, unsigned seed, size_t max_chunk)
{
    struct run run = {.status = 0};
    http_head_reader_init(&run.reader, HTTP_REQUEST);
    for (size_t at = 0; at < size;) {
        seed = seed * 1103515245U + 12345U;
        size_t n = max_chunk > 0 ? 1 + (seed >> 16) % max_chunk : size;
        if (n > size - at)
            n = size - at;
        feed(&run, bytes + at, n);
        at += n;
    }
    if (run.status == 0)
        mix(&run, run.in_body || http_head_reader_in_head(&run.reader) ? "more" : "none", 4);
    http_head_reader_done(&run.reader);
    return run;
}

static void check_same(const struct run *a, const struct run *b)
{
    CHECK(a->status == b->status && a->hash == b->hash);
    CHECK(a->reader.refusal.reason == b->reader.refusal.reason);
    CHECK(a->body.refusal.reason == b->body.refusal.reason);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct run whole = run_stream(data + 1, size - 1, data[0], 0);
    struct run cut = run_stream(data + 1, size - 1, data[0], 1 + data[0] % 40);
    struct run bytewise = run_stream(data + 1, size - 1, data[0], 1);
    check_same(&whole, &cut);
    check_same(&whole, &bytewise);
    return 0;
}

/* Server-sent events.
 *
 * An event in a chunked stream is one chunk: its size is known before it is written. Failure modes: a word
 * that could end its line, no room; nothing is then appended.
 */
#include "http/http_sse.h"

#include <stdio.h>
#include <string.h>

#include "http/http_text.h"

#define EVENT_END "\n\n"

static int check_word(const char *word)
{
    size_t len = word ? strlen(word) : 0;
    if (len > HTTP_SSE_WORD_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < len; i++)
        if (!http_is_value_char(word[i]))
            return ERR_SYNTAX;
    return 0;
}

/* The fields before the data; `size` is enough for the longest. */
static size_t write_fields(const struct http_sse_event *event, char *out, size_t size)
{
    int len = 0;
    if (event->id)
        len = snprintf(out, size, "id: %s\n", event->id);
    if (event->name)
        len += snprintf(out + len, size - (size_t)len, "event: %s\n", event->name);
    if (event->retry_ms > 0)
        len += snprintf(out + len, size - (size_t)len, "retry: %u\n", (unsigned)event->retry_ms);
    len += snprintf(out + len, size - (size_t)len, "data: ");
    return (size_t)len;
}

int http_sse_open(struct http_sse_frame *f, const struct http_sse_event *event, size_t data_len, bool chunked)
{
    char fields[sizeof(f->head) - HTTP_CHUNK_HEAD_MAX];
    int rc = check_word(event->id);
    if (rc == 0)
        rc = check_word(event->name);
    if (rc != 0)
        return rc;
    size_t len = write_fields(event, fields, sizeof(fields));
    f->head_len = chunked ? http_chunk_begin(len + data_len + sizeof(EVENT_END) - 1, f->head) : 0;
    memcpy(f->head + f->head_len, fields, len);
    f->head_len += len;
    f->tail = chunked ? PART(EVENT_END HTTP_CHUNK_END) : PART(EVENT_END);
    return 0;
}

bool http_sse_has_line_end(const struct part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (parts[i].len > 0 &&
            (memchr(parts[i].bytes, '\n', parts[i].len) || memchr(parts[i].bytes, '\r', parts[i].len)))
            return true;
    return false;
}

/* ---- appending ---- */

static size_t data_len(const struct part *parts, size_t count)
{
    size_t len = 0;
    for (size_t i = 0; i < count; i++)
        len += parts[i].len;
    return len;
}

static void blank_line_ends(char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] == '\n' || bytes[i] == '\r')
            bytes[i] = ' ';
}

static int append_data(struct buf *out, const struct part *parts, size_t count)
{
    size_t before = buf_len(out);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        if (parts[i].len > 0)
            rc = buf_append(out, parts[i].bytes, parts[i].len);
    if (rc == 0 && http_sse_has_line_end(parts, count))
        blank_line_ends(buf_data(out) + before, buf_len(out) - before);
    return rc;
}

int http_sse_append(struct buf *out, const struct http_sse_event *event, const struct part *parts,
                    size_t count, bool chunked)
{
    struct http_sse_frame f;
    size_t before = buf_len(out);
    int rc = http_sse_open(&f, event, data_len(parts, count), chunked);
    if (rc == 0)
        rc = buf_append(out, f.head, f.head_len);
    if (rc == 0)
        rc = append_data(out, parts, count);
    if (rc == 0)
        rc = buf_append(out, f.tail.bytes, f.tail.len);
    if (rc != 0)
        buf_truncate(out, before);
    return rc;
}

struct part http_sse_keep_alive(bool chunked)
{
    return chunked ? PART("d\r\n: keepalive\n\n\r\n") : PART(": keepalive\n\n");
}

int http_sse_end_head(struct http_response *r, bool *ret_chunked)
{
    http_response_field(r, "Cache-Control", "no-cache, no-transform");
    http_response_field(r, "X-Accel-Buffering", "no");
    return http_response_end_stream(r, HTTP_SSE_TYPE, ret_chunked);
}

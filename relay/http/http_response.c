/* The head of a response.
 *
 * Happy path: the status line, the caller's fields, then framing and Connection at the end. Failure modes:
 * no room, no memory, a value that could end its field: the first of them is kept, and the end takes back
 * what was appended.
 */
#include "http/http_response.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "http/http_text.h"

struct http_terms http_terms_of(const struct http_head *head)
{
    return (struct http_terms){.head_only = head->line.method == HTTP_METHOD_HEAD,
                               .keep_alive = head->keep_alive,
                               .is_old = head->line.minor == 0};
}

struct http_terms http_terms_of_refused(void)
{
    return (struct http_terms){.keep_alive = false};
}

/* ---- appending ---- */

static void add(struct http_response *r, const char *bytes, size_t len)
{
    if (r->error == 0 && len > 0)
        r->error = buf_append(r->out, bytes, len);
}

static void add_text(struct http_response *r, const char *text)
{
    add(r, text, strlen(text));
}

static void add_field(struct http_response *r, const char *name, struct part value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!http_is_value_char(value.bytes[i]) && r->error == 0)
            r->error = ERR_SYNTAX;
    add_text(r, name);
    add(r, ": ", 2);
    add(r, value.bytes, value.len);
    add(r, "\r\n", 2);
}

static void add_field_uint(struct http_response *r, const char *name, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    add_field(r, name, (struct part){text, (size_t)len});
}

/* ---- the caller's part ---- */

void http_response_begin(struct http_response *r, struct buf *out, struct http_terms terms, unsigned status)
{
    char digits[16];
    *r = (struct http_response){.out = out, .before = buf_len(out), .terms = terms, .status = status};
    (void)snprintf(digits, sizeof(digits), "%u ", status);
    add_text(r, "HTTP/1.1 ");
    add_text(r, digits);
    add_text(r, http_status_text(status));
    add(r, "\r\n", 2);
}

/* Which fields http_response_end* write. */
static bool is_framing(const char *name)
{
    switch (http_field_find((struct part){name, strlen(name)})) {
    case HTTP_FIELD_CONNECTION:
    case HTTP_FIELD_CONTENT_LENGTH:
    case HTTP_FIELD_CONTENT_TYPE:
    case HTTP_FIELD_TRANSFER_ENCODING:
        return true;
    default:
        return false;
    }
}

void http_response_field_part(struct http_response *r, const char *name, struct part value)
{
    assert(!is_framing(name));
    add_field(r, name, value);
}

void http_response_field(struct http_response *r, const char *name, const char *value)
{
    http_response_field_part(r, name, (struct part){value, strlen(value)});
}

void http_response_field_uint(struct http_response *r, const char *name, uint64_t value)
{
    assert(!is_framing(name));
    add_field_uint(r, name, value);
}

/* ---- the end ---- */

static void add_connection(struct http_response *r)
{
    if (!r->terms.keep_alive)
        add_text(r, "Connection: close\r\n");
    else if (r->terms.is_old)
        add_text(r, "Connection: keep-alive\r\n");
}

static void add_type(struct http_response *r, const char *type)
{
    add_field(r, "Content-Type", (struct part){type, strlen(type)});
}

static int finish(struct http_response *r)
{
    if (r->error != 0)
        buf_truncate(r->out, r->before);
    return r->error;
}

int http_response_end_head(struct http_response *r, const char *type, uint64_t len)
{
    assert(!http_status_is_bodiless(r->status));
    add_type(r, type);
    add_field_uint(r, "Content-Length", len);
    add_connection(r);
    add(r, "\r\n", 2);
    return finish(r);
}

int http_response_end(struct http_response *r, const char *type, const char *body, size_t len)
{
    int rc = http_response_end_head(r, type, len);
    if (rc == 0 && !r->terms.head_only) {
        add(r, body, len);
        rc = finish(r);
    }
    return rc;
}

int http_response_end_empty(struct http_response *r)
{
    if (!http_status_is_bodiless(r->status))
        add_text(r, "Content-Length: 0\r\n");
    add_connection(r);
    add(r, "\r\n", 2);
    return finish(r);
}

int http_response_end_stream(struct http_response *r, const char *type, bool *ret_chunked)
{
    bool chunked = !r->terms.is_old;
    assert(!http_status_is_bodiless(r->status));
    if (!chunked)
        r->terms.keep_alive = false;
    add_type(r, type);
    if (chunked)
        add_text(r, "Transfer-Encoding: chunked\r\n");
    add_connection(r);
    add(r, "\r\n", 2);
    int rc = finish(r);
    if (rc == 0)
        *ret_chunked = chunked;
    return rc;
}

int http_response_end_upgrade(struct http_response *r, const char *protocol)
{
    assert(r->status == 101);
    add_field(r, "Upgrade", (struct part){protocol, strlen(protocol)});
    add_text(r, "Connection: Upgrade\r\n\r\n");
    return finish(r);
}

/* ---- chunks ---- */

size_t http_chunk_begin(uint64_t len, char out[HTTP_CHUNK_HEAD_MAX])
{
    static const char digits[] = "0123456789abcdef";
    unsigned count = 1;
    while (count < 16 && len >> (4 * count) != 0)
        count++;
    for (unsigned i = 0; i < count; i++)
        out[i] = digits[len >> (4 * (count - 1 - i)) & 15];
    out[count] = '\r';
    out[count + 1] = '\n';
    return count + 2;
}

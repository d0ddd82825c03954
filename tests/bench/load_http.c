/* Streamable HTTP, as far as a load needs it: one POST at a time per slot on a kept-alive connection,
 * answered by JSON or by an event stream that ends with the answer, with Content-Length or chunked.
 *
 * Failure modes: a status that is not 2xx counts as an error and settles the oldest request; a head that
 * cannot be read closes the connection.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "load.h"

struct answer_head {
    unsigned status;
    size_t head_len; /* with the blank line */
    size_t content_length;
    bool chunked;
};

unsigned http_head(const struct conn *c, size_t body_len, char *out, size_t cap)
{
    bool session = c->session[0] != '\0';
    int len = snprintf(out, cap,
                       "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                       "Accept: application/json, text/event-stream\r\nContent-Length: %zu\r\n%s%s%s%s\r\n",
                       c->load->options->path, body_len, session ? "Mcp-Session-Id: " : "", c->session,
                       session ? "\r\n" : "",
                       c->state > CONN_GREETING ? "MCP-Protocol-Version: 2025-06-18\r\n" : "");
    if (len < 0 || (size_t)len >= cap)
        load_die("an HTTP head is too long");
    return (unsigned)len;
}

static const char *value_of(const char *line, const char *name)
{
    size_t len = strlen(name);
    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    line += len + 1;
    return line + strspn(line, " ");
}

static void read_header(struct conn *c, const char *line, struct answer_head *h)
{
    const char *value;
    if ((value = value_of(line, "content-length")))
        h->content_length = strtoul(value, NULL, 10);
    if ((value = value_of(line, "transfer-encoding")))
        h->chunked = strncasecmp(value, "chunked", 7) == 0;
    if ((value = value_of(line, "mcp-session-id")) && c->session[0] == '\0')
        (void)snprintf(c->session, sizeof(c->session), "%.*s", (int)strcspn(value, "\r"), value);
}

/* false: the head is not whole yet. */
static bool read_head(struct conn *c, struct answer_head *ret_head)
{
    const char *end = memmem(c->partial.at, c->partial.len, "\r\n\r\n", 4);
    if (!end)
        return false;
    memset(ret_head, 0, sizeof(*ret_head));
    ret_head->head_len = (size_t)(end - c->partial.at) + 4;
    if (c->partial.len < 12 || memcmp(c->partial.at, "HTTP/1.1 ", 9) != 0)
        load_die("this is no HTTP/1.1 answer");
    ret_head->status = (unsigned)strtoul(c->partial.at + 9, NULL, 10);
    for (const char *line = c->partial.at; line < end; line += strcspn(line, "\n") + 1)
        read_header(c, line, ret_head);
    return true;
}

/* Joins the chunks in place. false: the last one has not come. *ret_used counts the encoded bytes. */
static bool join_chunks(const char *at, size_t len, struct bytes *ret_body, size_t *ret_used)
{
    size_t pos = 0;
    ret_body->len = 0;
    for (;;) {
        const char *line_end = memmem(at + pos, len - pos, "\r\n", 2);
        if (!line_end)
            return false;
        size_t size = strtoul(at + pos, NULL, 16);
        pos = (size_t)(line_end - at) + 2;
        if (len - pos < size + 2)
            return false;
        bytes_put(ret_body, at + pos, size);
        pos += size + 2;
        if (size == 0)
            break;
    }
    *ret_used = pos;
    return true;
}

static void settle_refused(struct conn *c, const char *body, size_t len)
{
    struct slot *s = &c->slots[0];
    conn_count_error(c, len > 0 ? body : "an empty HTTP answer", len > 0 ? len : 20);
    if (s->id == 0)
        return;
    s->id = 0;
    c->busy--;
    c->load->busy--;
}

static void take_answer(struct conn *c, const struct answer_head *h, const char *body, size_t len)
{
    if (c->state < CONN_SITTING) {
        if (h->status < 200 || h->status > 299)
            load_die("the greeting was refused");
        conn_greeted(c);
    } else if (h->status == 200) {
        conn_settle(c, body, len, len);
    } else {
        settle_refused(c, body, len);
    }
}

void http_feed(struct conn *c, const char *at, size_t len)
{
    struct answer_head h;
    struct bytes body = {NULL, 0, 0};
    bytes_put(&c->partial, at, len);
    while (c->partial.len > 0 && read_head(c, &h)) {
        const char *rest = c->partial.at + h.head_len;
        size_t rest_len = c->partial.len - h.head_len, used = h.content_length;
        if (h.chunked ? !join_chunks(rest, rest_len, &body, &used) : rest_len < used)
            break;
        take_answer(c, &h, h.chunked ? body.at : rest, h.chunked ? body.len : used);
        c->partial.len -= h.head_len + used;
        memmove(c->partial.at, rest + used, c->partial.len);
    }
    free(body.at);
}

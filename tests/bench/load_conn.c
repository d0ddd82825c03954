/* One connection of the load: it greets (initialize, initialized), then keeps each of its slots busy.
 *
 * What leaves: the slots in the queue, each its own head and the load's common tail. Small requests are
 * gathered into one buffer, large ones go out by writev without a copy, so the generator stays cheaper than
 * what it measures. What comes in: lines. Of a line that spans reads only the first 512 bytes are kept, since
 * head and length tell whether the answer is right; --verify keeps all.
 *
 * Failure modes: a connection that closes counts its requests as lost; while greeting it ends the program.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "load.h"

#define KEPT_BYTES   512U   /* of a line that spans reads */
#define SMALL_BYTES  16384U /* requests up to this are gathered */
#define GATHER_PAIRS 32U    /* larger ones per writev */

static const char initialize[] =
    "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\",\"params\":{\"protocolVersion\":\"2025-06-18\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}}\n";
static const char initialized[] = "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n";

void bytes_put(struct bytes *b, const char *at, size_t len)
{
    if (b->cap - b->len < len) {
        b->cap = (b->len + len) * 2;
        b->at = realloc(b->at, b->cap);
        if (!b->at)
            load_die("no memory");
    }
    memcpy(b->at + b->len, at, len);
    b->len += len;
}

/* A greeting fits the empty socket buffer. */
static void send_now(struct conn *c, const char *text, size_t len)
{
    char out[2 * LOAD_HEAD_BYTES];
    size_t head = c->load->options->http ? http_head(c, len, out, sizeof(out)) : 0;
    memcpy(out + head, text, len);
    if (write(c->fd, out, head + len) != (ssize_t)(head + len))
        load_die("a greeting could not be sent");
}

void conn_open(struct conn *c)
{
    const struct load_options *o = c->load->options;
    c->fd = net_connect(&o->address[c->index % o->address_count]);
    c->state = CONN_GREETING;
    send_now(c, initialize, sizeof(initialize) - 1);
}

void conn_greeted(struct conn *c)
{
    if (c->state == CONN_GREETING) {
        send_now(c, initialized, sizeof(initialized) - 1);
        c->state = CONN_CONFIRMING;
        if (c->load->options->http)
            return; /* a 202 is to come */
    }
    c->state = CONN_SITTING;
    c->load->initialize_answered++;
}

void conn_close(struct conn *c, const char *why)
{
    if (c->state == CONN_CLOSED)
        return;
    if (c->state < CONN_SITTING)
        load_die(why);
    if (!c->hist || c->busy != 0)
        fprintf(stderr, "bench_load: connection %u: %s\n", c->index, why);
    c->load->lost += !c->hist ? 1 : c->busy;
    c->load->busy -= c->busy;
    c->busy = 0;
    c->state = CONN_CLOSED;
    close(c->fd);
}

/* ---- sending ---- */

static unsigned build_head(const struct conn *c, struct slot *s)
{
    static const char form[] =
        "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"method\":\"tools/call\",\"params\":{\"name\":\"echo\",\"arguments\":{\"message\":\"%05x";
    char body[160];
    int len = snprintf(body, sizeof(body), form, (unsigned long long)s->id, c->index);
    unsigned head = 0;
    if (c->load->options->http)
        head = http_head(c, (size_t)len + c->load->tail_len, s->head, sizeof(s->head));
    if (head + (size_t)len > sizeof(s->head))
        load_die("the session id is too long");
    memcpy(s->head + head, body, (size_t)len);
    return head + (unsigned)len;
}

static void enqueue(struct conn *c, struct slot *s)
{
    s->id = s->next_id;
    s->next_id += c->slot_count;
    s->head_len = build_head(c, s);
    s->sent_at_ns = c->load->now_ns;
    c->queue[(c->queue_at + c->queue_len++) % c->slot_count] = (unsigned)(s - c->slots);
    c->busy++;
    c->load->busy++;
}

void conn_begin(struct conn *c)
{
    c->state = CONN_WORKING;
    for (unsigned i = 0; i < c->slot_count; i++) {
        c->slots[i].next_id = i == 0 ? c->slot_count : i;
        enqueue(c, &c->slots[i]);
    }
    conn_flush(c);
}

/* Copies queued requests, from the first unsent byte on, into the scratch buffer. */
static int gather_small(struct conn *c, struct iovec *out)
{
    struct load *l = c->load;
    size_t len = 0, skip = c->sent_of_first;
    for (unsigned i = 0; i < c->queue_len && LOAD_CHUNK_BYTES - len > 2 * SMALL_BYTES; i++) {
        const struct slot *s = &c->slots[c->queue[(c->queue_at + i) % c->slot_count]];
        memcpy(l->scratch + len, s->head, s->head_len);
        memcpy(l->scratch + len + s->head_len, l->tail, l->tail_len);
        len += s->head_len + l->tail_len;
    }
    out[0] = (struct iovec){l->scratch + skip, len - skip};
    return 1;
}

static int gather_large(struct conn *c, struct iovec *out)
{
    struct load *l = c->load;
    size_t skip = c->sent_of_first;
    int count = 0;
    for (unsigned i = 0; i < c->queue_len && i < GATHER_PAIRS; i++) {
        struct slot *s = &c->slots[c->queue[(c->queue_at + i) % c->slot_count]];
        size_t of_head = skip < s->head_len ? skip : s->head_len;
        out[count++] = (struct iovec){s->head + of_head, s->head_len - of_head};
        out[count++] = (struct iovec){l->tail + (skip - of_head), l->tail_len - (skip - of_head)};
        skip = 0;
    }
    return count;
}

static void advance(struct conn *c, size_t sent)
{
    while (sent > 0) {
        size_t left = c->slots[c->queue[c->queue_at]].head_len + c->load->tail_len - c->sent_of_first;
        if (sent < left) {
            c->sent_of_first += sent;
            return;
        }
        sent -= left;
        c->sent_of_first = 0;
        c->queue_at = (c->queue_at + 1) % c->slot_count;
        c->queue_len--;
    }
}

void conn_flush(struct conn *c)
{
    struct iovec iov[2 * GATHER_PAIRS];
    while (c->queue_len > 0 && c->state == CONN_WORKING) {
        int count = c->load->tail_len < SMALL_BYTES ? gather_small(c, iov) : gather_large(c, iov);
        ssize_t sent = writev(c->fd, iov, count);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            break;
        if (sent < 0) {
            conn_close(c, "write failed");
            return;
        }
        if (c->load->phase == PHASE_MEASURE)
            c->load->bytes_out += (size_t)sent;
        advance(c, (size_t)sent);
    }
    net_want_write(c, c->queue_len > 0);
}

/* ---- receiving ---- */

void conn_count_error(struct conn *c, const char *at, size_t len)
{
    struct load *l = c->load;
    l->errors++;
    if (l->first_error[0] == '\0')
        (void)snprintf(l->first_error, sizeof(l->first_error), "%.*s", (int)(len < 150 ? len : 150), at);
}

void conn_settle(struct conn *c, const char *at, size_t len, size_t total)
{
    struct load *l = c->load;
    struct slot *s = NULL;
    enum answer verdict = l->options->http ? check_json(c, at, len, &s) : check_line(c, at, len, total, &s);
    if (verdict == ANSWER_WRONG)
        l->wrong++;
    if (verdict == ANSWER_ERROR)
        conn_count_error(c, at, len);
    if (!s)
        return;
    if (l->phase == PHASE_MEASURE) {
        hist_add(c->hist, l->now_ns - s->sent_at_ns);
        if (c->hist == &l->hist)
            l->answers++;
    }
    s->id = 0;
    c->busy--;
    l->busy--;
    l->progress_at_ns = l->now_ns;
    if (l->phase < PHASE_DRAIN)
        enqueue(c, s);
}

static void take_line(struct conn *c, const char *at, size_t len, size_t total)
{
    static const char notification[] = "{\"jsonrpc\":\"2.0\",\"method\":";
    if (len >= sizeof(notification) - 1 && memcmp(at, notification, sizeof(notification) - 1) == 0)
        return;
    if (c->state == CONN_GREETING)
        conn_greeted(c);
    else if (c->state == CONN_WORKING)
        conn_settle(c, at, len, total);
    else
        c->load->wrong++;
}

static void keep(struct conn *c, const char *at, size_t len)
{
    size_t room = c->load->options->verify ? len : KEPT_BYTES - c->partial.len;
    bytes_put(&c->partial, at, len < room ? len : room);
    c->line_bytes += len;
}

static void feed_lines(struct conn *c, const char *at, size_t len)
{
    const char *end = at + len, *newline;
    while (at < end && (newline = memchr(at, '\n', (size_t)(end - at)))) {
        size_t part = (size_t)(newline - at);
        if (c->line_bytes == 0) {
            take_line(c, at, part, part);
        } else {
            keep(c, at, part);
            take_line(c, c->partial.at, c->partial.len, c->line_bytes);
            c->partial.len = c->line_bytes = 0;
        }
        at = newline + 1;
    }
    if (at < end)
        keep(c, at, (size_t)(end - at));
}

void conn_feed(struct conn *c, const char *at, size_t len)
{
    if (c->load->phase == PHASE_MEASURE)
        c->load->bytes_in += len;
    if (c->load->options->http)
        http_feed(c, at, len);
    else
        feed_lines(c, at, len);
    if (c->queue_len > 0)
        conn_flush(c);
}

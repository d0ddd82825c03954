/* The head of an HTTP/1.1 message.
 *
 * Happy path: find_end looks for line ends from where it stopped, and reads the first line as soon as it is
 * whole; at the empty line, read_head takes the fields in one pass, and then what they mean together, so
 * that their order does not matter.
 *
 * Failure modes: http_head.h lists them. find_end's are decided by the first byte that is wrong or too
 * many, the others at the head's end, so that neither depends on the chunks.
 */
#include "http/http_head.h"

#include <string.h>

#include "http/http_head_line.h"
#include "http/http_host.h"
#include "http/http_text.h"

/* ---- the fields ---- */

static bool add_field(struct http_head *h, struct part name, struct part value, struct http_refusal *refusal)
{
    if (h->count == HTTP_HEAD_MAX_FIELDS)
        return http_refuse(refusal, 431, "The head has more than 64 fields.");
    enum http_field_id id = http_field_find(name);
    h->fields[h->count++] = (struct http_field){
        .name = {(uint16_t)(name.bytes - h->bytes), (uint16_t)name.len},
        .value = {(uint16_t)(value.bytes - h->bytes), (uint16_t)value.len},
        .id = (uint8_t)id,
    };
    if (id == HTTP_FIELD_UNKNOWN)
        return true;
    if (h->first[id] == 0)
        h->first[id] = h->count;
    else if (http_field_twice(id))
        return http_refuse(refusal, 400, http_field_twice(id));
    return true;
}

/* What stands at `p` in the place of a name, or of the colon behind the name that begins at `name`. */
static bool refuse_name(const char *name, const char *p, struct http_refusal *refusal)
{
    if (p == name && http_is_blank(*p))
        return http_refuse(refusal, 400, "A field is folded: its line begins with a blank.");
    if (p == name && *p == ':')
        return http_refuse(refusal, 400, "A field has an empty name.");
    if (http_is_blank(*p))
        return http_refuse(refusal, 400, "A field's name has a blank in it, or before its colon.");
    if (*p == '\r')
        return http_refuse(refusal, 400, "A field has no colon.");
    return http_refuse(refusal, 400, "A field's name has a character that is not allowed.");
}

/* The field whose line begins at *at, which is moved behind it. The head's last bytes are CRLF, which stops
 * the loops. */
static bool read_field(struct http_head *h, const char **at, struct http_refusal *refusal)
{
    const char *name = *at;
    const char *p = name;
    while (http_is_token_char(*p))
        p++;
    if (p == name || *p != ':')
        return refuse_name(name, p, refusal);
    const char *value = p + 1;
    for (p = value; http_is_value_char(*p); p++)
        ;
    if (p[0] != '\r' || p[1] != '\n')
        return http_refuse(refusal, 400, "A control byte stands in a field's value.");
    *at = p + 2;
    return add_field(h, (struct part){name, (size_t)(value - name) - 1},
                     http_text_trim((struct part){value, (size_t)(p - value)}), refusal);
}

/* ---- what they mean ---- */

static bool read_host(const struct http_head *h, struct http_refusal *refusal)
{
    struct part value;
    struct http_host host;
    if (!http_head_field(h, HTTP_FIELD_HOST, &value))
        return h->line.minor == 0 || http_refuse(refusal, 400, "There is no Host field.");
    return http_host_parse(value, &host) || http_refuse(refusal, 400, "The Host field names no host.");
}

static bool read_length(struct http_head *h, struct http_refusal *refusal)
{
    struct part value;
    h->has_length = http_head_field(h, HTTP_FIELD_CONTENT_LENGTH, &value);
    if (h->has_length && !http_text_number(value, &h->length))
        return http_refuse(refusal, 400, "Content-Length is not a number of 1 to 15 digits.");
    return true;
}

static bool read_coding(struct http_head *h, struct http_refusal *refusal)
{
    struct part value;
    if (!http_head_field(h, HTTP_FIELD_TRANSFER_ENCODING, &value))
        return true;
    if (h->line.minor == 0)
        return http_refuse(refusal, 400, "Transfer-Encoding does not exist in HTTP/1.0.");
    if (h->has_length)
        return http_refuse(refusal, 400, "Content-Length and Transfer-Encoding stand together.");
    if (value.len == 0)
        return http_refuse(refusal, 400, "Transfer-Encoding is empty.");
    h->chunked = http_text_is(value, "chunked");
    return h->chunked || http_refuse(refusal, 501, "Transfer-Encoding is other than chunked.");
}

/* RFC 9110 10.1.1: ignored in HTTP/1.0, and where there is no body to wait with. */
static bool read_expectation(struct http_head *h, struct http_refusal *refusal)
{
    struct part value;
    if (!http_head_field(h, HTTP_FIELD_EXPECT, &value) || h->line.minor == 0)
        return true;
    if (!http_text_is(value, "100-continue"))
        return http_refuse(refusal, 417, "Expect is other than 100-continue.");
    h->expects_continue = h->chunked || h->length > 0;
    return true;
}

static bool read_encoding(const struct http_head *h, struct http_refusal *refusal)
{
    struct part value;
    return !http_head_field(h, HTTP_FIELD_CONTENT_ENCODING, &value) || http_text_is(value, "identity") ||
           http_refuse(refusal, 415, "Content-Encoding is other than identity.");
}

static void read_connection(struct http_head *h)
{
    bool close = http_head_lists(h, HTTP_FIELD_CONNECTION, "close");
    bool is_new = h->line.minor == 1;
    h->keep_alive = !close && (is_new || http_head_lists(h, HTTP_FIELD_CONNECTION, "keep-alive"));
    h->upgrade_websocket = is_new && http_head_lists(h, HTTP_FIELD_UPGRADE, "websocket") &&
                           http_head_lists(h, HTTP_FIELD_CONNECTION, "upgrade");
}

static bool read_meaning(struct http_head *h, enum http_head_role role, struct http_refusal *refusal)
{
    if (!read_length(h, refusal) || !read_coding(h, refusal))
        return false;
    read_connection(h);
    return role == HTTP_RESPONSE ||
           (read_host(h, refusal) && read_expectation(h, refusal) && read_encoding(h, refusal));
}

/* The whole head, [begin, end) of `bytes`, whose lines all end in CRLF and whose first line has been read. */
static bool read_head(struct http_head_reader *r, const char *bytes, size_t end, struct http_head *h)
{
    const char *at = memchr(bytes + r->begin, '\n', end - r->begin);
    const char *last = bytes + end - 2;
    h->bytes = bytes;
    h->len = end;
    h->line = r->line;
    h->count = 0;
    memset(h->first, 0, sizeof(h->first));
    h->length = 0;
    h->has_length = h->chunked = h->keep_alive = h->expects_continue = h->upgrade_websocket = false;
    for (at++; at < last;)
        if (!read_field(h, &at, &r->refusal))
            return false;
    return read_meaning(h, (enum http_head_role)r->role, &r->refusal);
}

/* ---- the end of the head ---- */

static bool read_first_line(struct http_head_reader *r, const char *bytes, size_t line_len)
{
    r->begin = r->line_at;
    r->line_done = true;
    return r->role == HTTP_REQUEST
               ? http_head_line_request(bytes, r->line_at, line_len, &r->line, &r->refusal)
               : http_head_line_status(bytes, r->line_at, line_len, &r->line, &r->refusal);
}

static enum http_head_result refused(struct http_head_reader *r, unsigned status, const char *reason)
{
    (void)http_refuse(&r->refusal, status, reason);
    return HTTP_HEAD_REFUSED;
}

/* A line whose LF is at `lf`. */
static enum http_head_result take_line(struct http_head_reader *r, const char *bytes, size_t lf)
{
    enum http_head_result result = HTTP_HEAD_MORE;
    if (lf == r->line_at || bytes[lf - 1] != '\r')
        return refused(r, 400, "A line ends in LF without CR.");
    size_t len = lf - 1 - r->line_at;
    bool skipped = len == 0 && lf == 1;
    if (!r->line_done && !skipped && !read_first_line(r, bytes, len))
        return HTTP_HEAD_REFUSED;
    if (len == 0 && !skipped)
        result = HTTP_HEAD_READY;
    r->line_at = r->scan_at = (uint16_t)(lf + 1);
    return result;
}

/* Looks on where it stopped; HTTP_HEAD_READY: the head ends at line_at. */
static enum http_head_result find_end(struct http_head_reader *r, const char *bytes, size_t len)
{
    enum http_head_result result = HTTP_HEAD_MORE;
    bool is_full = len >= HTTP_HEAD_MAX_BYTES;
    if (is_full)
        len = HTTP_HEAD_MAX_BYTES;
    while (result == HTTP_HEAD_MORE) {
        const char *newline = memchr(bytes + r->scan_at, '\n', len - r->scan_at);
        size_t end = newline ? (size_t)(newline - bytes) : len;
        size_t line_len = end - r->line_at; /* its CR included, where that came */
        if (!r->line_done && line_len > HTTP_LINE_MAX_BYTES + 1)
            return refused(r, 414, "The request line has more than 8192 bytes.");
        if (!newline && is_full)
            return refused(r, 431, "The head has more than 16384 bytes.");
        if (!newline) {
            r->scan_at = (uint16_t)len;
            break;
        }
        result = take_line(r, bytes, end);
    }
    return result;
}

/* ---- the reader ---- */

static void begin_head(struct http_head_reader *r)
{
    buf_clear(&r->gathered);
    r->line_at = r->scan_at = r->begin = 0;
    r->line_done = r->handed_out = false;
}

void http_head_reader_init(struct http_head_reader *r, enum http_head_role role)
{
    *r = (struct http_head_reader){.role = (uint8_t)role};
    buf_init(&r->gathered, HTTP_HEAD_MAX_BYTES);
}

void http_head_reader_done(struct http_head_reader *r)
{
    buf_done(&r->gathered);
}

static enum http_head_result refuse_memory(struct http_head_reader *r)
{
    return refused(r, 503, "There is no memory for the head.");
}

/* The head's end is known: `bytes` is all of it. */
static enum http_head_result end_head(struct http_head_reader *r, const char *bytes,
                                      struct http_head *ret_head)
{
    r->handed_out = true;
    return read_head(r, bytes, r->line_at, ret_head) ? HTTP_HEAD_READY : HTTP_HEAD_REFUSED;
}

/* It begins in this chunk. */
static enum http_head_result take_first(struct http_head_reader *r, const char **bytes, size_t *len,
                                        struct http_head *ret_head)
{
    const char *chunk = *bytes;
    enum http_head_result result = find_end(r, chunk, *len);
    size_t taken = result == HTTP_HEAD_READY ? r->line_at : *len;
    if (result == HTTP_HEAD_MORE && buf_append(&r->gathered, chunk, taken) != 0)
        return refuse_memory(r);
    *bytes += taken;
    *len -= taken;
    return result == HTTP_HEAD_READY ? end_head(r, chunk, ret_head) : result;
}

/* It began in an earlier one. */
static enum http_head_result take_more(struct http_head_reader *r, const char **bytes, size_t *len,
                                       struct http_head *ret_head)
{
    size_t before = buf_len(&r->gathered);
    size_t room = HTTP_HEAD_MAX_BYTES - before;
    size_t taken = *len < room ? *len : room;
    if (buf_append(&r->gathered, *bytes, taken) != 0)
        return refuse_memory(r);
    enum http_head_result result = find_end(r, buf_data(&r->gathered), before + taken);
    if (result == HTTP_HEAD_READY) {
        taken = r->line_at - before;
        buf_truncate(&r->gathered, r->line_at);
    }
    *bytes += taken;
    *len -= taken;
    return result == HTTP_HEAD_READY ? end_head(r, buf_data(&r->gathered), ret_head) : result;
}

enum http_head_result http_head_next(struct http_head_reader *r, const char **bytes, size_t *len,
                                     struct http_head *ret_head)
{
    if (r->refusal.status != 0)
        return HTTP_HEAD_REFUSED;
    if (*len == 0)
        return HTTP_HEAD_MORE;
    if (r->handed_out)
        begin_head(r);
    return buf_len(&r->gathered) == 0 ? take_first(r, bytes, len, ret_head)
                                      : take_more(r, bytes, len, ret_head);
}

int http_head_keep(struct http_head_reader *r, struct http_head *head)
{
    if (buf_len(&r->gathered) > 0)
        return 0;
    int rc = buf_append(&r->gathered, head->bytes, head->len);
    if (rc == 0)
        head->bytes = buf_data(&r->gathered);
    return rc;
}

bool http_head_reader_in_head(const struct http_head_reader *r)
{
    return !r->handed_out && buf_len(&r->gathered) > 0;
}

size_t http_head_reader_held(const struct http_head_reader *r)
{
    return r->gathered.cap;
}

void http_head_reader_trim(struct http_head_reader *r)
{
    if (r->handed_out)
        begin_head(r);
    buf_trim(&r->gathered, 0);
}

/* ---- what a head says ---- */

bool http_head_field(const struct http_head *head, enum http_field_id id, struct part *ret_value)
{
    unsigned cursor = 0;
    return http_head_each(head, id, &cursor, ret_value);
}

bool http_head_each(const struct http_head *head, enum http_field_id id, unsigned *cursor,
                    struct part *ret_value)
{
    if (head->first[id] == 0)
        return false;
    unsigned i = *cursor > 0 ? *cursor : head->first[id] - 1U;
    while (i < head->count && head->fields[i].id != id)
        i++;
    if (i == head->count)
        return false;
    *cursor = i + 1;
    *ret_value = http_head_text(head, head->fields[i].value);
    return true;
}

unsigned http_head_find(const struct http_head *head, const char *lower, struct part *ret_value)
{
    unsigned count = 0;
    for (unsigned i = 0; i < head->count; i++) {
        if (!http_text_is(http_head_text(head, head->fields[i].name), lower))
            continue;
        if (count++ == 0)
            *ret_value = http_head_text(head, head->fields[i].value);
    }
    return count;
}

bool http_head_lists(const struct http_head *head, enum http_field_id id, const char *lower)
{
    struct part value;
    for (unsigned cursor = 0; http_head_each(head, id, &cursor, &value);)
        if (http_list_has(value, lower))
            return true;
    return false;
}

struct part http_head_path(const struct http_head *head)
{
    return head->line.path.len > 0 ? http_head_text(head, head->line.path) : PART("/");
}

struct part http_head_host(const struct http_head *head)
{
    struct part host = {"", 0};
    if (head->line.authority.len > 0)
        return http_head_text(head, head->line.authority);
    (void)http_head_field(head, HTTP_FIELD_HOST, &host);
    return host;
}

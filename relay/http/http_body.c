/* The body of a request.
 *
 * Happy path: data is handed out as it comes. Chunked framing goes byte by byte, but for its usual end,
 * which is taken together with the data before it: so a body of one chunk that came whole is one piece.
 *
 * Failure modes: http_body.h lists them; each is decided by the first byte that is wrong.
 */
#include "http/http_body.h"

#include <string.h>

#include "wire/text.h"

#define SIZE_DIGITS 8 /* 4 GiB: more than any limit */

enum state {
    BY_LENGTH,
    SIZE, /* of a chunk, a digit or the CR */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    END_CR, /* behind the chunk of size 0 */
    END_LF,
    OVER,
};

static void refuse(struct http_body *b, unsigned status, const char *reason)
{
    (void)http_refuse(&b->refusal, status, reason);
}

static void refuse_large(struct http_body *b)
{
    refuse(b, 413, "The body is larger than its limit.");
}

void http_body_begin(struct http_body *b, const struct http_head *head, uint64_t max_bytes)
{
    *b = (struct http_body){.max_bytes = max_bytes, .state = head->chunked ? SIZE : BY_LENGTH};
    if (head->chunked)
        return;
    b->left = b->received = head->length;
    if (head->length > max_bytes)
        refuse_large(b);
}

bool http_body_is_over(const struct http_body *b)
{
    return b->state == OVER || (b->state == BY_LENGTH && b->left == 0);
}

/* ---- the framing of chunks ---- */

static void take_size(struct http_body *b, char c)
{
    int digit = text_hex(c);
    if (digit >= 0 && b->digits < SIZE_DIGITS) {
        b->digits++;
        b->left = b->left << 4 | (unsigned)digit;
        return;
    }
    if (c == '\r' && b->digits > 0)
        b->state = SIZE_LF;
    else if (c == ';' && b->digits > 0)
        refuse(b, 400, "A chunk has an extension.");
    else
        refuse(b, 400, "A chunk's size is not a hexadecimal number of 1 to 8 digits and CRLF.");
}

static void end_size(struct http_body *b)
{
    b->digits = 0;
    b->state = b->left > 0 ? DATA : END_CR;
    if (b->left > b->max_bytes - b->received)
        refuse_large(b);
    else
        b->received += b->left;
}

static void expect(struct http_body *b, bool is_so, enum state next, const char *reason)
{
    b->state = (uint8_t)next;
    if (!is_so)
        refuse(b, 400, reason);
}

static void take_framing(struct http_body *b, char c)
{
    switch ((enum state)b->state) {
    case SIZE:
        take_size(b, c);
        break;
    case SIZE_LF:
        expect(b, c == '\n', SIZE_LF, "A chunk's size does not end in CRLF.");
        if (b->refusal.status == 0)
            end_size(b);
        break;
    case DATA_CR:
        expect(b, c == '\r', DATA_LF, "A chunk is longer than its size.");
        break;
    case DATA_LF:
        expect(b, c == '\n', SIZE, "A chunk does not end in CRLF.");
        break;
    case END_CR:
        expect(b, c == '\r', END_LF, "The body has a trailer.");
        break;
    case END_LF:
        expect(b, c == '\n', OVER, "The body does not end in CRLF.");
        break;
    case BY_LENGTH:
    case DATA:
    case OVER:
        break;
    }
}

/* ---- data ---- */

static bool take_usual_end(struct http_body *b, const char **bytes, size_t *len)
{
    static const char usual_end[] = {'\r', '\n', '0', '\r', '\n', '\r', '\n'};
    if (*len < sizeof(usual_end) || memcmp(*bytes, usual_end, sizeof(usual_end)) != 0)
        return false;
    *bytes += sizeof(usual_end);
    *len -= sizeof(usual_end);
    b->state = OVER;
    return true;
}

static enum http_body_result take_data(struct http_body *b, const char **bytes, size_t *len,
                                       struct part *ret_data)
{
    size_t taken = *len < b->left ? *len : (size_t)b->left;
    *ret_data = (struct part){*bytes, taken};
    *bytes += taken;
    *len -= taken;
    b->left -= taken;
    if (b->left > 0)
        return taken > 0 ? HTTP_BODY_DATA : HTTP_BODY_MORE;
    if (b->state == BY_LENGTH)
        return HTTP_BODY_END;
    b->state = DATA_CR;
    return take_usual_end(b, bytes, len) ? HTTP_BODY_END : HTTP_BODY_DATA;
}

static bool has_data(const struct http_body *b)
{
    return b->state == BY_LENGTH || b->state == DATA;
}

enum http_body_result http_body_next(struct http_body *b, const char **bytes, size_t *len,
                                     struct part *ret_data)
{
    while (b->refusal.status == 0 && !has_data(b) && b->state != OVER) {
        if (*len == 0)
            return HTTP_BODY_MORE;
        take_framing(b, **bytes);
        ++*bytes;
        --*len;
    }
    if (b->refusal.status != 0)
        return HTTP_BODY_REFUSED;
    if (has_data(b))
        return take_data(b, bytes, len, ret_data);
    *ret_data = (struct part){*bytes, 0};
    return HTTP_BODY_END;
}

/* Reads strings and ids in frames that the scan has found strict. No memory, one pass.
 *
 * Failure modes: the spans should be well-formed, since they were scanned; in any case no byte outside them
 * is read, and malformed text yields "no string", "not equal", "no id".
 */
#include "wire/rpc.h"

#include <string.h>

#include "wire/number.h"
#include "wire/text.h"

/* ---- strings ---- */

static bool is_quoted(const char *quoted, size_t len)
{
    return len >= 2 && quoted[0] == '"' && quoted[len - 1] == '"';
}

/* The four digits behind \u; *p moves behind them. -1: they are not there. */
static int32_t read_hex4(const char **p, const char *end)
{
    int32_t code = 0;
    if (end - *p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int digit = text_hex((*p)[i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    *p += 4;
    return code;
}

static bool is_high_surrogate(int32_t code)
{
    return code >= 0xd800 && code <= 0xdbff;
}

static bool is_low_surrogate(int32_t code)
{
    return code >= 0xdc00 && code <= 0xdfff;
}

/* Behind a \u and its digits: takes the second half of a surrogate pair with it if it is there. */
static int32_t join_surrogates(int32_t code, const char **p, const char *end)
{
    if (!is_high_surrogate(code) || end - *p < 6 || (*p)[0] != '\\' || (*p)[1] != 'u')
        return code;
    const char *q = *p + 2;
    int32_t low = read_hex4(&q, end);
    if (!is_low_surrogate(low))
        return code;
    *p = q;
    return 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00);
}

/* As UTF-8, lone surrogates as if they were characters (WTF-8). 1 to 4 bytes. */
static size_t encode(int32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t follow = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    for (size_t i = follow; i > 0; i--) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(lead[follow] | code);
    return follow + 1;
}

/* *p is at a backslash. 0: not an escape; *p then stays. */
static size_t read_escape(const char **p, const char *end, char out[4])
{
    const char *q = *p + 1;
    if (q == end)
        return 0;
    char c = *q++;
    int32_t code = c == 'u' ? read_hex4(&q, end) : text_escape(c);
    if (code < 0 || (code == 0 && c != 'u'))
        return 0;
    *p = q;
    if (c == 'u')
        code = join_surrogates(code, p, end);
    return encode(code, out);
}

/* The next decoded bytes: a run of the string itself, or one decoded escape (in `escape`). 0: the end, or
 * malformed text (*p is then not at `end`). */
static size_t next_piece(const char **p, const char *end, char escape[4], const char **ret_piece)
{
    const char *from = *p;
    if (from == end)
        return 0;
    if (*from == '\\') {
        *ret_piece = escape;
        return read_escape(p, end, escape);
    }
    const char *backslash = memchr(from, '\\', (size_t)(end - from));
    *p = backslash ? backslash : end;
    *ret_piece = from;
    return (size_t)(*p - from);
}

size_t rpc_decode_string(const char *quoted, size_t len, char *out, size_t cap)
{
    if (!is_quoted(quoted, len))
        return SIZE_MAX;
    const char *p = quoted + 1;
    const char *end = quoted + len - 1;
    size_t at = 0;
    char escape[4];
    const char *piece;
    size_t n;
    while ((n = next_piece(&p, end, escape, &piece)) > 0) {
        if (n > cap - at)
            return SIZE_MAX;
        memcpy(out + at, piece, n);
        at += n;
    }
    return p == end ? at : SIZE_MAX;
}

/* How the decoded string compares with `text`: equal to it, longer with `text` as its prefix, or different. */
enum match { MATCH_NONE, MATCH_BEGINS, MATCH_EQUAL };

static enum match match(const char *quoted, size_t len, const char *text, size_t text_len)
{
    if (!is_quoted(quoted, len))
        return MATCH_NONE;
    const char *p = quoted + 1;
    const char *end = quoted + len - 1;
    char escape[4];
    const char *piece;
    size_t n;
    while ((n = next_piece(&p, end, escape, &piece)) > 0) {
        size_t common = n < text_len ? n : text_len;
        if (memcmp(piece, text, common) != 0)
            return MATCH_NONE;
        if (n > text_len)
            return MATCH_BEGINS;
        text += n;
        text_len -= n;
    }
    return p == end && text_len == 0 ? MATCH_EQUAL : MATCH_NONE;
}

bool rpc_string_is(const char *quoted, size_t len, const char *text)
{
    return match(quoted, len, text, strlen(text)) == MATCH_EQUAL;
}

bool rpc_string_begins(const char *quoted, size_t len, const char *text)
{
    return match(quoted, len, text, strlen(text)) != MATCH_NONE;
}

/* Reads one decoded string piece by piece. */
struct reader {
    const char *p;
    const char *end;
    const char *piece;
    size_t left; /* of the piece */
    char escape[4];
};

/* false: the end, or malformed text. */
static bool refill(struct reader *r)
{
    if (r->left == 0)
        r->left = next_piece(&r->p, r->end, r->escape, &r->piece);
    return r->left > 0;
}

bool rpc_string_equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    if (!is_quoted(a, a_len) || !is_quoted(b, b_len))
        return false;
    struct reader x = {.p = a + 1, .end = a + a_len - 1};
    struct reader y = {.p = b + 1, .end = b + b_len - 1};
    for (;;) {
        bool more = refill(&x);
        if (more != refill(&y))
            return false;
        if (!more)
            return x.p == x.end && y.p == y.end;
        size_t common = x.left < y.left ? x.left : y.left;
        if (memcmp(x.piece, y.piece, common) != 0)
            return false;
        x.piece += common;
        y.piece += common;
        x.left -= common;
        y.left -= common;
    }
}

/* ---- ids ---- */

bool rpc_parse_id(const char *lexeme, size_t len, uint64_t *ret_id)
{
    const uint64_t max = (UINT64_C(1) << 53) - 1;
    uint64_t id = 0;
    if (len == 0 || len > 16 || (lexeme[0] == '0' && len > 1))
        return false;
    for (size_t i = 0; i < len; i++) {
        if (lexeme[i] < '0' || lexeme[i] > '9')
            return false;
        id = id * 10 + (uint64_t)(lexeme[i] - '0');
    }
    if (id > max)
        return false;
    *ret_id = id;
    return true;
}

bool rpc_parse_spelled_id(const char *lexeme, size_t len, uint64_t *ret_id)
{
    char text[32]; /* a longer string is none of ours */
    if (rpc_parse_id(lexeme, len, ret_id))
        return true;
    if (!is_quoted(lexeme, len))
        return number_whole(lexeme, len, ret_id);
    size_t decoded = rpc_decode_string(lexeme, len, text, sizeof(text));
    return decoded != SIZE_MAX && number_whole(text, decoded, ret_id);
}

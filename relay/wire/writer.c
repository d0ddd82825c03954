/* The JSON writer.
 *
 * Purpose: print strict JSON for any input. Every value goes through before_value(), which writes the comma
 * or nothing; every byte goes through put(), which keeps the first error and then writes nothing more.
 *
 * Failure modes: the buffer is at its limit or memory is out: the error sticks and writer_end returns it.
 * Invalid UTF-8: each byte that is part of no sequence becomes U+FFFD. A number that JSON cannot represent
 * (NaN, infinity): null. Calls in an order that yields no JSON are bugs of ours, and asserted.
 */
#include "wire/writer.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void writer_init(struct writer *w, struct buf *out)
{
    *w = (struct writer){.out = out};
}

int writer_end(struct writer *w)
{
    assert(w->depth == 0 && !w->after_key);
    return w->error;
}

static void put(struct writer *w, const char *bytes, size_t len)
{
    if (w->error == 0)
        w->error = buf_append(w->out, bytes, len);
}

static uint64_t level_bit(const struct writer *w)
{
    return UINT64_C(1) << w->depth;
}

static void before_value(struct writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    assert(!(w->in_object & level_bit(w)));                  /* a member needs its key */
    assert(w->depth > 0 || !(w->has_member & level_bit(w))); /* one value at the root */
    if (w->has_member & level_bit(w))
        put(w, ",", 1);
    w->has_member |= level_bit(w);
}

static void open_container(struct writer *w, const char *bracket, bool object)
{
    before_value(w);
    put(w, bracket, 1);
    assert(w->depth < WRITER_MAX_DEPTH);
    w->depth++;
    w->has_member &= ~level_bit(w);
    w->in_object = object ? w->in_object | level_bit(w) : w->in_object & ~level_bit(w);
}

static void close_container(struct writer *w, const char *bracket, bool object)
{
    assert(w->depth > 0 && !w->after_key && object == !!(w->in_object & level_bit(w)));
    (void)object;
    w->depth--;
    put(w, bracket, 1);
}

void write_object(struct writer *w)
{
    open_container(w, "{", true);
}

void write_object_end(struct writer *w)
{
    close_container(w, "}", true);
}

void write_array(struct writer *w)
{
    open_container(w, "[", false);
}

void write_array_end(struct writer *w)
{
    close_container(w, "]", false);
}

/* ---- strings ---- */

static bool is_tail(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* The length of the UTF-8 sequence that starts here (RFC 3629: no surrogates, nothing over-long), 0 when none
 * does. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    if (p[0] >= 0xC2 && p[0] <= 0xDF)
        return left >= 2 && is_tail(p[1]) ? 2 : 0;
    if (p[0] >= 0xE0 && p[0] <= 0xEF) {
        unsigned char low = p[0] == 0xE0 ? 0xA0 : 0x80;
        unsigned char high = p[0] == 0xED ? 0x9F : 0xBF;
        return left >= 3 && p[1] >= low && p[1] <= high && is_tail(p[2]) ? 3 : 0;
    }
    if (p[0] >= 0xF0 && p[0] <= 0xF4) {
        unsigned char low = p[0] == 0xF0 ? 0x90 : 0x80;
        unsigned char high = p[0] == 0xF4 ? 0x8F : 0xBF;
        return left >= 4 && p[1] >= low && p[1] <= high && is_tail(p[2]) && is_tail(p[3]) ? 4 : 0;
    }
    return 0;
}

static void put_escape(struct writer *w, unsigned char byte)
{
    static const char short_form[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* pairs: the byte, its escape */
    for (size_t i = 0; i + 1 < sizeof(short_form); i += 2) {
        if ((unsigned char)short_form[i] == byte) {
            put(w, (const char[]){'\\', short_form[i + 1]}, 2);
            return;
        }
    }
    char text[8];
    int len = snprintf(text, sizeof(text), "\\u%04x", byte);
    put(w, text, (size_t)len);
}

/* Runs of bytes that need no escape are written in one piece. */
static void put_string_bytes(struct writer *w, const char *bytes, size_t len)
{
    size_t run = 0;
    for (size_t i = 0; i < len;) {
        unsigned char byte = (unsigned char)bytes[i];
        bool escape = byte < 0x20 || byte == '"' || byte == '\\';
        size_t sequence = escape ? 0 : utf8_sequence((const unsigned char *)bytes + i, len - i);
        if (sequence > 0) {
            i += sequence;
            continue;
        }
        put(w, bytes + run, i - run);
        if (escape)
            put_escape(w, byte);
        else
            put(w, "\xEF\xBF\xBD", 3);
        run = ++i;
    }
    put(w, bytes + run, len - run);
}

static void put_quoted(struct writer *w, const char *bytes, size_t len)
{
    put(w, "\"", 1);
    if (len > 0)
        put_string_bytes(w, bytes, len);
    put(w, "\"", 1);
}

void write_key(struct writer *w, const char *key)
{
    assert((w->in_object & level_bit(w)) && !w->after_key);
    if (w->has_member & level_bit(w))
        put(w, ",", 1);
    w->has_member |= level_bit(w);
    put_quoted(w, key, strlen(key));
    put(w, ":", 1);
    w->after_key = true;
}

void write_string(struct writer *w, const char *bytes, size_t len)
{
    before_value(w);
    put_quoted(w, bytes, len);
}

void write_cstring(struct writer *w, const char *string)
{
    write_string(w, string, strlen(string));
}

/* ---- the other values ---- */

void write_raw(struct writer *w, const char *json, size_t len)
{
    before_value(w);
    put(w, json, len);
}

void write_int(struct writer *w, int64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, value);
    write_raw(w, text, (size_t)len);
}

void write_uint(struct writer *w, uint64_t value)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, value);
    write_raw(w, text, (size_t)len);
}

/* The fewest digits that read back as the same number. 17 always do; where fewer than 15 suffice, printing
 * 15 gives exactly those (%g drops the zeros), but for numbers so small that they have lost precision. */
static int shortest(char *text, size_t size, double value)
{
    for (int digits = fabs(value) < DBL_MIN ? 1 : 15;; digits++) {
        int len = snprintf(text, size, "%.*g", digits, value);
        if (digits == 17 || strtod(text, NULL) == value)
            return len;
    }
}

void write_double(struct writer *w, double value)
{
    if (!isfinite(value)) {
        write_null(w);
        return;
    }
    /* Whole numbers that a double holds exactly are written plainly: 100000, not 1e+05. */
    if (value > -0x1p53 && value < 0x1p53 && value == (double)(int64_t)value &&
        !(value == 0 && signbit(value))) {
        write_int(w, (int64_t)value);
        return;
    }
    /* The library lives in programs that may have set a locale with a decimal comma. glibc's "C" is a
     * constant. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!plain) {
        w->error = w->error ? w->error : -ENOMEM;
        write_null(w);
        return;
    }
    locale_t before = uselocale(plain);
    char text[40];
    int len = shortest(text, sizeof(text), value);
    uselocale(before);
    freelocale(plain);
    write_raw(w, text, (size_t)len);
}

void write_bool(struct writer *w, bool value)
{
    if (value)
        write_raw(w, "true", 4);
    else
        write_raw(w, "false", 5);
}

void write_null(struct writer *w)
{
    write_raw(w, "null", 4);
}

/* ---- key and value ---- */

void write_member_string(struct writer *w, const char *key, const char *value)
{
    write_key(w, key);
    if (value)
        write_cstring(w, value);
    else
        write_null(w);
}

void write_member_int(struct writer *w, const char *key, int64_t value)
{
    write_key(w, key);
    write_int(w, value);
}

void write_member_uint(struct writer *w, const char *key, uint64_t value)
{
    write_key(w, key);
    write_uint(w, value);
}

void write_member_double(struct writer *w, const char *key, double value)
{
    write_key(w, key);
    write_double(w, value);
}

void write_member_bool(struct writer *w, const char *key, bool value)
{
    write_key(w, key);
    write_bool(w, value);
}

void write_member_raw(struct writer *w, const char *key, const char *json, size_t len)
{
    write_key(w, key);
    write_raw(w, json, len);
}

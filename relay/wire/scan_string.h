/* Inside the scanner: strings. Plain bytes are skipped in runs, whole UTF-8 sequences are judged at once;
 * S_ESCAPE, S_HEX and S_UTF8 exist because a chunk may end inside an escape or a sequence. A fault in a
 * string never ends the scan, since the end of the string stays known.
 */
#ifndef WIRE_SCAN_STRING_H
#define WIRE_SCAN_STRING_H

#include <string.h>

#include "wire/scan_run.h"
#include "wire/text.h"

/* [from, r->p) are decoded bytes of the string. */
static inline void keep_text(struct run *r, const char *from)
{
    struct scan *s = r->s;
    size_t len = (size_t)(r->p - from);
    if (!s->keeping)
        return;
    if (len + s->text_len > SCAN_TEXT_BYTES) {
        s->text_len = SCAN_TEXT_BYTES + 1;
        s->keeping = false;
        return;
    }
    char *to = s->text + s->text_len;
    s->text_len = (uint8_t)(s->text_len + len);
    if (len <= SCAN_COPY_BYTES && r->end - from >= SCAN_COPY_BYTES)
        memcpy(to, from, SCAN_COPY_BYTES); /* a fixed length: two instructions */
    else
        memcpy(to, from, len);
}

/* Callers compare with ASCII text alone: one byte that is not ASCII represents every other character. */
static inline void keep_char(struct scan *s, unsigned code)
{
    if (s->keeping && s->text_len < SCAN_TEXT_BYTES)
        s->text[s->text_len] = (char)(code < 0x80 ? code : 0xff);
    if (s->keeping && s->text_len <= SCAN_TEXT_BYTES)
        s->text_len++;
}

static inline void take_escape(struct run *r)
{
    struct scan *s = r->s;
    char c = *r->p;
    char meaning = text_escape(c);
    r->state = S_STRING;
    if (meaning != 0) {
        keep_char(s, (unsigned char)meaning);
    } else if (c == 'u') {
        r->state = S_HEX;
        s->sub = 4;
        s->unicode = 0;
    } else {
        note_fault(r, SCAN_BAD_JSON);
    }
    r->p++;
}

static inline void take_hex(struct run *r)
{
    struct scan *s = r->s;
    int digit = text_hex(*r->p);
    if (digit < 0) {
        note_fault(r, SCAN_BAD_JSON);
        r->state = S_STRING;
        return;
    }
    r->p++;
    s->unicode = (uint16_t)(s->unicode * 16 + digit);
    if (--s->sub == 0) {
        keep_char(s, s->unicode);
        r->state = S_STRING;
    }
}

/* Whole sequences at once, as far as they can be read whole; S_UTF8 is for one that the chunk may end in. */
static inline void begin_utf8(struct run *r)
{
    struct scan *s = r->s;
    size_t len;
    while (r->end - r->p >= 4 && (len = text_sequence(r->p)) > 0) {
        keep_char(s, 0x80);
        r->p += len;
    }
    if (r->p == r->end || (unsigned char)*r->p < 0x80)
        return;
    struct text_lead lead = text_lead(*r->p);
    keep_char(s, 0x80);
    if (lead.follow == 0)
        note_fault(r, SCAN_BAD_UTF8);
    else
        r->state = S_UTF8;
    s->sub = lead.follow;
    s->low = lead.low;
    s->high = lead.high;
    r->p++;
}

static inline void take_utf8(struct run *r)
{
    struct scan *s = r->s;
    unsigned char c = (unsigned char)*r->p;
    if (c < s->low || c > s->high) {
        note_fault(r, SCAN_BAD_UTF8);
        r->state = S_STRING;
        return;
    }
    r->p++;
    s->low = 0x80;
    s->high = 0xbf;
    if (--s->sub == 0)
        r->state = S_STRING;
}

static inline void end_string(struct run *r)
{
    struct scan *s = r->s;
    r->p++;
    if (s->excess > 0) {
        r->state = S_TOO_DEEP;
    } else if (!s->in_key) {
        end_value(r);
    } else {
        r->state = S_COLON;
        if (is_watched(s)) {
            *scan_member(s) = (struct scan_member){0};
            s->event = SCAN_KEY;
        }
    }
}

static inline void take_string(struct run *r)
{
    while (r->state == S_STRING && r->p < r->end) {
        const char *from = r->p;
        r->p = text_plain_end(from, r->end);
        keep_text(r, from);
        if (r->p == r->end)
            return;
        if (*r->p == '"') {
            end_string(r);
        } else if (*r->p == '\\') {
            r->state = S_ESCAPE;
            if (++r->p < r->end)
                take_escape(r);
        } else if ((unsigned char)*r->p >= 0x80) {
            begin_utf8(r);
        } else {
            note_fault(r, SCAN_BAD_JSON);
            r->p++;
        }
    }
}

static inline void begin_string(struct run *r, bool key)
{
    struct scan *s = r->s;
    s->in_key = key;
    s->keeping = is_watched(s) && (key || scan_member(s)->how == SCAN_TEXT);
    s->text_len = 0;
    r->state = S_STRING;
    r->p++;
}

/* Only the end of the string still matters. */
static inline void skip_too_deep(struct run *r)
{
    struct scan *s = r->s;
    while (r->state == S_TOO_DEEP && r->p < r->end) {
        char c = *r->p;
        if (c == '"') {
            begin_string(r, false);
            return;
        }
        r->p++;
        if (c == '{' || c == '[')
            s->excess++;
        else if ((c == '}' || c == ']') && --s->excess == 0)
            end_value(r);
    }
}

#endif

/* A state machine over bytes: each state has one function, which takes as many bytes as it can and leaves the
 * next state. A chunk may end anywhere: in an escape, in a literal, in a UTF-8 sequence.
 *
 * Happy path: value -> (string | number | literal | container) -> after -> ... -> done, strings in runs of
 * plain bytes. Failure modes: note_fault keeps the first fault and the scan goes on; broken ends it. scan.h
 * lists which faults do which.
 */
#include "wire/scan.h"

#include <string.h>

#include "wire/scan_run.h"
#include "wire/scan_string.h"

/* ---- literals and numbers ---- */

static inline void begin_literal(struct run *r, uint8_t literal)
{
    r->s->literal = literal;
    r->s->sub = 1;
    r->state = S_LITERAL;
    r->p++;
}

static inline void take_literal(struct run *r)
{
    static const char words[3][6] = {"true", "false", "null"};
    struct scan *s = r->s;
    if (*r->p != words[s->literal][s->sub]) {
        broken(r);
        return;
    }
    r->p++;
    s->sub++;
    if (words[s->literal][s->sub] == '\0')
        end_value(r);
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The state of a number after `c`, read in `state`. S_AFTER: the number ended before `c`; S_BROKEN: `c` is
 * not allowed here. */
static inline enum state number_next(enum state state, char c)
{
    bool e = c == 'e' || c == 'E';
    switch (state) {
    case S_MINUS:
        return c == '0' ? S_ZERO : is_digit(c) ? S_INT : S_BROKEN;
    case S_ZERO:
        return c == '.' ? S_DOT : e ? S_E : S_AFTER;
    case S_INT:
        return is_digit(c) ? S_INT : c == '.' ? S_DOT : e ? S_E : S_AFTER;
    case S_DOT:
        return is_digit(c) ? S_FRACTION : S_BROKEN;
    case S_FRACTION:
        return is_digit(c) ? S_FRACTION : e ? S_E : S_AFTER;
    case S_E:
        return is_digit(c) ? S_EXPONENT : c == '+' || c == '-' ? S_E_SIGN : S_BROKEN;
    case S_E_SIGN:
        return is_digit(c) ? S_EXPONENT : S_BROKEN;
    default:
        return is_digit(c) ? S_EXPONENT : S_AFTER;
    }
}

static inline bool number_may_end(enum state state)
{
    return state == S_ZERO || state == S_INT || state == S_FRACTION || state == S_EXPONENT;
}

static inline void take_number(struct run *r)
{
    struct scan *s = r->s;
    while (r->p < r->end) {
        enum state next = number_next(r->state, *r->p);
        if (next == S_AFTER) {
            if (is_watched(s))
                scan_member(s)->integer = r->state == S_ZERO || r->state == S_INT;
            end_value(r);
            return;
        }
        if (next == S_BROKEN) {
            broken(r);
            return;
        }
        r->state = next;
        r->p++;
    }
}

/* ---- between values ---- */

static inline void begin_value(struct run *r)
{
    struct scan *s = r->s;
    char c = *r->p;
    if (is_watched(s)) {
        struct scan_member *m = scan_member(s);
        m->at = offset(r);
        m->first = c;
        m->begun = true;
    }
    switch (c) {
    case '"':
        begin_string(r, false);
        return;
    case '{':
    case '[':
        open_container(r, c == '{');
        return;
    case 't':
        begin_literal(r, 0);
        return;
    case 'f':
        begin_literal(r, 1);
        return;
    case 'n':
        begin_literal(r, 2);
        return;
    default:
        if (c != '-' && !is_digit(c)) {
            broken(r);
            return;
        }
        r->state = c == '-' ? S_MINUS : c == '0' ? S_ZERO : S_INT;
        r->p++;
    }
}

static inline void begin_key(struct run *r)
{
    if (*r->p == '"')
        begin_string(r, true);
    else
        broken(r);
}

static inline void take_colon(struct run *r)
{
    if (*r->p != ':') {
        broken(r);
        return;
    }
    r->state = S_VALUE;
    r->p++;
}

static inline void after_value(struct run *r)
{
    bool object = in_object(r->s);
    char c = *r->p;
    if (c == ',') {
        r->state = object ? S_KEY : S_VALUE;
        r->p++;
    } else if (c == (object ? '}' : ']')) {
        close_container(r);
    } else {
        broken(r);
    }
}

static inline bool is_space(const struct scan *s, char c)
{
    return c == ' ' || c == '\t' || c == '\r' || (c == '\n' && s->newlines);
}

/* In a state between values: white space, or the token that the state expects. */
static inline void take_structure(struct run *r)
{
    char c = *r->p;
    if (c <= ' ' && is_space(r->s, c)) {
        r->p++;
        return;
    }
    switch (r->state) {
    case S_VALUE:
        begin_value(r);
        return;
    case S_FIRST_ELEMENT:
        if (c == ']')
            close_container(r);
        else
            begin_value(r);
        return;
    case S_FIRST_KEY:
        if (c == '}')
            close_container(r);
        else
            begin_key(r);
        return;
    case S_KEY:
        begin_key(r);
        return;
    case S_COLON:
        take_colon(r);
        return;
    case S_AFTER:
        after_value(r);
        return;
    default:
        broken(r);
        return;
    }
}

/* ---- the scan ---- */

static inline void step(struct run *r)
{
    switch (r->state) {
    case S_STRING:
        take_string(r);
        return;
    case S_ESCAPE:
        take_escape(r);
        return;
    case S_HEX:
        take_hex(r);
        return;
    case S_UTF8:
        take_utf8(r);
        return;
    case S_LITERAL:
        take_literal(r);
        return;
    case S_MINUS:
    case S_ZERO:
    case S_INT:
    case S_DOT:
    case S_FRACTION:
    case S_E:
    case S_E_SIGN:
    case S_EXPONENT:
        take_number(r);
        return;
    case S_TOO_DEEP:
        skip_too_deep(r);
        return;
    case S_BROKEN:
        r->p = r->end;
        return;
    default:
        take_structure(r);
        return;
    }
}

void scan_init(struct scan *s, bool watch, bool newlines)
{
    memset(s, 0, sizeof(*s));
    s->state = S_VALUE;
    s->newlines = newlines;
    s->members[0].how = watch ? SCAN_INSIDE : SCAN_SPAN;
}

enum scan_event scan_next(struct scan *s, const char **bytes, size_t *len)
{
    struct run r = {.s = s, .start = *bytes, .p = *bytes, .end = *bytes + *len, .state = s->state};
    s->event = SCAN_MORE;
    while (r.p < r.end && s->event == SCAN_MORE)
        step(&r);
    s->state = (uint8_t)r.state;
    s->at += (size_t)(r.p - r.start);
    *bytes = r.p;
    *len = (size_t)(r.end - r.p);
    return s->event;
}

enum scan_fault scan_end(struct scan *s)
{
    if (s->depth == 0 && number_may_end(s->state))
        s->state = S_DONE;
    if (s->state != S_DONE)
        keep_fault(s, SCAN_TRUNCATED, s->at);
    return s->fault;
}

bool scan_saw_all(const struct scan *s)
{
    return s->state == S_DONE;
}

bool scan_is_broken(const struct scan *s)
{
    return s->state == S_BROKEN;
}

bool scan_is_blank(const struct scan *s)
{
    return s->state == S_VALUE && !s->members[0].begun;
}

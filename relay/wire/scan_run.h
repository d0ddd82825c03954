/* Inside the scanner: its states, one call's view of a chunk, and the functions that begin and end values.
 * Included by scan.c and its parts alone; all of it is inlined into scan_next, so that struct run lives in
 * registers.
 */
#ifndef WIRE_SCAN_RUN_H
#define WIRE_SCAN_RUN_H

#include "wire/scan.h"

enum state {
    S_VALUE,         /* a value has to begin */
    S_FIRST_ELEMENT, /* behind [: a value or ] */
    S_FIRST_KEY,     /* behind {: a key or } */
    S_KEY,           /* behind a comma in an object */
    S_COLON,         /* behind a key */
    S_AFTER,         /* behind a value in a container: a comma or the end */
    S_DONE,          /* behind the root value: white space alone */
    S_STRING,
    S_ESCAPE, /* behind a backslash */
    S_HEX,    /* in the four digits of \u */
    S_UTF8,   /* behind the first byte of a sequence */
    S_LITERAL,
    S_MINUS, /* numbers: what was read last */
    S_ZERO,
    S_INT,
    S_DOT,
    S_FRACTION,
    S_E,
    S_E_SIGN,
    S_EXPONENT,
    S_TOO_DEEP, /* in containers beyond the limit: only brackets and strings are looked at */
    S_BROKEN,
};

/* One call's view of its chunk. */
struct run {
    struct scan *s;
    const char *start; /* the byte at offset s->at */
    const char *p;
    const char *end;
    enum state state; /* s->state, during the call */
};

static inline size_t offset(const struct run *r)
{
    return r->s->at + (size_t)(r->p - r->start);
}

static __attribute__((cold, noinline)) void keep_fault(struct scan *s, enum scan_fault fault, size_t at)
{
    if (s->fault != SCAN_OK)
        return;
    s->fault = (uint8_t)fault;
    s->fault_at = at;
}

/* Decided by the byte at r->p. */
static inline void note_fault(struct run *r, enum scan_fault fault)
{
    keep_fault(r->s, fault, offset(r));
}

static inline void broken(struct run *r)
{
    note_fault(r, SCAN_BAD_JSON);
    r->state = S_BROKEN;
}

/* The innermost open container is an object. */
static inline bool in_object(const struct scan *s)
{
    unsigned level = s->depth - 1U;
    return (s->objects[level / 64] >> (level % 64)) & 1;
}

/* The innermost open container is watched (or there is none). Watched ones have no other around them, so this
 * is also where s->watched ends. */
static inline bool is_watched(const struct scan *s)
{
    return s->depth == s->watched;
}

/* r->p is one past the value. */
static inline void end_value(struct run *r)
{
    struct scan *s = r->s;
    r->state = s->depth > 0 ? S_AFTER : S_DONE;
    if (is_watched(s) && scan_member(s)->tag != 0) {
        scan_member(s)->end = offset(r);
        s->event = SCAN_VALUE;
    }
}

static inline void open_container(struct run *r, bool object)
{
    struct scan *s = r->s;
    if (s->depth == SCAN_MAX_DEPTH) {
        note_fault(r, SCAN_TOO_DEEP);
        r->state = S_TOO_DEEP;
        return;
    }
    if (object && is_watched(s) && scan_member(s)->how == SCAN_INSIDE)
        s->watched++;
    uint64_t *word = &s->objects[s->depth / 64];
    uint64_t bit = UINT64_C(1) << (s->depth % 64);
    *word = object ? *word | bit : *word & ~bit;
    s->depth++;
    r->state = object ? S_FIRST_KEY : S_FIRST_ELEMENT;
    r->p++;
}

static inline void close_container(struct run *r)
{
    struct scan *s = r->s;
    if (is_watched(s))
        s->watched--;
    s->depth--;
    r->p++;
    end_value(r);
}

#endif

/* The strict scanner: exactly RFC 8259 JSON in valid UTF-8 (RFC 3629), at most SCAN_MAX_DEPTH levels deep, in
 * one pass over chunks of any size. It allocates nothing and keeps no pointer; its verdict does not depend on
 * where the chunks are cut.
 *
 * It reports members of watched objects. The root object is watched if scan_init's `watch` says so; after
 * SCAN_KEY the caller may request with scan_want that the member's value be reported too, and be watched
 * itself if it is an object. Unwatched values cause no events.
 *
 *   scan_init -> scan_next until SCAN_MORE, for each chunk -> scan_end
 *
 * Faults. The first one is kept, with the offset of the byte that decided. Where it leaves the structure
 * unambiguous (in a string: bad UTF-8, a control byte, a bad escape; or a level too many) the scan goes on,
 * so that members behind it are still reported. After any other fault the scan reports nothing more and only
 * counts bytes.
 */
#ifndef WIRE_SCAN_H
#define WIRE_SCAN_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SCAN_MAX_DEPTH 128

enum {
    SCAN_LEVELS = 4,      /* the root value, its members, and two objects further in (params, _meta) */
    SCAN_TEXT_BYTES = 48, /* bytes kept of a decoded string: at least the longest routing key (42) */
    SCAN_COPY_BYTES = 16, /* text is copied in blocks of this many, so it has room for one more */
};

enum scan_fault {
    SCAN_OK,
    SCAN_BAD_JSON,
    SCAN_BAD_UTF8, /* in a string; anywhere else such bytes are SCAN_BAD_JSON */
    SCAN_TOO_DEEP,
    SCAN_TRUNCATED, /* the text ended before its value did */
};

enum scan_event {
    SCAN_MORE,  /* the chunk is used up */
    SCAN_KEY,   /* a key of a watched object: scan_text_is compares it, scan_want requests its value */
    SCAN_VALUE, /* a wanted value is complete: see scan_member */
};

/* What to do with a member's value, in addition to reporting its position. */
enum scan_how {
    SCAN_SPAN,   /* nothing */
    SCAN_TEXT,   /* keep it decoded for scan_text_is, if it is a string */
    SCAN_INSIDE, /* watch it, if it is an object; not on the last level */
};

/* The member under way at one watched level. */
struct scan_member {
    size_t at;   /* where its value begins */
    size_t end;  /* one past the value; known at SCAN_VALUE */
    uint8_t tag; /* the caller's name for it; 0: not wanted */
    uint8_t how;
    bool begun;   /* the value's first byte was seen */
    bool integer; /* a number without fraction and exponent; known at SCAN_VALUE */
    char first;   /* the value's first byte, which determines its type: " { [ t f n - or a digit */
};

struct scan {
    size_t at;           /* offset of the next byte */
    size_t fault_at;     /* offset of the byte that decided; the text's length for SCAN_TRUNCATED */
    size_t excess;       /* open containers beyond the depth limit */
    uint64_t objects[2]; /* one bit per level: an object (1) or an array (0) */
    struct scan_member members[SCAN_LEVELS]; /* [0] is the root value */
    uint16_t unicode;                        /* the \u escape under way */
    uint8_t state;                           /* scan_run.h's */
    uint8_t event;                           /* of the call under way */
    uint8_t fault;                           /* enum scan_fault */
    uint8_t depth;                           /* open containers, at most SCAN_MAX_DEPTH */
    uint8_t watched;                         /* open watched objects: those of levels 1 to `watched` */
    uint8_t literal;                         /* which of true, false, null */
    uint8_t sub;       /* bytes matched of a literal; bytes to come of a \u escape or a UTF-8 sequence */
    uint8_t low, high; /* bounds of the next byte of a UTF-8 sequence */
    bool newlines;     /* LF is white space too */
    bool in_key;
    bool keeping;     /* the string under way goes to `text` */
    uint8_t text_len; /* decoded bytes; above SCAN_TEXT_BYTES: longer than what is kept */
    char text[SCAN_TEXT_BYTES + SCAN_COPY_BYTES];
};

/* `watch`: report the root object's members. `newlines`: LF counts as white space; without it the text must
 * be one line, and a LF is a fault (a frame with one in it would reach a child as two). */
void scan_init(struct scan *s, bool watch, bool newlines);
/* Takes bytes up to the next event, moving *bytes and *len over them. */
enum scan_event scan_next(struct scan *s, const char **bytes, size_t *len);
/* The text is over. */
enum scan_fault scan_end(struct scan *s);
/* The root value ended, and nothing stands behind it: every member of a watched object was reported. Of a number at
 * the root this is known after scan_end alone. */
bool scan_saw_all(const struct scan *s);
/* A fault broke the structure: no event comes any more. */
bool scan_is_broken(const struct scan *s);
/* Nothing but white space so far. */
bool scan_is_blank(const struct scan *s);

/* The member that SCAN_KEY or SCAN_VALUE is about. Its level: 1 for the root object's, and so on. */
static inline struct scan_member *scan_member(struct scan *s)
{
    return &s->members[s->watched];
}

static inline unsigned scan_level(const struct scan *s)
{
    return s->watched;
}

/* At SCAN_KEY. `tag` is not 0. */
static inline void scan_want(struct scan *s, uint8_t tag, enum scan_how how)
{
    assert(tag != 0 && (how != SCAN_INSIDE || scan_level(s) + 1 < SCAN_LEVELS));
    scan_member(s)->tag = tag;
    scan_member(s)->how = (uint8_t)how;
}

/* The key (at SCAN_KEY), or the string requested with SCAN_TEXT (at its SCAN_VALUE), is this ASCII text of
 * at most SCAN_TEXT_BYTES. Any other character in it is kept as one byte 0xff, so that such a string never
 * compares equal. */
static inline bool scan_text_is(const struct scan *s, const char *text, size_t len)
{
    return s->text_len == len && memcmp(s->text, text, len) == 0;
}

#endif

/* The head of an HTTP/1.1 message: of a request, or (for a WebSocket client) of a response. Pure, strict.
 *
 *   http_head_reader_init -> http_head_next, until HTTP_HEAD_READY or HTTP_HEAD_REFUSED
 *                         -> the body (http/http_body.h), the answer
 *                         -> http_head_next for the next request ...
 *
 * The reader finds the head's end first and then reads all of it in one pass. A head that lies whole in one
 * chunk is not copied: the spans point into the chunk. One that spans chunks is gathered in the reader,
 * which keeps its storage, so that an exchange allocates nothing in steady state. Bytes behind the head are
 * left to the caller: they are the body, or the next request.
 *
 * The verdict depends on the bytes alone, never on where the chunks are cut. A request is refused, with a
 * status and a sentence that says why, and the connection must then be closed behind the answer, for:
 *
 *   400  a bare LF or CR, a control byte or NUL anywhere; a request line that is not METHOD SP TARGET SP
 *        VERSION (HTTP/0.9); an empty or malformed field name, a space before the colon, a folded line;
 *        no Host in HTTP/1.1, a second one, or one that names no host; Content-Length empty, signed, a list,
 *        over 15 digits, twice, or with Transfer-Encoding; Transfer-Encoding in HTTP/1.0 or twice; a second
 *        field of any name that HTTP_FIELDS has as `once`; a target that is neither a path nor an http
 *        address (nor * of OPTIONS), or that has a fragment or a malformed escape; CONNECT
 *   414  a request line over HTTP_LINE_MAX_BYTES
 *   415  Content-Encoding other than identity
 *   417  Expect other than 100-continue
 *   431  a head over HTTP_HEAD_MAX_BYTES, or with more than HTTP_HEAD_MAX_FIELDS fields
 *   501  Transfer-Encoding other than chunked
 *   505  a version other than 1.0 and 1.1, the preface of HTTP/2 included
 *
 * A bare LF, a request line that is none, and what is too long are refused at once, not only at the head's
 * end. One empty line before a request is skipped (RFC 9112 2.2). What is refused later, because the table
 * of routes, Host or Origin do not admit it, is not this file's: http_route.h, http_guard.h.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/part.h"
#include "http/http_field.h"
#include "http/http_method.h"
#include "http/http_status.h"

#define HTTP_HEAD_MAX_BYTES  16384
#define HTTP_HEAD_MAX_FIELDS 64
/* The first line, without its end: as nginx's large_client_header_buffers. */
#define HTTP_LINE_MAX_BYTES 8192

/* A piece of the head: http_head_text gives its bytes. */
struct http_span {
    uint16_t off;
    uint16_t len;
};

struct http_field {
    struct http_span name;
    struct http_span value; /* without blanks at both ends; may be empty */
    uint8_t id;             /* enum http_field_id */
};

/* The first line. */
struct http_line {
    enum http_method method;      /* HTTP_METHOD_OTHER for a response */
    struct http_span method_text; /* as it stands there */
    struct http_span authority;   /* of a target that is a whole address; else empty */
    struct http_span path;        /* as http_head_path; empty in http://host, where it is / */
    struct http_span query;       /* behind the ?, still encoded; empty: none */
    uint16_t status;              /* of a response; 0: a request */
    uint8_t minor;                /* HTTP/1.minor: 0 or 1 */
};

/* Borrowed: valid until the next call of the reader; of a head that came whole, only as long as the chunk is.
 * http_head_keep makes it last for the exchange. */
struct http_head {
    const char *bytes;
    size_t len; /* the empty line included */
    struct http_line line;
    struct http_field fields[HTTP_HEAD_MAX_FIELDS];
    uint8_t count;
    uint8_t first[HTTP_FIELD_COUNT]; /* of each known name: 1 + its first place in `fields`; 0: absent */
    uint64_t length;                 /* Content-Length; 0 where absent */
    bool has_length;
    bool chunked;           /* Transfer-Encoding: chunked; never together with has_length */
    bool keep_alive;        /* the connection may be used for another exchange */
    bool expects_continue;  /* it waits for HTTP_CONTINUE before it sends its body (http_response.h) */
    bool upgrade_websocket; /* HTTP/1.1 with Connection: upgrade and Upgrade: websocket */
};

enum http_head_role { HTTP_REQUEST, HTTP_RESPONSE };

enum http_head_result {
    HTTP_HEAD_MORE,    /* the chunk is used up */
    HTTP_HEAD_READY,   /* *ret_head is filled; the chunk's rest is the body, or what follows it */
    HTTP_HEAD_REFUSED, /* reader->refusal says why; so does every later call */
};

struct http_head_reader {
    struct buf gathered; /* the start of a head that spans chunks; a head that was kept */
    struct http_line line;
    struct http_refusal refusal; /* status 0 until HTTP_HEAD_REFUSED */
    uint16_t line_at;            /* where the line under way begins; all before it are whole */
    uint16_t scan_at;            /* before this, it has no LF */
    uint16_t begin;              /* of the head: 2 behind a skipped empty line */
    uint8_t role;
    bool line_done;  /* the first line was read */
    bool handed_out; /* the head is over and borrowed: it is dropped at the next call */
};

void http_head_reader_init(struct http_head_reader *r, enum http_head_role role);
void http_head_reader_done(struct http_head_reader *r);
/* Takes bytes up to the end of the head, moving *bytes and *len over them. *ret_head is scratch until it is
 * HTTP_HEAD_READY. Without memory for a head that spans chunks, the request is refused with 503. */
enum http_head_result http_head_next(struct http_head_reader *r, const char **bytes, size_t *len,
                                     struct http_head *ret_head);
/* Call it before the chunk goes away when the exchange is not over by then: moves the head, which
 * http_head_next gave last, into the reader, and its pieces stay valid until the next http_head_next.
 * -ENOMEM: it is still in the chunk.
 */
MUSTCHECK int http_head_keep(struct http_head_reader *r, struct http_head *head);
/* A head has begun and is not whole: it must end within a time-out. */
bool http_head_reader_in_head(const struct http_head_reader *r);
/* Storage held, for the memory account. */
size_t http_head_reader_held(const struct http_head_reader *r);
/* Gives back storage that no head needs; for a peer that has been idle. Invalidates a borrowed head. */
void http_head_reader_trim(struct http_head_reader *r);

/* ---- what a head says ---- */

static inline struct part http_head_text(const struct http_head *head, struct http_span span)
{
    return (struct part){head->bytes + span.off, span.len};
}
/* The value of the first field of the known name; false: there is none. Of a name that is `once`, it is the
 * only one. */
bool http_head_field(const struct http_head *head, enum http_field_id id, struct part *ret_value);
/* Each field of the known name in turn, for lists: `cursor` begins with 0. */
bool http_head_each(const struct http_head *head, enum http_field_id id, unsigned *cursor,
                    struct part *ret_value);
/* Any other name, in lower case: how many fields have it; *ret_value is the first one's. A caller that must
 * not be misled by a second one refuses 2 and more. */
unsigned http_head_find(const struct http_head *head, const char *lower, struct part *ret_value);
/* Some field of the known name, a comma-separated list, has the token. */
bool http_head_lists(const struct http_head *head, enum http_field_id id, const char *lower);
/* The target's path, without its query: still percent-encoded, never normalised. Begins with /, or it
 * is the asterisk of OPTIONS. */
struct part http_head_path(const struct http_head *head);
/* Whom the request is sent to, HOST[:PORT]: the target's authority where it is a whole address (RFC 9112
 * 3.2.2), else the Host field. Empty in HTTP/1.0 without both. */
struct part http_head_host(const struct http_head *head);

#endif

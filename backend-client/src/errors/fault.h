/* What went wrong, in the three forms in which people need it: a name for programs, a sentence that names
 * what was tried and what refused it, and a suggestion that is true for that case. Pure; nothing here can
 * fail, and whatever peers wrote is sanitized (wire/text_builder.h).
 *
 * Names: libuv's for what the system says (ECONNREFUSED, EAI_NONAME, EOF, ENOMEM ...), the relay's for what
 * the relay says (SERVER_UNAVAILABLE, DRAINING ...: wire/rpc_error.h), and
 *   RELAY_SILENT   nothing came for too long
 *   RELAY_STALLED  it reads nothing of what was sent
 *   LINE_TOO_SLOW  a line begun did not end in time
 *   NOT_A_RELAY    what listens there speaks something else
 *   SERVER_SILENT  the relay answers, the server behind it does not
 *   SERVER_ERROR   the server behind the relay answered with an error of its own
 *   RELAY_ERROR    the relay did, with one that this version does not know by name
 *   BAD_ANSWER     an answer, or an error, that cannot be used
 */
#ifndef CLIENT_FAULT_H
#define CLIENT_FAULT_H

#include <stddef.h>
#include <stdint.h>

struct fault {
    char name[40];
    char text[256];       /* always valid UTF-8, NUL-terminated, without control characters */
    char suggestion[256]; /* likewise */
};

enum fault_stage {
    FAULT_RESOLVE, /* its name could not be looked up: a code of uv_getaddrinfo's */
    FAULT_CONNECT, /* connect(2) failed or timed out (UV_ETIMEDOUT), or there is no socket for it */
    FAULT_READ,    /* a link broke; UV_EOF: the relay closed it */
    FAULT_WRITE,
};

/* `code`: libuv's. `address` as configured, `peer` the numeric address tried ("" where there is none). */
void fault_system(struct fault *f, enum fault_stage stage, int code, const char *address, const char *peer);
/* Nothing came for `silent_ms`: half-open link, frozen relay. */
void fault_silent(struct fault *f, const char *address, uint64_t silent_ms);
/* It took no byte for `stalled_ms`; or a line of its was under way for `line_ms`. */
void fault_stalled(struct fault *f, const char *address, uint64_t stalled_ms);
void fault_slow_line(struct fault *f, const char *address, uint64_t line_ms);
/* What answered speaks no newline-delimited JSON-RPC (an HTTP or SSH server, say): `line` is what it sent,
 * NULL with 0 where nothing of it is at hand. */
void fault_not_a_relay(struct fault *f, const char *address, const char *line, size_t len);
/* A JSON-RPC error object that answered `what` ("initialize", "agents/list"). Relay errors (data.relay) keep
 * their name, and their text has what data holds (server, state, exit, stderrTail); others are SERVER_ERROR, or
 * BAD_ANSWER where it is no error object. */
struct relay_error;
void fault_rpc(struct fault *f, const char *what, const struct relay_error *error, const char *address);
/* The same with a text of another length: it goes into `text` (`size` as f->text's or more), f->text is "". */
void fault_rpc_text(struct fault *f, char *text, size_t size, const char *what,
                    const struct relay_error *error, const char *address);
/* The mock refused `what`. `message`: JSON text of a string, NULL: none. */
void fault_mock(struct fault *f, const char *what, int code, const char *message, size_t message_len);
/* The server behind a good link left `what` unanswered for so long. */
void fault_no_answer(struct fault *f, const char *what, uint64_t after_ms, const char *address);
/* `what` was answered with something that cannot be used (`reason`). */
void fault_bad_answer(struct fault *f, const char *what, const char *reason, const char *address);
void fault_no_memory(struct fault *f);
/* Adds to `f` what the health probe knows: the relay's container answers / does not. `status`: HTTP status,
 * or 0 and `text` says why there is none. Again: in place of what was added before. */
void fault_add_probe(struct fault *f, int status, const char *text);

#endif

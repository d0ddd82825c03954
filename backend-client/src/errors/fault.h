/* An error in three forms: a name for programs, a sentence with the address tried and the refusal, and a
 * suggestion that applies to that case. Pure; these functions cannot fail, and text of peers is sanitized
 * (wire/text_builder.h).
 *
 * Names: libuv's for errors of the system (ECONNREFUSED, EAI_NONAME, EOF, ENOMEM ...), the relay's for its
 * own errors (SERVER_UNAVAILABLE, DRAINING ...: wire/rpc_error.h), and
 *   RELAY_SILENT   the relay sent nothing for too long
 *   RELAY_STALLED  the relay reads nothing of what was sent
 *   LINE_TOO_SLOW  a line did not end in time
 *   NOT_A_RELAY    the peer speaks another protocol
 *   SERVER_SILENT  the relay answers, the server behind it does not
 *   SERVER_ERROR   the server behind the relay answered with an error of its own
 *   RELAY_ERROR    the relay answered with an error whose name this version does not know
 *   BAD_ANSWER     an answer, or an error, that is malformed
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
    FAULT_RESOLVE, /* the name look-up failed: a code of uv_getaddrinfo's */
    FAULT_CONNECT, /* connect(2) failed or timed out (UV_ETIMEDOUT), or there is no socket for it */
    FAULT_READ,    /* a link broke; UV_EOF: the relay closed it */
    FAULT_WRITE,
};

/* `code`: libuv's. `address` as configured, `peer` the numeric address tried ("" where there is none). */
void fault_system(struct fault *f, enum fault_stage stage, int code, const char *address, const char *peer);
/* The relay sent nothing for `silent_ms`: half-open link, frozen relay. */
void fault_silent(struct fault *f, const char *address, uint64_t silent_ms);
/* The relay read no byte for `stalled_ms`; or a line from it was incomplete for `line_ms`. */
void fault_stalled(struct fault *f, const char *address, uint64_t stalled_ms);
void fault_slow_line(struct fault *f, const char *address, uint64_t line_ms);
/* The peer does not speak newline-delimited JSON-RPC (an HTTP or SSH server, for example): `line` is its
 * first line, NULL with 0 where it is not available. */
void fault_not_a_relay(struct fault *f, const char *address, const char *line, size_t len);
/* A JSON-RPC error object that answered `what` ("initialize", "agents/list"). Relay errors (data.relay)
 * keep their name, and their text includes data's members (server, state, exit, stderrTail); others are
 * SERVER_ERROR, or BAD_ANSWER where it is no error object. */
struct relay_error;
void fault_rpc(struct fault *f, const char *what, const struct relay_error *error, const char *address);
/* The same with a text of another length: it is written to `text` (`size` as f->text's or more), f->text
 * is "". */
void fault_rpc_text(struct fault *f, char *text, size_t size, const char *what,
                    const struct relay_error *error, const char *address);
/* The mock refused `what`. `message`: JSON text of a string, NULL: none. */
void fault_mock(struct fault *f, const char *what, int code, const char *message, size_t message_len);
/* The link works, but the server behind it left `what` unanswered for so long. */
void fault_no_answer(struct fault *f, const char *what, uint64_t after_ms, const char *address);
/* The answer to `what` is malformed (`reason`). */
void fault_bad_answer(struct fault *f, const char *what, const char *reason, const char *address);
void fault_no_memory(struct fault *f);
/* Adds the health probe's result to `f`: the relay's container answers or not. `status`: HTTP status, or 0
 * and `text` is the reason. A second call replaces the first one's text. */
void fault_add_probe(struct fault *f, int status, const char *text);

#endif

/* The error answer of a request that cannot be served: one shape everywhere,
 *
 *     {"success":false,"error":"...","code":"CONNECTION_REFUSED","details":{"suggestion":"..."}}
 *
 * with a suggestion for the case: it names the address that was tried and the refusal. Pure.
 */
#ifndef SERVICE_FAILURE_H
#define SERVICE_FAILURE_H

#include <stdbool.h>

#include "agent_relay.h"
#include "tool_list.h"
#include "wire/writer.h"

#define FAILURE_TEXT_SIZE  512
#define FAILURE_TOOL_ERROR "TOOL_ERROR" /* the code of failure_from_tool */

struct failure {
    unsigned status;              /* of HTTP */
    char code[48];                /* for programs */
    char text[FAILURE_TEXT_SIZE]; /* for people: the problem */
    char suggestion[512];         /* and the remedy */
    const char *allow;            /* 405: the methods that there are; NULL. Borrowed from static data */
    bool about_call;              /* a call failed: the members below are in details */
    bool may_have_run;            /* the server may have executed it */
    bool from_mock;               /* the refusal is the mock's, not the server's */
    char address[272];            /* the relay's, as configured */
    char peer[80];                /* the address last tried; "" before any */
    char last_error[256];         /* why it is not live; "" while it is */
    enum ar_state state;
};

/* The texts are sanitized (wire/text_builder.h); what is too long is cut. */
void failure_set(struct failure *f, unsigned status, const char *code, const char *suggestion,
                 const char *text);
/* As failure_set with a format for the text. */
__attribute__((format(printf, 5, 6))) void failure_format(struct failure *f, unsigned status,
                                                          const char *code, const char *suggestion,
                                                          const char *format, ...);

/* Replaces the text alone. */
__attribute__((format(printf, 2, 3))) void failure_set_text(struct failure *f, const char *format, ...);

/* A call's completion whose code is not AR_OK. */
void failure_from_reply(struct failure *f, const struct ar_reply *reply, const struct ar_health *health);
/* ar_call itself refused with `rc`. */
void failure_from_code(struct failure *f, int rc, const struct ar_health *health);
/* The tool, or its mock, answered with an error: its own text (NULL: none). */
void failure_from_tool(struct failure *f, const char *tool, const char *words, size_t len,
                       enum ar_source source, const struct ar_health *health);
/* It reports success, and names no task, swarm or agent: its own text (NULL: none). */
void failure_from_nameless(struct failure *f, const char *tool, const char *thing, const char *words,
                           size_t len, enum ar_source source, const struct ar_health *health);

/* The server has none of these tools (NULL-terminated), so that `what` cannot be done: its own are named. */
void failure_from_missing(struct failure *f, const char *what, const char *const *names,
                          const struct tool_list *tools, const struct ar_health *health);
/* A server's own words, or its JSON-RPC error: they say that the thing asked for is not there. */
bool failure_says_not_found(const struct failure *f);

/* The whole object. */
void failure_write(const struct failure *f, struct writer *w);
/* Its members up to and with details' own, details left open for more: close it and the object. */
void failure_write_open(const struct failure *f, struct writer *w);

#endif

/* The error answer of a request that cannot be served.
 *
 * Purpose: turn the library's codes and a tool's refusals into an HTTP status, a code for programs, a text
 * for people, and a suggestion. Errors of the relay and of the server behind it keep the name, the text and
 * the suggestion that the library gives them; this file adds their status. While the relay is unreachable,
 * the code is made of the name of the last error (ECONNREFUSED: CONNECTION_REFUSED). Failure modes: none of
 * its own; an error that is not in a table is 502 under its own name.
 */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "outage_hint.h"
#include "wire/text_builder.h"

struct known {
    const char *name;
    const char *code;
    unsigned status;
};

/* The last error's name, while not live. */
static const struct known link_errors[] = {
    {"ECONNREFUSED", "CONNECTION_REFUSED", 503}, {"ETIMEDOUT", "CONNECTION_TIMED_OUT", 503},
    {"ECONNRESET", "CONNECTION_RESET", 503},     {"EHOSTUNREACH", "HOST_UNREACHABLE", 503},
    {"ENETUNREACH", "NETWORK_UNREACHABLE", 503}, {"ENOENT", "NO_SUCH_SOCKET", 503},
    {"EACCES", "PERMISSION_DENIED", 503},        {"EAI_NONAME", "HOST_NOT_FOUND", 503},
    {"EAI_AGAIN", "HOST_NOT_FOUND", 503},        {"ENOTFOUND", "HOST_NOT_FOUND", 503},
    {"EOF", "CONNECTION_CLOSED", 503},           {"EPIPE", "CONNECTION_CLOSED", 503},
    {"EAI_NODATA", "HOST_NOT_FOUND", 503},       {"", "NOT_CONNECTED_YET", 503},
};

/* Errors that the relay made; any other is 502. */
static const struct {
    const char *name;
    unsigned status;
} relay_errors[] = {
    {"SERVER_UNAVAILABLE", 503}, {"TIMEOUT", 504},  {"OVERLOADED", 503},
    {"RATE_LIMITED", 429},       {"DRAINING", 503}, {"TOO_LARGE", 413},
};

/* The library's own errors. The suggestions name the endpoints of this service. */
static const struct {
    const char *code;
    const char *suggestion;
    int rc;
    unsigned status;
} library_codes[] = {
    {"TIMEOUT", "Ask GET /api/v1/bots/health whether the relay answers, then try again.", AR_E_TIMEOUT, 504},
    {"CONNECTION_LOST",
     "Look whether it was done (GET /api/bots/agents, /api/bots/task-status/ID) before sending it again.",
     AR_E_CONNECTION_LOST, 502},
    {"CANCELLED", "Keep the connection open, in both directions, until the answer is there.", AR_E_CANCELLED,
     400},
    {"QUEUE_FULL", "Too many requests wait for the relay; try again later.", AR_E_QUEUE_FULL, 503},
    {"SHUTTING_DOWN", "This service is being stopped; try again when it is back.", AR_E_CLOSED, 503},
    {"TOO_LARGE", "Send less in one request.", AR_E_TOO_LARGE, 413},
    {"BAD_REPLY", "Look at the log of the MCP server behind the relay.", AR_E_BAD_REPLY, 502},
    {"NOT_MOCKED", "Leave whenDown away: the mock cannot answer this.", AR_E_NOT_MOCKED, 503},
    {"OUT_OF_MEMORY", "This service is short of memory; try again later.", AR_E_NO_MEMORY, 503},
};

/* Sanitized; what is too long is cut. */
static void set_text(char *into, size_t size, const char *text)
{
    struct text_builder b;
    text_builder_begin(&b, into, size);
    text_builder_quote(&b, text, strlen(text), size);
}

void failure_set(struct failure *f, unsigned status, const char *code, const char *suggestion,
                 const char *text)
{
    *f = (struct failure){.status = status};
    (void)snprintf(f->code, sizeof(f->code), "%s", code);
    set_text(f->text, sizeof(f->text), text);
    set_text(f->suggestion, sizeof(f->suggestion), suggestion);
}

void failure_format(struct failure *f, unsigned status, const char *code, const char *suggestion,
                    const char *format, ...)
{
    struct text_builder b;
    va_list args;
    failure_set(f, status, code, suggestion, "");
    text_builder_begin(&b, f->text, sizeof(f->text));
    va_start(args, format);
    text_builder_addv(&b, format, args);
    va_end(args);
}

void failure_set_text(struct failure *f, const char *format, ...)
{
    struct text_builder b;
    va_list args;
    text_builder_begin(&b, f->text, sizeof(f->text));
    va_start(args, format);
    text_builder_addv(&b, format, args);
    va_end(args);
}

static const struct known *find_known(const struct known *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* What every failed call has in details: the relay's address, and the state of the client. */
static void add_call_details(struct failure *f, const struct ar_health *h, bool may_have_run)
{
    f->about_call = true;
    f->may_have_run = may_have_run;
    f->state = h->state;
    (void)snprintf(f->address, sizeof(f->address), "%s", h->address);
    (void)snprintf(f->peer, sizeof(f->peer), "%s", h->peer);
    if (h->state != AR_LIVE) /* it stays in the health after a recovery, and is then out of date */
        (void)snprintf(f->last_error, sizeof(f->last_error), "%s", h->last_error);
}

/* Not live. The text is that of the error that ended the live state. */
static void set_degraded(struct failure *f, const struct ar_health *h)
{
    const struct known *k =
        find_known(link_errors, sizeof(link_errors) / sizeof(link_errors[0]), h->last_error_name);
    const char *code = k ? k->code : h->last_error_name;
    char hint[OUTAGE_HINT_SIZE];
    outage_hint(h, hint);
    if (h->last_error[0] != '\0')
        failure_set(f, 503, code, hint, h->last_error);
    else
        failure_format(f, 503, code, "It goes on trying by itself; try again in a moment.",
                       "The relay at %s has not been reached yet.", h->address);
    if (f->suggestion[0] == '\0')
        (void)snprintf(f->suggestion, sizeof(f->suggestion), "See whether a relay listens at %s.",
                       h->address);
}

void failure_from_code(struct failure *f, int rc, const struct ar_health *health)
{
    size_t count = sizeof(library_codes) / sizeof(library_codes[0]);
    size_t i = 0;
    if (rc == AR_E_DEGRADED) {
        set_degraded(f, health);
        add_call_details(f, health, false);
        return;
    }
    while (i < count && library_codes[i].rc != rc)
        i++;
    if (i < count)
        failure_set(f, library_codes[i].status, library_codes[i].code, library_codes[i].suggestion,
                    ar_code_text(rc));
    else
        failure_set(f, 500, ar_code_name(rc), "This is a defect of this service; report it.",
                    ar_code_text(rc));
    add_call_details(f, health, false);
}

static unsigned status_of(const struct ar_reply *r)
{
    for (size_t i = 0; r->from_relay && i < sizeof(relay_errors) / sizeof(relay_errors[0]); i++)
        if (strcmp(relay_errors[i].name, r->error_name) == 0)
            return relay_errors[i].status;
    return 502;
}

/* The request was not sent, because there was no relay: the reason is set_degraded's text. */
static bool waited_in_vain(const struct ar_reply *r, const struct ar_health *h)
{
    return r->code == AR_E_TIMEOUT && !r->may_have_run && h->state != AR_LIVE;
}

static void set_waited(struct failure *f, const struct ar_health *h)
{
    char why[FAILURE_TEXT_SIZE];
    set_degraded(f, h);
    (void)snprintf(why, sizeof(why), "%s", f->text);
    failure_set_text(f, "It waited, and was not sent: %s", why);
    (void)snprintf(f->code, sizeof(f->code), "TIMEOUT");
    f->status = 504;
}

/* The library's text for this error, where it has one. */
static void set_by_code(struct failure *f, const struct ar_reply *r, const struct ar_health *h)
{
    failure_from_code(f, r->code, h);
    if (r->code != AR_E_DEGRADED && r->message && r->message[0] != '\0')
        failure_set_text(f, "%s", r->message);
    if (r->code == AR_E_CONNECTION_LOST && !r->may_have_run)
        (void)snprintf(f->suggestion, sizeof(f->suggestion), "It did not reach the server: send it again.");
}

void failure_from_reply(struct failure *f, const struct ar_reply *reply, const struct ar_health *health)
{
    if (reply->code == AR_E_SERVER)
        failure_set(f, status_of(reply), reply->error_name, reply->suggestion, reply->error_text);
    else if (waited_in_vain(reply, health))
        set_waited(f, health);
    else
        set_by_code(f, reply, health);
    add_call_details(f, health, reply->may_have_run);
}

/* NULL: none. */
static void copy_words(char *into, size_t size, const char *words, size_t len)
{
    struct text_builder b;
    text_builder_begin(&b, into, size);
    if (words)
        text_builder_quote(&b, words, len, size);
}

void failure_from_tool(struct failure *f, const char *tool, const char *words, size_t len,
                       enum ar_source source, const struct ar_health *health)
{
    bool mock = source == AR_SOURCE_MOCK;
    char text[FAILURE_TEXT_SIZE];
    copy_words(text, sizeof(text), words, len);
    failure_format(f, 502, FAILURE_TOOL_ERROR,
                   mock ? "The mock refused it; leave whenDown away to ask the server when it is back."
                        : "The server behind the relay refused it; change the request as it says.",
                   "%s: %s", tool, text[0] != '\0' ? text : "failed without a reason");
    add_call_details(f, health, !mock);
    f->from_mock = mock;
}

void failure_from_nameless(struct failure *f, const char *tool, const char *thing, const char *words,
                           size_t len, enum ar_source source, const struct ar_health *health)
{
    bool mock = source == AR_SOURCE_MOCK;
    char text[FAILURE_TEXT_SIZE] = "nothing";
    if (words)
        copy_words(text, sizeof(text), words, len);
    failure_format(
        f, 502, "BAD_ANSWER",
        "Look whether it was done (GET /api/bots/agents) before sending it again; if not, the server behind the relay does not know this tool.",
        "%s named no %s; it answered: %s", tool, thing, text);
    add_call_details(f, health, !mock);
    f->from_mock = mock;
}

void failure_from_missing(struct failure *f, const char *what, const char *const *names,
                          const struct tool_list *tools, const struct ar_health *health)
{
    char wanted[128] = "";
    char offered[280];
    for (size_t i = 0, used = 0; names[i] && used < sizeof(wanted); i++)
        used += (size_t)snprintf(wanted + used, sizeof(wanted) - used, "%s%s", i ? " or " : "", names[i]);
    tool_list_names(tools, offered, sizeof(offered));
    failure_format(f, 501, "TOOL_NOT_OFFERED",
                   "Let the relay serve agents: name a server that has such a tool as its defaultServer.",
                   "The server behind the relay cannot %s: it has no tool %s; it has %s.", what, wanted,
                   offered);
    add_call_details(f, health, false);
}

static bool holds(const char *text, const char *words)
{
    for (; *text != '\0'; text++)
        if (strncasecmp(text, words, strlen(words)) == 0)
            return true;
    return false;
}

/* "Tool not found" and "Method not found" are about what was called, not about the thing. */
bool failure_says_not_found(const struct failure *f)
{
    static const char *const words[] = {"not found", "not_found", "no such task", "unknown task",
                                        "does not exist"};
    bool own = strcmp(f->code, FAILURE_TOOL_ERROR) == 0 || strcmp(f->code, "SERVER_ERROR") == 0;
    if (!own || holds(f->text, "method not found") || holds(f->text, "tool not found") ||
        holds(f->text, "unknown tool"))
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (holds(f->text, words[i]))
            return true;
    return false;
}

void failure_write_open(const struct failure *f, struct writer *w)
{
    write_object(w);
    write_member_bool(w, "success", false);
    write_member_string(w, "error", f->text);
    write_member_string(w, "code", f->code);
    write_key(w, "details");
    write_object(w);
    write_member_string(w, "suggestion", f->suggestion);
    if (!f->about_call)
        return;
    write_member_string(w, "address", f->address);
    write_member_string(w, "peer", f->peer[0] != '\0' ? f->peer : NULL);
    write_member_string(w, "state", ar_state_name(f->state));
    write_member_string(w, "lastError", f->last_error[0] != '\0' ? f->last_error : NULL);
    write_member_bool(w, "mayHaveRun", f->may_have_run);
    if (f->from_mock)
        write_member_string(w, "source", ar_source_name(AR_SOURCE_MOCK));
}

void failure_write(const struct failure *f, struct writer *w)
{
    failure_write_open(f, w);
    write_object_end(w);
    write_object_end(w);
}

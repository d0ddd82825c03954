/* Errors that the relay made itself, and why.
 *
 * Purpose: the relay's "Server unavailable" is one sentence for all that can have happened; what did, stands
 * in the error's data: which server, its state, how it ended, when it is tried again, and the end of what it
 * wrote on stderr. The text tells them in the order of use, the suggestion is chosen by them. Failure modes:
 * anything may be missing, of another type, huge or hostile: what cannot be read is left out.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "wire/json.h"
#include "words.h"

#define DATA_MAX_TOKENS  256
#define NAME_SIZE        40 /* a server's, a state */
#define REASON_SIZE      160
#define STDERR_MIN_BYTES 24 /* less of it tells nothing */

#define SEE_SERVERS "see \"agent-relayctl servers\" and the relay's log."

static const struct relay_row {
    const char *code;
    unsigned status;
    const char *suggestion; /* NULL: outage_words */
} rows[] = {
    {"SERVER_UNAVAILABLE", 503, NULL},
    {"TIMEOUT", 504,
     "The server behind the relay took longer than the relay waits for it (timeoutMs): " SEE_SERVERS},
    {"OVERLOADED", 503,
     "More is asked of the server than it can take: send less at once, or let the relay take more in flight."},
    {"RATE_LIMITED", 429, "Ask less often."},
    {"DRAINING", 503, "The relay is being stopped or restarted: try again in a moment."},
    {"TOO_LARGE", 413, "Send less in one request, or raise the relay's maxFrameBytes."},
    {"CONNECTION_LOST", 502,
     "The relay lost the server in the middle of it: look whether it was done (GET /api/bots/agents, /api/bots/task-status/ID) before sending it again."},
    {"BAD_REPLY", 502, "What the server behind the relay writes is no valid JSON: " SEE_SERVERS},
    {"NO_SUCH_SERVER", 502,
     "That address of the relay leads to a server that its configuration does not have: name one that it has, or use another address (--relay)."},
    {"FORBIDDEN", 502, "The relay lets not everybody do this: have the permission given."},
    {"UNAUTHENTICATED", 502, "Use an address of the relay that admits anyone (--relay)."},
};
static const struct relay_row unknown = {
    "RELAY_ERROR", 502,
    "The relay did not take what was sent: compare its version with this service's, and see its log."};

/* ---- what the data holds ---- */

struct data {
    struct json_doc *doc;
    json_node root;
};

static const char *string_at(const struct data *d, const char *key)
{
    return json_string(d->doc, json_get(d->doc, d->root, key), NULL);
}

static bool number_at(const struct data *d, const char *key, int64_t *ret)
{
    return json_int(d->doc, json_get(d->doc, d->root, key), 0, INT64_MAX, ret);
}

static bool is_string(const struct data *d, const char *key, const char *value)
{
    const char *found = string_at(d, key);
    return found && strcmp(found, value) == 0;
}

static bool is_number(const struct data *d, const char *key, int64_t value)
{
    int64_t found;
    return number_at(d, key, &found) && found == value;
}

/* With a detail, the message says why in words, and how the process ended is only its consequence. */
static const char *outage_words(const struct data *d)
{
    int64_t any;
    bool ended = number_at(d, "exitStatus", &any) || number_at(d, "signal", &any);
    if (is_string(d, "state", "removed"))
        return "The relay's configuration no longer has that server: put it back, or use another address of the relay (--relay).";
    if (is_number(d, "exitStatus", 127))
        return "The server's command, or one that it runs, was not found where the relay "
               "runs: install it, or correct \"command\" in the relay's configuration.";
    if (is_number(d, "exitStatus", 126))
        return "The server's command cannot be run where the relay runs: see its permissions, or correct \"command\" in the relay's configuration.";
    if (ended && !string_at(d, "detail"))
        return "The server's command ended by itself or was killed: what it wrote says why "
               "(the relay's log has all of it); the relay starts it again by itself.";
    if (is_string(d, "state", "starting") || is_string(d, "state", "stopping"))
        return "The server is being started again: try again in a moment; if it stays so, " SEE_SERVERS;
    return "The relay answers, the server behind it is not there: " SEE_SERVERS;
}

/* ---- the sentence ---- */

struct telling {
    char text[FAILURE_TEXT_SIZE];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct telling *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, format, args);
    va_end(args);
    size_t room = sizeof(s->text) - 1 - s->len;
    s->len += n < 0 ? 0 : (size_t)n < room ? (size_t)n : room;
}

static void add_string(struct telling *s, const struct data *d, const char *before, const char *key)
{
    char clean[NAME_SIZE];
    const char *value = string_at(d, key);
    if (!value)
        return;
    words_clean(clean, sizeof(clean), value, strlen(value));
    add(s, "%s%s", before, clean);
}

static void add_signal(struct telling *s, const struct data *d)
{
    int64_t number;
    if (!number_at(d, "signal", &number))
        return;
    const char *name = number < 65 ? sigabbrev_np((int)number) : NULL;
    if (name)
        add(s, ", killed by SIG%s", name);
    else
        add(s, ", killed by signal %lld", (long long)number);
}

static void add_stderr(struct telling *s, const struct data *d)
{
    static const char before[] = "; it wrote \"";
    char clean[FAILURE_TEXT_SIZE];
    const char *tail = string_at(d, "stderrTail");
    size_t room = sizeof(s->text) - 1 - s->len;
    if (!tail || tail[0] == '\0' || room < sizeof(before) + STDERR_MIN_BYTES)
        return;
    words_clean_end(clean, room - sizeof(before) + 1, tail, strlen(tail));
    add(s, "%s%s\"", before, clean);
}

static void add_data(struct telling *s, const struct data *d)
{
    int64_t number;
    add_string(s, d, "; server ", "server");
    add_string(s, d, " is ", "state");
    if (number_at(d, "exitStatus", &number))
        add(s, ", exited with status %lld", (long long)number);
    add_signal(s, d);
    add_string(s, d, "; ", "reason");
    if (number_at(d, "afterMs", &number))
        add(s, "; after %lld ms", (long long)number);
    if (number_at(d, "limit", &number))
        add(s, "; limit: %lld", (long long)number);
    if (number_at(d, "retryAfterMs", &number))
        add(s, "; next try in %lld ms", (long long)number);
    add_stderr(s, d);
}

/* ---- all of it ---- */

/* A name for programs is made of capitals, digits and underscores; what is not, is not taken over. */
static const char *code_of(const struct data *d)
{
    const char *code = string_at(d, "code");
    size_t len = code ? strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") : 0;
    return len > 0 && len < sizeof((struct failure *)0)->code && code[len] == '\0' ? code : unknown.code;
}

static void fill(struct failure *f, const struct data *d, const char *message, const char *address)
{
    const char *code = code_of(d);
    const struct relay_row *row = &unknown;
    struct telling s = {.len = 0};
    char reason[REASON_SIZE];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].code, code) == 0)
            row = &rows[i];
    words_clean(reason, sizeof(reason), message, strlen(message));
    add(&s, "The relay at %.96s answered: %s", address, reason);
    add_data(&s, d);
    failure_set(f, row->status, code, row->suggestion ? row->suggestion : outage_words(d), s.text);
}

bool failure_from_relay(struct failure *f, const struct ar_reply *reply, const char *address)
{
    struct data d;
    bool relays = false;
    if (reply->error_data_len == 0 ||
        json_parse(reply->error_data, reply->error_data_len, JSON_STRICT, DATA_MAX_TOKENS, &d.doc, NULL) != 0)
        return false;
    d.root = json_root(d.doc);
    (void)json_bool(d.doc, json_get(d.doc, d.root, "relay"), &relays);
    if (relays)
        fill(f, &d, reply->message ? reply->message : ar_code_text(AR_E_SERVER), address);
    json_free(d.doc);
    return relays;
}

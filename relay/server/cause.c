/* Each line gets a weight by the words in it; the heaviest wins. Among equals the last one does: Python writes its error
 * last, and the last of several attempts is the one that ended the program. npm says its code on one line and the reason
 * on the next: both are taken.
 */
#include "server/cause.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "wire/line_split.h"
#include "wire/sanitize.h"

#define KEEPER "agent-relay-keeper: "
/* A line is looked at so far. */
#define LINE_BYTES 512

enum weight {
    NOTHING,
    A_LINE,
    AN_ERROR_WORD,
    AN_ERROR,
    AN_EXCEPTION,
    A_MISSING_PART,
    A_CODE_OF_NPM,
    OF_THE_KEEPER
};

struct line {
    const char *bytes;
    size_t len;
};

static bool begins(struct line l, const char *with)
{
    size_t len = strlen(with);
    return l.len >= len && strncasecmp(l.bytes, with, len) == 0;
}

static bool holds(struct line l, const char *word)
{
    size_t len = strlen(word);
    for (size_t at = 0; at + len <= l.len; at++)
        if (strncasecmp(l.bytes + at, word, len) == 0)
            return true;
    return false;
}

static bool holds_any(struct line l, const char *const *words)
{
    for (; *words; words++)
        if (holds(l, *words))
            return true;
    return false;
}

static bool begins_any(struct line l, const char *const *words)
{
    for (; *words; words++)
        if (begins(l, *words))
            return true;
    return false;
}

static bool is_of_npm(struct line l)
{
    return begins(l, "npm ERR!") || begins(l, "npm error");
}

/* "ValueError: ...", "java.io.IOException: ...": a name that ends so, and a colon. */
static bool is_exception(struct line l)
{
    size_t n = 0;
    while (n < l.len && ((l.bytes[n] | 0x20) >= 'a' || (l.bytes[n] >= '0' && l.bytes[n] <= '9') ||
                         l.bytes[n] == '.' || l.bytes[n] == '_'))
        n++;
    struct line name = {l.bytes, n};
    bool named = (n >= 5 && strncmp(l.bytes + n - 5, "Error", 5) == 0) || holds(name, "Exception");
    return named && n < l.len && (l.bytes[n] == ':' || l.bytes[n] == ' ');
}

/* What follows a reason, and never is one. */
static bool is_trailer(struct line l)
{
    static const char *const trailers[] = {"at ",
                                           "Node.js v",
                                           "npm notice",
                                           "npm warn",
                                           "npm ERR! A complete log",
                                           "npm error A complete log",
                                           "File \"",
                                           "Traceback",
                                           "^",
                                           "}",
                                           "{",
                                           "requireStack",
                                           "code: '",
                                           "PATH=",
                                           "note: run with",
                                           NULL};
    return begins_any(l, trailers);
}

static enum weight weigh(struct line l)
{
    static const char *const missing[] = {"Cannot find module",
                                          "Cannot find package",
                                          "No module named",
                                          "command not found",
                                          ": not found",
                                          "No such file or directory",
                                          "ENOENT",
                                          "EACCES",
                                          "Permission denied",
                                          "EADDRINUSE",
                                          "ECONNREFUSED",
                                          "ENOTFOUND",
                                          "error while loading shared libraries",
                                          "Unsupported engine",
                                          NULL};
    static const char *const errors[] = {"error:",     "fatal",  "panic:",  "thread '", "Uncaught ",
                                         "Unhandled ", "Error:", "[error]", "ERROR",    "Segmentation fault",
                                         NULL};
    static const char *const words[] = {"error",          "failed",  "failure",   "cannot",  "could not",
                                        "denied",         "refused", "invalid",   "missing", "required",
                                        "unknown option", "usage:",  "exception", "not set", NULL};
    if (l.len == 0 || is_trailer(l))
        return NOTHING;
    if (begins(l, KEEPER))
        return OF_THE_KEEPER;
    if (is_of_npm(l) && holds(l, " code "))
        return A_CODE_OF_NPM;
    if (holds_any(l, missing))
        return A_MISSING_PART;
    if (is_exception(l))
        return AN_EXCEPTION;
    if (begins_any(l, errors))
        return AN_ERROR;
    return holds_any(l, words) ? AN_ERROR_WORD : A_LINE;
}

/* The next line, without what a terminal would not show at its ends. false: there is none. */
static bool next_line(const char **text, const char *end, struct line *ret_line)
{
    if (*text >= end)
        return false;
    const char *newline = memchr(*text, '\n', (size_t)(end - *text));
    const char *stop = newline ? newline : end;
    size_t len = (size_t)(stop - *text);
    size_t skipped = line_skip_escapes(*text, len);
    *ret_line = (struct line){*text + skipped, len - skipped};
    while (ret_line->len > 0 && (unsigned char)ret_line->bytes[ret_line->len - 1] <= ' ')
        ret_line->len--;
    if (ret_line->len > LINE_BYTES)
        ret_line->len = LINE_BYTES;
    *text = stop + 1;
    return true;
}

static void write(char ret_cause[CAUSE_BYTES], struct line best, struct line next)
{
    size_t keeper = begins(best, KEEPER) ? strlen(KEEPER) : 0;
    sanitize_copy(ret_cause, CAUSE_BYTES, best.bytes + keeper, best.len - keeper, SANITIZE_BLANK);
    size_t at = strlen(ret_cause);
    if (!is_of_npm(best) || !is_of_npm(next) || at + 3 >= CAUSE_BYTES)
        return;
    size_t prefix = strlen(begins(next, "npm error") ? "npm error " : "npm ERR! ");
    if (next.len <= prefix)
        return;
    (void)snprintf(ret_cause + at, CAUSE_BYTES - at, "; ");
    sanitize_copy(ret_cause + at + 2, CAUSE_BYTES - at - 2, next.bytes + prefix, next.len - prefix,
                  SANITIZE_BLANK);
}

bool cause_find(const char *text, size_t len, char ret_cause[CAUSE_BYTES])
{
    const char *end = text + len;
    struct line line;
    struct line best = {"", 0};
    struct line behind_best = {"", 0};
    enum weight weight = NOTHING;
    bool wants_next = false;
    while (next_line(&text, end, &line)) {
        enum weight w = weigh(line);
        if (wants_next)
            behind_best = line;
        wants_next = w != NOTHING && w >= weight;
        if (!wants_next)
            continue;
        weight = w;
        best = line;
        behind_best = (struct line){"", 0};
    }
    write(ret_cause, best, behind_best);
    return weight > A_LINE;
}

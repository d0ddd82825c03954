/* Looks for the marks of each kind, the most telling first. A guess for people: nothing depends on it. */
#include "wire/stray.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "wire/line_split.h"
#include "wire/sanitize.h"

#define LOOK_BYTES  512
#define LEVEL_BYTES 64 /* a log line says its level this early */

struct text {
    const char *bytes;
    size_t len;
};

static bool begins(struct text t, const char *with)
{
    size_t len = strlen(with);
    return t.len >= len && strncasecmp(t.bytes, with, len) == 0;
}

static bool begins_any(struct text t, const char *const *with)
{
    for (; *with; with++)
        if (begins(t, *with))
            return true;
    return false;
}

static bool holds_any(struct text t, const char *const *what)
{
    for (; *what; what++)
        if (memmem(t.bytes, t.len, *what, strlen(*what)))
            return true;
    return false;
}

/* Half of it is NUL, or a byte order mark of UTF-16 begins it. */
static bool is_utf16(struct text t)
{
    size_t nuls = 0;
    if (t.len >= 2 && (memcmp(t.bytes, "\xFF\xFE", 2) == 0 || memcmp(t.bytes, "\xFE\xFF", 2) == 0))
        return true;
    for (size_t i = 0; i < t.len; i++)
        nuls += t.bytes[i] == '\0';
    return t.len >= 4 && nuls * 5 >= t.len * 2;
}

static bool is_binary(struct text t)
{
    for (size_t at = 0, used; at < t.len; at += used) {
        uint32_t c = sanitize_decode(t.bytes + at, t.len - at, &used);
        bool cut = t.len - at < 4; /* the look may end inside a character */
        if ((c == 0xfffd && used == 1 && !cut) ||
            (c < 0x20 && c != '\t' && c != '\r' && c != 0x1b && c != '\b'))
            return true;
    }
    return false;
}

static bool is_trace(struct text t)
{
    static const char *const begin[] = {"Traceback (most recent call last)",
                                        "at ",
                                        "panic:",
                                        "goroutine ",
                                        "Exception in thread",
                                        "Uncaught ",
                                        "Unhandled ",
                                        "File \"",
                                        "thread '",
                                        "Caused by: ",
                                        NULL};
    static const char *const inside[] = {"Error: ", "Exception: ", "error[E", NULL};
    return begins_any(t, begin) || holds_any(t, inside);
}

static bool is_log(struct text t)
{
    static const char *const levels[] = {
        "INFO",  "DEBUG",  "WARN",   "ERROR", "TRACE",  "FATAL", "NOTICE", "[info",    "[debug",
        "[warn", "[error", "level=", "info:", "debug:", "warn:", "error:", "warning:", NULL};
    struct text head = {t.bytes, t.len < LEVEL_BYTES ? t.len : LEVEL_BYTES};
    bool dated =
        t.len >= 10 && t.bytes[0] >= '0' && t.bytes[0] <= '9' && (t.bytes[4] == '-' || t.bytes[4] == '/');
    return dated || holds_any(head, levels);
}

enum stray stray_look(const char *line, size_t len)
{
    static const char *const headers[] = {"Content-Length:", "Content-Type:", NULL};
    static const char *const markup[] = {"<!doctype", "<html", "<?xml", "<head", "<body", NULL};
    static const char *const http[] = {"HTTP/1.", "HTTP/2", "GET /", "POST /", NULL};
    struct text whole = {line, len < LOOK_BYTES ? len : LOOK_BYTES};
    size_t skipped = line_skip_escapes(whole.bytes, whole.len);
    struct text t = {whole.bytes + skipped, whole.len - skipped};
    if (is_utf16(whole))
        return STRAY_UTF16;
    if (begins_any(t, headers) || holds_any(t, headers))
        return STRAY_LENGTH_HEADER;
    if (begins_any(t, markup))
        return STRAY_HTML;
    if (begins_any(t, http))
        return STRAY_HTTP;
    if (is_trace(t))
        return STRAY_TRACE;
    if (is_binary(whole))
        return STRAY_BINARY;
    if (memchr(whole.bytes, 0x1b, whole.len) || memchr(whole.bytes, '\b', whole.len) ||
        (t.len > 0 && memchr(t.bytes, '\r', t.len)))
        return STRAY_ESCAPES;
    if (begins(t, "{") || begins(t, "[{") || begins(t, "\""))
        return STRAY_JSON;
    return is_log(t) ? STRAY_LOG : STRAY_TEXT;
}

const char *stray_name(enum stray look)
{
    static const char *const names[] = {
#define X(id, name, text) name,
        STRAYS(X)
#undef X
    };
    return names[look];
}

const char *stray_text(enum stray look)
{
    static const char *const texts[] = {
#define X(id, name, text) text,
        STRAYS(X)
#undef X
    };
    return texts[look];
}

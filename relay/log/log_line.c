/* A log line as logfmt or JSON. Both quote alike: a quoted value is a JSON string in either, so one escaper
 * serves both.
 *
 * Values come from peers and children: control characters (C0, DEL, C1, the line separators) are escaped,
 * invalid UTF-8 becomes U+FFFD, and a value is cut at 4 KiB, so that a log reader's terminal and parser are
 * safe and a line is always one line. A field that does not fit whole is left out and the line gets
 * truncated=true: room for that is reserved.
 */
#include "log/log_line.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* `,"truncated":true}` and the newline */
#define TAIL_BYTES 32

struct line {
    char *room;
    size_t len;
    bool full; /* something did not fit */
};

static void put(struct line *line, const char *bytes, size_t len)
{
    if (line->full || len > LOG_LINE_MAX_BYTES - TAIL_BYTES - line->len) {
        line->full = true;
        return;
    }
    memcpy(line->room + line->len, bytes, len);
    line->len += len;
}

static void put_cstring(struct line *line, const char *string)
{
    put(line, string, strlen(string));
}

__attribute__((format(printf, 2, 3))) static void put_format(struct line *line, const char *format, ...)
{
    char text[64];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (len > 0 && (size_t)len < sizeof(text))
        put(line, text, (size_t)len);
}

/* ---- text ---- */

struct code_point {
    uint32_t value;
    size_t len; /* bytes it took; 0: not valid UTF-8 */
};

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
static struct code_point decode(const unsigned char *p, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    struct code_point none = {0xFFFD, 0};
    if (p[0] < 0x80)
        return (struct code_point){p[0], 1};
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < len)
        return none;
    uint32_t value = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return none;
        value = value << 6 | (p[i] & 0x3F);
    }
    if (value < smallest[len] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF))
        return none;
    return (struct code_point){value, len};
}

static bool is_unprintable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029;
}

static void put_escaped(struct line *line, const char *bytes, size_t len)
{
    const unsigned char *p = (const unsigned char *)bytes;
    for (size_t at = 0; at < len;) {
        struct code_point c = decode(p + at, len - at);
        if (c.len == 0)
            put_cstring(line, "\xEF\xBF\xBD");
        else if (c.value == '"' || c.value == '\\')
            put_format(line, "\\%c", (int)c.value);
        else if (c.value == '\n')
            put_cstring(line, "\\n");
        else if (c.value == '\r')
            put_cstring(line, "\\r");
        else if (c.value == '\t')
            put_cstring(line, "\\t");
        else if (is_unprintable(c.value))
            put_format(line, "\\u%04" PRIx32, c.value);
        else
            put(line, bytes + at, c.len);
        at += c.len > 0 ? c.len : 1;
    }
}

/* Cut between characters, not within one. */
static size_t cut_len(const char *bytes, size_t len)
{
    if (len <= LOG_VALUE_MAX_BYTES)
        return len;
    size_t cut = LOG_VALUE_MAX_BYTES;
    for (int back = 0; back < 3 && ((unsigned char)bytes[cut] & 0xC0) == 0x80; back++)
        cut--;
    return cut;
}

static void put_quoted(struct line *line, const char *bytes, size_t len)
{
    size_t cut = cut_len(bytes, len);
    put_cstring(line, "\"");
    put_escaped(line, bytes, cut);
    if (cut < len)
        put_cstring(line, "\xE2\x80\xA6");
    put_cstring(line, "\"");
}

/* logfmt leaves out unnecessary quotes. */
static bool is_bare(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] <= ' ' || bytes[i] >= 0x7F || bytes[i] == '"' || bytes[i] == '=' || bytes[i] == '\\')
            return false;
    }
    return len > 0 && len <= LOG_VALUE_MAX_BYTES;
}

/* ---- fields ---- */

static void put_key(struct line *line, enum log_format format, const char *key)
{
    put_cstring(line, format == LOG_JSON ? ",\"" : " ");
    put_cstring(line, key);
    put_cstring(line, format == LOG_JSON ? "\":" : "=");
}

static void put_text(struct line *line, enum log_format format, const char *bytes, size_t len)
{
    if (format == LOG_LOGFMT && is_bare(bytes, len))
        put(line, bytes, len);
    else
        put_quoted(line, bytes, len);
}

static void put_value(struct line *line, enum log_format format, const struct log_field *f)
{
    const char *str = f->str ? f->str : "";
    switch (f->type) {
    case LOG_FIELD_STR:
        put_text(line, format, str, strlen(str));
        break;
    case LOG_FIELD_BYTES:
        put_text(line, format, str, f->str ? f->len : 0);
        break;
    case LOG_FIELD_INT:
        put_format(line, "%" PRId64, f->i);
        break;
    case LOG_FIELD_UINT:
        put_format(line, "%" PRIu64, f->u);
        break;
    case LOG_FIELD_BOOL:
        put_cstring(line, f->u != 0 ? "true" : "false");
        break;
    case LOG_FIELD_END:
        break;
    }
}

static void put_time(struct line *line, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (wall_ms < 0 || !gmtime_r(&seconds, &tm))
        memset(&tm, 0, sizeof(tm));
    put_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
               tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(wall_ms < 0 ? 0 : wall_ms % 1000));
}

const char *log_level_name(enum log_level level)
{
    return (unsigned)level <= LOG_OFF ? log_level_names[level] : "?";
}

/* put() keeps TAIL_BYTES free for it. */
static void put_tail(struct line *line, bool json)
{
    const char *tail = json ? "}\n" : "\n";
    if (line->full)
        tail = json ? ",\"truncated\":true}\n" : " truncated=true\n";
    while (*tail != '\0')
        line->room[line->len++] = *tail++;
}

size_t log_line_format(char *room, enum log_format format, int64_t wall_ms, enum log_level level,
                       const char *event, const struct log_field *fields)
{
    struct line line = {.room = room};
    bool json = format == LOG_JSON;
    put_cstring(&line, json ? "{\"ts\":\"" : "ts=");
    put_time(&line, wall_ms);
    put_cstring(&line, json ? "\",\"level\":\"" : " level=");
    put_cstring(&line, log_level_name(level));
    put_cstring(&line, json ? "\",\"event\":" : " event=");
    put_text(&line, format, event, strlen(event));
    for (const struct log_field *f = fields; f->type != LOG_FIELD_END && !line.full; f++) {
        size_t before = line.len;
        put_key(&line, format, f->key);
        put_value(&line, format, f);
        if (line.full)
            line.len = before;
    }
    put_tail(&line, json);
    return line.len;
}

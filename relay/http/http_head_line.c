/* The first line of a head: METHOD SP TARGET SP VERSION, or VERSION SP STATUS SP TEXT.
 *
 * Each of the blanks is one space. The version is looked at before the target, so that the preface of
 * HTTP/2 and a line of HTTP/0.9 are named as what they are.
 */
#include "http/http_head_line.h"

#include <string.h>

#include "http/http_host.h"
#include "http/http_percent.h"
#include "http/http_text.h"

#define VERSION_LEN 8 /* HTTP/1.1 */

/* ---- the version ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool parse_version(struct part text, struct http_line *line, struct http_refusal *refusal)
{
    const char *v = text.bytes;
    if (text.len != VERSION_LEN || memcmp(v, "HTTP/", 5) != 0 || !is_digit(v[5]) || v[6] != '.' ||
        !is_digit(v[7]))
        return http_refuse(refusal, 400, "The request line does not end in HTTP/1.1.");
    if (v[5] != '1' || v[7] > '1')
        return http_refuse(refusal, 505, "The version is neither HTTP/1.0 nor HTTP/1.1.");
    line->minor = (uint8_t)(v[7] - '0');
    return true;
}

/* ---- the target ---- */

static struct http_span span_of(const char *bytes, struct part text)
{
    return (struct http_span){(uint16_t)(text.bytes - bytes), (uint16_t)text.len};
}

static bool check_target_bytes(struct part target, struct http_refusal *refusal)
{
    for (size_t i = 0; i < target.len; i++) {
        if (target.bytes[i] == '#')
            return http_refuse(refusal, 400, "The request target has a fragment (#).");
        if (!http_is_visible(target.bytes[i]))
            return http_refuse(refusal, 400, "The request target has a byte that must be percent-encoded.");
    }
    if (!http_percent_is_sound(target))
        return http_refuse(refusal, 400, "The request target has a malformed escape, or %00.");
    return true;
}

/* scheme://AUTHORITY of a whole address; what follows it is left in *target. */
static bool take_authority(const char *bytes, struct part *target, struct http_line *line)
{
    struct http_host host;
    size_t scheme = target->len > 7 && http_text_is((struct part){target->bytes, 7}, "http://")    ? 7
                    : target->len > 8 && http_text_is((struct part){target->bytes, 8}, "https://") ? 8
                                                                                                   : 0;
    if (scheme == 0)
        return false;
    struct part authority = {target->bytes + scheme, 0};
    while (scheme + authority.len < target->len && authority.bytes[authority.len] != '/' &&
           authority.bytes[authority.len] != '?')
        authority.len++;
    line->authority = span_of(bytes, authority);
    target->bytes += scheme + authority.len;
    target->len -= scheme + authority.len;
    return http_host_parse(authority, &host);
}

static bool is_asterisk(struct part target, const struct http_line *line)
{
    return target.len == 1 && target.bytes[0] == '*' && line->method == HTTP_METHOD_OPTIONS;
}

/* Path and query. A whole address without a path means /, which does not stand there: its path is empty. */
static void split_target(const char *bytes, struct part target, struct http_line *line)
{
    const char *sign = memchr(target.bytes, '?', target.len);
    size_t path_len = sign ? (size_t)(sign - target.bytes) : target.len;
    line->path = span_of(bytes, (struct part){target.bytes, path_len});
    if (sign)
        line->query = span_of(bytes, (struct part){sign + 1, target.len - path_len - 1});
}

static bool parse_target(const char *bytes, struct part target, struct http_line *line,
                         struct http_refusal *refusal)
{
    if (!check_target_bytes(target, refusal))
        return false;
    bool known = target.bytes[0] == '/' || is_asterisk(target, line) || take_authority(bytes, &target, line);
    if (!known)
        return http_refuse(refusal, 400, "The request target is neither a path nor an http address.");
    split_target(bytes, target, line);
    return true;
}

/* ---- the line ---- */

static size_t token_len(struct part text)
{
    size_t len = 0;
    while (len < text.len && http_is_token_char(text.bytes[len]))
        len++;
    return len;
}

static bool parse_method(const char *bytes, struct part text, struct http_line *line,
                         struct http_refusal *refusal)
{
    struct part method = {text.bytes, token_len(text)};
    if (method.len == 0 || method.len == text.len || text.bytes[method.len] != ' ')
        return http_refuse(refusal, 400, "The request line does not begin with a method and a space.");
    if (method.len > HTTP_METHOD_MAX)
        return http_refuse(refusal, 400, "The request's method is too long.");
    line->method = http_method_find(method);
    line->method_text = span_of(bytes, method);
    return true;
}

bool http_head_line_request(const char *bytes, size_t off, size_t len, struct http_line *ret_line,
                            struct http_refusal *ret_refusal)
{
    struct part text = {bytes + off, len};
    *ret_line = (struct http_line){.method = HTTP_METHOD_OTHER};
    if (!parse_method(bytes, text, ret_line, ret_refusal))
        return false;
    size_t target_at = ret_line->method_text.len + 1U;
    const char *space = memchr(text.bytes + target_at, ' ', len - target_at);
    size_t target_len = space ? (size_t)(space - text.bytes) - target_at : 0;
    if (target_len == 0)
        return http_refuse(ret_refusal, 400, "The request line is not METHOD TARGET HTTP/1.1.");
    size_t version_at = target_at + target_len + 1;
    return parse_version((struct part){text.bytes + version_at, len - version_at}, ret_line, ret_refusal) &&
           parse_target(bytes, (struct part){text.bytes + target_at, target_len}, ret_line, ret_refusal);
}

bool http_head_line_status(const char *bytes, size_t off, size_t len, struct http_line *ret_line,
                           struct http_refusal *ret_refusal)
{
    const char *p = bytes + off;
    uint64_t status;
    *ret_line = (struct http_line){.method = HTTP_METHOD_OTHER};
    if (len < VERSION_LEN + 4 || p[VERSION_LEN] != ' ' ||
        !http_text_number((struct part){p + VERSION_LEN + 1, 3}, &status) || status < 100 ||
        (len > VERSION_LEN + 4 && p[VERSION_LEN + 4] != ' '))
        return http_refuse(ret_refusal, 400, "The status line is not HTTP/1.1 STATUS TEXT.");
    for (size_t i = VERSION_LEN + 4; i < len; i++)
        if (!http_is_value_char(p[i]))
            return http_refuse(ret_refusal, 400, "A control byte stands in the status line.");
    ret_line->status = (uint16_t)status;
    return parse_version((struct part){p, VERSION_LEN}, ret_line, ret_refusal);
}

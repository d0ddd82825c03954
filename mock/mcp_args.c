/* Reads a tool's arguments; see mcp_args.h. null counts as absent, since many clients send it so.
 */
#include "mock/mcp_args.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void wrong(struct mcp_args *a, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    (void)vsnprintf(a->problem, sizeof(a->problem), format, list);
    va_end(list);
}

bool args_wrong(const struct mcp_args *a)
{
    return a->problem[0] != '\0';
}

static json_node find(const struct mcp_args *a, const char *key)
{
    json_node at = a->doc && !args_wrong(a) ? json_get(a->doc, a->node, key) : JSON_ABSENT;
    return at != JSON_ABSENT && json_type(a->doc, at) == JSON_NULL ? JSON_ABSENT : at;
}

const char *arg_string(struct mcp_args *a, const char *key, size_t max_bytes, const char *otherwise)
{
    json_node at = find(a, key);
    if (at == JSON_ABSENT)
        return otherwise;
    size_t len;
    const char *text = json_string(a->doc, at, &len);
    if (!text) {
        wrong(a, "%s must be a string", key);
        return otherwise;
    }
    if (len > max_bytes) {
        wrong(a, "%s must have at most %zu bytes", key, max_bytes);
        return otherwise;
    }
    return text;
}

const char *arg_required(struct mcp_args *a, const char *key, size_t max_bytes)
{
    const char *text = arg_string(a, key, max_bytes, "");
    if (text[0] == '\0' && !args_wrong(a))
        wrong(a, "%s is required", key);
    return text;
}

const char *arg_choice(struct mcp_args *a, const char *key, const char *const *choices, const char *otherwise)
{
    const char *text = arg_string(a, key, MOCK_MAX_WORD_BYTES, otherwise);
    char list[120] = "";
    size_t used = 0;
    for (size_t i = 0; choices[i]; i++) {
        if (strcmp(choices[i], text) == 0)
            return text;
        int more = snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", choices[i]);
        used += (size_t)more < sizeof(list) - used ? (size_t)more : 0;
    }
    wrong(a, "%s must be one of %s", key, list);
    return otherwise;
}

uint64_t arg_uint(struct mcp_args *a, const char *key, uint64_t min, uint64_t max, uint64_t otherwise)
{
    int64_t value;
    json_node at = find(a, key);
    if (at == JSON_ABSENT)
        return otherwise;
    if (!json_int(a->doc, at, (int64_t)min, (int64_t)max, &value)) {
        wrong(a, "%s must be a whole number from %" PRIu64 " to %" PRIu64, key, min, max);
        return otherwise;
    }
    return (uint64_t)value;
}

bool arg_bool(struct mcp_args *a, const char *key, bool otherwise)
{
    bool value;
    json_node at = find(a, key);
    if (at == JSON_ABSENT)
        return otherwise;
    if (!json_bool(a->doc, at, &value)) {
        wrong(a, "%s must be true or false", key);
        return otherwise;
    }
    return value;
}

size_t arg_words(struct mcp_args *a, const char *key, const char *words[MOCK_MAX_CAPABILITIES])
{
    size_t count = 0;
    json_node list = find(a, key);
    if (list == JSON_ABSENT)
        return 0;
    if (json_type(a->doc, list) != JSON_ARRAY || json_count(a->doc, list) > MOCK_MAX_CAPABILITIES) {
        wrong(a, "%s must be an array of at most %d strings", key, MOCK_MAX_CAPABILITIES);
        return 0;
    }
    for (json_node at = json_first(a->doc, list); at != JSON_ABSENT; at = json_next(a->doc, at)) {
        size_t len;
        words[count] = json_string(a->doc, at, &len);
        if (!words[count] || len == 0 || len > MOCK_MAX_WORD_BYTES) {
            wrong(a, "%s must hold strings of 1 to %d bytes", key, MOCK_MAX_WORD_BYTES);
            return 0;
        }
        count++;
    }
    return count;
}

/* Common mistakes in JSON that people type: syntax of JavaScript, Python, shell. The byte at which the text
 * stopped being JSON, and the one before it, identify the mistake.
 */
#include <string.h>

#include "backend-client/cli/json_text.h"

static bool is_letter(char c)
{
    char lower = (char)(c | 0x20);
    return (lower >= 'a' && lower <= 'z') || c == '_' || c == '$';
}

/* The last byte before `at` that is no white space; 0: none. */
static char before(const char *text, size_t at)
{
    while (at > 0 && strchr(" \t\r\n", text[at - 1]))
        at--;
    return at > 0 ? text[at - 1] : '\0';
}

/* The word that `at` stands in begins so. The scan stops within a word where it leaves true, false or null.
 */
static bool word_is(const char *text, size_t len, size_t at, const char *word)
{
    while (at > 0 && is_letter(text[at - 1]))
        at--;
    size_t n = strlen(word);
    return len - at >= n && memcmp(text + at, word, n) == 0;
}

static const char *about_word(const char *text, size_t len, size_t at)
{
    static const struct {
        const char *word;
        const char *advice;
    } words[] = {
        {"True", "write true"},
        {"False", "write false"},
        {"TRUE", "write true"},
        {"FALSE", "write false"},
        {"None", "write null"},
        {"NULL", "write null"},
        {"undefined", "write null"},
        {"nil", "write null"},
        {"NaN", "JSON has no NaN: write null"},
        {"Infinity", "JSON has no infinity: write null"},
    };
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (word_is(text, len, at, words[i].word))
            return words[i].advice;
    char prior = before(text, at);
    if (prior == '{' || prior == ',')
        return "keys and strings stand in double quotes: {\"key\":\"value\"} (did the shell take the quotes away? put the whole in single quotes)";
    return "strings stand in double quotes (did the shell take them away? put the whole in single quotes)";
}

static const char *about_string(char c)
{
    if (c == '\n' || c == '\r')
        return "a string ends on its line: write \\n for a line break";
    if (c == '\t')
        return "write \\t for a tab";
    if ((unsigned char)c < 0x20)
        return "write control characters as \\u00XX";
    return "after a backslash come \" \\ / b f n r t or uXXXX; write \\\\ for a backslash itself";
}

static const char *about_mark(const char *text, size_t at)
{
    char c = text[at];
    char prior = before(text, at);
    if ((c == '}' || c == ']') && prior == ',')
        return "no comma before a closing bracket: take the last comma away";
    if (c == '}' || c == ']')
        return "something is missing before it, or it closes what is not open";
    if (c == ',')
        return "a value is missing before it";
    if (c == '=')
        return "write a colon between key and value";
    if (c == '\'' || c == '`')
        return "strings stand in double quotes";
    if (c == '/' || c == '#')
        return "JSON has no comments";
    if (c == '+' || c == '.')
        return "numbers begin with a digit or -: write 0.5 for .5";
    return NULL;
}

const char *json_advice(const char *text, size_t len, size_t fault_at, bool truncated, bool in_string)
{
    if (truncated || fault_at >= len)
        return in_string ? "a closing quote is missing" : "a value, or a closing } or ], is missing";
    char c = text[fault_at];
    if (in_string)
        return about_string(c);
    if (is_letter(c))
        return about_word(text, len, fault_at);
    const char *advice = about_mark(text, fault_at);
    if (advice)
        return advice;
    char prior = before(text, fault_at);
    if (prior == '}' || prior == ']' || prior == '"')
        return "a comma is missing before it, or the text should have ended";
    if (c >= '0' && c <= '9')
        return "numbers have no leading zeros and no blanks";
    return "see json.org for what may stand there";
}

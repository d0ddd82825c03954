/* The tables. A spelling that another tool adds is a word in a table here, and nowhere else. */
#include "config/config_spellings.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- where the servers stand ---- */

const struct block_place block_places[] = {
    {{"mcpServers"},
     false},              /* Claude Code and Desktop, Cursor, Windsurf, Gemini CLI, Cline and most others */
    {{"servers"}, false}, /* VS Code, mcp.json */
    {{"mcp", "servers"}, false},    /* VS Code, settings.json */
    {{"mcp", "mcpServers"}, false}, /* the same, as people write it */
    {{"context_servers"}, false},   /* Zed */
    {{"mcp_servers"}, false},       /* Codex's table, as JSON */
    {{"amp", "mcpServers"}, false},
    {{"augment", "advanced", "mcpServers"}, false},
    {{"experimental", "modelContextProtocolServers"}, false}, /* Continue, config.json */
    {{"customizations", "vscode", "mcp", "servers"}, false},  /* devcontainer.json */
    {{"mcp"}, true},                                          /* opencode, Crush */
    {{NULL}, true},                                           /* entries alone, copied out of their block */
};
const size_t block_place_count = sizeof(block_places) / sizeof(block_places[0]);

const char *const root_keys[] = {"mcpServers",  "servers", "mcp",   "context_servers",
                                 "mcp_servers", "inputs",  "relay", NULL};

void block_place_name(const struct block_place *p, char *ret_text)
{
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < PLACE_DEPTH_MAX && p->path[i] && len < PLACE_NAME_BYTES; i++)
        len += (size_t)snprintf(ret_text + len, PLACE_NAME_BYTES - len, "%s%s", i > 0 ? "." : "", p->path[i]);
}

/* From depth `from` on, below `node`: the next key may have several words of the path. */
static json_node find_below(struct json_doc *doc, json_node node, const struct block_place *p, size_t from)
{
    char key[PLACE_NAME_BYTES];
    size_t len = 0;
    if (!p->path[from])
        return node;
    for (size_t to = from; to < PLACE_DEPTH_MAX && p->path[to]; to++) {
        len += (size_t)snprintf(key + len, sizeof(key) - len, "%s%s", to > from ? "." : "", p->path[to]);
        json_node next = json_get(doc, node, key);
        json_node found = next != JSON_ABSENT ? find_below(doc, next, p, to + 1) : JSON_ABSENT;
        if (found != JSON_ABSENT)
            return found;
    }
    return JSON_ABSENT;
}

json_node block_place_find(struct json_doc *doc, const struct block_place *p)
{
    json_node found = find_below(doc, json_root(doc), p, 0);
    return json_type(doc, found) == JSON_NULL ? JSON_ABSENT : found;
}

bool is_known_root_key(const char *key)
{
    if (strcmp(key, "relay") == 0 || strcmp(key, "inputs") == 0)
        return true;
    for (size_t i = 0; i < block_place_count; i++) {
        const char *first = block_places[i].path[0];
        size_t len = first ? strlen(first) : 0;
        if (first && strncmp(key, first, len) == 0 && (key[len] == '\0' || key[len] == '.'))
            return true;
    }
    return false;
}

/* ---- the members of an entry ---- */

#define SPELLINGS_MAX 6

static const char *const spellings[ENTRY_KEY_COUNT][SPELLINGS_MAX] = {
    [KEY_TYPE] = {"type", "transport", "transportType", "transport_type"},
    [KEY_COMMAND] = {"command", "cmd"},
    [KEY_ARGS] = {"args", "arguments"},
    [KEY_ENV] = {"env", "environment", "envs", "env_vars", "environmentVariables"},
    [KEY_ENV_FILE] = {"envFile", "env_file", "envfile"},
    [KEY_CWD] = {"cwd", "workingDirectory", "working_directory", "workingDir", "workdir"},
    [KEY_URL] = {"url", "serverUrl", "httpUrl", "server_url", "uri"},
    [KEY_HEADERS] = {"headers", "http_headers"},
    [KEY_ENABLED] = {"enabled", "enable", "isActive"},
    [KEY_DISABLED] = {"disabled", "isDisabled"},
};

const char *const entry_keys[] = {"type", "command", "args",    "env",      "envFile", "cwd",
                                  "url",  "headers", "enabled", "disabled", NULL};

const char *entry_key_name(enum entry_key key)
{
    return spellings[key][0];
}

const char *const *entry_key_spellings(enum entry_key key)
{
    return spellings[key];
}

bool is_entry_key(const char *name)
{
    for (size_t key = 0; key < ENTRY_KEY_COUNT; key++) {
        for (const char *const *s = spellings[key]; *s; s++) {
            if (strcmp(*s, name) == 0)
                return true;
        }
    }
    return false;
}

static bool has_member(struct json_doc *doc, json_node node, enum entry_key key)
{
    for (const char *const *s = spellings[key]; *s; s++) {
        enum json_type type = json_type(doc, json_get(doc, node, *s));
        if (type == JSON_STRING || type == JSON_ARRAY || type == JSON_OBJECT)
            return true;
    }
    return false;
}

bool looks_like_entry(struct json_doc *doc, json_node node)
{
    return json_type(doc, node) == JSON_OBJECT &&
           (has_member(doc, node, KEY_COMMAND) || has_member(doc, node, KEY_URL));
}

/* ---- words ---- */

#define WORD_BYTES 32

/* Letters alone, in lower case. */
static void plain_word(const char *text, char *ret_word)
{
    size_t len = 0;
    for (; *text != '\0' && len + 1 < WORD_BYTES; text++) {
        if (isalpha((unsigned char)*text))
            ret_word[len++] = (char)tolower((unsigned char)*text);
    }
    ret_word[len] = '\0';
}

static bool is_listed(const char *word, const char *const *list)
{
    for (; *list; list++) {
        if (strcasecmp(*list, word) == 0)
            return true;
    }
    return false;
}

enum entry_kind entry_kind_of(const char *type)
{
    static const char *const stdio[] = {"stdio", "local", "command", "process", "subprocess", NULL};
    static const char *const remote[] = {"http",          "https",
                                         "streamable",    "streamablehttp",
                                         "httpstream",    "httpstreamable",
                                         "streaminghttp", "httpstreaming",
                                         "sse",           "httpsse",
                                         "ssehttp",       "ws",
                                         "wss",           "websocket",
                                         "remote",        "url",
                                         "streamhttp",    NULL};
    char word[WORD_BYTES];
    plain_word(type, word);
    return is_listed(word, stdio) ? ENTRY_STDIO : is_listed(word, remote) ? ENTRY_REMOTE : ENTRY_UNKNOWN;
}

bool switch_word(struct json_doc *doc, json_node node, bool *ret_on)
{
    static const char *const on[] = {"true", "yes", "on", "1", NULL};
    static const char *const off[] = {"false", "no", "off", "0", NULL};
    int64_t number;
    if (json_bool(doc, node, ret_on))
        return true;
    if (json_int(doc, node, 0, 1, &number)) {
        *ret_on = number == 1;
        return true;
    }
    const char *word = json_string(doc, node, NULL);
    if (!word || (!is_listed(word, on) && !is_listed(word, off)))
        return false;
    *ret_on = is_listed(word, on);
    return true;
}

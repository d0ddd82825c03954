/* The spellings of other tools, in one place: where their files keep the servers, how they call the members
 * of an entry, and which words stand for its kind and its switches.
 */
#ifndef CONFIG_CONFIG_SPELLINGS_H
#define CONFIG_CONFIG_SPELLINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "wire/json.h"

/* ---- where the servers stand ---- */

#define PLACE_DEPTH_MAX 5

struct block_place {
    const char *path[PLACE_DEPTH_MAX]; /* keys from the root, NULL behind the last; none: the root itself */
    bool loose; /* other things stand there too: only what looks like an entry is one, and only in a file that
                   has no server anywhere else */
};

/* In the order in which they are read. */
extern const struct block_place block_places[];
extern const size_t block_place_count;
/* "mcp.servers"; "" for the root. `ret_text` has PLACE_NAME_BYTES. */
#define PLACE_NAME_BYTES 128
void block_place_name(const struct block_place *p, char *ret_text);
/* The value at the place, found member by member or under one key with dots ("mcp.servers", as some editors'
 * settings have it); JSON_ABSENT when it is not there, or null. */
json_node block_place_find(struct json_doc *doc, const struct block_place *p);
/* Whether a key of the root leads to a place, or belongs to the relay. */
bool is_known_root_key(const char *key);
/* Keys of the root for "did you mean", NULL-terminated. */
extern const char *const root_keys[];

/* ---- the members of an entry ---- */

enum entry_key {
    KEY_TYPE,
    KEY_COMMAND,
    KEY_ARGS,
    KEY_ENV,
    KEY_ENV_FILE,
    KEY_CWD,
    KEY_URL,
    KEY_HEADERS,
    KEY_ENABLED,
    KEY_DISABLED,
    ENTRY_KEY_COUNT,
};

/* The relay's own spelling. */
const char *entry_key_name(enum entry_key key);
/* The spellings of a key, NULL-terminated, ours first. */
const char *const *entry_key_spellings(enum entry_key key);
bool is_entry_key(const char *name);
/* Our spellings of all keys, NULL-terminated, for "did you mean". */
extern const char *const entry_keys[];
/* An object with a command or a url. */
bool looks_like_entry(struct json_doc *doc, json_node node);

/* ---- words ---- */

enum entry_kind { ENTRY_STDIO, ENTRY_REMOTE, ENTRY_UNKNOWN };
/* Letter case and everything but letters do not count: "streamable_http" is "streamableHttp". */
enum entry_kind entry_kind_of(const char *type);

/* true, "yes", "on", 1 and the like; false: it is none of them. */
bool switch_word(struct json_doc *doc, json_node node, bool *ret_on);

#endif

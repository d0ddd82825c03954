/* The option table: everything that `relay` in the file, AGENT_RELAY_* and the flags may set, said once. The
 * file's key is camelCase; the flag and the variable are made from it: maxClients, --max-clients,
 * AGENT_RELAY_MAX_CLIENTS.
 */
#ifndef CONFIG_CONFIG_OPTIONS_H
#define CONFIG_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

enum option_type {
    OPTION_UINT,   /* uint64_t, in [min, max] */
    OPTION_CHOICE, /* an enum: the index in `choices` */
    OPTION_SWITCH, /* bool: choices[0] is false, choices[1] true */
    OPTION_STRING, /* char *, NULL when not set */
    OPTION_NAMES,  /* char **, NULL-terminated */
    OPTION_LISTEN, /* config.listen and listen_count */
};

enum option_unit { OPTION_NO_UNIT, OPTION_BYTES, OPTION_MS };

struct option {
    const char *key;
    enum option_type type;
    enum option_unit unit;
    bool per_server; /* may stand under relay.servers.NAME; `offset` is then in struct server_config */
    bool reload;     /* SIGHUP takes it */
    size_t offset;   /* of the value, in struct config or struct server_config */
    uint64_t min;
    uint64_t max;
    uint64_t number;            /* default of UINT, CHOICE and SWITCH */
    const char *text;           /* default of the others; NULL: none */
    const char *const *choices; /* NULL-terminated */
    const char *help;
};

#define OPTION_NAME_BYTES 48

size_t option_count(void);
const struct option *option_at(size_t index);
/* By the file's key. NULL: no such option. */
const struct option *option_find(const char *key);
size_t option_index(const struct option *o);
static inline bool option_is_list(const struct option *o)
{
    return o->type == OPTION_NAMES || o->type == OPTION_LISTEN;
}

/* "--max-clients" and "AGENT_RELAY_MAX_CLIENTS"; `ret_name` has OPTION_NAME_BYTES. */
void option_flag_name(const struct option *o, char *ret_name);
void option_env_name(const struct option *o, char *ret_name);
/* Where the value stands: `server` is asked for per-server options, `c` for the others. */
void *option_place(const struct option *o, struct config *c, struct server_config *server);
/* The value as it would be written, into `ret_text` (replaced, NUL-terminated). -ENOMEM, ERR_TOO_LARGE. */
MUSTCHECK int option_value_text(const struct option *o, const struct config *c,
                                const struct server_config *server, struct buf *ret_text);

/* How far two names are apart: the edits between them, letter case and the marks - and _ aside. */
unsigned name_distance(const char *a, const char *b);
/* True when `distance` is small enough for "did you mean". */
bool name_is_near(const char *name, unsigned distance);
/* The nearest of a NULL-terminated list when it is near enough, or NULL. */
const char *nearest_name(const char *name, const char *const *known);

#endif

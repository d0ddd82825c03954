/* The option table: all that `relay` in the file, AGENT_RELAY_* and the flags may set. The file's key is
 * camelCase; the flag and the variable are made of the same words: maxClients, --max-clients,
 * AGENT_RELAY_MAX_CLIENTS.
 */
#ifndef CONFIG_CONFIG_OPTIONS_H
#define CONFIG_CONFIG_OPTIONS_H

#include <stddef.h>

#include "base/options.h"
#include "config/config.h"

/* The options; and the same with --config before them, which cannot be set in a file. */
extern const struct option_table config_options;
extern const struct option_table config_flags;

/* By the file's key. NULL: no such option. */
static inline const struct option *config_option(const char *key)
{
    return option_find_key(&config_options, key);
}
static inline size_t config_option_index(const struct option *o)
{
    return (size_t)(o - config_options.rows);
}

/* The option whose key is nearest to `name`, or NULL; `per_server`: among those that are allowed under
 * relay.servers.NAME. */
const char *config_option_nearest(const char *name, bool per_server);
/* Where the value is: `server` is used for per-server options, `c` for the others. */
void *config_option_place(const struct option *o, struct config *c, struct server_config *server);
const void *config_option_value(const struct option *o, const struct config *c,
                                const struct server_config *server);
/* The value as it would be written, into `ret_text` (replaced, NUL-terminated). -ENOMEM, ERR_TOO_LARGE. */
MUSTCHECK int config_option_text(const struct option *o, const struct config *c,
                                 const struct server_config *server, struct buf *ret_text);

#endif

/* The options of agent-backend: each is a flag and an environment variable; the flag wins. */
#ifndef SERVICE_SETTINGS_H
#define SERVICE_SETTINGS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "agent_relay.h"
#include "base/err.h"

#define SETTINGS_PROBLEM_SIZE 400

struct settings {
    const char *listen;       /* HOST:PORT */
    const char *allow_origin; /* NULL: none but our own */
    uint64_t held_max_bytes;  /* of answers and events that are being read, all together */
    struct ar_options client; /* strings borrowed from argv and environ */
};

enum settings_verb {
    SETTINGS_SERVE,
    SETTINGS_CHECK, /* ask a running one for its health */
    SETTINGS_HELP,
    SETTINGS_VERSION,
};

typedef const char *settings_env_cb(const char *name);

/* `argv` without the program's name. A variable that is empty counts as absent. 0, or -1 with `problem`
 * saying which option is wrong and what to write. */
MUSTCHECK int settings_read(struct settings *s, int argc, char *const *argv, settings_env_cb *env,
                            enum settings_verb *ret_verb, char problem[SETTINGS_PROBLEM_SIZE]);
/* The library names its options' members (dead_after_ms); in `text` they become the flags that people write.
 */
void settings_name_flags(const char *text, char problem[SETTINGS_PROBLEM_SIZE]);
void settings_print_help(FILE *out);

#endif

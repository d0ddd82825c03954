/* References to variables and folders in the strings of a server's entry; the forms are in config_expand.c. */
#ifndef CONFIG_CONFIG_EXPAND_H
#define CONFIG_CONFIG_EXPAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "wire/json.h"

/* What references are looked up in, and where the text stands. All pointers are borrowed. */
struct expansion {
    char *const *environ;  /* NAME=VALUE, NULL-terminated */
    const char *workspace; /* ${workspaceFolder}; NULL: unset */
    const char *cwd;       /* ${cwd}; NULL: unset */
    struct json_doc *doc;  /* with the `inputs`; NULL: none */
    bool is_argument;      /* of a command that may be a shell: $VAR is mostly its own business */
    bool is_env;           /* the value of a variable, which may be a list of paths */
};

/* `text` with each reference replaced, newly allocated; NULL: no memory. Names that have no value are added
 * to `missing`, comma separated. */
char *expand_variables(const struct expansion *e, const char *text, struct buf *missing);
/* The value of NAME in a NAME=VALUE list, or NULL. */
const char *environ_find(char *const *environ, const char *name, size_t name_len);

#endif

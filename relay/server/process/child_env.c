/* Puts a child's environment together, in one allocation: the array of pointers, then the strings.
 *
 * Two passes over the same walk: the first measures, the second writes. A name is taken once: an entry's own
 * value wins, then the relay's. Failure mode: no memory.
 */
#include "server/process/child_env.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/alloc.h"

static const char *const standard_names[] = {
    "HOME",        "LOGNAME",    "PATH",          "SHELL",        "TERM",
    "USER",        "LANG",       "LC_ALL",        "LC_CTYPE",     "TZ",
    "TMPDIR",      "HTTP_PROXY", "HTTPS_PROXY",   "NO_PROXY",     "http_proxy",
    "https_proxy", "no_proxy",   "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS",
};

struct block {
    char **pointers; /* NULL while measuring */
    char *text;
    size_t count;
    size_t bytes;
    bool overflow;
};

static void add_bytes(struct block *b, const char *bytes, size_t len)
{
    if (b->pointers)
        memcpy(b->text + b->bytes, bytes, len);
    if (!size_add(b->bytes, len, &b->bytes))
        b->overflow = true;
}

static void add_variable(struct block *b, const char *name, size_t name_len, const char *value)
{
    if (b->pointers)
        b->pointers[b->count] = b->text + b->bytes;
    b->count++;
    add_bytes(b, name, name_len);
    add_bytes(b, "=", 1);
    add_bytes(b, value, strlen(value) + 1);
}

static bool is_name(const char *name, const char *text, size_t len)
{
    return strlen(name) == len && memcmp(name, text, len) == 0;
}

static bool is_inherited(const struct server_config *config, const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(standard_names) / sizeof(standard_names[0]); i++) {
        if (is_name(standard_names[i], name, len))
            return true;
    }
    for (char **inherit = config->inherit_env; inherit && *inherit; inherit++) {
        if (is_name(*inherit, name, len))
            return true;
    }
    return false;
}

/* Looks from entry `from` on. */
static bool is_set_by_entry(const struct server_config *config, size_t from, const char *name, size_t len)
{
    for (size_t i = from; i < config->env_count; i++) {
        if (is_name(config->env[i].name, name, len))
            return true;
    }
    return false;
}

static void walk(struct block *b, const struct server_config *config, char *const *own)
{
    for (; own && *own; own++) {
        const char *equals = strchr(*own, '=');
        if (!equals)
            continue;
        size_t len = (size_t)(equals - *own);
        if (is_inherited(config, *own, len) && !is_set_by_entry(config, 0, *own, len))
            add_variable(b, *own, len, equals + 1);
    }
    for (size_t i = 0; i < config->env_count; i++) {
        const struct env_entry *e = &config->env[i];
        if (!is_set_by_entry(config, i + 1, e->name, strlen(e->name)))
            add_variable(b, e->name, strlen(e->name), e->value);
    }
}

int child_env_make(const struct server_config *config, char *const *own, char ***ret_env)
{
    struct block b = {0};
    walk(&b, config, own);
    size_t pointer_bytes, total;
    if (b.overflow || !size_mul(b.count + 1, sizeof(*b.pointers), &pointer_bytes) ||
        !size_add(pointer_bytes, b.bytes, &total))
        return -ENOMEM;
    char **pointers = mem_alloc(total);
    if (!pointers)
        return -ENOMEM;
    b = (struct block){.pointers = pointers, .text = (char *)pointers + pointer_bytes};
    walk(&b, config, own);
    pointers[b.count] = NULL;
    *ret_env = pointers;
    return 0;
}

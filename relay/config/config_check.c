/* The checks over the whole configuration. Each problem names the option by its file key, whatever its
 * source, and the source of its value.
 */
#include "config/config_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

/* The source of an option's value. */
static struct place source_place(const struct loader *l, const struct option *o)
{
    switch (l->c->sources[config_option_index(o)]) {
    case CONFIG_FILE:
        return (struct place){l->c->file, 0, o->key};
    case CONFIG_ENV:
        return (struct place){o->env, 0, ""};
    case CONFIG_FLAG:
        return (struct place){o->flag, 0, ""};
    case CONFIG_DEFAULT:
        break;
    }
    return (struct place){"default", 0, o->key};
}

/* "known servers: memory, files" */
static void list_servers(const struct config *c, char *ret_text, size_t cap)
{
    size_t len = 0;
    ret_text[0] = '\0';
    for (size_t i = 0; i < c->server_count && len + 1 < cap; i++) {
        int added = snprintf(ret_text + len, cap - len, "%s%s", i > 0 ? ", " : "", c->servers[i].name);
        len += added > 0 ? (size_t)added : 0;
    }
}

static void check_server_name(struct loader *l, struct place at, const char *name)
{
    char known[512];
    if (l->c->server_count == 0 || config_server(l->c, name))
        return; /* a configuration without servers has been reported already */
    list_servers(l->c, known, sizeof(known));
    loader_problem(l, at, "names no server: \"%.100s\"; there is: %s", name, known);
}

/* The first one that may run: a disabled entry never does, a remote one not yet. One that is faulty is
 * taken: its sessions are to see the fault, and not another server's tools. */
static size_t find_default(const struct config *c)
{
    size_t enabled = c->server_count;
    for (size_t i = 0; i < c->server_count; i++) {
        if (c->servers[i].disabled)
            continue;
        if (!c->servers[i].remote)
            return i;
        if (enabled == c->server_count)
            enabled = i;
    }
    return enabled < c->server_count ? enabled : 0;
}

static void settle_default_server(struct loader *l)
{
    struct config *c = l->c;
    const struct option *o = config_option("defaultServer");
    if (c->default_server) {
        check_server_name(l, source_place(l, o), c->default_server);
        return;
    }
    if (c->server_count == 0)
        return;
    size_t first = find_default(c);
    c->default_server = loader_strdup(l, c->servers[first].name);
    if (c->server_count > 1)
        loader_note(l, (struct place){c->file, 0, ""},
                    "relay.defaultServer is not set: it is \"%.100s\", the first one",
                    c->servers[first].name);
}

static void check_listen(struct loader *l)
{
    const struct config *c = l->c;
    struct place at = source_place(l, config_option("listen"));
    if (c->listen_count == 0 && l->problems == 0)
        loader_problem(l, at, "is empty; write [\"127.0.0.1:9500\"]");
    for (size_t i = 0; i < c->listen_count; i++) {
        if (c->listen[i].server)
            check_server_name(l, at, c->listen[i].server);
        for (size_t j = 0; j < i; j++) {
            if (strcmp(c->listen[i].text, c->listen[j].text) == 0)
                loader_problem(l, at, "has %.100s twice", c->listen[i].text);
        }
    }
}

static uint64_t number_of(const struct option *o, const struct config *c, const struct server_config *s)
{
    uint64_t number;
    memcpy(&number, config_option_value(o, c, s), sizeof(number));
    return number;
}

/* `low` must not be above `high`. The problem names the one that was set, or the one from the
 * higher-ranking source when both were. */
static void check_order(struct loader *l, const struct server_config *s, const char *low_key,
                        const char *high_key)
{
    const struct option *low = config_option(low_key);
    const struct option *high = config_option(high_key);
    if (number_of(low, l->c, s) <= number_of(high, l->c, s))
        return;
    bool high_set = l->c->sources[config_option_index(high)] > l->c->sources[config_option_index(low)];
    struct place at = source_place(l, high_set ? high : low);
    if (s != &l->c->defaults)
        at = (struct place){l->c->file, 0, s->name};
    loader_problem(l, at,
                   "makes %s (%" PRIu64 ") larger than %s (%" PRIu64 "); raise the one or lower the other",
                   low_key, number_of(low, l->c, s), high_key, number_of(high, l->c, s));
}

/* The longest line that the SDKs' stdio transports take, measured; they exit on longer ones. */
#define SDK_LINE_BYTES ((uint64_t)10 << 20)

static void check_limits(struct loader *l)
{
    struct config *c = l->c;
    check_order(l, &c->defaults, "backoffMinMs", "backoffMaxMs");
    check_order(l, &c->defaults, "maxIdBytes", "maxFrameBytes");
    check_order(l, &c->defaults, "maxFrameBytes", "clientOutBytes");
    check_order(l, &c->defaults, "maxFrameBytes", "maxMemoryBytes");
    check_order(l, &c->defaults, "timeoutMs", "timeoutMaxMs");
    for (size_t i = 0; i < c->server_count && l->problems == 0; i++)
        check_order(l, &c->servers[i], "timeoutMs", "timeoutMaxMs");
    if (c->max_frame_bytes >= SDK_LINE_BYTES) {
        loader_note(l, source_place(l, config_option("maxFrameBytes")),
                    "lets messages of 10 MiB and more through; servers built on the MCP SDKs exit on them");
    }
}

void check_config(struct loader *l)
{
    settle_default_server(l);
    check_listen(l);
    check_limits(l);
}

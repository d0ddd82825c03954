/* Options: defaults, a caller's structure of any size, the environment, and what cannot be.
 *
 * Happy path: options_take starts from the defaults, copies as many bytes as the caller's structure has,
 * fills in the addresses from the environment where none is given, checks the numbers against one table, and
 * copies every string into one block.
 *
 * Failure modes: a value that cannot be: AR_E_INVALID, and the problem names the option, what stood there and
 * what may. A structure that was never initialised shows by its size. No memory: AR_E_NO_MEMORY. Nothing is
 * left behind then.
 */
#include "options.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

/* A structure larger than this was never initialised. */
#define OPTIONS_SIZE_MAX 4096
/* initialize with the longest client name, and a relay's answer to it, must fit. */
#define OPTIONS_FRAME_MIN 4096
#define OPTIONS_FRAME_MAX ((size_t)1 << 30)
#define OPTIONS_NAME_MAX  256
#define OPTIONS_URL_MAX   2048

static const struct ar_options defaults = {
    .size = sizeof(struct ar_options),
    .client_name = "libagentrelay",
    .client_version = AGENT_RELAY_VERSION,
    .mock_seed = 1,
    .connect_timeout_ms = 5000,
    .backoff_base_ms = 250,
    .backoff_factor = 2,
    .backoff_cap_ms = 2000,
    .backoff_stable_ms = 60000,
    .heartbeat_ms = 5000,
    .dead_after_ms = 10000,
    .init_timeout_ms = 30000,
    .agents_poll_ms = 2000,
    .agents_timeout_ms = 10000,
    .stale_max_ms = 30000,
    .mock_refresh_ms = 2000,
    .call_timeout_ms = 30000,
    .queue_max_calls = 1024,
    .in_flight_max = 256,
    .queue_max_bytes = (size_t)16 << 20,
    .frame_max_bytes = (size_t)8 << 20,
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

void ar_options_init_sized(struct ar_options *o, size_t size)
{
    if (!o || size < sizeof(o->size))
        return;
    memset(o, 0, size);
    memcpy(o, &defaults, smaller(size, sizeof(defaults)));
    /* NULL: this default is the library's own, whichever version it is of. */
    if (size >= offsetof(struct ar_options, client_version) + sizeof(o->client_version)) {
        o->client_name = NULL;
        o->client_version = NULL;
    }
    o->size = size;
}

/* ---- numbers ---- */

struct rule {
    const char *name;
    size_t offset;
    uint32_t min;
    uint32_t max;
};

#define RULE(member, min, max)                                                                               \
    {                                                                                                        \
#member, offsetof(struct ar_options, member), (min), (max)                                           \
    }

/* A day is longer than any wait that helps; AR_NEVER is allowed where the header names it, and where never
 * is a sensible wish. */
#define DAY_MS 86400000u

static const struct rule rules[] = {
    RULE(connect_timeout_ms, 1, DAY_MS), RULE(backoff_base_ms, 1, DAY_MS),
    RULE(backoff_cap_ms, 1, DAY_MS),     RULE(backoff_stable_ms, 0, AR_NEVER),
    RULE(heartbeat_ms, 1, DAY_MS),       RULE(dead_after_ms, 2, DAY_MS),
    RULE(init_timeout_ms, 1, DAY_MS),    RULE(agents_poll_ms, 1, AR_NEVER),
    RULE(agents_timeout_ms, 1, DAY_MS),  RULE(stale_max_ms, 0, AR_NEVER),
    RULE(mock_refresh_ms, 1, AR_NEVER),  RULE(call_timeout_ms, 1, AR_NEVER),
    RULE(queue_max_calls, 0, 1u << 24),  RULE(in_flight_max, 1, 1u << 20),
};

static int check_numbers(const struct ar_options *o, char *problem, size_t size)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        uint32_t value;
        memcpy(&value, (const char *)o + rules[i].offset, sizeof(value));
        if (value < rules[i].min || value > rules[i].max) {
            (void)snprintf(problem, size, "%s is %" PRIu32 ": write %" PRIu32 " to %" PRIu32, rules[i].name,
                           value, rules[i].min, rules[i].max);
            return AR_E_INVALID;
        }
    }
    const char *why = NULL;
    if (!isfinite(o->backoff_factor) || o->backoff_factor < 1 || o->backoff_factor > 1000)
        why = "backoff_factor must be a number from 1 to 1000";
    else if (o->backoff_cap_ms < o->backoff_base_ms)
        why = "backoff_cap_ms is below backoff_base_ms: make it at least as large";
    else if (o->dead_after_ms <= o->heartbeat_ms)
        why = "dead_after_ms is not above heartbeat_ms: the relay must be asked before it is given up";
    else if (o->frame_max_bytes < OPTIONS_FRAME_MIN || o->frame_max_bytes > OPTIONS_FRAME_MAX)
        why = "frame_max_bytes must be 4096 to 1073741824";
    if (!why)
        return AR_OK;
    (void)snprintf(problem, size, "%s", why);
    return AR_E_INVALID;
}

/* ---- strings ---- */

/* As long as a string may be, or less; `max` + 1 when it is longer. */
static size_t bounded_len(const char *text, size_t max)
{
    return !text ? 0 : strnlen(text, max + 1);
}

static int check_strings(const struct ar_options *o, char *problem, size_t size)
{
    const char *why = NULL;
    if (bounded_len(o->client_name, OPTIONS_NAME_MAX) > OPTIONS_NAME_MAX)
        why = "client_name is longer than 256 bytes";
    else if (bounded_len(o->client_version, OPTIONS_NAME_MAX) > OPTIONS_NAME_MAX)
        why = "client_version is longer than 256 bytes";
    else if (bounded_len(o->health_url, OPTIONS_URL_MAX) > OPTIONS_URL_MAX)
        why = "health_url is longer than 2048 bytes";
    if (!why)
        return AR_OK;
    (void)snprintf(problem, size, "%s", why);
    return AR_E_INVALID;
}

static size_t kept(const char *text)
{
    return !text ? 0 : strlen(text) + 1;
}

static const char *keep(char **at, const char *text)
{
    if (!text)
        return NULL;
    size_t size = strlen(text) + 1;
    char *copy = memcpy(*at, text, size);
    *at += size;
    return copy;
}

/* Into one block, so that nothing of the caller's is looked at after ar_open. */
static int keep_strings(struct options *o)
{
    struct ar_options *v = &o->values;
    o->strings =
        mem_alloc(kept(v->url) + kept(v->health_url) + kept(v->client_name) + kept(v->client_version));
    if (!o->strings)
        return AR_E_NO_MEMORY;
    char *at = o->strings;
    v->url = keep(&at, v->url);
    v->health_url = keep(&at, v->health_url);
    v->client_name = keep(&at, v->client_name);
    v->client_version = keep(&at, v->client_version);
    return AR_OK;
}

/* ---- all of it ---- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value && value[0] != '\0' ? value : NULL;
}

static int copy_given(struct ar_options *v, const struct ar_options *o, char *problem, size_t size)
{
    *v = defaults;
    if (!o)
        return AR_OK;
    if (o->size < sizeof(o->size) || o->size > OPTIONS_SIZE_MAX) {
        (void)snprintf(problem, size, "options.size is %zu: call ar_options_init first", o->size);
        return AR_E_INVALID;
    }
    memcpy(v, o, smaller(o->size, sizeof(*v)));
    v->size = sizeof(*v);
    if (!v->client_name)
        v->client_name = defaults.client_name;
    if (!v->client_version)
        v->client_version = defaults.client_version;
    return AR_OK;
}

static int take_address(struct options *o, char *problem, size_t size)
{
    struct ar_options *v = &o->values;
    const char *source = "url: ";
    if (!v->url && (v->url = environment("AGENT_CONTROL_URL")))
        source = "AGENT_CONTROL_URL: ";
    if (!v->url)
        v->url = ADDRESS_DEFAULT_TEXT;
    char why[AR_PROBLEM_SIZE] = "";
    if (address_parse(v->url, &o->address, why, sizeof(why)) != 0) {
        (void)snprintf(problem, size, "%s%s", source, why);
        return AR_E_INVALID;
    }
    o->health_source = "health_url";
    if (!v->health_url) {
        v->health_url = environment("AGENT_HEALTH_URL");
        o->health_source = "AGENT_HEALTH_URL";
    }
    if (v->health_url && v->health_url[0] == '\0')
        v->health_url = NULL;
    return AR_OK;
}

int options_take(struct options *ret_options, const struct ar_options *o, char *problem, size_t problem_size)
{
    struct options taken = {0};
    int rc = copy_given(&taken.values, o, problem, problem_size);
    if (rc == AR_OK)
        rc = take_address(&taken, problem, problem_size);
    if (rc == AR_OK)
        rc = check_numbers(&taken.values, problem, problem_size);
    if (rc == AR_OK)
        rc = check_strings(&taken.values, problem, problem_size);
    if (rc == AR_OK)
        rc = keep_strings(&taken);
    if (rc == AR_E_NO_MEMORY)
        (void)snprintf(problem, problem_size, "out of memory");
    if (rc == AR_OK)
        *ret_options = taken;
    return rc;
}

void options_done(struct options *o)
{
    mem_free(o->strings);
    o->strings = NULL;
}

/* SIGHUP: reads the configuration again and applies it to the running relay.
 *
 * Happy path: load -> name the changed options that need a restart (OPTION_RESTARTS_RELAY), and keep their values
 * in force -> log, limits, default server, servers take the others -> the former configuration is freed.
 * Failure modes: the new file has a problem -> each is logged, nothing changes. Out of memory in between ->
 * logged; what was applied stays, and the next reload applies the rest.
 */
#include "relay.h"

#include <string.h>

#include "log/log.h"

#define REPORT_MAX_BYTES ((size_t)64 << 10)

static void log_report(enum log_level level, const char *event, const struct buf *report)
{
    const char *at = buf_data(report);
    const char *end = at ? at + buf_len(report) : NULL;
    while (at && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t len = (size_t)((newline ? newline : end) - at);
        if (len > 0)
            LOG(level, event, F_BYTES("detail", at, len));
        at = newline ? newline + 1 : end;
    }
}

static void log_restart_needed(const struct config *now, const struct config *next)
{
    struct buf names;
    buf_init(&names, REPORT_MAX_BYTES);
    config_restart_needed(now, next, &names);
    if (buf_len(&names) > 0)
        LOG(LOG_WARN, "these options are taken at a restart only",
            F_BYTES("options", buf_data(&names), buf_len(&names)));
    buf_done(&names);
}

static void apply(struct relay *r, struct config *next)
{
    config_keep_started(r->config, next);
    struct front_limits limits = relay_front_limits(r, next);
    log_set(next->log_level, next->log_format);
    front_set_limits(&r->front, &limits);
    memory_set_limit(&r->memory, relay_link_share(next));
    router_set_max_held(r->router, relay_router_share(next));
    router_set_max_expected(r->router, (size_t)relay_link_share(next));
    int rc = front_set_default_server(&r->front, relay_default_server(next));
    int rc_servers = server_set_apply(r->servers, next);
    if (rc != 0 || rc_servers != 0)
        LOG(LOG_ERROR, "the reload is incomplete", F_STR("error", err_text(rc != 0 ? rc : rc_servers)));
    config_free(r->config);
    r->config = next;
    r->ops.config = next;
    r->ops.default_server = relay_default_server(next);
    r->ops.reloads++;
    relay_say_limits(r);
    relay_warn_outside(next);
}

void relay_reload(struct relay *r)
{
    if (r->phase != RELAY_SERVING) {
        LOG(LOG_WARN, "not reloading: the relay is stopping");
        return;
    }
    struct buf report;
    struct config *next = NULL;
    buf_init(&report, REPORT_MAX_BYTES);
    int rc = config_load(r->options.args, &report, &next);
    if (rc != 0) {
        log_report(LOG_ERROR, "configuration problem", &report);
        LOG(LOG_ERROR, "not reloaded: the configuration in force stays", F_STR("error", err_text(rc)));
    } else {
        log_report(LOG_INFO, "configuration note", &report);
        log_restart_needed(r->config, next);
        apply(r, next);
        LOG(LOG_INFO, "reloaded", F_STR("file", r->config->file));
    }
    buf_done(&report);
}

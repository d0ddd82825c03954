/* Putting the parts together, and the loop iteration.
 *
 * Start: the pid file's lock, then listeners, so that a port in use is known before anything else happens
 * and clients may connect from the first millisecond on (they wait in the kernel until the loop runs); then
 * the servers, whose children start when they are needed. Freeing is the same in reverse, after the loop
 * has run out.
 *
 * The router's clock: it has one next deadline. It changes with almost every frame, so the timer is set
 * once per iteration, at its end, and not at every change; the phase of a shutdown is checked there as
 * well.
 */
#include "relay.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "config/config_advice.h"
#include "config/config_options.h"
#include "log/log.h"
#include "mcp/mcp.h"
#include "ops/control.h"

/* Descriptors that are kept from clients: the relay's own, and those of each server's children. */
#define FILES_OWN        64
#define FILES_PER_SERVER 8
#define FILES_PER_CHILD  4 /* of a session: its pipes and the lifeline */
#define PER_ADDRESS_MIN  8
/* A standstill of so much more is worth a line in the log. */
#define STANDSTILL_SAID_MS 1000

const char *relay_default_server(const struct config *c)
{
    if (c->default_server)
        return c->default_server;
    return c->server_count == 1 ? c->servers[0].name : NULL;
}

static size_t max_clients(const struct relay *r, const struct config *c)
{
    uint64_t reserved = FILES_OWN + FILES_PER_SERVER * (uint64_t)c->server_count;
    for (size_t i = 0; i < c->server_count; i++)
        reserved +=
            c->servers[i].sharing == CONFIG_PER_SESSION ? FILES_PER_CHILD * c->servers[i].max_children : 0;
    uint64_t files = r->max_files == RLIM_INFINITY ? UINT64_MAX : (uint64_t)r->max_files;
    uint64_t room = files > 2 * reserved ? files - reserved : files / 2;
    return (size_t)(c->max_clients < room ? c->max_clients : room);
}

/* Half of the places, where nothing else is set. A few clients may come from one address whatever maxClients is. */
static size_t max_clients_per_address(const struct config *c, size_t clients)
{
    if (c->max_clients_per_address > 0)
        return (size_t)c->max_clients_per_address;
    return clients / 2 > PER_ADDRESS_MIN ? clients / 2 : PER_ADDRESS_MIN;
}

void relay_say_limits(const struct relay *r)
{
    size_t in_force = r->front.options.limits.max_clients;
    bool chosen = r->config->sources[config_option_index(config_option("maxClients"))] != CONFIG_DEFAULT;
    if (chosen && in_force < r->config->max_clients)
        LOG(LOG_INFO, "fewer clients than maxClients: the limit on open files is low",
            F_UINT("max_clients", r->config->max_clients), F_UINT("open_files", r->max_files),
            F_UINT("in_force", in_force));
}

void relay_warn_outside(const struct config *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        const char *why = config_outside_tree(&c->servers[i]);
        if (why)
            LOG(LOG_WARN, "a server may outlive its child", F_STR("server", c->servers[i].name),
                F_STR("detail", why));
    }
}

size_t relay_router_share(const struct config *c)
{
    return (size_t)(c->max_memory_bytes / 2);
}

uint64_t relay_link_share(const struct config *c)
{
    return c->max_memory_bytes - relay_router_share(c);
}

struct front_limits relay_front_limits(const struct relay *r, const struct config *c)
{
    size_t clients = max_clients(r, c);
    return (struct front_limits){.max_clients = clients,
                                 .max_clients_per_address = max_clients_per_address(c, clients),
                                 .max_frame_bytes = (size_t)c->max_frame_bytes,
                                 .max_id_bytes = (size_t)c->max_id_bytes,
                                 .out_bytes = (size_t)c->client_out_bytes,
                                 .stall_ms = c->client_stall_ms,
                                 .frame_timeout_ms = c->frame_timeout_ms};
}

/* ---- the loop iteration ---- */

/* Once for each second of it that is new. */
static void say_standstill(struct relay *r)
{
    uint64_t unsaid_ms = r->loop.served.standstill_ms - r->standstill_said_ms;
    if (unsaid_ms < STANDSTILL_SAID_MS)
        return;
    r->standstill_said_ms += unsaid_ms;
    LOG(LOG_WARN, "the relay did not run: stopped, paused or short of processor time",
        F_UINT("ms", unsaid_ms), F_UINT("standstills", r->loop.served.standstills));
}

/* The clock is only ever set to an earlier time: most calls are answered long before their deadline, and moving the
 * timer back and forth for each would cost more than one tick for nothing. */
static void on_iteration_end(struct loop *loop)
{
    struct relay *r = CONTAINER_OF(loop, struct relay, loop);
    uint64_t next_ms = router_next_deadline(r->router);
    if (next_ms != ROUTE_NEVER)
        timer_set_earlier(&r->clock, next_ms);
    say_standstill(r);
    relay_check_phase(r);
}

static void on_clock(struct timer *t)
{
    struct relay *r = CONTAINER_OF(t, struct relay, clock);
    router_tick(r->router, loop_now_ms(&r->loop));
}

static void open_handles(struct relay *r)
{
    r->loop.on_iteration_end = on_iteration_end;
    int rc = timer_init(&r->clock, &r->loop, on_clock);
    rc |= timer_init(&r->deadline, &r->loop, relay_on_deadline);
    assert(rc == 0); /* none of them can fail on a fresh loop */
    (void)rc;
}

void relay_close_handles(struct relay *r)
{
    r->loop.on_iteration_end = NULL;
    timer_close(&r->clock, NULL);
    timer_close(&r->deadline, NULL);
    front_close(&r->front);
}

/* ---- start ---- */

__attribute__((format(printf, 3, 4))) static int fail(struct relay_error *error, enum relay_exit code,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->text, sizeof(error->text), format, args);
    va_end(args);
    error->exit = code;
    return -1;
}

static int fail_pidfile(const struct relay *r, int rc, struct relay_error *ret_error)
{
    const char *why = rc == -ELOOP     ? "is a symbolic link; name the file itself"
                      : rc == ERR_TYPE ? "holds something else than a process id; it is left as it is"
                                       : err_text(rc);
    return fail(ret_error, RELAY_EXIT_FAILURE, "the pid file %s: %s", r->config->pid_file, why);
}

static int open_pidfile(struct relay *r, struct relay_error *ret_error)
{
    const char *path = r->config->pid_file;
    pid_t holder = 0;
    int rc = path ? pidfile_open(&r->pidfile, path, &holder) : 0;
    if (rc == -EEXIST && holder == 0)
        return fail(ret_error, RELAY_EXIT_LISTEN, "%s: a relay is starting already", path);
    if (rc == -EEXIST)
        return fail(ret_error, RELAY_EXIT_LISTEN, "%s: a relay is running already (pid %ld)", path,
                    (long)holder);
    return rc != 0 ? fail_pidfile(r, rc, ret_error) : 0;
}

static int write_pidfile(struct relay *r, struct relay_error *ret_error)
{
    int rc = r->pidfile.fd >= 0 ? pidfile_write(&r->pidfile) : 0;
    return rc != 0 ? fail_pidfile(r, rc, ret_error) : 0;
}

static void on_listener(void *data, const struct bound *bound, const char *server)
{
    struct relay *r = data;
    if (ops_add_listener(&r->ops, bound->address, server) != 0)
        LOG(LOG_WARN, "out of memory: a listener is missing in relay/status",
            F_STR("address", bound->address));
    if (bound->is_exposed)
        LOG(LOG_WARN, "other machines can reach this listener, and nobody is asked for a key",
            F_STR("address", bound->address));
}

static int listen_all(struct relay *r, struct relay_error *ret_error)
{
    const struct config *c = r->config;
    struct bind_error error;
    int rc = front_set_default_server(&r->front, relay_default_server(c));
    if (rc != 0)
        return fail(ret_error, RELAY_EXIT_FAILURE, "cannot start: %s", err_text(rc));
    if (front_listen(&r->front, c->listen, c->listen_count, &error) != 0)
        return fail(ret_error, RELAY_EXIT_LISTEN, "%s", error.text);
    front_each_listener(&r->front, on_listener, r);
    return 0;
}

static int start_servers(struct relay *r, struct relay_error *ret_error)
{
    struct server_set_options options = {.loop = &r->loop,
                                         .router = r->router,
                                         .memory = &r->memory,
                                         .original_nofile = r->original_files,
                                         .program_dir = r->options.args->program_dir,
                                         .environ = r->options.args->environ};
    int rc = server_set_new(&options, &r->servers);
    if (rc == ERR_NOT_FOUND)
        return fail(
            ret_error, RELAY_EXIT_FAILURE,
            "cannot start: agent-relay-keeper is neither beside agent-relay nor in ../libexec/agent-relay");
    if (rc == 0)
        rc = server_set_apply(r->servers, r->config);
    if (rc != 0)
        return fail(ret_error, RELAY_EXIT_FAILURE, "cannot start: %s", err_text(rc));
    r->ops.servers = r->servers;
    return 0;
}

static void fill_ops(struct relay *r)
{
    ops_init(&r->ops);
    r->ops.loop = &r->loop;
    r->ops.router = r->router;
    r->ops.sessions = &r->sessions;
    r->ops.memory = &r->memory;
    r->ops.config = r->config;
    r->ops.default_server = relay_default_server(r->config);
    r->ops.started_at_ms = loop_real_ms(&r->loop);
    r->ops.started_wall_ms = ops_wall_ms();
}

/* Whatever was opened before a failure is taken down by relay_free, which runs the loop out. The pid file
 * is locked first, so that of two relays the second one touches nothing; the id comes last: a program that
 * reads it may connect. */
int relay_start(struct relay *r, struct relay_error *ret_error)
{
    int rc = open_pidfile(r, ret_error);
    if (rc == 0)
        rc = listen_all(r, ret_error);
    if (rc == 0)
        rc = start_servers(r, ret_error);
    if (rc == 0)
        rc = write_pidfile(r, ret_error);
    if (rc != 0)
        return rc;
    relay_say_limits(r);
    relay_warn_outside(r->config);
    return 0;
}

static void raise_files(struct relay *r)
{
    if (getrlimit(RLIMIT_NOFILE, &r->original_files) != 0)
        r->original_files = (struct rlimit){0}; /* our bug: there is nothing to fail */
    struct rlimit raised = {.rlim_cur = r->original_files.rlim_max, .rlim_max = r->original_files.rlim_max};
    r->max_files = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : r->original_files.rlim_cur;
}

static void init_parts(struct relay *r)
{
    struct front_options front = {.loop = &r->loop,
                                  .memory = &r->memory,
                                  .sessions = &r->sessions,
                                  .limits = relay_front_limits(r, r->config)};
    memory_init(&r->memory, &r->loop, relay_link_share(r->config));
    router_set_max_held(r->router, relay_router_share(r->config));
    router_set_max_expected(r->router, (size_t)relay_link_share(r->config));
    session_set_init(&r->sessions, r->router);
    r->sessions.memory = &r->memory;
    front_init(&r->front, &front);
    fill_ops(r);
    open_handles(r);
}

/* The first of a session is worth a look; a client that sends them sends many. */
static void on_ignored(void *data, const struct route_session *s, const char *reason, uint64_t count)
{
    const struct session *session = route_session_user(s);
    (void)data;
    LOG(count == 1 ? LOG_INFO : LOG_DEBUG, "client's notification ignored",
        F_STR("peer", session->origin.peer), F_UINT("session", session->id), F_STR("reason", reason),
        F_UINT("count", count));
}

static int init(struct relay *r)
{
    struct router_options options = {.protocol = &mcp_protocol,
                                     .relay_name = "agent-relay",
                                     .relay_version = AGENT_RELAY_VERSION,
                                     .max_id_bytes = (size_t)r->config->max_id_bytes,
                                     .max_frame_bytes = (size_t)r->config->max_frame_bytes,
                                     .on_control = control_handle,
                                     .on_ignored = on_ignored,
                                     .data = &r->ops};
    int rc = loop_init(&r->loop);
    if (rc != 0)
        return rc;
    rc = router_new(&options, &r->router);
    if (rc != 0) {
        (void)!loop_done(&r->loop); /* nothing but its own handles is open */
        return rc;
    }
    raise_files(r);
    init_parts(r);
    return 0;
}

int relay_new(const struct relay_options *options, struct relay **ret_relay, struct relay_error *ret_error)
{
    struct relay *r = mem_zalloc(sizeof(*r));
    if (!r) {
        config_free(options->config);
        return fail(ret_error, RELAY_EXIT_FAILURE, "cannot start: out of memory");
    }
    r->options = *options;
    r->config = options->config;
    r->pidfile.fd = -1;
    int rc = init(r);
    if (rc != 0) {
        config_free(r->config);
        mem_free(r);
        return fail(ret_error, RELAY_EXIT_FAILURE, "cannot start: %s", err_text(rc));
    }
    *ret_relay = r;
    return 0;
}

enum relay_exit relay_run(struct relay *r)
{
    loop_run(&r->loop);
    return r->stuck ? RELAY_EXIT_FAILURE : RELAY_EXIT_OK;
}

void relay_free(struct relay *r)
{
    if (r->phase != RELAY_STOPPED) { /* it never ran */
        r->loop.on_iteration_end = NULL;
        if (r->servers)
            relay_stop_servers(r);
        relay_finish(r);
    }
    if (r->servers)
        server_set_free(r->servers);
    int rc = loop_done(&r->loop);
    assert(rc == 0);
    (void)rc;
    front_done(&r->front);
    session_set_done(&r->sessions);
    router_free(r->router);
    memory_done(&r->memory);
    ops_done(&r->ops);
    pidfile_close(&r->pidfile);
    config_free(r->config);
    mem_free(r);
}

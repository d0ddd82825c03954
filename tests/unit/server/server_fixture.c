#include "tests/unit/server/server_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/alloc.h"
#include "log/log.h"

struct fixture fx;

static char *no_names[] = {NULL};
static char sh[] = "sh", dash_c[] = "-c", cat[] = "cat";

struct config *fixture_config(void)
{
    return &fx.configs[!fx.now];
}

static void begin_config(void)
{
    struct config *c = fixture_config();
    *c = fx.configs[fx.now];
    c->servers = fx.entries[!fx.now];
    c->server_count = 0;
}

static void quick_timings(struct config *c)
{
    *c = (struct config){.max_frame_bytes = 1 << 20,
                         .max_id_bytes = 16384,
                         .session_waiting_bytes = 1 << 20,
                         .drain_ms = 2000,
                         .backoff_min_ms = 20,
                         .backoff_max_ms = 200,
                         .backoff_reset_ms = 60000,
                         .breaker_exits = 5,
                         .breaker_window_ms = 60000,
                         .breaker_probe_ms = 60000,
                         .stop_grace_ms = 2000};
}

int fixture_up_with(struct driver *driver)
{
    (void)signal(SIGPIPE, SIG_IGN);
    if (getenv("TEST_LOG") && log_open(STDERR_FILENO, LOG_DEBUG, LOG_LOGFMT) != 0)
        return -1;
    memset(&fx, 0, sizeof(fx));
    fake_router_reset();
    /* libuv opens some for the whole process with its first loop. */
    if (loop_init(&fx.loop) != 0 || loop_done(&fx.loop) != 0)
        return -1;
    fx.descriptors = open_descriptors();
    quick_timings(&fx.configs[0]);
    begin_config();
    if (loop_init(&fx.loop) != 0)
        return -1;
    const struct server_set_options options = {
        .loop = &fx.loop, .original_nofile = {1024, 4096}, .program_dir = bin_dir(), .driver = driver};
    return server_set_new(&options, &fx.set);
}

int fixture_up(void **state)
{
    (void)state;
    return fixture_up_with(NULL);
}

static bool is_true(void *data)
{
    return *(bool *)data;
}

void fixture_on_stopped(void *data)
{
    *(bool *)data = true;
}

void fixture_stop(void)
{
    server_set_stop(fx.set, fixture_on_stopped, &fx.stopped);
    run_until(&fx.loop, is_true, &fx.stopped);
}

static void free_entries(struct config *c)
{
    for (size_t i = 0; i < c->server_count; i++) {
        free(c->servers[i].name);
        free(c->servers[i].shown);
        for (char **arg = c->servers[i].args; *arg; arg++) {
            if (*arg != dash_c)
                free(*arg);
        }
        free(c->servers[i].args);
    }
    c->server_count = 0;
}

int fixture_down(void **state)
{
    (void)state;
    if (!fx.stopped)
        fixture_stop();
    /* Sessions close before the set goes. */
    for (size_t i = 0; i < fake_router.upstream_count; i++) {
        struct upstream *upstream = &fake_router.upstreams[i];
        if (upstream->server->limits.sharing == SHARING_PER_SESSION && !upstream->released)
            fake_release(upstream);
    }
    server_set_free(fx.set);
    for (size_t i = 0; i < fake_router.upstream_count; i++)
        assert_true(fake_router.upstreams[i].freed);
    free_entries(&fx.configs[0]);
    free_entries(&fx.configs[1]);
    assert_int_equal(loop_done(&fx.loop), 0);
    assert_int_equal(open_descriptors(), fx.descriptors);
    log_close();
    return 0;
}

static struct server_config *add(const char *name, char *command, char **args)
{
    struct config *c = fixture_config();
    assert_true(c->server_count < FIXTURE_SERVERS);
    struct server_config *entry = &c->servers[c->server_count++];
    *entry = (struct server_config){.name = strdup(name),
                                    .command = command,
                                    .args = args,
                                    .shown = strdup(name),
                                    .inherit_env = no_names,
                                    .max_in_flight = 512,
                                    .max_waiting = 4096,
                                    .max_children = 256,
                                    .timeout_ms = 60000,
                                    .timeout_max_ms = 600000,
                                    .start_timeout_ms = 10000 * time_scale()};
    return entry;
}

struct server_config *fixture_add(const char *name, const char *script)
{
    char **args = calloc(4, sizeof(*args));
    assert_non_null(args);
    if (!script)
        return add(name, cat, args);
    args[0] = dash_c;
    args[1] = strdup(script);
    return add(name, sh, args);
}

struct server_config *fixture_add_forker(const char *name, const char *mark, const char *option)
{
    static char program[4096];
    (void)snprintf(program, sizeof(program), "%s", forker_program());
    char **args = calloc(4, sizeof(*args));
    assert_non_null(args);
    args[0] = strdup(mark);
    args[1] = option ? strdup(option) : NULL;
    return add(name, program, args);
}

void fixture_apply(void)
{
    struct config before = fx.configs[fx.now];
    fx.now = !fx.now;
    assert_int_equal(server_set_apply(fx.set, &fx.configs[fx.now]), 0);
    free_entries(&before);
    begin_config();
}

struct search {
    const char *name;
    struct server_info *info;
    bool found;
};

static void on_server(void *data, const struct server_info *info)
{
    struct search *search = data;
    if (strcmp(info->name, search->name) != 0)
        return;
    *search->info = *info;
    search->found = true;
}

bool fixture_find(const char *name, struct server_info *ret_info)
{
    struct search search = {.name = name, .info = ret_info};
    server_set_each(fx.set, on_server, &search);
    return search.found;
}

struct server_info fixture_info(const char *name)
{
    struct server_info info;
    assert_true(fixture_find(name, &info));
    return info;
}

const char *fixture_state(const char *name)
{
    return fixture_info(name).state;
}

struct awaited {
    const char *name;
    const char *state;
};

static bool in_state(void *data)
{
    const struct awaited *a = data;
    return strcmp(fixture_state(a->name), a->state) == 0;
}

void await_state(const char *name, const char *state)
{
    struct awaited a = {name, state};
    run_until(&fx.loop, in_state, &a);
}

struct awaited_log {
    const struct upstream *upstream;
    const char *end;
};

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), want = strlen(end);
    return len >= want && strcmp(text + len - want, end) == 0;
}

/* A child that ends by itself closes its stdout first. On a busy machine the supervisor hears of the exit so
 * late that it gives the child up in between: "down:stopping down:STATE". The log without that. */
static void without_giving_up(const char *log, char *ret_log)
{
    static const char gives_up[] = " down:stopping", down[] = " down:";
    size_t len = sizeof(gives_up) - 1;
    while (*log) {
        bool skip = strncmp(log, gives_up, len) == 0 && strncmp(log + len, down, sizeof(down) - 1) == 0 &&
                    strncmp(log + len, gives_up, len) != 0;
        if (skip)
            log += len;
        else
            *ret_log++ = *log++;
    }
    *ret_log = '\0';
}

bool log_is(const struct upstream *upstream, const char *log)
{
    char short_log[sizeof(upstream->log)];
    without_giving_up(upstream->log, short_log);
    return strcmp(upstream->log, log) == 0 || strcmp(short_log, log) == 0;
}

static bool log_ends(void *data)
{
    const struct awaited_log *a = data;
    char short_log[sizeof(a->upstream->log)];
    without_giving_up(a->upstream->log, short_log);
    return ends_with(a->upstream->log, a->end) || ends_with(short_log, a->end);
}

void await_log(struct upstream *upstream, const char *end)
{
    struct awaited_log a = {upstream, end};
    run_until(&fx.loop, log_ends, &a);
}

static bool has_pid(void *data)
{
    const struct awaited *a = data;
    return fixture_info(a->name).pid != 0;
}

pid_t await_pid(const char *name)
{
    struct awaited a = {.name = name};
    run_until(&fx.loop, has_pid, &a);
    return fixture_info(name).pid;
}

struct upstream *make_ready(const char *name)
{
    struct upstream *upstream = fake_upstream_of(name);
    fake_want(upstream);
    await_state(name, "ready");
    return upstream;
}

void await_none_marked(const char *mark)
{
    char copy[64];
    (void)snprintf(copy, sizeof(copy), "%s", mark);
    run_until(&fx.loop, none_marked, copy);
}

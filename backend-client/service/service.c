/* The service.
 *
 * Starting: the hub, the client (which connects by itself), the HTTP server. Stopping, in the reverse order
 * of dependency: no new connections; the gate closes, so that no request uses the client any more; event
 * streams end; the client is closed, which completes every call and so finishes every suspended request;
 * answers under way are sent; the HTTP server ends. Failure modes: an option that the client refuses is the
 * user's mistake and said so; a client that does not end in time is left alone, and the process exits over
 * it.
 */
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "http.h"
#include "listen.h"
#include "publish.h"

#define KEEP_ALIVE_MS   15000
#define HEALTH_MS       5000 /* the page takes a stream for dead that is silent for three times as long */
#define CLIENT_END_MS   1200
#define REQUESTS_END_MS 500

/* ---- time ---- */

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t service_now_ms(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t service_unix_ms(void)
{
    return (int64_t)read_clock(CLOCK_REALTIME);
}

/* ---- the client's callbacks, on its thread ---- */

static void log_health(struct service *s, const struct ar_client *client)
{
    struct ar_health health;
    char line[STATE_LOG_LINE_SIZE];
    ar_health_init(&health);
    if (ar_health(client, &health) == AR_OK && state_log_take(&s->log, &health, service_now_ms(), line))
        state_log_write(&s->log, STDERR_FILENO, line);
}

static void on_agents(struct ar_client *client, const struct ar_snapshot *snapshot, void *data)
{
    struct service *s = data;
    (void)snapshot; /* it is the current one, or older than that */
    log_health(s, client);
    publish_agents(s->hub, client);
}

/* Another relay, or another start of the server, may have other tools. */
static void on_state(struct ar_client *client, const struct ar_health *health, void *data)
{
    struct service *s = data;
    (void)health;
    tool_cache_drop(&s->tools);
    log_health(s, client);
    publish_health(s->hub, client);
}

static void on_notification(struct ar_client *client, const char *method, const char *params,
                            size_t params_len, void *data)
{
    struct service *s = data;
    (void)client, (void)params, (void)params_len;
    if (strcmp(method, "notifications/tools/list_changed") == 0)
        tool_cache_drop(&s->tools);
}

static void on_closed(void *data)
{
    struct service *s = data;
    pthread_mutex_lock(&s->end_lock);
    s->client_closed = true;
    pthread_cond_broadcast(&s->end_changed);
    pthread_mutex_unlock(&s->end_lock);
}

/* ---- starting ---- */

/* Requests that follow one another closely must not keep service_stop out of the gate. */
static int make_gate(pthread_rwlock_t *gate)
{
    pthread_rwlockattr_t attributes;
    int rc = pthread_rwlockattr_init(&attributes);
    if (rc != 0)
        return rc;
    rc = pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    rc = rc ? rc : pthread_rwlock_init(gate, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    return rc;
}

/* Waits are against the monotonic clock: a clock that is set must not hold an end. */
static int make_locks(struct service *s)
{
    pthread_condattr_t attributes;
    int rc = pthread_condattr_init(&attributes);
    if (rc != 0)
        return -rc;
    rc = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    rc = rc ? rc : pthread_cond_init(&s->end_changed, &attributes);
    rc = rc ? rc : pthread_mutex_init(&s->end_lock, NULL);
    rc = rc ? rc : make_gate(&s->gate);
    pthread_condattr_destroy(&attributes);
    return -rc;
}

static void suspend(void *connection)
{
    MHD_suspend_connection(connection);
}

static void resume(void *connection)
{
    MHD_resume_connection(connection);
}

static enum service_result open_client(struct service *s, char problem[SERVICE_PROBLEM_SIZE])
{
    char reason[AR_PROBLEM_SIZE] = "";
    struct ar_options o = s->settings->client;
    o.on_agents = on_agents;
    o.on_state = on_state;
    o.on_notification = on_notification;
    o.data = s;
    int rc = ar_open(&o, &s->client, reason, sizeof(reason));
    if (rc == AR_OK)
        return SERVICE_OK;
    settings_name_flags(reason[0] != '\0' ? reason : ar_code_text(rc), problem);
    return rc == AR_E_INVALID ? SERVICE_BAD_OPTION : SERVICE_FAILED;
}

enum service_result service_start(struct service *s, const struct settings *settings, int listen_fd,
                                  char problem[SERVICE_PROBLEM_SIZE])
{
    static const struct hub_ops ops = {.suspend = suspend, .resume = resume};
    enum service_result result = SERVICE_FAILED;
    *s = (struct service){
        .settings = settings, .listen_fd = listen_fd, .on_loopback = listen_is_loopback(listen_fd)};
    (void)snprintf(problem, SERVICE_PROBLEM_SIZE, "out of memory");
    budget_init(&s->held, settings->held_max_bytes);
    if (make_locks(s) != 0 || places_init(&s->places, http_connection_limit()) != 0 ||
        view_cache_init(&s->views, &s->held) != 0 || watch_init(&s->watch) != 0 ||
        suspended_requests_init(&s->suspended) != 0 || tool_cache_init(&s->tools) != 0)
        goto fail_fd;
    if (hub_new(&ops, &s->held, &s->hub) != 0)
        goto fail_fd;
    result = open_client(s, problem);
    if (result != SERVICE_OK)
        goto fail_hub;
    s->keep_alive_at_ms = service_now_ms() + KEEP_ALIVE_MS;
    if (http_start(s) == 0)
        return SERVICE_OK;
    result = SERVICE_FAILED;
    (void)snprintf(problem, SERVICE_PROBLEM_SIZE,
                   "the HTTP server could not be started (threads or descriptors?)");
    (void)ar_close_wait(s->client);
fail_hub:
    hub_free(s->hub);
fail_fd:
    (void)close(listen_fd);
    return result;
}

/* ---- running ---- */

/* What changes without a new snapshot or state: another attempt, another error, and the age. */
static void look_at_health(struct service *s, uint64_t now_ms)
{
    struct ar_health health;
    ar_health_init(&health);
    if (ar_health(s->client, &health) != AR_OK)
        return;
    uint64_t mark = publish_health_mark(&health);
    if (mark == s->health_mark && now_ms < s->health_at_ms)
        return;
    s->health_mark = mark;
    s->health_at_ms = now_ms + HEALTH_MS;
    publish_health(s->hub, s->client);
}

void service_tick(struct service *s)
{
    uint64_t now_ms = service_now_ms();
    (void)watch_cut(&s->watch, now_ms);
    (void)watch_make_room(&s->watch, s->places.max + (http_connection_limit() - s->places.max) / 2);
    suspended_requests_check(&s->suspended, s->client);
    look_at_health(s, now_ms);
    if (now_ms < s->keep_alive_at_ms)
        return;
    s->keep_alive_at_ms = now_ms + KEEP_ALIVE_MS;
    hub_keep_alive(s->hub);
}

/* ---- stopping ---- */

static bool wait_for_client(struct service *s)
{
    uint64_t until_ms = service_now_ms() + CLIENT_END_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    pthread_mutex_lock(&s->end_lock);
    while (!s->client_closed)
        if (pthread_cond_timedwait(&s->end_changed, &s->end_lock, &until) != 0)
            break;
    bool closed = s->client_closed;
    pthread_mutex_unlock(&s->end_lock);
    return closed;
}

int service_stop(struct service *s)
{
    http_quiesce(s);
    pthread_rwlock_wrlock(&s->gate);
    s->stopping = true;
    pthread_rwlock_unlock(&s->gate);
    hub_close(s->hub);
    ar_close(s->client, on_closed, s);
    if (!wait_for_client(s))
        return -1;
    http_wait_idle(s, service_now_ms() + REQUESTS_END_MS);
    http_stop(s);
    hub_free(s->hub);
    watch_done(&s->watch);
    suspended_requests_done(&s->suspended);
    tool_cache_done(&s->tools);
    view_cache_done(&s->views);
    places_done(&s->places);
    pthread_rwlock_destroy(&s->gate);
    pthread_mutex_destroy(&s->end_lock);
    pthread_cond_destroy(&s->end_changed);
    return 0;
}

/* One run: start, waits, end.
 *
 * Happy path: ctl_open makes the loop, catches the signals, opens the client; the command waits and calls;
 * ctl_done closes the client and returns the exit code.
 *
 * Failure modes. SIGINT or SIGTERM: they are blocked and come through a signalfd, so every wait, writing
 * included, ends at once, and what is in flight is cancelled first. The reader of the output has closed it:
 * the same, without a message. A client that does not close within CLOSE_MS (a name look-up that hangs): the
 * process ends without it.
 */
#include "backend-client/cli/ctl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "backend-client/cli/commands.h"
#include "backend-client/cli/json_text.h"

#define CLOSE_MS        500
#define CONNECT_MAX_MS  5000  /* for one address of several */
#define WATCH_INIT_MS   30000 /* a watching command has time for a server that is slow to start */
#define HEARTBEAT_MS    5000  /* the library's own */
#define LATE_MS         1000  /* longer than our own deadline: --timeout decides */
#define BACKOFF_BASE_MS 100   /* a person waits: sooner than a service would, and not so far apart */
#define BACKOFF_CAP_MS  2000

void ctl_init(struct ctl *ctl, const struct ctl_args *args)
{
    *ctl = (struct ctl){.args = args, .event_fd = -1};
    term_init(&ctl->term, args->color);
    buf_init(&ctl->out, CTL_OUT_MAX_BYTES);
    list_init(&ctl->answers);
}

/* ---- events ---- */

static bool take_signal(struct ctl *ctl)
{
    struct signalfd_siginfo info;
    if (read(ctl->term.signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return false;
    ctl->caught = (int)info.ssi_signo;
    return true;
}

static void on_event(uv_poll_t *handle, int status, int events)
{
    struct ctl *ctl = handle->data;
    (void)status, (void)events;
    if (!take_signal(ctl) && term_reader_gone())
        ctl->term.broken = true;
}

static void on_alarm(uv_timer_t *handle)
{
    (void)handle; /* its only effect: uv_run returns */
}

/* A file as standard output cannot be watched, and needs not. */
static int watch_events(struct ctl *ctl)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    ctl->term.signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    ctl->event_fd = epoll_create1(EPOLL_CLOEXEC);
    if (ctl->term.signal_fd < 0 || ctl->event_fd < 0)
        return -errno;
    struct epoll_event in = {.events = EPOLLIN};
    struct epoll_event end = {.events = EPOLLET}; /* errors come unasked, once */
    if (epoll_ctl(ctl->event_fd, EPOLL_CTL_ADD, ctl->term.signal_fd, &in) != 0)
        return -errno;
    (void)epoll_ctl(ctl->event_fd, EPOLL_CTL_ADD, STDOUT_FILENO, &end);
    int rc = uv_poll_init(&ctl->loop, &ctl->events, ctl->event_fd);
    ctl->events.data = ctl;
    return rc != 0 ? rc : uv_poll_start(&ctl->events, UV_READABLE, on_event);
}

enum ctl_exit ctl_start(struct ctl *ctl)
{
    int rc = uv_loop_init(&ctl->loop);
    if (rc == 0)
        rc = uv_timer_init(&ctl->loop, &ctl->alarm);
    if (rc == 0)
        rc = watch_events(ctl);
    if (rc != 0) {
        char text[200];
        (void)snprintf(text, sizeof(text), "the system refused a resource: %s", uv_strerror(rc));
        return ctl_refuse(ctl, CTL_EXIT_ERROR, "SYSTEM", text);
    }
    ctl->started = true;
    ctl->started_ms = ctl_now_ms(ctl);
    ctl->deadline_ms = ctl->started_ms + ctl->timeout_ms;
    return CTL_EXIT_OK;
}

uint64_t ctl_now_ms(struct ctl *ctl)
{
    uv_update_time(&ctl->loop);
    return uv_now(&ctl->loop);
}

static bool is_watching(const struct ctl *ctl)
{
    return ctl->on_state;
}

/* After a signal only the short waits that end things are left; likewise when nobody reads what a watching
 * command shows. A call goes on without a reader: it may be made for what it does. */
static bool is_over(const struct ctl *ctl)
{
    return !ctl->stopping && (ctl->caught != 0 || (ctl->term.broken && is_watching(ctl)));
}

enum ctl_wait ctl_wait(struct ctl *ctl, bool (*came)(void *data), void *data, uint64_t deadline_ms)
{
    for (;;) {
        uint64_t now = ctl_now_ms(ctl);
        if (came && came(data))
            return CTL_CAME;
        if (is_over(ctl))
            return CTL_STOPPED;
        if (now >= deadline_ms)
            return CTL_LATE;
        if (deadline_ms != CTL_NEVER)
            uv_timer_start(&ctl->alarm, on_alarm, deadline_ms - now, 0);
        uv_run(&ctl->loop, UV_RUN_ONCE);
        uv_timer_stop(&ctl->alarm);
    }
}

/* ---- the client ---- */

static void on_state(struct ar_client *client, const struct ar_health *health, void *data)
{
    struct ctl *ctl = data;
    (void)client;
    ctl->health = *health;
    ctl->begun = ctl->begun || health->state != AR_CONNECTING;
    if (ctl->on_state)
        ctl->on_state(ctl);
}

static void on_agents(struct ar_client *client, const struct ar_snapshot *snapshot, void *data)
{
    struct ctl *ctl = data;
    (void)client;
    ctl->begun = ctl->begun || ar_snapshot_state(snapshot) != AR_CONNECTING;
    if (ctl->on_agents && ctl->begun)
        ctl->on_agents(ctl, snapshot);
}

static void on_notification(struct ar_client *client, const char *method, const char *params,
                            size_t params_len, void *data)
{
    struct ctl *ctl = data;
    (void)client;
    if (ctl->on_notification)
        ctl->on_notification(ctl, method, params, params_len);
}

/* Before --timeout ends all: an address that swallows everything is unreachable, not slow. */
static uint32_t connect_ms(uint32_t timeout_ms)
{
    uint32_t ms = timeout_ms - timeout_ms / 10;
    return ms < CONNECT_MAX_MS ? ms : CONNECT_MAX_MS;
}

/* While the server has not answered initialize, the relay answers requests to itself: a ping after half of
 * the time distinguishes a starting server from a silent peer. The command ping sends its own, and counts
 * them. */
static uint32_t heartbeat_ms(const struct ctl *ctl)
{
    uint32_t ms = ctl->timeout_ms / 2 + 1;
    bool waits = !is_watching(ctl) && ctl->args->command->verb != CTL_PING;
    return waits && ms < HEARTBEAT_MS ? ms : HEARTBEAT_MS;
}

static void fill_options(struct ctl *ctl, struct ar_options *o, uint32_t agents_poll_ms)
{
    bool watching = is_watching(ctl);
    ar_options_init(o);
    o->url = ctl->args->relay;
    o->health_url = "";
    o->client_name = "agent-relayctl";
    o->client_version = AGENT_RELAY_VERSION;
    o->loop = &ctl->loop;
    o->connect_timeout_ms = connect_ms(ctl->timeout_ms);
    o->init_timeout_ms =
        watching && ctl->timeout_ms < WATCH_INIT_MS ? WATCH_INIT_MS : ctl->timeout_ms + LATE_MS;
    o->call_timeout_ms = ctl->timeout_ms;
    o->heartbeat_ms = heartbeat_ms(ctl);
    o->backoff_base_ms = BACKOFF_BASE_MS;
    o->backoff_cap_ms = BACKOFF_CAP_MS;
    o->agents_poll_ms = agents_poll_ms;
    o->on_state = on_state;
    o->on_agents = on_agents;
    o->on_notification = on_notification;
    o->data = ctl;
}

enum ctl_exit ctl_open(struct ctl *ctl, uint32_t agents_poll_ms)
{
    struct ar_options o;
    char problem[AR_PROBLEM_SIZE] = "";
    enum ctl_exit code = ctl_start(ctl);
    if (code != CTL_EXIT_OK)
        return code;
    fill_options(ctl, &o, agents_poll_ms);
    int rc = ar_open(&o, &ctl->client, problem, sizeof(problem));
    if (rc != AR_OK) {
        ctl->client = NULL;
        const char *text = problem[0] ? problem : ar_code_text(rc);
        return rc == AR_E_INVALID ? ctl_refuse_address(ctl, text) /* the rest is ours, and valid */
                                  : ctl_refuse(ctl, CTL_EXIT_ERROR, ar_code_name(rc) + strlen("AR_E_"), text);
    }
    ctl_refresh_health(ctl);
    return CTL_EXIT_OK;
}

void ctl_refresh_health(struct ctl *ctl)
{
    ar_health_init(&ctl->health);
    (void)ar_health(ctl->client, &ctl->health); /* fails for a bad size alone */
}

static bool has_settled(void *data)
{
    struct ctl *ctl = data;
    return ctl->health.state == AR_LIVE || (ctl->health.state == AR_DEGRADED && ctl->args->policy != AR_WAIT);
}

enum ctl_exit ctl_settle(struct ctl *ctl)
{
    if (ctl_wait(ctl, has_settled, ctl, ctl->deadline_ms) == CTL_STOPPED)
        return CTL_EXIT_INTERRUPTED;
    ctl_refresh_health(ctl);
    return exit_code_of_health(&ctl->health);
}

static bool has_begun(void *data)
{
    struct ctl *ctl = data;
    return ctl->begun;
}

void ctl_watch(struct ctl *ctl, void (*show)(struct ctl *ctl))
{
    enum ctl_wait how = ctl_wait(ctl, has_begun, ctl, ctl->deadline_ms);
    if (how == CTL_LATE) {
        ctl->begun = true;
        ctl_refresh_health(ctl);
        show(ctl);
    }
    if (how != CTL_STOPPED)
        (void)ctl_wait(ctl, NULL, NULL, CTL_NEVER);
}

/* ---- the end ---- */

static void on_closed(void *data)
{
    struct ctl *ctl = data;
    ctl->closed = true;
}

static bool has_closed(void *data)
{
    struct ctl *ctl = data;
    return ctl->closed;
}

static void close_all(struct ctl *ctl)
{
    uv_close((uv_handle_t *)&ctl->alarm, NULL);
    uv_close((uv_handle_t *)&ctl->events, NULL);
    uv_run(&ctl->loop, UV_RUN_NOWAIT);
    close(ctl->event_fd);
    close(ctl->term.signal_fd);
}

enum ctl_exit ctl_done(struct ctl *ctl, enum ctl_exit code)
{
    enum ctl_wait closed = CTL_CAME;
    ctl->stopping = true;
    if (ctl->client) {
        ar_close(ctl->client, on_closed, ctl);
        closed = ctl_wait(ctl, has_closed, ctl, ctl_now_ms(ctl) + CLOSE_MS);
    }
    term_progress(&ctl->term, NULL);
    int caught = ctl->caught;
    if (ctl->term.failed && code == CTL_EXIT_OK)
        code = CTL_EXIT_ERROR;
    if (caught)
        code = (enum ctl_exit)(128 + caught);
    if (ctl->started)
        close_all(ctl);
    /* A thread of libuv's pool may be busy still, with a name look-up: exit() would wait for it. */
    if (closed != CTL_CAME || (ctl->started && uv_loop_close(&ctl->loop) != 0))
        _exit((int)code);
    ctl_answers_free(ctl);
    buf_done(&ctl->out);
    return code;
}

/* ---- the output ---- */

/* JSON may hold C1 controls and signs of direction as they are: on a terminal they become escapes. Each flush
 * is one document then. */
static int escape_json(struct ctl *ctl)
{
    struct buf safe;
    const struct ctl_args *a = ctl->args;
    bool is_json =
        ctl_given(a, CTL_FLAG_JSON) && !ctl_given(a, CTL_FLAG_HELP) && !ctl_given(a, CTL_FLAG_VERSION);
    if (!is_json || !ctl->term.out_tty || buf_len(&ctl->out) == 0)
        return 0;
    buf_init(&safe, CTL_OUT_MAX_BYTES);
    /* A watching command shows one document a line, also to a person. */
    bool watching = ctl->on_state || ctl->on_agents || ctl->on_notification;
    int rc = json_text_print(&safe, buf_data(&ctl->out), buf_len(&ctl->out),
                             watching ? JSON_COMPACT : JSON_SPREAD, true);
    if (rc == 0)
        rc = buf_append(&safe, "\n", 1);
    buf_done(&ctl->out);
    ctl->out = safe;
    return rc;
}

bool ctl_flush(struct ctl *ctl)
{
    int rc = escape_json(ctl);
    if (rc != 0) { /* nothing rather than half a document */
        buf_clear(&ctl->out);
        ctl->term.failed = true;
        (void)ctl_report_broken(ctl, rc);
    }
    rc = term_out(&ctl->term, buf_len(&ctl->out) > 0 ? buf_data(&ctl->out) : "", buf_len(&ctl->out));
    buf_clear(&ctl->out);
    if (rc == -EINTR)
        (void)take_signal(ctl);
    return rc == 0;
}

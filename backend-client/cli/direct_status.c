/* One request: resolve, connect, write, read a line; blocking, on a thread of libuv's pool, while the main loop
 * keeps the deadline. A request that misses it is abandoned with all that it owns: the process ends next.
 */
#include "backend-client/cli/direct_status.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend-client/cli/outage_text.h"
#include "backend-client/src/link/address.h"
#include "base/alloc.h"

#define REQUEST    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"relay/status\",\"params\":{}}\n"
#define READ_BYTES 16384

/* One in a process. Static: a late thread may still write here. */
static struct job {
    uv_work_t work;
    struct address address;
    struct direct_status direct;
    bool done;
    atomic_bool connected; /* read by the main thread when the request is late */
} job;

/* ---- on the pool's thread ---- */

static void fail(struct direct_status *direct, enum ctl_exit code, const char *doing, const char *why)
{
    bool away = code == CTL_EXIT_UNREACHABLE;
    direct->code = code;
    (void)snprintf(direct->problem, sizeof(direct->problem), "%s %s: %s%s", doing, direct->address, why,
                   away ? ". Does the relay run, and is the address right (--relay, or AGENT_CONTROL_URL)?"
                        : "");
}

/* What came up to the first newline. */
static bool read_line(struct direct_status *direct, int fd)
{
    struct buf in;
    buf_init(&in, DIRECT_STATUS_MAX_BYTES);
    for (;;) {
        char *room;
        char *end = buf_len(&in) > 0 ? memchr(buf_data(&in), '\n', buf_len(&in)) : NULL;
        if (end) {
            direct->line = buf_data(&in); /* with the buffer's storage */
            direct->len = (size_t)(end - buf_data(&in));
            return true;
        }
        int rc = buf_reserve(&in, READ_BYTES, &room);
        ssize_t n = rc == 0 ? recv(fd, room, READ_BYTES, 0) : -1;
        if (n > 0) {
            buf_commit(&in, (size_t)n);
            continue;
        }
        if (n < 0 && rc == 0 && errno == EINTR)
            continue;
        fail(direct, CTL_EXIT_UNREACHABLE, "asking",
             rc != 0  ? err_text(rc)
             : n == 0 ? "it closed the connection without an answer"
                      : strerror(errno));
        buf_done(&in);
        return false;
    }
}

static bool ask_on(struct direct_status *direct, int fd)
{
    uint64_t from = uv_hrtime();
    size_t at = 0;
    while (at < sizeof(REQUEST) - 1) {
        ssize_t n = send(fd, &REQUEST[at], sizeof(REQUEST) - 1 - at, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) {
            fail(direct, CTL_EXIT_UNREACHABLE, "asking", strerror(errno));
            return false;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    if (!read_line(direct, fd))
        return false;
    direct->round_trip_ms = (double)(uv_hrtime() - from) / 1e6;
    direct->code = CTL_EXIT_OK;
    return true;
}

static bool try_address(struct direct_status *direct, int family, const struct sockaddr *to, socklen_t len)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail(direct, CTL_EXIT_ERROR, "reaching", strerror(errno));
        return false;
    }
    bool good = connect(fd, to, len) == 0;
    if (!good)
        fail(direct, CTL_EXIT_UNREACHABLE, "reaching", strerror(errno));
    else
        atomic_store(&job.connected, true);
    good = good && ask_on(direct, fd);
    close(fd);
    return good;
}

static void ask_unix(struct job *j)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", j->address.path);
    (void)try_address(&j->direct, AF_UNIX, (const struct sockaddr *)&to, sizeof(to));
}

/* Each address that the name has, until one answers. */
static void ask_tcp(struct job *j)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char port[8];
    (void)snprintf(port, sizeof(port), "%u", j->address.port);
    int rc = getaddrinfo(j->address.host, port, &hints, &list);
    if (rc != 0) {
        fail(&j->direct, CTL_EXIT_UNREACHABLE, "looking up", gai_strerror(rc));
        return;
    }
    for (struct addrinfo *a = list; a; a = a->ai_next) {
        (void)getnameinfo(a->ai_addr, a->ai_addrlen, j->direct.peer, sizeof(j->direct.peer), NULL, 0,
                          NI_NUMERICHOST);
        if (try_address(&j->direct, a->ai_family, a->ai_addr, a->ai_addrlen))
            break;
    }
    freeaddrinfo(list);
}

static void work(uv_work_t *request)
{
    struct job *j = request->data;
    if (j->address.kind == ADDRESS_UNIX)
        ask_unix(j);
    else
        ask_tcp(j);
}

/* ---- on the loop's ---- */

static void after_work(uv_work_t *request, int status)
{
    struct job *j = request->data;
    (void)status;
    j->done = true;
}

static bool is_done(void *data)
{
    const struct job *j = data;
    return j->done;
}

static const struct direct_status *not_started(enum ctl_exit code)
{
    job.direct.code = code;
    return &job.direct;
}

/* In the words that the other commands have for it. */
static const struct direct_status *too_late(const struct ctl *ctl)
{
    static struct direct_status late; /* the job's is the thread's */
    struct ar_health health = {.links = atomic_load(&job.connected)};
    memcpy(late.address, job.address.text, sizeof(late.address));
    (void)snprintf(health.address, sizeof(health.address), "%s", job.address.text);
    late.code = exit_code_of_health(&health);
    outage_text(&health, ctl->timeout_ms, late.problem, sizeof(late.problem));
    return &late;
}

const struct direct_status *direct_status_ask(struct ctl *ctl)
{
    const char *url = ctl->args->relay ? ctl->args->relay : getenv("AGENT_CONTROL_URL");
    if (!url || !url[0])
        url = ADDRESS_DEFAULT_TEXT;
    if (address_parse(url, &job.address, job.direct.problem, sizeof(job.direct.problem)) != 0)
        return not_started(CTL_EXIT_USAGE);
    (void)snprintf(job.direct.address, sizeof(job.direct.address), "%s", job.address.text);
    job.work.data = &job;
    int rc = uv_queue_work(&ctl->loop, &job.work, work, after_work);
    if (rc != 0) {
        fail(&job.direct, CTL_EXIT_ERROR, "asking", uv_strerror(rc));
        return &job.direct;
    }
    enum ctl_wait how = ctl_wait(ctl, is_done, &job, ctl->deadline_ms);
    if (how == CTL_CAME)
        return &job.direct;
    return how == CTL_STOPPED ? NULL : too_late(ctl);
}

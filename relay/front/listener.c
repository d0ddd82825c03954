/* Accepting.
 *
 * Happy path: readable -> accept4 until it would block (at most ACCEPT_BURST per loop iteration, so that a
 * storm of connections does not stop those that are there) -> socket options -> connection_open.
 *
 * Failure modes: EMFILE, ENFILE -> the peers at the head of the queue are answered OVERLOADED through the
 * reserve descriptor, then the poll stops and a timer starts it again (100 ms doubling to 1 s), logged once
 * until accepting works again. ENOBUFS, ENOMEM and other errors -> the same, without an answer. A connection
 * that ended while it waited (ECONNABORTED) is skipped.
 *
 * accept is called here and not by libuv because libuv closes waiting connections without a word when
 * descriptors run out.
 */
#include "front/listener.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"
#include "front/connection.h"
#include "front/error_line.h"
#include "front/front.h"
#include "front/peer.h"
#include "wire/rpc_error.h"

#define ACCEPT_BURST   64
#define REFUSE_BURST   16
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 1000
#define REFUSING_MAX   64 /* refused connections that get the time to read why */
/* A peer that has vanished is noticed after about a minute, whether or not there is something to send. */
#define KEEP_IDLE_S     30
#define KEEP_INTERVAL_S 10
#define KEEP_COUNT      3
#define USER_TIMEOUT_MS 60000

/* An option that cannot be set costs speed or patience, not correctness. */
static void set_int(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof(value));
}

static void set_options(int fd)
{
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set_int(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_int(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set_int(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, USER_TIMEOUT_MS);
}

/* ---- running out ---- */

/* For a connection that there is no room to keep: the line, if the kernel takes it, and the end. */
static void refuse_now(int fd, const char *reason)
{
    struct buf line;
    buf_init(&line, ERROR_LINE_MAX_BYTES);
    struct error_line error = {.code = RPC_E_OVERLOADED, .message = reason};
    if (error_line_write(&line, &error) == 0)
        (void)!send(fd, buf_data(&line), buf_len(&line), MSG_DONTWAIT | MSG_NOSIGNAL);
    buf_done(&line);
    (void)shutdown(fd, SHUT_WR);
    close(fd);
}

static void refuse_with_reserve(struct listener *l)
{
    struct front *f = l->front;
    for (int i = 0; i < REFUSE_BURST && f->reserve_fd >= 0; i++) {
        close(f->reserve_fd);
        int fd = accept4(l->bound.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            f->options.sessions->refused++;
            refuse_now(fd, "the relay has no descriptors left");
        }
        f->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            break;
    }
}

static void back_off(struct listener *l, int error)
{
    if (l->backoff_ms == 0)
        LOG(LOG_ERROR, "cannot accept connections", F_STR("listener", l->bound.address),
            F_STR("error", strerror(error)));
    l->backoff_ms = l->backoff_ms == 0 ? BACKOFF_MIN_MS : l->backoff_ms * 2;
    if (l->backoff_ms > BACKOFF_MAX_MS)
        l->backoff_ms = BACKOFF_MAX_MS;
    (void)uv_poll_stop(&l->poll); /* always 0 */
    timer_set(&l->retry, loop_now_ms(l->front->options.loop) + l->backoff_ms);
}

/* ---- accepting ---- */

#define REFUSAL_BYTES 256

/* Is there a place for one more? 0: and the host, if it is counted, has one connection more. ERR_FULL, and why in
 * words; -ENOMEM. */
static int find_place(struct front *f, const struct session_origin *origin, struct host **ret_host,
                      char refusal[REFUSAL_BYTES])
{
    const struct front_limits *limits = &f->options.limits;
    if (f->client_count >= limits->max_clients) {
        (void)snprintf(refusal, REFUSAL_BYTES,
                       "the relay has its %zu clients already: wait until one goes, or raise maxClients",
                       limits->max_clients);
        return ERR_FULL;
    }
    if (origin->family == SESSION_UNIX)
        return 0;
    int rc = hosts_join(&f->hosts, &origin->key, limits->max_clients_per_address, ret_host);
    if (rc == ERR_FULL)
        (void)snprintf(
            refusal, REFUSAL_BYTES,
            "%zu connections come from this address already: close one, or raise maxClientsPerAddress",
            limits->max_clients_per_address);
    return rc;
}

static void take(struct listener *l, int fd, const struct sockaddr *address)
{
    struct front *f = l->front;
    struct session_origin origin;
    struct host *host = NULL;
    char refusal[REFUSAL_BYTES];
    peer_of(fd, address, &origin);
    origin.since_ms = loop_real_ms(f->options.loop);
    if (!l->bound.is_unix)
        set_options(fd);
    int rc = find_place(f, &origin, &host, refusal);
    if (rc == 0)
        rc = connection_open(f, fd, &origin, host, l->server, NULL);
    else if (rc == ERR_FULL && f->refusing < REFUSING_MAX)
        rc = connection_open(f, fd, &origin, NULL, l->server, refusal);
    if (rc == 0)
        return;
    if (host)
        hosts_leave(&f->hosts, host);
    f->options.sessions->refused++;
    LOG(LOG_WARN, "client refused", F_STR("peer", origin.peer), F_STR("reason", err_text(rc)));
    refuse_now(fd, rc == ERR_FULL ? refusal : "the relay has no memory or descriptors left");
}

static bool accept_one(struct listener *l, int *ret_error)
{
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    socklen_t len = sizeof(address);
    int fd = accept4(l->bound.fd, (struct sockaddr *)&address, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
        if (l->backoff_ms != 0)
            LOG(LOG_INFO, "accepting connections again", F_STR("listener", l->bound.address));
        l->backoff_ms = 0;
        if (l->bound.is_unix)
            address.ss_family = AF_UNIX;
        take(l, fd, (struct sockaddr *)&address);
        return true;
    }
    *ret_error = errno;
    return errno == EINTR || errno == ECONNABORTED || errno == EPROTO;
}

static void accept_some(struct listener *l)
{
    int error = EAGAIN;
    for (int i = 0; i < ACCEPT_BURST; i++) {
        if (!accept_one(l, &error))
            break;
        error = EAGAIN;
    }
    if (error == EAGAIN || error == EINTR)
        return;
    if (error == EMFILE || error == ENFILE)
        refuse_with_reserve(l);
    back_off(l, error);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct listener *l = CONTAINER_OF(poll, struct listener, poll);
    (void)events;
    if (status < 0)
        back_off(l, -status);
    else
        accept_some(l);
}

static void on_retry(struct timer *t)
{
    struct listener *l = CONTAINER_OF(t, struct listener, retry);
    if (l->front->reserve_fd < 0) /* it was lost while there was none to be had */
        l->front->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int rc = uv_poll_start(&l->poll, UV_READABLE, on_poll);
    if (rc != 0)
        back_off(l, -rc);
}

/* ---- life ---- */

static int open_handles(struct listener *l)
{
    struct loop *loop = l->front->options.loop;
    int rc = uv_poll_init(&loop->uv, &l->poll, l->bound.fd);
    if (rc != 0)
        return rc;
    /* These cannot fail on handles that are new. */
    rc |= timer_init(&l->retry, loop, on_retry);
    rc |= uv_poll_start(&l->poll, UV_READABLE, on_poll);
    assert(rc == 0);
    return rc;
}

int listener_new(struct front *front, const struct bound *bound, const char *server,
                 struct listener **ret_listener)
{
    struct listener *l = mem_zalloc(sizeof(*l));
    if (!l)
        return -ENOMEM;
    l->front = front;
    l->bound = *bound;
    if (server && !(l->server = mem_strdup(server))) {
        mem_free(l);
        return -ENOMEM;
    }
    int rc = open_handles(l);
    if (rc != 0) {
        mem_free(l->server);
        mem_free(l);
        return rc;
    }
    l->open = true;
    *ret_listener = l;
    return 0;
}

void listener_close(struct listener *l)
{
    if (!l->open)
        return;
    l->open = false;
    timer_close(&l->retry, NULL);
    uv_close((uv_handle_t *)&l->poll, NULL);
    bind_release(&l->bound);
}

void listener_free(struct listener *l)
{
    mem_free(l->server);
    mem_free(l);
}

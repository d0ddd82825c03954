/* How a link comes to be: resolve, then one address after the other.
 *
 * Happy path: link_open -> (next loop iteration) a numeric host or a path at once, a name by way of resolve.h ->
 * connect(2) -> the socket becomes writable without an error -> on_up.
 *
 * Failure modes, each of which goes on with the next address and, after the last, ends in on_failed with that
 * address's fault: no socket or handle; refused (at once, or when the socket becomes writable); no
 * answer within connect_timeout_ms, though it was begun anew every LINK_RENEW_MS; a full backlog (EAGAIN, Unix); connected to itself: connecting to a free
 * port in the range from which the kernel draws source ports can meet in the middle, and would then keep the
 * relay from taking its own port. The resolver failing, or not
 * answering within connect_timeout_ms, ends the attempt as a whole: the next one asks anew, on another thread, while
 * this look-up may still hang.
 */
#include "link_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/alloc.h"

/* The kernel's own question to a silent peer: what stands still is answered for by its host, what has vanished is
 * not. */
#define KEEPALIVE_IDLE_S     5
#define KEEPALIVE_INTERVAL_S 2
#define KEEPALIVE_COUNT      3

static void try_next(struct link_conn *l);

static void fail(struct link_conn *l)
{
    struct fault why;
    fault_system(&why, l->failed_at, l->failed_by, l->address->text, l->peer);
    link_close(l);
    l->ops->on_failed(l, &why, l->peer);
}

static void note(struct link_conn *l, enum fault_stage stage, int code)
{
    l->failed_at = stage;
    l->failed_by = code;
}

/* ---- one address ---- */

static void go_up(struct link_conn *l)
{
    (void)uv_timer_stop(&l->timer); /* cannot fail */
    int rc = link_watch_up(l);
    if (rc != 0) {
        note(l, FAULT_CONNECT, rc);
        fail(l);
        return;
    }
    if (l->addresses)
        freeaddrinfo(l->addresses);
    l->addresses = NULL;
    l->next = NULL;
    l->trying = NULL;
    link_move(l, LINK_UP);
    l->ops->on_up(l, l->peer);
}

bool link_is_self(const struct link_conn *l)
{
    struct sockaddr_storage own;
    struct sockaddr_storage peer;
    memset(&own, 0, sizeof(own));
    memset(&peer, 0, sizeof(peer));
    socklen_t own_size = sizeof(own);
    socklen_t peer_size = sizeof(peer);
    return l->address->kind == ADDRESS_TCP && getsockname(l->fd, (struct sockaddr *)&own, &own_size) == 0 &&
           getpeername(l->fd, (struct sockaddr *)&peer, &peer_size) == 0 && own_size == peer_size &&
           memcmp(&own, &peer, own_size) == 0;
}

static void on_connect_event(uv_poll_t *handle, int status, int events)
{
    struct link_conn *l = handle->data;
    (void)events;
    if (l->poll != handle)
        return;
    int error = link_socket_error(l);
    if (error == 0 && status < 0)
        error = UV_ECONNREFUSED; /* EPOLLERR without a reason left to read */
    if (error == 0 && link_is_self(l))
        error = UV_ECONNREFUSED;
    if (error == 0) {
        go_up(l);
        return;
    }
    note(l, FAULT_CONNECT, error);
    link_drop_socket(l);
    try_next(l);
}

static void set_option(int fd, int level, int name, int value)
{
    (void)setsockopt(fd, level, name, &value, sizeof(value));
}

/* The socket and its handle. */
static int make_socket(struct link_conn *l, int family)
{
    l->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (l->fd < 0)
        return -errno;
    uv_poll_t *poll = mem_alloc(sizeof(*poll));
    int rc = poll ? uv_poll_init(l->loop, poll, l->fd) : UV_ENOMEM;
    if (rc != 0) {
        mem_free(poll); /* uv_poll_init has not begun anything */
        link_drop_socket(l);
        return rc;
    }
    poll->data = l;
    l->poll = poll;
    if (family != AF_UNIX) {
        /* Without them the link still works: slower, and a peer whose host has vanished is noticed later. */
        set_option(l->fd, IPPROTO_TCP, TCP_NODELAY, 1);
        set_option(l->fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        set_option(l->fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
        set_option(l->fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
        set_option(l->fd, IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT);
    }
    return 0;
}

static void on_timer(uv_timer_t *timer);

static uint64_t clock_ms(void)
{
    return uv_hrtime() / UINT64_C(1000000);
}

/* From now, whatever the loop's own, possibly older idea of it. */
static void start_timer(struct link_conn *l, uint64_t ms)
{
    uint64_t now_ms = clock_ms();
    uint64_t loop_ms = uv_now(l->loop);
    uint64_t behind_ms = now_ms > loop_ms ? now_ms - loop_ms : 0;
    (void)uv_timer_start(&l->timer, on_timer, ms + behind_ms, 0); /* cannot fail before link_done */
}

/* 0: under way, on_connect_event or the timer goes on; else the reason, and the socket is gone. */
static int try_address(struct link_conn *l, const struct sockaddr *address, socklen_t size)
{
    int rc = make_socket(l, address->sa_family);
    if (rc != 0)
        return rc;
    if (connect(l->fd, address, size) != 0 && errno != EINPROGRESS && errno != EINTR)
        rc = -errno;
    /* Connected at once (a Unix socket): writable at once, so that success always comes from the loop. */
    if (rc == 0)
        rc = uv_poll_start(l->poll, UV_WRITABLE, on_connect_event);
    if (rc != 0) {
        link_drop_socket(l);
        return rc;
    }
    uint64_t now_ms = clock_ms();
    uint64_t left_ms = l->trying_until_ms > now_ms ? l->trying_until_ms - now_ms : 0;
    link_move(l, LINK_CONNECTING);
    start_timer(l, left_ms < LINK_RENEW_MS ? left_ms : LINK_RENEW_MS);
    return 0;
}

static void try_next(struct link_conn *l)
{
    while (l->next) {
        const struct addrinfo *a = l->next;
        l->next = a->ai_next;
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
            continue;
        resolve_numeric_text(a->ai_addr, l->peer, sizeof(l->peer));
        l->trying = a;
        l->trying_until_ms = clock_ms() + l->connect_timeout_ms;
        int rc = try_address(l, a->ai_addr, a->ai_addrlen);
        if (rc == 0)
            return;
        note(l, FAULT_CONNECT, rc);
    }
    fail(l);
}

static void try_unix(struct link_conn *l)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    memcpy(path.sun_path, l->address->path, sizeof(path.sun_path));
    (void)snprintf(l->peer, sizeof(l->peer), "unix:%.*s", LINK_PEER_SIZE - 6, l->address->path);
    l->trying = NULL;
    l->trying_until_ms = clock_ms() + l->connect_timeout_ms;
    int rc = try_address(l, (const struct sockaddr *)&path, sizeof(path));
    if (rc == 0)
        return;
    note(l, FAULT_CONNECT, rc);
    fail(l);
}

/* ---- the attempt ---- */

static void begin(struct link_conn *l)
{
    l->peer[0] = '\0';
    if (l->address->kind == ADDRESS_UNIX) {
        try_unix(l);
        return;
    }
    if (resolve_numeric(l->address->host, l->address->port, &l->numeric_address)) {
        int family = l->numeric_address.ss_family;
        l->numeric = (struct addrinfo){.ai_family = family,
                                       .ai_addr = (struct sockaddr *)&l->numeric_address,
                                       .ai_addrlen = family == AF_INET ? sizeof(struct sockaddr_in)
                                                                       : sizeof(struct sockaddr_in6)};
        l->next = &l->numeric;
        try_next(l);
        return;
    }
    int rc = resolve_start(l->address->host, l->address->port, l->wake, &l->resolve);
    if (rc != 0) {
        note(l, FAULT_RESOLVE, rc);
        fail(l);
        return;
    }
    link_move(l, LINK_RESOLVING);
    start_timer(l, l->connect_timeout_ms);
}

void link_wake(struct link_conn *l)
{
    int status;
    struct addrinfo *addresses;
    if (!l->resolve || !resolve_take(l->resolve, &status, &addresses))
        return;
    l->resolve = NULL;
    (void)uv_timer_stop(&l->timer); /* cannot fail */
    if (status != 0) {
        note(l, FAULT_RESOLVE, status);
        fail(l);
        return;
    }
    l->addresses = addresses;
    l->next = addresses;
    note(l, FAULT_RESOLVE, UV_EAI_NODATA); /* for a list without an address of ours */
    try_next(l);
}

/* libuv runs timers before it looks at descriptors: on a loop that stood still, what came in time is still to
 * be looked at when the time-out comes. */
static void on_resolve_timeout(struct link_conn *l)
{
    const struct resolve *r = l->resolve;
    link_wake(l);
    if (!r || l->resolve != r)
        return;
    note(l, FAULT_RESOLVE, UV_ETIMEDOUT);
    fail(l);
}

static void on_connect_timeout(struct link_conn *l)
{
    struct pollfd connected = {.fd = l->fd, .events = POLLOUT};
    if (poll(&connected, 1, 0) > 0) {
        on_connect_event(l->poll, 0, UV_WRITABLE);
        return;
    }
    link_drop_socket(l);
    const struct addrinfo *again = clock_ms() < l->trying_until_ms ? l->trying : NULL;
    int rc = again ? try_address(l, again->ai_addr, again->ai_addrlen) : UV_ETIMEDOUT;
    if (rc == 0)
        return;
    note(l, FAULT_CONNECT, rc);
    try_next(l);
}

static void on_timer(uv_timer_t *timer)
{
    struct link_conn *l = timer->data;
    switch (l->phase) {
    case LINK_STARTING:
        begin(l);
        break;
    case LINK_RESOLVING:
        on_resolve_timeout(l);
        break;
    case LINK_CONNECTING:
        on_connect_timeout(l);
        break;
    default: /* no other phase has this timer */
        break;
    }
}

void link_init(struct link_conn *l, uv_loop_t *loop, uv_async_t *wake, const struct link_conn_ops *ops,
               void *data, const struct address *address, uint64_t connect_timeout_ms)
{
    *l = (struct link_conn){.loop = loop,
                            .ops = ops,
                            .data = data,
                            .address = address,
                            .wake = wake,
                            .connect_timeout_ms = connect_timeout_ms,
                            .phase = LINK_IDLE,
                            .fd = -1};
    (void)uv_timer_init(loop, &l->timer); /* cannot fail */
    l->timer.data = l;
}

void link_open(struct link_conn *l)
{
    if (l->phase != LINK_IDLE)
        return;
    link_move(l, LINK_STARTING);
    /* Not 0: this libuv runs a timer that its own callback sets to 0 again within the same iteration, so a
     * failing attempt that is followed by the next would keep the loop. Cannot fail before link_done. */
    (void)uv_timer_start(&l->timer, on_timer, 1, 0);
}

/* One connection: sending, receiving, and its end. How it comes to be: link_open.c.
 *
 * Reading: level-triggered, at most LINK_READS_PER_EVENT buffers per event, so that a flood cannot keep the
 * host's loop. Every callback may close the link or even begin the next attempt, so after each one the poll
 * handle at hand is compared with the link's: its memory lives until its close callback, so equal means same.
 *
 * Failure modes: the peer ends or resets, or the kernel reports an error (libuv then says UV_EBADF and stops
 * watching): what was received before is read first, since answers may stand in front of the end; then
 * on_lost. A send that fails: LINK_BREAKING; reported from the loop, again after what can be read. A socket's own
 * error (SO_ERROR) names the reason where reading does not. No memory for the handle: the attempt fails
 * as any other.
 */
#include "link_internal.h"

#include <assert.h>
#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"

#define LINK_READS_PER_EVENT  8
#define LINK_SMALL_READ_BYTES 2048

/* ---- the phase ---- */

#define BIT(phase) (1u << (phase))

static const unsigned moves[] = {
    [LINK_IDLE] = BIT(LINK_STARTING) | BIT(LINK_DONE),
    [LINK_STARTING] = BIT(LINK_RESOLVING) | BIT(LINK_CONNECTING) | BIT(LINK_IDLE),
    [LINK_RESOLVING] = BIT(LINK_CONNECTING) | BIT(LINK_IDLE),
    [LINK_CONNECTING] = BIT(LINK_CONNECTING) | BIT(LINK_UP) | BIT(LINK_IDLE),
    [LINK_UP] = BIT(LINK_BREAKING) | BIT(LINK_IDLE),
    [LINK_BREAKING] = BIT(LINK_IDLE),
    [LINK_DONE] = 0,
};

void link_move(struct link_conn *l, enum link_phase to)
{
    assert((moves[l->phase] & BIT(to)) != 0);
    (void)moves;
    l->phase = to;
}

/* ---- letting go ---- */

static void maybe_closed(struct link_conn *l)
{
    if (l->phase != LINK_DONE || !l->closed || l->closing > 0)
        return;
    l->ops->on_closed(l); /* may free l */
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct link_conn *l = handle->data;
    mem_free(handle);
    l->closing--;
    maybe_closed(l);
}

void link_drop_socket(struct link_conn *l)
{
    if (l->poll) {
        uv_close((uv_handle_t *)l->poll, on_poll_closed);
        l->closing++;
        l->poll = NULL;
    }
    /* uv_close has taken it out of epoll already: the number may be used again at once. A process that the
     * host forked holds the socket too, and the peer is to see the end all the same. */
    if (l->fd >= 0) {
        (void)shutdown(l->fd, SHUT_RDWR);
        (void)close(l->fd);
    }
    l->fd = -1;
    l->watching_write = false;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct link_conn *l = handle->data;
    l->closed = true;
    maybe_closed(l);
}

void link_close(struct link_conn *l)
{
    if (l->phase == LINK_DONE || l->phase == LINK_IDLE)
        return;
    (void)uv_timer_stop(&l->timer); /* cannot fail */
    if (l->resolve)
        resolve_cancel(l->resolve);
    l->resolve = NULL;
    if (l->addresses)
        freeaddrinfo(l->addresses);
    l->addresses = NULL;
    l->next = NULL;
    l->trying = NULL;
    link_drop_socket(l);
    link_move(l, LINK_IDLE);
}

void link_done(struct link_conn *l)
{
    if (l->phase == LINK_DONE)
        return;
    link_close(l);
    link_move(l, LINK_DONE);
    uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}

/* ---- the end of a link that was up ---- */

static void lose(struct link_conn *l, enum fault_stage stage, int code)
{
    struct fault why;
    fault_system(&why, stage, code, l->address->text, l->peer);
    link_close(l);
    l->ops->on_lost(l, &why);
}

int link_socket_error(const struct link_conn *l)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return -errno;
    return -error;
}

static int read_into(struct link_conn *l, unsigned reads, char *bytes, size_t size, bool *ret_gone)
{
    const uv_poll_t *poll = l->poll;
    for (unsigned i = 0; i < reads; i++) {
        ssize_t got = recv(l->fd, bytes, size, 0);
        if (got == 0)
            return UV_EOF;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        l->ops->on_bytes(l, bytes, (size_t)got);
        if (l->poll != poll) {
            *ret_gone = true;
            return 0;
        }
        if ((size_t)got < size)
            return 0;
    }
    return 0;
}

/* Up to `reads` buffers. 0: there may be more; UV_EAGAIN: nothing now; else how it ended (UV_EOF, a code).
 * *ret_gone: a callback has closed this link, and nothing of it may be touched. The buffer is held for this
 * call alone, so that idle clients hold none; without memory for it a small one does. */
static int read_some(struct link_conn *l, unsigned reads, bool *ret_gone)
{
    char small[LINK_SMALL_READ_BYTES];
    char *bytes = mem_alloc(LINK_READ_BYTES);
    int end = bytes ? read_into(l, reads, bytes, LINK_READ_BYTES, ret_gone)
                    : read_into(l, reads, small, sizeof(small), ret_gone);
    mem_free(bytes);
    return end;
}

/* Reads to the end of what the kernel still holds. Bounded: a socket in this state receives nothing more, and
 * no receive buffer is larger than this. 0: nothing is left; else as read_some. */
static int drain(struct link_conn *l, bool *ret_gone)
{
    const unsigned reads = 1024;
    int end = 0;
    for (unsigned i = 0; i < reads && end == 0 && !*ret_gone; i++)
        end = read_some(l, 1, ret_gone);
    return end == UV_EAGAIN ? 0 : end;
}

static void on_broken(uv_timer_t *timer)
{
    struct link_conn *l = timer->data;
    bool gone = false;
    int end = drain(l, &gone);
    if (gone)
        return;
    if (end != 0) /* "closed by the relay" says more than "broken pipe" */
        lose(l, FAULT_READ, end);
    else
        lose(l, FAULT_WRITE, l->broken);
}

/* ---- watching ---- */

static void on_up_event(uv_poll_t *handle, int status, int events)
{
    struct link_conn *l = handle->data;
    if (l->poll != handle)
        return;
    if (status < 0) { /* EPOLLERR: libuv has stopped watching */
        bool gone = false;
        int error = link_socket_error(l); /* asking has cleared it: reading will say EOF */
        int end = drain(l, &gone);
        if (error == 0)
            error = end != 0 ? end : UV_ECONNRESET;
        if (!gone)
            lose(l, FAULT_READ, error);
        return;
    }
    if ((events & UV_READABLE) != 0) {
        bool gone = false;
        int end = read_some(l, LINK_READS_PER_EVENT, &gone);
        if (gone)
            return;
        if (end != 0 && end != UV_EAGAIN) {
            lose(l, FAULT_READ, end);
            return;
        }
    }
    if ((events & UV_WRITABLE) != 0 && l->phase == LINK_UP && l->watching_write) {
        l->watching_write = false;
        (void)uv_poll_start(l->poll, UV_READABLE, on_up_event); /* cannot fail for a watched descriptor */
        l->ops->on_writable(l);
    }
}

void link_read_pending(struct link_conn *l)
{
    int waiting = 0;
    if (l->phase != LINK_UP || ioctl(l->fd, FIONREAD, &waiting) != 0)
        return;
    /* As many events as it takes to read what is there now, so that a peer that goes on sending cannot keep the
     * loop. One at least: it may be the end that waits. */
    const uv_poll_t *poll = l->poll;
    size_t events = (size_t)waiting / (LINK_READS_PER_EVENT * LINK_READ_BYTES) + 1;
    for (size_t i = 0; i < events && l->poll == poll; i++)
        on_up_event(l->poll, 0, UV_READABLE);
}

int link_watch_up(struct link_conn *l)
{
    return uv_poll_start(l->poll, UV_READABLE, on_up_event);
}

/* ---- sending ---- */

size_t link_unacked(const struct link_conn *l)
{
    int bytes = 0;
    if (l->phase != LINK_UP || ioctl(l->fd, SIOCOUTQ, &bytes) != 0 || bytes < 0)
        return 0;
    return (size_t)bytes;
}

bool link_is_held(const struct link_conn *l)
{
    return l->phase == LINK_UP && (l->address->kind == ADDRESS_UNIX || link_unacked(l) == 0);
}

ssize_t link_send(struct link_conn *l, const char *bytes, size_t len)
{
    if (l->phase != LINK_UP)
        return UV_ENOTCONN;
    size_t sent = 0;
    while (sent < len) {
        ssize_t n = send(l->fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n >= 0) {
            sent += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            if (!l->watching_write)
                (void)uv_poll_start(l->poll, UV_READABLE | UV_WRITABLE, on_up_event); /* as above */
            l->watching_write = true;
            break;
        } else if (errno != EINTR) {
            l->broken = -errno;
            link_move(l, LINK_BREAKING);
            /* Reported from the loop: on_lost never runs inside a link_* call. */
            (void)uv_timer_start(&l->timer, on_broken, 1, 0); /* cannot fail before link_done */
            return sent > 0 ? (ssize_t)sent : l->broken;      /* what was taken may have been read */
        }
    }
    return (ssize_t)sent;
}

/* A stream's life and its reading; stream_write.c has the queue.
 *
 * Reading: libuv asks for a buffer and gets the loop's shared one; the bytes are handed on before the read
 * callback returns. Reads of nothing (EAGAIN) are ignored. In an iteration that has read much, each further stream gets
 * one small read, where libuv would read it up to 32 times. The end of the peer's side, or an error, stops reading and
 * is told once.
 *
 * Failure modes: accept fails -> the handle closes and on_closed comes. open_fd fails -> nothing was opened:
 * everything that can be wrong with a descriptor is asked before the handle exists, since an existing handle
 * can only be closed asynchronously. Closing while a write runs: libuv cancels the write first, which is
 * ignored, then on_closed.
 */
#include "io/stream_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

void stream_init(struct stream *s, struct loop *loop, const struct stream_ops *ops, size_t high_bytes,
                 size_t low_bytes, size_t max_bytes)
{
    assert(low_bytes <= high_bytes);
    *s = (struct stream){
        .loop = loop, .ops = ops, .max_bytes = max_bytes, .high_bytes = high_bytes, .low_bytes = low_bytes};
    buf_init(&s->out, max_bytes);
    buf_init(&s->writing, max_bytes);
    loop_task_init(&s->flush, stream_run_task);
    loop_warm_init(&s->warm, stream_cool);
}

/* ---- opening ---- */

static int accept_or_close(struct stream *s, uv_stream_t *listener)
{
    s->open = true;
    int rc = uv_accept(listener, &s->uv.stream);
    if (rc != 0)
        stream_close(s);
    return rc;
}

int stream_accept_tcp(struct stream *s, uv_stream_t *listener)
{
    int rc = uv_tcp_init(&s->loop->uv, &s->uv.tcp);
    if (rc == 0)
        rc = accept_or_close(s, listener);
    else
        stream_close(s);
    if (rc != 0)
        return rc;
    /* Without it the connection still works, only slower; reading will tell if it is dead already. */
    (void)uv_tcp_nodelay(&s->uv.tcp, 1);
    return 0;
}

int stream_open_fd(struct stream *s, int fd)
{
    uv_handle_type type = uv_guess_handle(fd);
    if (type != UV_NAMED_PIPE && type != UV_TCP)
        return UV_EINVAL;
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
        return -errno;
    int rc;
    if (type == UV_TCP) {
        rc = uv_tcp_init(&s->loop->uv, &s->uv.tcp);
        if (rc == 0)
            rc = uv_tcp_open(&s->uv.tcp, fd);
    } else {
        rc = uv_pipe_init(&s->loop->uv, &s->uv.pipe, 0);
        if (rc == 0)
            rc = uv_pipe_open(&s->uv.pipe, fd);
    }
    /* What is left is a descriptor that another handle of this loop owns: our bug. */
    assert(rc == 0);
    s->open = rc == 0;
    return rc;
}

/* ---- reading ---- */

/* 0: not in this iteration. */
static size_t read_room(const struct stream *s)
{
    if (s->loop->iteration_bytes < LOOP_ITERATION_BYTES)
        return LOOP_READ_BYTES;
    return s->read_in == s->loop->iterations ? 0 : LOOP_LATE_READ_BYTES;
}

static void on_uv_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret_buf)
{
    const struct stream *s = CONTAINER_OF(handle, struct stream, uv.handle);
    (void)suggested;
    size_t len = read_room(s);
    if (s->read_limit && *s->read_limit < len)
        len = *s->read_limit;
    *ret_buf = uv_buf_init(s->loop->read_bytes, (unsigned)len);
}

static void on_uv_read(uv_stream_t *handle, ssize_t got, const uv_buf_t *buf)
{
    struct stream *s = CONTAINER_OF(handle, struct stream, uv.stream);
    if (got == 0 || got == UV_ENOBUFS || s->closing) /* ENOBUFS: no buffer was given */
        return;
    if (got > 0) {
        loop_note_read(s->loop, (size_t)got);
        s->read_in = s->loop->iterations;
        s->bytes_in += (size_t)got;
        s->ops->on_bytes(s, buf->base, (size_t)got);
        return;
    }
    stream_tell_end(s, got == UV_EOF ? 0 : (int)got);
}

int stream_read_start(struct stream *s)
{
    if (!s->open || s->closing || s->ended || s->failure != 0)
        return ERR_CLOSING;
    if (s->reading)
        return 0;
    int rc = uv_read_start(&s->uv.stream, on_uv_alloc, on_uv_read);
    if (rc == 0)
        s->reading = true;
    return rc;
}

void stream_read_stop(struct stream *s)
{
    if (!s->reading)
        return;
    s->reading = false;
    (void)uv_read_stop(&s->uv.stream); /* always 0 */
}

void stream_limit_reads(struct stream *s, const size_t *read_limit)
{
    s->read_limit = read_limit;
}

static int fd_of(const struct stream *s)
{
    uv_os_fd_t fd;
    return s->open && !s->closing && uv_fileno(&s->uv.handle, &fd) == 0 ? fd : -1;
}

size_t stream_unread(const struct stream *s)
{
    int fd = fd_of(s);
    int count = 0;
    return fd >= 0 && ioctl(fd, FIONREAD, &count) == 0 && count > 0 ? (size_t)count : 0;
}

bool stream_peer_gone(const struct stream *s)
{
    int fd = fd_of(s);
    if (fd < 0)
        return true;
    struct pollfd p = {.fd = fd, .events = POLLRDHUP};
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
}

/* ---- the end ---- */

void stream_tell_end(struct stream *s, int status)
{
    stream_read_stop(s);
    if (status != 0) {
        s->failure = status;
        stream_drop_queue(s);
    }
    if (s->ended)
        return;
    s->ended = true;
    s->ops->on_end(s, status);
}

void stream_finish_close(struct stream *s)
{
    s->closed = true;
    s->pending_bytes = 0;
    buf_done(&s->out);
    buf_done(&s->writing);
    s->ops->on_closed(s); /* may free s */
}

static void on_uv_closed(uv_handle_t *handle)
{
    struct stream *s = CONTAINER_OF(handle, struct stream, uv.handle);
    stream_finish_close(s);
}

void stream_close(struct stream *s)
{
    if (s->closing)
        return;
    s->closing = true;
    s->reading = false;
    stream_drop_queue(s);
    loop_untouch(&s->warm);
    loop_unmark(&s->flush);
    if (s->open)
        uv_close(&s->uv.handle, on_uv_closed);
    else
        loop_mark(s->loop,
                  &s->flush); /* there is no handle to close: on_closed comes from the end of the iteration */
}

/* What the peer has sent and nobody read would make the kernel reset the connection, and the peer lose `last`: it is
 * thrown away (MSG_TRUNC does that on TCP; a Unix socket's peer keeps what it has got in any case). */
bool stream_close_with(struct stream *s, const char *last, size_t len)
{
    int fd = fd_of(s);
    bool sent =
        fd >= 0 && s->failure == 0 && send(fd, last, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
    if (fd >= 0) {
        (void)shutdown(fd, SHUT_WR);
        (void)recv(fd, NULL, INT_MAX, MSG_DONTWAIT | MSG_TRUNC);
    }
    stream_close(s);
    return sent;
}

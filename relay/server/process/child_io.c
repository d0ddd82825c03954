/* A child's pipes: the link that the router writes to, its stdout cut into frames, its stderr into the ring
 * and the log.
 *
 * Happy path: link send -> the stream's queue -> one write per iteration -> on_sent keeps link.queued_bytes
 * true. Reads of stdout go through frame_next straight to the supervisor; stderr is always read, paused or
 * not.
 *
 * Failure modes:
 *  - stdin breaks (EPIPE), stdout ends: the child is about to exit, or can serve no more: child_note_lost
 *  - stderr ends: nothing follows from it
 *  - a line that cannot be gathered for want of memory is lost, and logged
 *  - a child that floods its stderr: so many lines per second are logged, the others counted; of a child that is
 *    ready, a few per minute at info, the others at debug
 */
#include "server/process/child_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log.h"

/* on_drain comes when the queue was above the high mark and has fallen to the low one. The router stops at
 * CHILD_HIGH_BYTES, which is above the high mark, so on_drain always follows. */
#define QUEUE_HIGH_BYTES (CHILD_HIGH_BYTES / 2)
#define QUEUE_LOW_BYTES  (CHILD_HIGH_BYTES / 8)
/* What the router may send above its mark, beside one frame that is a little longer than the client's for its
 * ids: short cancels, each of a request that was written below the mark. A request has 40 bytes or more, its
 * cancel less than 100, so two and a half times the mark hold all of them. */
#define QUEUE_SLACK_BYTES (5 * CHILD_HIGH_BYTES / 2 + ((size_t)64 << 10))
/* Lines of standard error that are logged per second and child. */
#define STDERR_LINES_PER_SECOND 200
/* Of a child that is ready, at info; the others at debug. */
#define READY_STDERR_LINES_PER_MINUTE 20
#define MINUTE_MS                     60000
/* Written before the end of the iteration when so much is queued: the child begins, on another processor, while the
 * relay still reads. Measured with one client that has 64 requests in flight, on two idle processors: 16384, or the
 * end of the iteration alone, costs 15 %; less, or early writes towards clients, costs system calls and 10 to 25 %. */
#define EARLY_BYTES 4096

/* ---- memory ---- */

/* Once per iteration, however often its buffers change in it. */
static void account_later(struct child *c)
{
    if (c->memory_joined)
        loop_mark(c->loop, &c->account);
}

static void on_account(struct loop_task *task)
{
    struct child *c = CONTAINER_OF(task, struct child, account);
    size_t partial = frame_reader_partial(&c->reader);
    const struct memory_usage usage = {.partial_bytes = partial,
                                       .held_bytes = c->reader.partial.cap + stream_held_bytes(&c->in)};
    memory_set(c->memory, &c->memory_user, &usage);
}

static void update_queued(struct child *c)
{
    c->instance.link.queued_bytes = stream_queued(&c->in);
    account_later(c);
}

static void apply_pause(struct child *c)
{
    if (c->paused_by_router || c->paused_by_memory) {
        stream_read_stop(&c->out);
        return;
    }
    int rc = stream_read_start(&c->out);
    if (rc != 0 && rc != ERR_CLOSING) /* closing: there is nothing more to read */
        child_note_lost(c, "cannot be read from");
}

static void on_memory_pause(struct memory_user *u)
{
    struct child *c = CONTAINER_OF(u, struct child, memory_user);
    c->paused_by_memory = true;
    apply_pause(c);
}

static void on_memory_resume(struct memory_user *u)
{
    struct child *c = CONTAINER_OF(u, struct child, memory_user);
    c->paused_by_memory = false;
    apply_pause(c);
}

/* Many wait for what a child says. */
static const struct memory_ops memory_ops = {
    .pause = on_memory_pause, .resume = on_memory_resume, .vital = true};

void child_io_leave_memory(struct child *c)
{
    if (c->memory_joined)
        memory_leave(c->memory, &c->memory_user);
    loop_unmark(&c->account);
    c->memory_joined = false;
}

/* ---- the link ---- */

static int link_send(struct link *link, const struct message *message)
{
    struct child *c = CONTAINER_OF(link, struct child, instance.link);
    if (c->phase != CHILD_RUNNING)
        return ERR_CLOSING;
    int rc = stream_write_parts(&c->in, message->parts, message->part_count, true);
    stream_flush_early(&c->in, EARLY_BYTES);
    loop_touch(c->loop, &c->warm);
    update_queued(c);
    return rc;
}

static void link_pause(struct link *link)
{
    struct child *c = CONTAINER_OF(link, struct child, instance.link);
    c->paused_by_router = true;
    apply_pause(c);
}

static void link_resume(struct link *link)
{
    struct child *c = CONTAINER_OF(link, struct child, instance.link);
    c->paused_by_router = false;
    apply_pause(c);
}

static void link_close(struct link *link, int code, const char *reason)
{
    struct child *c = CONTAINER_OF(link, struct child, instance.link);
    LOG(LOG_INFO, "router closes child", F_STR("server", c->name), F_INT("code", code),
        F_STR("reason", reason));
    child_note_lost(c, "was given up");
}

static int fd_of(const struct stream *s)
{
    uv_os_fd_t fd;
    return s->open && !s->closing && uv_fileno(&s->uv.handle, &fd) == 0 ? fd : -1;
}

/* What the pipe holds, the child has not read. A pipe that broke is taken for read. */
static bool child_link_progress(const struct link *link, struct link_progress *ret_progress)
{
    const struct child *c = CONST_CONTAINER_OF(link, struct child, instance.link);
    int fd = fd_of(&c->in);
    int unread = 0;
    if (fd >= 0 && ioctl(fd, FIONREAD, &unread) != 0)
        return false;
    ret_progress->sent_bytes = c->in.bytes_out + stream_queued(&c->in);
    ret_progress->read_bytes = c->in.bytes_out - (uint64_t)unread;
    return true;
}

static const struct link_ops child_link_ops = {link_send, link_pause, link_resume, link_close,
                                               child_link_progress};

/* ---- stdin ---- */

static void on_in_bytes(struct stream *s, const char *bytes, size_t len)
{
    (void)s, (void)bytes, (void)len; /* never read */
}

static void on_in_sent(struct stream *s)
{
    update_queued(CONTAINER_OF(s, struct child, in));
}

static void on_in_drain(struct stream *s)
{
    struct child *c = CONTAINER_OF(s, struct child, in);
    if (c->phase == CHILD_RUNNING)
        c->instance.events->on_writable(&c->instance);
    else if (stream_queued(s) == 0)
        stream_close(s);
}

static void on_in_end(struct stream *s, int status)
{
    struct child *c = CONTAINER_OF(s, struct child, in);
    LOG(LOG_DEBUG, "child's stdin broke", F_STR("server", c->name), F_STR("error", err_text(status)));
    stream_close(s);
    update_queued(c);
    child_note_lost(c, "closed its stdin");
}

static void on_in_closed(struct stream *s)
{
    child_handle_closed(CONTAINER_OF(s, struct child, in));
}

static const struct stream_ops in_ops = {on_in_bytes, on_in_drain, on_in_end, on_in_closed, on_in_sent};

/* ---- stdout ---- */

static void cut_frames(struct child *c, const char *bytes, size_t len)
{
    struct frame frame;
    enum frame_result result;
    while ((result = frame_next(&c->reader, &bytes, &len, &frame)) != FRAME_MORE) {
        if (result == FRAME_NO_MEMORY)
            LOG(LOG_ERROR, "no memory for a line of a child", F_STR("server", c->name));
        else
            c->instance.events->on_frame(&c->instance, &frame);
    }
    if (c->phase == CHILD_RUNNING)
        c->instance.events->on_writable(&c->instance); /* these answers freed slots */
    loop_touch(c->loop, &c->warm);
    if (c->memory_joined && memory_is_tight(c->memory)) {
        frame_reader_trim(&c->reader);
        stream_trim(&c->in, 0);
    }
    account_later(c);
}

/* Unused for a second or two. */
static void on_cool(struct loop_warm *warm)
{
    struct child *c = CONTAINER_OF(warm, struct child, warm);
    frame_reader_trim(&c->reader);
    stream_trim(&c->in, 0);
    account_later(c);
}

static void on_out_bytes(struct stream *s, const char *bytes, size_t len)
{
    cut_frames(CONTAINER_OF(s, struct child, out), bytes, len);
}

static void on_out_end(struct stream *s, int status)
{
    (void)status;
    child_note_lost(CONTAINER_OF(s, struct child, out), "closed its stdout");
}

static void on_out_closed(struct stream *s)
{
    child_handle_closed(CONTAINER_OF(s, struct child, out));
}

static const struct stream_ops out_ops = {on_out_bytes, NULL, on_out_end, on_out_closed, NULL};

/* ---- stderr ---- */

/* A child that serves may say at each request what it does. What it says before is why it does not start. */
static enum log_level stderr_level(struct child *c)
{
    uint64_t now_ms = loop_now_ms(c->loop);
    if (!c->instance.ready)
        return LOG_INFO;
    if (now_ms - c->minute_at_ms >= MINUTE_MS) {
        if (c->minute_hidden > 0)
            LOG(LOG_INFO, "child's stderr: lines logged at debug level only", F_STR("server", c->name),
                F_UINT("count", c->minute_hidden));
        c->minute_at_ms = now_ms;
        c->minute_lines = 0;
        c->minute_hidden = 0;
    }
    if (c->minute_lines < READY_STDERR_LINES_PER_MINUTE) {
        c->minute_lines++;
        return LOG_INFO;
    }
    c->minute_hidden++;
    return LOG_DEBUG;
}

static void on_stderr_line(void *data, const char *line, size_t len)
{
    struct child *c = data;
    uint64_t second = loop_now_ms(c->loop) / 1000;
    if (second != c->lines_second) {
        if (c->lines_hidden > 0)
            LOG(LOG_WARN, "child's stderr: lines not logged", F_STR("server", c->name),
                F_UINT("count", c->lines_hidden));
        c->lines_second = second;
        c->lines_logged = 0;
        c->lines_hidden = 0;
    }
    if (c->lines_logged >= STDERR_LINES_PER_SECOND) {
        c->lines_hidden++;
        return;
    }
    c->lines_logged++;
    enum log_level level = stderr_level(c); /* once: LOG looks at it twice */
    LOG(level, "child's stderr", F_STR("server", c->name), F_BYTES("line", line, len));
}

static void on_err_bytes(struct stream *s, const char *bytes, size_t len)
{
    struct child *c = CONTAINER_OF(s, struct child, err);
    stderr_ring_add(&c->stderr_ring, bytes, len);
}

static void on_err_end(struct stream *s, int status)
{
    (void)s, (void)status; /* closed with the child */
}

static void on_err_closed(struct stream *s)
{
    child_handle_closed(CONTAINER_OF(s, struct child, err));
}

static const struct stream_ops err_ops = {on_err_bytes, NULL, on_err_end, on_err_closed, NULL};

/* ---- beginning and end ---- */

void child_io_init(struct child *c, const struct child_spec *spec)
{
    c->instance.link.ops = &child_link_ops;
    c->instance.link.high_bytes = CHILD_HIGH_BYTES;
    size_t max = CHILD_HIGH_BYTES + QUEUE_SLACK_BYTES + spec->instance.max_frame_bytes;
    stream_init(&c->in, spec->loop, &in_ops, QUEUE_HIGH_BYTES, QUEUE_LOW_BYTES, max);
    stream_init(&c->out, spec->loop, &out_ops, 0, 0, 0);
    stream_init(&c->err, spec->loop, &err_ops, 0, 0, 0);
    loop_warm_init(&c->warm, on_cool);
    loop_task_init(&c->account, on_account);
    frame_reader_init(&c->reader, spec->instance.max_frame_bytes, spec->instance.max_id_bytes);
    stderr_ring_init(&c->stderr_ring, on_stderr_line, c);
}

static int open_stream(struct stream *s, int fd, bool read)
{
    int rc = stream_open_fd(s, fd);
    if (rc == 0 && read)
        rc = stream_read_start(s);
    return rc;
}

int child_io_open(struct child *c, const struct child_process *p)
{
    int rc = open_stream(&c->in, p->in_fd, false);
    if (rc == 0)
        rc = open_stream(&c->out, p->out_fd, true);
    if (rc == 0)
        rc = open_stream(&c->err, p->err_fd, true);
    if (rc == 0 && c->memory) {
        memory_join(c->memory, &c->memory_user, &memory_ops);
        c->memory_joined = true;
    }
    return rc;
}

/* Reads what the pipe holds at this moment and no more: a grandchild may go on writing. The loop's read
 * buffer is free, since this runs in no read callback. */
static void drain_fd(struct child *c, struct stream *s,
                     void (*take)(struct stream *s, const char *bytes, size_t len))
{
    int fd = fd_of(s);
    int left = 0;
    if (fd < 0 || s->ended || ioctl(fd, FIONREAD, &left) != 0)
        return;
    while (left > 0) {
        ssize_t got = read(fd, c->loop->read_bytes, LOOP_READ_BYTES);
        if (got <= 0)
            return;
        left -= (int)got;
        take(s, c->loop->read_bytes, (size_t)got);
    }
}

void child_io_drain(struct child *c)
{
    drain_fd(c, &c->err, on_err_bytes);
    stderr_ring_flush(&c->stderr_ring);
    drain_fd(c, &c->out, on_out_bytes);
}

void child_io_done(struct child *c)
{
    loop_untouch(&c->warm);
    frame_reader_done(&c->reader);
    stderr_ring_done(&c->stderr_ring);
}

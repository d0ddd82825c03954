/* agent-mock's event loop: input, output, and the clock of slow calls.
 *
 * Purpose: one poll(2) over the input, the output and the next step of a slow call. A chunk that was read is
 * answered frame by frame; when the output is above its high-water mark, the rest of the chunk waits and
 * reading pauses until the reader has caught up. So a slow reader costs a bounded amount of memory, and slow
 * calls continue meanwhile.
 *
 * The descriptors stay blocking (they may be a terminal shared with other programs): a read follows POLLIN,
 * and a write of at most PIPE_BUF bytes follows POLLOUT, which neither block.
 *
 * Failure modes: the input ends: calls in flight are answered first, a last line without its newline too. The
 * output is closed by its reader, or a descriptor fails: the error is returned. No memory for an answer: see
 * mcp_reply.c.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "mock/mcp.h"

#define CHUNK_BYTES ((size_t)64 << 10)

struct flow {
    struct mcp *s;
    int in_fd;
    int out_fd;
    bool ended;       /* the input has ended */
    const char *rest; /* of the chunk, not yet processed */
    size_t rest_len;
    char chunk[CHUNK_BYTES];
};

static bool backed_up(const struct mcp *s)
{
    return buf_len(&s->out) > MCP_OUT_HIGH_BYTES;
}

/* Answers frames out of the chunk until it is used up, or the output is backed up. */
static void take_frames(struct flow *f)
{
    struct mcp *s = f->s;
    struct frame frame;
    while (f->rest_len > 0 && !backed_up(s) && s->failed == 0) {
        switch (frame_next(&s->reader, &f->rest, &f->rest_len, &frame)) {
        case FRAME_READY:
            mcp_frame(s, frame.bytes, frame.len, &frame.env);
            break;
        case FRAME_TOO_LARGE:
            mcp_frame_too_large(s, frame.bytes, frame.env.id.len);
            break;
        case FRAME_NO_MEMORY:
            s->failed = -ENOMEM;
            break;
        case FRAME_MORE:
            break;
        }
    }
}

static int read_chunk(struct flow *f)
{
    ssize_t got = read(f->in_fd, f->chunk, sizeof(f->chunk));
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    f->rest = f->chunk;
    f->rest_len = (size_t)got;
    if (got == 0) {
        f->ended = true;
        f->rest = "\n"; /* ends a last line that has no newline */
        f->rest_len = 1;
    }
    return 0;
}

static int write_some(struct flow *f)
{
    struct buf *out = &f->s->out;
    size_t len = buf_len(out) < PIPE_BUF ? buf_len(out) : PIPE_BUF;
    ssize_t put = write(f->out_fd, buf_data(out), len);
    if (put < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    buf_consume(out, (size_t)put);
    if (buf_len(out) == 0)
        buf_trim(out, CHUNK_BYTES);
    return 0;
}

static int wait_and_move(struct flow *f, int wait_ms)
{
    bool reads = !f->ended && f->rest_len == 0 && !backed_up(f->s);
    bool writes = buf_len(&f->s->out) > 0;
    struct pollfd fds[2] = {
        {.fd = reads ? f->in_fd : -1, .events = POLLIN},
        {.fd = writes ? f->out_fd : -1, .events = POLLOUT},
    };
    if (poll(fds, 2, wait_ms) < 0)
        return errno == EINTR ? 0 : -errno;
    int rc = fds[1].revents != 0 ? write_some(f) : 0;
    if (rc == 0 && fds[0].revents != 0)
        rc = read_chunk(f);
    return rc;
}

static bool input_waits(const struct flow *f)
{
    struct pollfd in = {.fd = f->in_fd, .events = POLLIN};
    return f->rest_len > 0 || (!f->ended && poll(&in, 1, 0) > 0);
}

/* Where the clock is fixed, the output must not depend on timing: steps wait for the available input and
 * for the reader of the output. */
static bool may_step(const struct flow *f)
{
    return !f->s->clock_is_fixed || (!backed_up(f->s) && !input_waits(f));
}

static int run(struct flow *f)
{
    for (;;) {
        take_frames(f);
        int wait_ms = may_step(f) ? mcp_slow_advance(f->s) : -1;
        if (f->s->failed != 0)
            return f->s->failed;
        if (f->rest_len > 0 && !backed_up(f->s))
            wait_ms = 0;
        if (f->ended && f->rest_len == 0 && f->s->slow_count == 0 && buf_len(&f->s->out) == 0)
            return 0;
        int rc = wait_and_move(f, wait_ms);
        if (rc != 0)
            return rc;
    }
}

int mcp_serve(struct mcp *s, int in_fd, int out_fd)
{
    static struct flow flow; /* 64 KiB: too much for the stack, and there is one server in the program */
    flow = (struct flow){.s = s, .in_fd = in_fd, .out_fd = out_fd};
    return run(&flow);
}

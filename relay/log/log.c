/* The log's ring and its writer thread.
 *
 * Happy path: log_line formats on the caller's stack, copies the line into the ring under a mutex that is
 * never held during a system call, and wakes the writer; the writer passes contiguous runs of lines to
 * write(2) and moves the tail. An empty ring starts over at its beginning, so that a quiet log uses few
 * pages.
 *
 * Failure modes: the ring is full (the reader of our log is slow) -> the line is dropped and counted, and the
 * count is logged as soon as there is room. The descriptor refuses (full disk, closed pipe) -> the run is
 * dropped and counted. The reader is stuck at log_close -> after a second the rest is dropped; the writer
 * waits in poll(2), so it notices. If write(2) blocks nevertheless (another process fills the pipe),
 * log_close abandons the writer and its ring: the process is about to exit.
 */
#include "log/log.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "log/log_line.h"

/* How long log_close waits for a slow reader; and how much later it abandons a writer that is blocked in
 * write(2). */
#define CLOSE_WAIT_MS 1000
#define STUCK_WAIT_MS 500
/* How often a writer that waits for its reader checks whether the log is closing. */
#define POLL_SLICE_MS 100
/* The bytes that a pipe which polls as writable takes without blocking. */
#define PIPE_CHUNK_BYTES ((size_t)4096)
/* One write: bounds the bytes that a blocked reader holds back, and lines appear soon. */
#define WRITE_MAX_BYTES ((size_t)64 << 10)

static struct {
    pthread_mutex_t lock; /* everything below it, except the atomics */
    pthread_cond_t work;  /* the ring is no longer empty, or the log is closing */
    pthread_cond_t done;  /* the writer has ended */
    pthread_t writer;
    int fd;
    char *ring;    /* owned, LOG_RING_BYTES */
    size_t head;   /* where the next line goes */
    size_t tail;   /* where the writer reads */
    size_t used;   /* bytes of lines in the ring */
    size_t wrap;   /* while head < tail: where the lines before the wrap end */
    uint64_t lost; /* dropped, and not yet reported in the log */
    bool torn;     /* the last line written stopped short of its newline; the writer's alone */
    bool waiting;  /* the writer sleeps */
    bool closing;
    bool writer_ended;
    bool left_behind; /* a writer is blocked in write(2); no other is started */
    bool is_open;
    size_t chunk_bytes;                 /* of one write(2) */
    atomic_uint_fast64_t give_up_at_ms; /* monotonic; log_close's deadline */
    atomic_int level;
    atomic_int format;
    atomic_uint_fast64_t dropped;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .level = LOG_OFF};

static void lock(void)
{
    int rc = pthread_mutex_lock(&logger.lock);
    assert(rc == 0);
    (void)rc;
}

static void unlock(void)
{
    int rc = pthread_mutex_unlock(&logger.lock);
    assert(rc == 0);
    (void)rc;
}

static uint64_t monotonic_ms(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        return 0;
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int64_t wall_now_ms(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- the ring, under the lock ---- */

/* Lines stay contiguous: one that does not fit before the ring's end goes to its beginning. */
static bool ring_put(const char *line, size_t len)
{
    if (logger.used == 0)
        logger.head = logger.tail = 0;
    bool wrapped = logger.head < logger.tail || (logger.head == logger.tail && logger.used > 0);
    size_t room = (wrapped ? logger.tail : LOG_RING_BYTES) - logger.head;
    if (len > room) {
        if (wrapped || len > logger.tail)
            return false;
        logger.wrap = logger.head;
        logger.head = 0;
    }
    memcpy(logger.ring + logger.head, line, len);
    logger.head += len;
    logger.used += len;
    return true;
}

/* The oldest run of whole lines, up to the wrap. */
static size_t ring_run(const char **ret_run)
{
    if (logger.used > 0 && logger.head <= logger.tail && logger.tail == logger.wrap)
        logger.tail = 0;
    bool wrapped = logger.used > 0 && logger.head <= logger.tail;
    size_t len = logger.used == 0 ? 0 : (wrapped ? logger.wrap : logger.head) - logger.tail;
    const char *run = logger.ring + logger.tail;
    if (len > WRITE_MAX_BYTES) {
        len = WRITE_MAX_BYTES;
        while (run[len - 1] != '\n') /* whole lines, and no line is so long */
            len--;
    }
    *ret_run = run;
    return len;
}

static void ring_take(size_t len)
{
    logger.tail += len;
    logger.used -= len;
}

/* Reports how many lines were lost; true when the count is reported. */
static bool say_lost(void)
{
    if (logger.lost == 0)
        return true;
    char line[LOG_LINE_MAX_BYTES];
    const struct log_field fields[] = {F_UINT("lines", logger.lost), F_END};
    size_t len = log_line_format(line, (enum log_format)atomic_load(&logger.format), wall_now_ms(), LOG_WARN,
                                 "log lines dropped", fields);
    if (!ring_put(line, len))
        return false;
    logger.lost = 0;
    return true;
}

static void count_lost(uint64_t lines)
{
    logger.lost += lines;
    atomic_fetch_add(&logger.dropped, lines);
}

/* ---- the writer ---- */

/* Waits until the descriptor takes bytes; false when the log is closing and its deadline has passed. */
static bool wait_writable(int fd)
{
    for (;;) {
        bool over = monotonic_ms() >= atomic_load(&logger.give_up_at_ms);
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, over ? 0 : POLL_SLICE_MS) != 0)
            return true; /* writable, or broken, which write(2) reports precisely */
        if (over)
            return false;
    }
}

/* How many bytes of the run were written; less than `len` when the descriptor refuses, or at log_close's
 * deadline. */
static size_t write_run(int fd, const char *run, size_t len)
{
    size_t sent = 0;
    while (sent < len && wait_writable(fd)) {
        size_t chunk = len - sent < logger.chunk_bytes ? len - sent : logger.chunk_bytes;
        ssize_t n = write(fd, run + sent, chunk);
        if (n > 0)
            sent += (size_t)n;
        else if (n == 0 || (errno != EINTR && errno != EAGAIN))
            break;
    }
    return sent;
}

static uint64_t count_lines(const char *run, size_t len)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < len; i++)
        lines += run[i] == '\n';
    return lines;
}

static void write_oldest(void)
{
    const char *run;
    size_t len = ring_run(&run);
    int fd = logger.fd;
    unlock();
    size_t sent = logger.torn && write_run(fd, "\n", 1) == 0 ? 0 : write_run(fd, run, len);
    if (sent > 0)
        logger.torn = run[sent - 1] != '\n';
    uint64_t refused = sent < len ? count_lines(run + sent, len - sent) : 0;
    lock();
    ring_take(len);
    count_lost(refused);
    /* Reporting the loss at once would be refused again, for ever: the next line that is logged reports it. */
    if (refused == 0 && logger.used == 0)
        (void)say_lost();
}

static void *run_writer(void *unused)
{
    lock();
    for (;;) {
        while (logger.used > 0)
            write_oldest();
        if (logger.closing)
            break;
        logger.waiting = true;
        (void)pthread_cond_wait(&logger.work, &logger.lock);
        logger.waiting = false;
    }
    logger.writer_ended = true;
    (void)pthread_cond_signal(&logger.done);
    unlock();
    return unused;
}

/* The main thread alone handles signals. */
static int start_writer(void)
{
    sigset_t all, before;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc != 0)
        return -rc;
    rc = pthread_create(&logger.writer, NULL, run_writer, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

/* ---- the callers' side ---- */

static int init_conds(void)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc == 0)
        rc = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(&logger.work, &attr);
    if (rc == 0)
        rc = pthread_cond_init(&logger.done, &attr);
    return -rc;
}

static void reset(int fd)
{
    struct stat st;
    bool is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    logger.fd = fd;
    logger.chunk_bytes = is_file ? WRITE_MAX_BYTES : PIPE_CHUNK_BYTES;
    logger.head = logger.tail = logger.used = logger.wrap = 0;
    logger.lost = 0;
    logger.torn = logger.waiting = logger.closing = logger.writer_ended = false;
    atomic_store(&logger.give_up_at_ms, UINT64_MAX);
    atomic_store(&logger.dropped, 0);
}

int log_open(int fd, enum log_level level, enum log_format format)
{
    assert(!logger.is_open);
    if (logger.left_behind)
        return -EBUSY;
    logger.ring = mem_alloc(LOG_RING_BYTES);
    if (!logger.ring)
        return -ENOMEM;
    reset(fd);
    int rc = init_conds();
    if (rc == 0)
        rc = start_writer();
    if (rc != 0) {
        mem_free(logger.ring);
        logger.ring = NULL;
        return rc;
    }
    logger.is_open = true;
    log_set(level, format);
    return 0;
}

/* False: it is blocked. Under the lock. */
static bool wait_for_writer(void)
{
    uint64_t until_ms = monotonic_ms() + CLOSE_WAIT_MS;
    atomic_store(&logger.give_up_at_ms, until_ms);
    until_ms += STUCK_WAIT_MS;
    struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int rc = 0;
    while (!logger.writer_ended && rc == 0)
        rc = pthread_cond_timedwait(&logger.done, &logger.lock, &until);
    return logger.writer_ended;
}

void log_close(void)
{
    if (!logger.is_open)
        return;
    atomic_store(&logger.level, LOG_OFF);
    lock();
    logger.is_open = false;
    logger.closing = true;
    (void)pthread_cond_signal(&logger.work);
    logger.left_behind = !wait_for_writer();
    unlock();
    if (logger.left_behind) {
        (void)pthread_detach(logger.writer);
        return;
    }
    (void)pthread_join(logger.writer, NULL);
    (void)pthread_cond_destroy(&logger.work);
    (void)pthread_cond_destroy(&logger.done);
    mem_free(logger.ring);
    logger.ring = NULL;
}

void log_set(enum log_level level, enum log_format format)
{
    atomic_store(&logger.format, (int)format);
    atomic_store(&logger.level, logger.is_open ? (int)level : LOG_OFF);
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&logger.level, memory_order_relaxed) && level != LOG_OFF;
}

uint64_t log_dropped(void)
{
    return atomic_load(&logger.dropped);
}

void log_line(enum log_level level, const char *event, const struct log_field *fields)
{
    char line[LOG_LINE_MAX_BYTES];
    size_t len = log_line_format(line, (enum log_format)atomic_load(&logger.format), wall_now_ms(), level,
                                 event, fields);
    lock();
    if (logger.is_open) {
        if (!say_lost() || !ring_put(line, len))
            count_lost(1);
        if (logger.waiting)
            (void)pthread_cond_signal(&logger.work);
    }
    unlock();
}

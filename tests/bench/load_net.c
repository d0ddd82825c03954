/* The loop of the load generator: epoll over all connections, one thread, and the phases of a run.
 *
 * opening (connect and greet, 64 at a time) -> warm-up -> measuring -> drain (no new requests; what is in
 * flight must come back) -> over. A load of idle connections stays in opening until all sit, says so on
 * standard output, and is over when standard input ends.
 *
 * Failure modes: nothing settled for --timeout ends the run, and what is in flight counts as lost; so does
 * nobody left who could ask.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define OPENING_AT_ONCE 64U
#define EVENTS          256
#define NS_PER_MS       1000000ULL
#define LEAST_ANSWERS   8U /* a run of slow, large messages lasts longer than it was told to */

uint64_t load_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

_Noreturn void load_die(const char *what)
{
    fprintf(stderr, "bench_load: %s%s%s\n", what, errno != 0 ? ": " : "", errno != 0 ? strerror(errno) : "");
    exit(2);
}

int net_connect(const struct sockaddr_in *address)
{
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* A reset at the end leaves no TIME_WAIT behind: thousands of connections per run would use up the ports.
     */
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (fd < 0)
        load_die("socket");
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0)
        load_die("connect");
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)) != 0)
        load_die("setsockopt");
    return fd;
}

void net_want_write(struct conn *c, bool wanted)
{
    struct epoll_event e = {.events = EPOLLIN | (wanted ? (uint32_t)EPOLLOUT : 0U), .data.ptr = c};
    if (c->wants_write == wanted)
        return;
    c->wants_write = wanted;
    if (epoll_ctl(c->load->epoll_fd, EPOLL_CTL_MOD, c->fd, &e) != 0)
        load_die("epoll_ctl");
}

static void open_some(struct load *l)
{
    while (l->opened < l->conn_count && l->opened - l->initialize_answered < OPENING_AT_ONCE) {
        struct conn *c = &l->conns[l->opened++];
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        conn_open(c);
        if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0)
            load_die("epoll_ctl");
    }
}

static void read_some(struct conn *c)
{
    static char chunk[LOAD_CHUNK_BYTES];
    ssize_t n = read(c->fd, chunk, sizeof(chunk));
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    c->load->now_ns = load_clock_ns();
    if (n <= 0)
        conn_close(c, n == 0 ? "closed by the other side" : strerror(errno));
    else
        conn_feed(c, chunk, (size_t)n);
}

static void enter(struct load *l, enum load_phase phase, uint64_t for_ms)
{
    l->phase = phase;
    l->phase_ends_at_ns = for_ms == 0 ? UINT64_MAX : l->now_ns + for_ms * NS_PER_MS;
    l->progress_at_ns = l->now_ns;
}

static void all_sit(struct load *l)
{
    const struct load_options *o = l->options;
    if (o->mode == LOAD_IDLE) {
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
        printf("{\"idle\":%u}\n", l->initialize_answered);
        fflush(stdout);
        if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &e) != 0)
            load_die("standard input cannot be watched");
        enter(l, PHASE_WARMUP, 0);
        return;
    }
    enter(l, PHASE_WARMUP, o->warmup_ms == 0 ? 1 : o->warmup_ms);
    for (unsigned i = 0; i < l->conn_count; i++)
        if (l->conns[i].hist)
            conn_begin(&l->conns[i]);
}

/* Takes the start (and, at the end, the length) of what is measured. */
static void take_span(struct load *l, unsigned end)
{
    l->measured_ns = l->now_ns - end * l->measured_ns;
    l->watched_ns = watch_ns(l->options->watch_pid) - end * l->watched_ns;
    l->own_ns = watch_self_ns() - end * l->own_ns;
}

/* The phase's own end: its time is up, or what it waits for has come. */
static void move_on(struct load *l)
{
    bool due = l->now_ns >= l->phase_ends_at_ns;
    if (l->phase == PHASE_OPENING && l->initialize_answered == l->conn_count) {
        all_sit(l);
    } else if (l->phase == PHASE_WARMUP && due) {
        enter(l, PHASE_MEASURE, l->options->duration_ms);
        take_span(l, 0);
    } else if (l->phase == PHASE_MEASURE && due && l->answers >= LEAST_ANSWERS) {
        take_span(l, 1);
        enter(l, PHASE_DRAIN, 0);
    }
    if (l->phase == PHASE_DRAIN && l->busy == 0)
        enter(l, PHASE_OVER, 0);
}

static void give_up_when_stuck(struct load *l)
{
    bool waits = l->options->mode == LOAD_RUN || l->phase == PHASE_OPENING;
    bool working = l->phase == PHASE_WARMUP || l->phase == PHASE_MEASURE;
    bool stuck = l->now_ns - l->progress_at_ns > l->options->timeout_ms * NS_PER_MS;
    if (working && l->busy == 0)
        stuck = true; /* every connection is gone or refused */
    if (!waits || !stuck || l->phase == PHASE_OVER)
        return;
    if (l->phase == PHASE_OPENING)
        load_die("not all connections were initialize_answered in time");
    if (l->phase == PHASE_MEASURE)
        take_span(l, 1);
    l->lost += l->busy;
    enter(l, PHASE_OVER, 0);
}

static void handle(struct load *l, const struct epoll_event *event)
{
    struct conn *c = event->data.ptr;
    if (!c) {
        char rest[64];
        if (read(STDIN_FILENO, rest, sizeof(rest)) <= 0)
            enter(l, PHASE_OVER, 0);
        return;
    }
    if (c->state == CONN_CLOSED)
        return;
    if ((event->events & EPOLLOUT) != 0)
        conn_flush(c);
    if ((event->events & ~(uint32_t)EPOLLOUT) != 0 && c->state != CONN_CLOSED)
        read_some(c);
}

static void *zeroed(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (!p)
        load_die("no memory");
    return p;
}

static void prepare_conn(struct load *l, unsigned index)
{
    const struct load_options *o = l->options;
    struct conn *c = &l->conns[index];
    c->load = l;
    c->index = index;
    if (index >= o->clients + o->probe)
        return;
    bool probe = index == o->clients;
    c->hist = probe ? &l->probe_hist : &l->hist;
    c->slot_count = probe || o->http ? 1 : o->in_flight;
    c->slots = zeroed(c->slot_count, sizeof(*c->slots));
    c->queue = zeroed(c->slot_count, sizeof(*c->queue));
}

static void prepare(struct load *l, const struct load_options *o)
{
    static const size_t around = 105; /* a request's bytes beside the filler */
    struct rlimit files;
    memset(l, 0, sizeof(*l));
    l->options = o;
    l->filler_len = o->size_bytes > around ? o->size_bytes - around : 0;
    l->tail_len = l->filler_len + 5;
    l->tail = zeroed(1, l->tail_len + 1);
    l->scratch = zeroed(1, LOAD_CHUNK_BYTES);
    for (size_t i = 0; i < l->filler_len; i++)
        l->tail[i] = (char)('a' + i % 26);
    memcpy(l->tail + l->filler_len, "\"}}}\n", 5);
    l->conn_count = o->clients + o->probe + o->idle;
    l->conns = zeroed(l->conn_count, sizeof(*l->conns));
    for (unsigned i = 0; i < l->conn_count; i++)
        prepare_conn(l, i);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        load_die("getrlimit");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        load_die("setrlimit");
    if ((l->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        load_die("epoll_create1");
}

void load_run(struct load *l, const struct load_options *options)
{
    struct epoll_event events[EVENTS];
    prepare(l, options);
    l->now_ns = load_clock_ns();
    enter(l, PHASE_OPENING, 0);
    while (l->phase != PHASE_OVER) {
        unsigned initialize_answered = l->initialize_answered;
        if (l->phase == PHASE_OPENING)
            open_some(l);
        int n = epoll_wait(l->epoll_fd, events, EVENTS, 50);
        if (n < 0 && errno != EINTR)
            load_die("epoll_wait");
        for (int i = 0; i < n; i++)
            handle(l, &events[i]);
        l->now_ns = load_clock_ns();
        if (l->initialize_answered != initialize_answered)
            l->progress_at_ns = l->now_ns;
        move_on(l);
        give_up_when_stuck(l);
    }
}

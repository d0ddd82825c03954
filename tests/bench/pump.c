/* The limit for anything that stands between a client and a stdio server: copies bytes between one accepted
 * socket and the pipes of one child with epoll, and looks at none of them.
 *
 *   pump COMMAND [ARGUMENT...]     prints "listening 127.0.0.1:PORT" to standard error
 *
 * Connections are served one after the other, each with a child of its own. A direction whose write found no
 * room is read again only when the rest has been written, so that memory stays bounded and no write blocks.
 *
 * Failure modes: the end of either side, or an error on it, ends the connection and its child; what concerns
 * the listener or the start of a child ends the program with 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct flow {
    int from, to;
    size_t start, end; /* of what is read and not yet written */
    char bytes[256 * 1024];
};

static struct flow up, down;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(int epoll, int op, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.fd = fd}};
    if (epoll_ctl(epoll, op, fd, &event) != 0)
        die("epoll_ctl");
}

static bool is_full(const struct flow *f)
{
    return f->start < f->end;
}

/* The socket is one flow's source and the other's target; a pipe end is one of them. */
static void watch_all(int epoll, int op)
{
    watch(epoll, op, up.from, (is_full(&up) ? 0U : EPOLLIN) | (is_full(&down) ? EPOLLOUT : 0U));
    watch(epoll, op, up.to, is_full(&up) ? EPOLLOUT : 0U);
    watch(epoll, op, down.from, is_full(&down) ? 0U : EPOLLIN);
}

/* false: one of its ends is gone. */
static bool move(struct flow *f)
{
    if (!is_full(f)) {
        ssize_t got = read(f->from, f->bytes, sizeof(f->bytes));
        if (got <= 0)
            return got < 0 && errno == EAGAIN;
        f->start = 0;
        f->end = (size_t)got;
    }
    ssize_t put = write(f->to, f->bytes + f->start, f->end - f->start);
    if (put < 0)
        return errno == EAGAIN;
    f->start += (size_t)put;
    return true;
}

static bool ready(const struct epoll_event *event, const struct flow *f)
{
    uint32_t wanted = is_full(f) ? EPOLLOUT : EPOLLIN;
    return event->data.fd == (is_full(f) ? f->to : f->from) &&
           (event->events & (wanted | EPOLLERR | EPOLLHUP));
}

static void serve(int epoll)
{
    struct epoll_event events[4];
    watch_all(epoll, EPOLL_CTL_ADD);
    for (;;) {
        bool up_full = is_full(&up), down_full = is_full(&down);
        int n = epoll_wait(epoll, events, 4, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == up.to && !is_full(&up) && events[i].events & EPOLLERR)
                return; /* the child closed its standard input */
            if (ready(&events[i], &up) && !move(&up))
                return;
            if (ready(&events[i], &down) && !move(&down))
                return;
        }
        if (up_full != is_full(&up) || down_full != is_full(&down))
            watch_all(epoll, EPOLL_CTL_MOD);
    }
}

static pid_t start_child(char **command)
{
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        die("pipe2");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (dup2(in[0], STDIN_FILENO) >= 0 && dup2(out[1], STDOUT_FILENO) >= 0)
            (void)execvp(command[0], command);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    up.to = in[1];
    down.from = out[0];
    if (fcntl(up.to, F_SETFL, O_NONBLOCK) != 0 || fcntl(down.from, F_SETFL, O_NONBLOCK) != 0)
        die("fcntl");
    return pid;
}

static void serve_connection(int fd, char **command)
{
    pid_t pid = start_child(command);
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        die("epoll_create1");
    up.from = down.to = fd;
    up.start = up.end = down.start = down.end = 0;
    serve(epoll);
    (void)close(epoll);
    (void)close(fd);
    (void)close(up.to);
    (void)close(down.from);
    (void)kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
}

static int listen_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        die("listen");
    (void)fprintf(stderr, "listening 127.0.0.1:%d\n", ntohs(address.sin_port));
    return fd;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: pump COMMAND [ARGUMENT...]\n");
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    int listener = listen_loopback();
    for (;;) {
        const int on = 1;
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            die("accept");
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        serve_connection(fd, argv + 1);
    }
}

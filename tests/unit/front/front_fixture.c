#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/front/front_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/common/fault_alloc.h"

struct loop loop;
struct memory memory;
struct session_set sessions;
struct front front;
struct peer peers[3];
static uint16_t port;
size_t turns;

struct front_limits usual_limits(void)
{
    return (struct front_limits){.max_clients = 100,
                                 .max_clients_per_address = 100,
                                 .max_frame_bytes = 4096,
                                 .max_id_bytes = 64,
                                 .out_bytes = (size_t)4 << 20,
                                 .stall_ms = 60000,
                                 .frame_timeout_ms = 60000};
}

static void on_listener(void *data, const struct bound *bound, const char *server)
{
    (void)data, (void)server;
    port = (uint16_t)strtoul(strrchr(bound->address, ':') + 1, NULL, 10);
    assert_int_not_equal(port, 0);
}

int set_up(void **state)
{
    (void)state;
    fault_alloc_install();
    fake_route_reset();
    memset(peers, 0, sizeof(peers));
    for (size_t i = 0; i < 3; i++)
        peers[i].fd = -1;
    turns = 0;
    if (loop_init(&loop) != 0)
        return -1;
    memory_init(&memory, &loop, (uint64_t)64 << 20);
    session_set_init(&sessions, NULL);
    struct front_options options = {
        .loop = &loop, .memory = &memory, .sessions = &sessions, .limits = usual_limits()};
    front_init(&front, &options);
    struct listen_entry entry = {.host = (char *)(uintptr_t) "127.0.0.1"};
    struct bind_error error;
    if (front_set_default_server(&front, "mock") != 0 || front_listen(&front, &entry, 1, &error) != 0)
        return -1;
    front_each_listener(&front, on_listener, NULL);
    return 0;
}

/* A turn waits for an event at most so long: the callers turn until something has happened. */
#define ITERATION_WAIT_MS 20

void turn(const struct peer *p)
{
    turns++;
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    int timeout = uv_backend_timeout(&loop.uv);
    if (timeout < 0 || timeout > ITERATION_WAIT_MS)
        timeout = ITERATION_WAIT_MS;
    struct pollfd fds[2] = {{.fd = uv_backend_fd(&loop.uv), .events = POLLIN}, {.fd = -1, .events = POLLIN}};
    if (p && !p->ended)
        fds[1].fd = p->fd;
    (void)poll(fds, 2, timeout);
    uv_update_time(&loop.uv);
}

void read_some(struct peer *p)
{
    while (!p->ended && p->got < sizeof(p->in)) {
        ssize_t n = recv(p->fd, p->in + p->got, sizeof(p->in) - p->got, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            return;
        p->ended = n <= 0;
        p->error = n < 0 ? errno : 0;
        p->got += n > 0 ? (size_t)n : 0;
    }
}

bool has_lines(struct peer *p, size_t count)
{
    read_some(p);
    size_t lines = 0;
    for (size_t i = 0; i < p->got; i++)
        lines += p->in[i] == '\n';
    return lines >= count;
}

bool has_ended(struct peer *p)
{
    read_some(p);
    return p->ended;
}

struct peer *dial(size_t i)
{
    struct peer *p = &peers[i];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *p = (struct peer){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_true(p->fd >= 0);
    assert_int_equal(connect(p->fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return p;
}

void say(struct peer *p, const char *text)
{
    assert_int_equal(send(p->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

void hang_up(struct peer *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}

void assert_says(struct peer *p, const char *expected)
{
    p->in[p->got < sizeof(p->in) ? p->got : sizeof(p->in) - 1] = '\0';
    assert_string_equal(p->in, expected);
}

void assert_error(struct peer *p, const char *name, int code)
{
    char code_text[32];
    char name_text[64];
    (void)snprintf(code_text, sizeof(code_text), "\"code\":%d,", code);
    (void)snprintf(name_text, sizeof(name_text), "\"code\":\"%s\"", name);
    p->in[p->got] = '\0';
    assert_non_null(strstr(p->in, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{"));
    assert_non_null(strstr(p->in, code_text));
    assert_non_null(strstr(p->in, name_text));
    assert_true(has_lines(p, 1));
    assert_ptr_equal(strchr(p->in, '\n'), p->in + p->got - 1); /* one line and no more */
}

int tear_down(void **state)
{
    (void)state;
    fault_alloc_fail_at(0);
    for (size_t i = 0; i < 3; i++)
        hang_up(&peers[i]);
    front_drop_clients(&front, "the test is over");
    front_close(&front);
    loop_run(&loop);
    assert_int_equal(loop_done(&loop), 0);
    assert_int_equal(fake_route.opened, fake_route.closed);
    assert_int_equal(sessions.count, 0);
    assert_int_equal(front.client_count + front.refusing, 0);
    assert_int_equal(memory.held_bytes, 0);
    session_set_done(&sessions);
    memory_done(&memory);
    front_done(&front);
    assert_int_equal(fault_alloc_live(), 0);
    return 0;
}

/* A child's life from spawn to the last closed handle.
 *
 * Happy path: spawn -> streams on its pipes -> the reaper reports its exit -> the rest of its pipes is read
 * -> on_exit -> everything closes -> on_closed, freed.
 *
 * Failure modes: a start that fails is undone before child_start returns; when the keeper runs already,
 * closing the lifeline and a SIGKILL end it, and the reaper takes it as an unknown process.
 */
#include "server/process/child_internal.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static void free_child(struct child *c)
{
    child_io_done(c);
    mem_free(c->name);
    mem_free(c);
}

void child_handle_closed(struct child *c)
{
    if (--c->handles > 0)
        return;
    if (c->instance.events)
        c->instance.events->on_closed(&c->instance);
    free_child(c);
}

static void on_timer_closed(struct timer *t)
{
    child_handle_closed(CONTAINER_OF(t, struct child, timer));
}

static void close_all(struct child *c)
{
    child_io_leave_memory(c);
    close_fd(&c->lifeline_fd);
    stream_close(&c->in);
    stream_close(&c->out);
    stream_close(&c->err);
    timer_close(&c->timer, on_timer_closed);
}

static void on_keeper_exit(struct reaper_watch *w, int status)
{
    struct child *c = CONTAINER_OF(w, struct child, watch);
    (void)child_pid(c); /* for the log, before the lifeline is closed */
    child_move(c, CHILD_EXITED, 0);
    child_io_drain(c);
    int signum = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    c->instance.events->on_exit(&c->instance, signum == 0 ? WEXITSTATUS(status) : 0, signum);
    close_all(c);
}

static struct child *make(const struct child_spec *spec, void *data)
{
    struct child *c = mem_zalloc(sizeof(*c));
    if (!c)
        return NULL;
    c->name = mem_strdup(spec->instance.name);
    if (!c->name) {
        mem_free(c);
        return NULL;
    }
    c->instance.data = data;
    c->loop = spec->loop;
    c->memory = spec->memory;
    c->lifeline_fd = -1;
    child_io_init(c, spec);
    return c;
}

/* The keeper runs, but the relay cannot use it: it is killed. No event comes. */
static void abandon(struct child *c, const struct child_process *p)
{
    const int fds[] = {p->in_fd, p->out_fd, p->err_fd};
    const struct stream *streams[] = {&c->in, &c->out, &c->err};
    for (size_t i = 0; i < 3; i++) {
        if (!streams[i]->open)
            (void)close(fds[i]);
    }
    (void)kill(p->keeper_pid, SIGKILL);
    close_all(c);
}

static int adopt(struct child *c, const struct child_spec *spec, const struct child_process *p)
{
    c->keeper_pid = p->keeper_pid;
    c->lifeline_fd = p->lifeline_fd;
    c->handles = 4; /* a stream that was never opened has an on_closed as well */
    int rc = child_io_open(c, p);
    if (rc == 0)
        rc = reaper_add(spec->reaper, &c->watch, p->keeper_pid, on_keeper_exit);
    if (rc != 0)
        abandon(c, p);
    return rc;
}

int child_start(const struct child_spec *spec, const struct instance_events *events, void *data,
                struct child **ret_child)
{
    struct child *c = make(spec, data);
    if (!c)
        return -ENOMEM;
    int rc = timer_init(&c->timer, spec->loop, child_on_time);
    if (rc != 0) {
        free_child(c);
        return rc;
    }
    struct child_process p;
    rc = child_spawn(spec, &p);
    if (rc != 0) {
        c->handles = 4;
        close_all(c);
        return rc;
    }
    rc = adopt(c, spec, &p);
    if (rc != 0)
        return rc;
    c->instance.events = events;
    *ret_child = c;
    return 0;
}

/* The keeper writes it, as a line, a moment after its start; it is read on demand. */
pid_t child_pid(struct child *c)
{
    if (c->pid != 0 || c->lifeline_fd < 0)
        return c->pid;
    char text[32];
    ssize_t got = recv(c->lifeline_fd, text, sizeof(text) - 1, MSG_DONTWAIT);
    if (got <= 0)
        return 0;
    text[got] = '\0';
    c->pid = (pid_t)strtol(text, NULL, 10);
    return c->pid;
}

size_t child_stderr_tail(const struct child *c, char *ret_text, size_t max)
{
    return stderr_ring_tail(&c->stderr_ring, ret_text, max);
}

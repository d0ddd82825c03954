/* agent-backend: the command line, the signals, the exit code.
 *
 * SIGTERM and SIGINT end it in order. They are blocked in every thread; the main thread waits for them and
 * runs the periodic work. Exit codes: 0 ended in order; 1 failed; 2 usage; 3 cannot listen.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "check.h"
#include "listen.h"
#include "service.h"
#include "settings.h"

enum exit_code { EXIT_ORDER = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LISTEN = 3 };

static int fail(enum exit_code code, const char *problem)
{
    fprintf(stderr, "agent-backend: %s\n", problem);
    return (int)code;
}

/* `code`, unless what was printed went nowhere. */
static int written(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    return code == EXIT_ORDER ? fail(EXIT_FAILED, "standard output cannot be written") : code;
}

static const char *environment(const char *name)
{
    return getenv(name);
}

/* Every reader of the events takes a descriptor. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

/* Before any thread, so that all inherit it. */
static void block_signals(sigset_t *ret_set)
{
    sigemptyset(ret_set);
    sigaddset(ret_set, SIGTERM);
    sigaddset(ret_set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, ret_set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

static void run_until_signalled(struct service *s, const sigset_t *signals)
{
    static const struct timespec tick = {.tv_nsec = SERVICE_TICK_MS * 1000000L};
    while (sigtimedwait(signals, NULL, &tick) < 0)
        service_tick(s);
}

static int serve(const struct settings *settings)
{
    static struct service service; /* threads look at it till the very end */
    char where[LISTEN_WHERE_SIZE];
    char problem[SETTINGS_PROBLEM_SIZE];
    sigset_t signals;
    int fd;
    enum listen_result listening = listen_open(settings->listen, &fd, where, problem);
    if (listening != LISTEN_OK)
        return fail(listening == LISTEN_BAD_ADDRESS ? EXIT_USAGE : EXIT_LISTEN, problem);
    block_signals(&signals);
    enum service_result result = service_start(&service, settings, fd, problem);
    if (result != SERVICE_OK)
        return fail(result == SERVICE_BAD_OPTION ? EXIT_USAGE : EXIT_FAILED, problem);
    fprintf(stderr, "agent-backend: listening on http://%s\n", where);
    if (!listen_is_loopback(fd))
        fprintf(
            stderr,
            "agent-backend: warning: other machines can reach %s, and nobody is asked who they are: whoever does sees the agents and can give them tasks\n",
            where);
    run_until_signalled(&service, &signals);
    if (service_stop(&service) == 0)
        return EXIT_ORDER;
    fprintf(stderr, "agent-backend: the client did not end in time\n");
    _exit(EXIT_FAILED); /* its thread still runs: nothing may be freed under it */
}

/* A closed 0, 1 or 2 would become the number of a socket, which then gets what is meant for standard error.
 */
static int fill_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 ? -1 : close(fd);
}

int main(int argc, char **argv)
{
    struct settings settings;
    char problem[SETTINGS_PROBLEM_SIZE];
    enum settings_verb verb;
    if (fill_standard_files() != 0)
        return EXIT_FAILED;
    hash_seed_random();
    raise_descriptor_limit();
    if (settings_read(&settings, argc - 1, argv + 1, environment, &verb, problem) != 0)
        return fail(EXIT_USAGE, problem);
    switch (verb) {
    case SETTINGS_HELP:
        settings_print_help(stdout);
        return written(EXIT_ORDER);
    case SETTINGS_VERSION:
        printf("agent-backend %s\n", ar_version());
        return written(EXIT_ORDER);
    case SETTINGS_CHECK:
        return written(check_health(settings.listen));
    case SETTINGS_SERVE:
    default:
        return serve(&settings);
    }
}

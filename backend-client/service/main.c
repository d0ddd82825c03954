/* agent-backend: the command line, the signals, the exit code.
 *
 * SIGTERM, SIGINT and SIGHUP (the terminal is gone) end it in order. They are blocked in every thread; the
 * main thread waits for them and runs the periodic work. Exit codes: 0 ended in order; 1 failed; 2 usage; 3
 * cannot listen.
 */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/map.h"
#include "base/program.h"
#include "check.h"
#include "listen.h"
#include "service.h"
#include "settings.h"

#define LARGE_BLOCK_BYTES (256 << 10)

enum exit_code { EXIT_ORDER = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LISTEN = 3 };

/* In every thread, from the first instruction on: the main thread waits for them. */
static const int held[] = {SIGTERM, SIGINT, SIGHUP, 0};

static int fail(enum exit_code code, const char *problem)
{
    fprintf(stderr, "agent-backend: %s\n", problem);
    return (int)code;
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

/* Large texts come and go: each in a mapping of its own goes back to the system when it is freed. (glibc would
 * otherwise move its limit up with the first of them, and keep the heap.) */
static void return_large_blocks(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
#endif
}

/* A service that was started with SIGHUP ignored, as by nohup, outlives its terminal. */
static void list_signals(sigset_t *ret_set)
{
    struct sigaction hangup;
    sigemptyset(ret_set);
    for (const int *number = held; *number != 0; number++)
        sigaddset(ret_set, *number);
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler == SIG_IGN)
        sigdelset(ret_set, SIGHUP);
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
    list_signals(&signals);
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

int main(int argc, char **argv)
{
    struct settings settings;
    char problem[SETTINGS_PROBLEM_SIZE];
    enum settings_verb verb;
    if (program_begin(held) != 0)
        return EXIT_FAILED;
    hash_seed_random();
    return_large_blocks();
    raise_descriptor_limit();
    if (settings_read(&settings, argc - 1, argv + 1, environment, &verb, problem) != 0)
        return fail(EXIT_USAGE, problem);
    if (verb != SETTINGS_SERVE)
        program_release_signals();
    switch (verb) {
    case SETTINGS_HELP:
        settings_print_help(stdout);
        return program_end("agent-backend", EXIT_ORDER);
    case SETTINGS_VERSION:
        printf("agent-backend %s\n", ar_version());
        return program_end("agent-backend", EXIT_ORDER);
    case SETTINGS_CHECK:
        return program_end("agent-backend", check_health(settings.listen));
    case SETTINGS_SERVE:
    default:
        return serve(&settings);
    }
}

#include "base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int fill_standard_files(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    return fd < 0 || close(fd) != 0 ? -errno : 0;
}

/* The program has one thread so far; those that follow inherit the mask. */
static void set_mask(const int *held)
{
    sigset_t set;
    sigemptyset(&set);
    for (; held && *held != 0; held++)
        sigaddset(&set, *held);
    (void)sigprocmask(SIG_SETMASK, &set, NULL);
}

int program_begin(const int *held)
{
    set_mask(held);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    return fill_standard_files();
}

void program_release_signals(void)
{
    set_mask(NULL);
}

int program_end(const char *name, int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    (void)fprintf(stderr, "%s: standard output cannot be written\n", name);
    return code == 0 ? 1 : code;
}

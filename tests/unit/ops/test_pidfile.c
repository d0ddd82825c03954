/* The pid file: written, locked, distinguished from a stale one, removed only by its owner. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/pidfile.h"

static char folder[64];
static char path[100];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/test_pidfile.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/relay.pid", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static void put(const char *text)
{
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void assert_holds(const char *expected)
{
    char text[64] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(read(fd, text, sizeof(text) - 1) >= 0);
    close(fd);
    assert_string_equal(text, expected);
}

static void written_locked_removed(void **state)
{
    (void)state;
    struct pidfile p = {.fd = -1};
    struct pidfile other = {.fd = -1};
    char expected[32];
    pid_t holder = 0;
    assert_int_equal(pidfile_open(&p, path, &holder), 0);
    assert_holds("");
    assert_int_equal(pidfile_open(&other, path, &holder), -EEXIST);
    assert_int_equal(holder, 0);
    assert_int_equal(pidfile_write(&p), 0);
    (void)snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
    assert_holds(expected);
    assert_int_equal(pidfile_open(&other, path, &holder), -EEXIST);
    assert_int_equal(holder, getpid());
    assert_int_equal(other.fd, -1);
    pidfile_close(&p);
    pidfile_close(&p);
    assert_int_equal(access(path, F_OK), -1);
}

static void stale_is_taken(void **state)
{
    (void)state;
    struct pidfile p = {.fd = -1};
    pid_t holder = 0;
    put("999999999 and a long rest of an old file\n");
    assert_int_equal(pidfile_open(&p, path, &holder), 0);
    assert_holds(""); /* nobody is to take the old id for this process */
    assert_int_equal(pidfile_write(&p), 0);
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
    assert_holds(expected);
    pidfile_close(&p);
}

static void another_ones_file_stays(void **state)
{
    (void)state;
    struct pidfile p = {.fd = -1};
    pid_t holder = 0;
    assert_int_equal(pidfile_open(&p, path, &holder), 0);
    assert_int_equal(unlink(path), 0);
    put("1\n");
    pidfile_close(&p);
    assert_holds("1\n");
    assert_int_equal(unlink(path), 0);
}

static void links_are_not_followed(void **state)
{
    (void)state;
    struct pidfile p = {.fd = -1};
    pid_t holder = 0;
    assert_int_equal(symlink("/tmp/test_pidfile.nowhere", path), 0);
    assert_int_equal(pidfile_open(&p, path, &holder), -ELOOP);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(access("/tmp/test_pidfile.nowhere", F_OK), -1);
}

/* A path that was meant for something else loses nothing. */
static void other_files_stay(void **state)
{
    (void)state;
    struct pidfile p = {.fd = -1};
    pid_t holder = 0;
    put("a letter\n");
    assert_int_equal(pidfile_open(&p, path, &holder), ERR_TYPE);
    assert_holds("a letter\n");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(pidfile_open(&p, path, &holder), ERR_NOT_A_FILE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(pidfile_open(&p, "/dev/null", &holder), ERR_NOT_A_FILE);
    assert_int_equal(access("/dev/null", F_OK), 0);
    assert_int_equal(pidfile_open(&p, "/dev/full", &holder), ERR_NOT_A_FILE);
    assert_int_equal(pidfile_open(&p, folder, &holder), -EISDIR);
    assert_int_equal(p.fd, -1);
}

/* A limit on file sizes, which is met as a full disk is. */
static void no_room(void **state)
{
    (void)state;
    struct pidfile p = {.fd = -1};
    struct rlimit before;
    pid_t holder = 0;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    int rc = pidfile_open(&p, path, &holder);
    rc = rc == 0 ? pidfile_write(&p) : rc;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(rc, -EFBIG);
    pidfile_close(&p);
    assert_int_equal(access(path, F_OK), -1);
}

static void no_such_folder(void **state)
{
    (void)state;
    struct pidfile p = {.fd = -1};
    pid_t holder = 0;
    assert_int_equal(pidfile_open(&p, "/nonexistent/relay.pid", &holder), -ENOENT);
    pidfile_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_locked_removed),  cmocka_unit_test(stale_is_taken),
        cmocka_unit_test(another_ones_file_stays), cmocka_unit_test(links_are_not_followed),
        cmocka_unit_test(other_files_stay),        cmocka_unit_test(no_room),
        cmocka_unit_test(no_such_folder),
    };
    return cmocka_run_group_tests_name("pidfile", tests, make_folder, remove_folder);
}

/* Binding: ports in use, Unix sockets that are alive, stale, or no sockets at all. Real sockets, ephemeral
 * ports, a folder of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "front/bind.h"

static char folder[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/test_bind.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder); /* fails when a test left something there */
}

static struct listen_entry tcp(char *host, uint16_t port)
{
    return (struct listen_entry){.host = host, .port = port};
}

static char *path_of(const char *name)
{
    static char path[100];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    int rc = connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? 0 : -errno;
    close(fd);
    return rc;
}

/* The number behind the last colon; 0 when there is none. */
static uint16_t port_of(const struct bound *b)
{
    const char *colon = strrchr(b->address, ':');
    return colon ? (uint16_t)strtoul(colon + 1, NULL, 10) : 0;
}

static void test_port_zero_is_told(void **state)
{
    (void)state;
    struct bound b[BIND_MAX_ADDRESSES];
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = tcp((char *)(uintptr_t) "127.0.0.1", 0);
    assert_int_equal(bind_entry(&entry, b, &count, &error), 0);
    assert_int_equal(count, 1);
    assert_int_equal(strncmp(b[0].address, "127.0.0.1:", 10), 0);
    assert_true(port_of(&b[0]) > 0);
    assert_false(b[0].is_exposed);
    assert_int_equal(fcntl(b[0].fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    bind_release(&b[0]);
    bind_release(&b[0]);
}

static void test_port_in_use(void **state)
{
    (void)state;
    struct bound first[BIND_MAX_ADDRESSES];
    struct bound second[BIND_MAX_ADDRESSES];
    struct bind_error error;
    char expected[128];
    size_t count = 0;
    struct listen_entry entry = tcp((char *)(uintptr_t) "127.0.0.1", 0);
    assert_int_equal(bind_entry(&entry, first, &count, &error), 0);
    entry.port = port_of(&first[0]);
    count = 99;
    assert_int_equal(bind_entry(&entry, second, &count, &error), -EADDRINUSE);
    assert_int_equal(count, 99);
    (void)snprintf(expected, sizeof(expected), "cannot listen on 127.0.0.1:%u: address already in use",
                   (unsigned)entry.port);
    assert_string_equal(error.text, expected);
    bind_release(&first[0]);
    assert_int_equal(bind_entry(&entry, second, &count, &error), 0);
    bind_release(&second[0]);
}

static void test_ipv6_literal(void **state)
{
    (void)state;
    struct bound b[BIND_MAX_ADDRESSES];
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = tcp((char *)(uintptr_t) "::1", 0);
    int rc = bind_entry(&entry, b, &count, &error);
    if (rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT) {
        print_message("# skip: this machine has no IPv6 loopback\n");
        skip();
    }
    assert_int_equal(rc, 0);
    assert_int_equal(strncmp(b[0].address, "[::1]:", 6), 0);
    bind_release(&b[0]);
}

static void test_wildcard_is_exposed(void **state)
{
    (void)state;
    struct bound b[BIND_MAX_ADDRESSES];
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = tcp((char *)(uintptr_t) "0.0.0.0", 0);
    assert_int_equal(bind_entry(&entry, b, &count, &error), 0);
    assert_true(b[0].is_exposed);
    bind_release(&b[0]);
}

static void test_not_an_address_of_ours(void **state)
{
    (void)state;
    struct bound b[BIND_MAX_ADDRESSES];
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = tcp((char *)(uintptr_t) "192.0.2.1", 0);
    assert_int_equal(bind_entry(&entry, b, &count, &error), -EADDRNOTAVAIL);
    assert_non_null(strstr(error.text, "cannot listen on 192.0.2.1:0: "));
}

static void test_unix_mode_whatever_the_umask(void **state)
{
    (void)state;
    static const mode_t masks[] = {0, 022, 077};
    for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
        struct bound b;
        struct bind_error error;
        struct stat st;
        size_t count = 0;
        struct listen_entry entry = {.path = path_of("mode.sock")};
        mode_t old = umask(masks[i]);
        int rc = bind_entry(&entry, &b, &count, &error);
        umask(old);
        assert_int_equal(rc, 0);
        assert_int_equal(lstat(entry.path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(connect_to(entry.path), 0);
        bind_release(&b);
        assert_int_equal(access(entry.path, F_OK), -1);
    }
}

static void test_live_unix_socket_is_not_stolen(void **state)
{
    (void)state;
    struct bound first;
    struct bound second;
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = {.path = path_of("live.sock")};
    assert_int_equal(bind_entry(&entry, &first, &count, &error), 0);
    assert_int_equal(bind_entry(&entry, &second, &count, &error), -EADDRINUSE);
    assert_non_null(strstr(error.text, "address already in use"));
    assert_int_equal(connect_to(entry.path), 0);
    bind_release(&first);
}

static void test_stale_unix_socket_is_replaced(void **state)
{
    (void)state;
    struct bound b;
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = {.path = path_of("stale.sock")};
    assert_int_equal(bind_entry(&entry, &b, &count, &error), 0);
    close(b.fd); /* as after a kill -9 */
    assert_int_equal(connect_to(entry.path), -ECONNREFUSED);
    assert_int_equal(bind_entry(&entry, &b, &count, &error), 0);
    assert_int_equal(connect_to(entry.path), 0);
    bind_release(&b);
}

static void test_a_file_is_never_touched(void **state)
{
    (void)state;
    struct bound b;
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = {.path = path_of("file")};
    int fd = open(entry.path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    close(fd);
    assert_int_equal(bind_entry(&entry, &b, &count, &error), -ENOTSOCK);
    assert_non_null(strstr(error.text, "is no socket"));
    struct stat st;
    assert_int_equal(stat(entry.path, &st), 0);
    assert_int_equal(st.st_size, 1);
    assert_int_equal(unlink(entry.path), 0);
}

static void test_release_leaves_what_is_not_ours(void **state)
{
    (void)state;
    struct bound ours;
    struct bound theirs;
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = {.path = path_of("taken.sock")};
    assert_int_equal(bind_entry(&entry, &ours, &count, &error), 0);
    assert_int_equal(unlink(entry.path), 0); /* somebody else's doing */
    assert_int_equal(bind_entry(&entry, &theirs, &count, &error), 0);
    bind_release(&ours);
    assert_int_equal(connect_to(entry.path), 0);
    bind_release(&theirs);
}

static void test_no_such_folder(void **state)
{
    (void)state;
    struct bound b;
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = {.path = path_of("none/x.sock")};
    assert_int_equal(bind_entry(&entry, &b, &count, &error), -ENOENT);
    assert_non_null(strstr(error.text, "no such file or directory"));
}

static void test_a_locked_folder_is_said(void **state)
{
    (void)state;
    struct bound b;
    struct bind_error error;
    size_t count = 0;
    struct listen_entry entry = {.path = path_of("locked.sock")};
    int lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_int_equal(bind_entry(&entry, &b, &count, &error), -EAGAIN);
    assert_non_null(strstr(error.text, "locked"));
    close(lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_port_zero_is_told),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_ipv6_literal),
        cmocka_unit_test(test_wildcard_is_exposed),
        cmocka_unit_test(test_not_an_address_of_ours),
        cmocka_unit_test(test_unix_mode_whatever_the_umask),
        cmocka_unit_test(test_live_unix_socket_is_not_stolen),
        cmocka_unit_test(test_stale_unix_socket_is_replaced),
        cmocka_unit_test(test_a_file_is_never_touched),
        cmocka_unit_test(test_release_leaves_what_is_not_ours),
        cmocka_unit_test(test_no_such_folder),
        cmocka_unit_test(test_a_locked_folder_is_said),
    };
    return cmocka_run_group_tests_name("bind", tests, make_folder, remove_folder);
}

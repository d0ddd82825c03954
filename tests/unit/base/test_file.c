/* Reading a file whole: every byte, up to the limit, and nothing but plain files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

static char folder[32];
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof(folder), "/tmp/test_file.XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/x", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink(path) + rmdir(folder);
}

static void check_read(size_t max, int expected)
{
    struct buf b;
    buf_init(&b, max);
    assert_int_equal(file_read(path, &b), expected);
    buf_done(&b);
}

static void every_byte_up_to_the_limit(void **state)
{
    (void)state;
    static char text[10000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i % 251);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, sizeof(text), file), sizeof(text));
    assert_int_equal(fclose(file), 0);
    struct buf b;
    buf_init(&b, sizeof(text));
    assert_int_equal(file_read(path, &b), 0);
    assert_int_equal(buf_len(&b), sizeof(text));
    assert_memory_equal(buf_data(&b), text, sizeof(text));
    buf_done(&b);
    check_read(sizeof(text) - 1, ERR_TOO_LARGE);
}

static void a_fifo_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    check_read(10, ERR_NOT_A_FILE);
}

static void a_socket_is_refused(void **state)
{
    (void)state;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    check_read(10, ERR_NOT_A_FILE);
    assert_int_equal(close(fd), 0);
}

static void a_link_counts_as_what_it_leads_to(void **state)
{
    (void)state;
    assert_int_equal(symlink("/dev/zero", path), 0);
    check_read(10, ERR_NOT_A_FILE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/nowhere", path), 0);
    check_read(10, -ENOENT);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/proc/self/comm", path), 0);
    check_read(100, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(folder, path), 0);
    check_read(10, ERR_NOT_A_FILE);
}

#define FILE_TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILE_TEST(every_byte_up_to_the_limit),
        FILE_TEST(a_fifo_is_refused_at_once),
        FILE_TEST(a_socket_is_refused),
        FILE_TEST(a_link_counts_as_what_it_leads_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

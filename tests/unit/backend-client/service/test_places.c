/* agent-backend: how many streams and waiting requests there may be, and which idle connections make room. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend-client/service/places.h"
#include "backend-client/service/watch.h"
#include "tests/unit/common/fault_alloc.h"

static struct places places;

static int make(void **state)
{
    (void)state;
    fault_alloc_install();
    return places_init(&places, 100); /* 75 may stay, 38 of one address */
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(places.taken, 0);
    places_done(&places);
    assert_int_equal(fault_alloc_live(), 0);
    return 0;
}

static int take(const char *text, struct place_owner **ret)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return places_take(&places, (const struct sockaddr *)(const void *)&v4, ret);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return places_take(&places, (const struct sockaddr *)(const void *)&v6, ret);
}

static void an_address_has_its_share_and_all_have_theirs(void **state)
{
    struct place_owner *taken[100];
    struct place_owner *one;
    size_t count = 0;
    (void)state;
    while (take("10.0.0.1", &taken[count]) == 0)
        count++;
    assert_int_equal(count, 38);
    assert_int_equal(take("10.0.0.1", &one), ERR_RANGE);
    assert_int_equal(take("::ffff:10.0.0.1", &one), ERR_RANGE);
    while (take("10.0.0.2", &taken[count]) == 0)
        count++;
    assert_int_equal(count, 75);
    assert_int_equal(take("10.0.0.3", &one), ERR_FULL);
    places_give(&places, taken[--count]);
    assert_int_equal(take("10.0.0.1", &one), ERR_RANGE);
    assert_int_equal(take("10.0.0.3", &one), 0);
    places_give(&places, one);
    while (count > 0)
        places_give(&places, taken[--count]);
    places_give(&places, NULL);
}

/* A host has 2^64 addresses of its own. */
static void a_network_of_ipv6_is_one_address(void **state)
{
    struct place_owner *taken[38];
    struct place_owner *one;
    (void)state;
    for (size_t i = 0; i < 38; i++)
        assert_int_equal(take(i % 2 ? "2001:db8::1" : "2001:db8::ffff:2", &taken[i]), 0);
    assert_int_equal(take("2001:db8::3", &one), ERR_RANGE);
    assert_int_equal(take("2001:db8:0:1::3", &one), 0);
    places_give(&places, one);
    for (size_t i = 0; i < 38; i++)
        places_give(&places, taken[i]);
}

static void without_memory(void **state)
{
    struct place_owner *one;
    (void)state;
    for (size_t n = 1; n <= 2; n++) {
        fault_alloc_fail_at(n);
        assert_int_equal(take("10.0.0.1", &one), -ENOMEM);
    }
    fault_alloc_fail_at(0);
}

static bool is_cut(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static void the_longest_idle_make_room(void **state)
{
    enum { COUNT = 5 };
    struct watch watch;
    struct watched *watched[COUNT];
    int fds[COUNT][2];
    static const bool cut[COUNT] = {true, false, true, false, false};
    (void)state;
    assert_int_equal(watch_init(&watch), 0);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds[i]), 0);
        watched[i] = watch_add(&watch, fds[i][0], 1);
    }
    watch_phase(&watch, watched[1], 2, 0);              /* it streams */
    watch_phase(&watch, watched[4], 2, WATCH_PAUSE_MS); /* idle, but not for as long */
    watch_phase(&watch, watched[3], 3, WATCH_ANSWER_MS);
    assert_int_equal(watch_make_room(&watch, COUNT), 0);
    assert_int_equal(watch_make_room(&watch, 3), 2);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(is_cut(fds[i][1]), cut[i]);
        watch_remove(&watch, watched[i]);
        close(fds[i][0]);
        close(fds[i][1]);
    }
    watch_done(&watch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_address_has_its_share_and_all_have_theirs, make, end),
        cmocka_unit_test_setup_teardown(a_network_of_ipv6_is_one_address, make, end),
        cmocka_unit_test_setup_teardown(without_memory, make, end),
        cmocka_unit_test(the_longest_idle_make_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* A driver without processes, and a clock that stands still until the test moves it: for the supervisor's
 * states.
 *
 * Happy path: fake_driver_up -> fixture_add, fixture_apply (server_fixture.h) -> the test reports frames and
 * exits of instances, and moves the clock -> fake_driver_down ends every instance and the set.
 *
 * The clock is the process's CLOCK_MONOTONIC, libuv's included. The test program has FAKE_CLOCK in its own
 * file: from the fixture's archive the linker would take it for every test that reads the time.
 */
#ifndef TESTS_SERVER_FAKE_DRIVER_H
#define TESTS_SERVER_FAKE_DRIVER_H

#include <time.h>

#include "server/driver.h"
#include "tests/unit/server/server_fixture.h"

#define FAKE_INSTANCES_MAX 32

/* In place of the C library's function. */
#define FAKE_CLOCK                                                                                           \
    __attribute__((visibility("default"))) int clock_gettime(clockid_t id, struct timespec *ret_time)        \
    {                                                                                                        \
        return fake_clock_gettime(id, ret_time);                                                             \
    }
int fake_clock_gettime(clockid_t id, struct timespec *ret_time);

struct fake_instance {
    struct instance instance;
    char name[64]; /* of its server */
    size_t sent;   /* messages that the router sent */
    bool has_read; /* some of that */
    bool stopped;  /* stop was called, with grace_ms */
    uint64_t grace_ms;
    bool killed;
    bool exited;
};

struct fake_driver {
    struct driver driver;
    struct fake_instance instances[FAKE_INSTANCES_MAX]; /* in the order of their start */
    size_t count;
    bool fail_starts;
    bool no_room;     /* the reason why they fail */
    const char *tail; /* the end of every standard error; NULL: "" */
    bool closed;
};

extern struct fake_driver fake_driver;

/* cmocka set-up and tear-down, in place of the fixture's. */
int fake_driver_up(void **state);
int fake_driver_down(void **state);

#define FAKE_DRIVER_TEST(name) cmocka_unit_test_setup_teardown(name, fake_driver_up, fake_driver_down)

/* Runs what is due now. */
void settle(void);
/* The same, `ms` later; every deadline on the way comes at its own time. */
void advance_ms(uint64_t ms);
/* Real time passes, and the loop does not run. */
void stand_still_ms(uint64_t ms);
uint64_t clock_ms(void);

/* The instance that was started last. */
struct fake_instance *newest(void);
/* One line from the instance: the fake router takes the first one for a finished handshake. */
void report_frame(struct fake_instance *i, const char *line);
void report_lost(struct fake_instance *i, const char *why);
/* It exits and is closed. */
void report_exit(struct fake_instance *i, int exit_status, int term_signal);

#endif

/* A loop, a configuration and a set of servers over the fake router, for the tests of server/. */
#ifndef TESTS_SERVER_SERVER_FIXTURE_H
#define TESTS_SERVER_SERVER_FIXTURE_H

#include "config/config.h"
#include "server/server.h"
#include "tests/unit/server/fake_upstream.h"
#include "tests/unit/server/process/process_fixture.h"

#define FIXTURE_SERVERS 8

struct fixture {
    struct loop loop;
    struct server_set *set;
    struct config configs[2]; /* the one in use and the next */
    struct server_config entries[2][FIXTURE_SERVERS];
    size_t now;
    size_t descriptors; /* before anything was opened */
    bool stopped;
};

extern struct fixture fx;

/* cmocka set-up and tear-down: the latter stops everything and asserts that nothing is left. */
int fixture_up(void **state);
/* The same over another driver than processes. */
int fixture_up_with(struct driver *driver);
int fixture_down(void **state);

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_up, fixture_down)

/* Quick timings; no servers. */
struct config *fixture_config(void);
/* Adds an entry to the configuration that will be applied next: a shell script, or NULL for `cat`. */
struct server_config *fixture_add(const char *name, const char *script);
/* Adds an entry that runs the forker: forker MARK OPTION. */
struct server_config *fixture_add_forker(const char *name, const char *mark, const char *option);
/* Applies it and begins the next one as an empty copy of its options. */
void fixture_apply(void);

/* false: the set has no server of that name. */
bool fixture_find(const char *name, struct server_info *ret_info);
struct server_info fixture_info(const char *name);
const char *fixture_state(const char *name);
void await_state(const char *name, const char *state);
/* Waits until the upstream's log ends with `end`. */
void await_log(struct upstream *upstream, const char *end);
/* Of both: whether the supervisor gave up a child before it heard of its exit is a matter of time, and
 * left out. */
bool log_is(const struct upstream *upstream, const char *log);
/* Waits until the server has a process, and gives its id. */
pid_t await_pid(const char *name);
/* Wants the server's shared upstream and waits until it is ready. */
struct upstream *make_ready(const char *name);
void await_none_marked(const char *mark);
void fixture_stop(void);
/* For server_set_stop; `stopped` is a bool. */
void fixture_on_stopped(void *stopped);

#endif

/* What the configuration's tests share: loading from a text, flags and variables, and looking at the report.
 * Include after cmocka.h.
 */
#ifndef TESTS_CONFIG_CONFIG_FIXTURE_H
#define TESTS_CONFIG_CONFIG_FIXTURE_H

#include <stddef.h>

#include "config/config_internal.h"

/* NULL-terminated lists, or NULL. `argv` is the flags and perhaps "--" and a command. */
struct load {
    const char *text; /* the file's; NULL: no file */
    const char **argv;
    const char **environ;
};

#define ARGS(...) ((const char *[]){__VA_ARGS__, NULL})

/* Loads and gives config_load's code; the report replaces the one before. */
int load_code(struct load load, struct config **ret_config);
/* Loads, and fails the test when there was a problem. */
struct config *load_good(struct load load);
/* Loads, and fails the test unless the report has each of the NULL-terminated texts, and there is a problem.
 */
void load_bad(struct load load, const char **texts);
/* The report of the last load. */
const char *report(void);
void assert_reported(const char *text);

/* A copy of the value as text, in a buffer that the next call reuses. */
const char *value_of(const struct config *c, const char *key);
const char *server_value_of(const struct config *c, const char *server, const char *key);

/* cmocka set-up and tear-down: allocations are counted, and none may be left. */
int config_set_up(void **state);
int config_tear_down(void **state);

#define CONFIG_TEST(name) cmocka_unit_test_setup_teardown(name, config_set_up, config_tear_down)

#endif

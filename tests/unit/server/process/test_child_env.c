#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "server/process/child_env.h"
#include "tests/unit/common/fault_alloc.h"

static char home[] = "HOME=/root", path[] = "PATH=/bin", secret[] = "AWS_SECRET=x", proxy[] = "https_proxy=p",
            upper[] = "HTTPS_PROXY=P", longer[] = "HOMER=x", shorter[] = "HOM=x", odd[] = "NOEQUALS",
            wanted[] = "WANTED=1=2", ca[] = "NODE_EXTRA_CA_CERTS=/ca";
static char *own[] = {home, path, secret, proxy, upper, longer, shorter, odd, wanted, ca, NULL};

static void joined(char *const *env, char *ret_text, size_t max)
{
    size_t at = 0;
    ret_text[0] = '\0';
    for (; *env; env++)
        at += (size_t)snprintf(ret_text + at, max - at, "%s;", *env);
}

static void check(const struct server_config *config, char *const *from, const char *want)
{
    char **env = NULL;
    char text[1024];
    assert_int_equal(child_env_make(config, from, &env), 0);
    joined(env, text, sizeof(text));
    assert_string_equal(text, want);
    mem_free(env);
}

static void test_only_what_is_named(void **state)
{
    (void)state;
    char *no_names[] = {NULL};
    struct server_config config = {.inherit_env = no_names};
    check(&config, own, "HOME=/root;PATH=/bin;https_proxy=p;HTTPS_PROXY=P;NODE_EXTRA_CA_CERTS=/ca;");
    char *none[] = {NULL};
    check(&config, none, "");
}

static void test_inherit_and_own_values(void **state)
{
    (void)state;
    char name[] = "WANTED", absent[] = "ABSENT";
    char *names[] = {name, absent, NULL};
    char path_name[] = "PATH", path_value[] = "/opt/bin", token_name[] = "TOKEN", empty[] = "", last[] = "t";
    struct env_entry entries[] = {{path_name, path_value}, {token_name, empty}, {token_name, last}};
    struct server_config config = {.inherit_env = names, .env = entries, .env_count = 3};
    check(&config, own,
          "HOME=/root;https_proxy=p;HTTPS_PROXY=P;WANTED=1=2;NODE_EXTRA_CA_CERTS=/ca;PATH=/opt/bin;TOKEN=t;");
}

static void test_without_memory(void **state)
{
    (void)state;
    char *no_names[] = {NULL};
    struct server_config config = {.inherit_env = no_names};
    char **env = NULL;
    fault_alloc_install();
    fault_alloc_fail_at(1);
    assert_int_equal(child_env_make(&config, own, &env), -ENOMEM);
    assert_null(env);
    fault_alloc_fail_at(0);
    assert_int_equal(fault_alloc_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_is_named),
        cmocka_unit_test(test_inherit_and_own_values),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

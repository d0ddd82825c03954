/* wire/rpc_method: every name is known, plain and escaped, and nothing that is nearly one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/rpc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* In the order of enum rpc_method. */
static const char *const names[] = {
    [RPC_M_INITIALIZE] = "initialize",
    [RPC_M_PING] = "ping",
    [RPC_M_DISCOVER] = "server/discover",
    [RPC_M_SET_LEVEL] = "logging/setLevel",
    [RPC_M_SUBSCRIBE] = "resources/subscribe",
    [RPC_M_UNSUBSCRIBE] = "resources/unsubscribe",
    [RPC_M_TOOLS_CALL] = "tools/call",
    [RPC_M_TASKS_GET] = "tasks/get",
    [RPC_M_TASKS_RESULT] = "tasks/result",
    [RPC_M_TASKS_CANCEL] = "tasks/cancel",
    [RPC_M_TASKS_LIST] = "tasks/list",
    [RPC_M_ROOTS_LIST] = "roots/list",
    [RPC_M_SAMPLING] = "sampling/createMessage",
    [RPC_M_ELICIT] = "elicitation/create",
    [RPC_M_N_INITIALIZED] = "notifications/initialized",
    [RPC_M_N_CANCELLED] = "notifications/cancelled",
    [RPC_M_N_PROGRESS] = "notifications/progress",
    [RPC_M_N_MESSAGE] = "notifications/message",
    [RPC_M_N_RESOURCES_UPDATED] = "notifications/resources/updated",
    [RPC_M_N_RESOURCES_CHANGED] = "notifications/resources/list_changed",
    [RPC_M_N_TOOLS_CHANGED] = "notifications/tools/list_changed",
    [RPC_M_N_PROMPTS_CHANGED] = "notifications/prompts/list_changed",
    [RPC_M_N_ROOTS_CHANGED] = "notifications/roots/list_changed",
    [RPC_M_N_TASK_STATUS] = "notifications/tasks/status",
    [RPC_M_N_ELICIT_COMPLETE] = "notifications/elicitation/complete",
};

static enum rpc_method method_of(const char *name)
{
    char quoted[512];
    int len = snprintf(quoted, sizeof(quoted), "\"%s\"", name);
    return rpc_method(quoted, (size_t)len);
}

static void knows_every_name(void **state)
{
    (void)state;
    for (size_t m = RPC_M_INITIALIZE; m < COUNT(names); m++) {
        assert_non_null(names[m]);
        assert_int_equal(method_of(names[m]), m);
    }
}

/* Each character of each name escaped, alone and all together. */
static void knows_them_escaped(void **state)
{
    (void)state;
    for (size_t m = RPC_M_INITIALIZE; m < COUNT(names); m++) {
        size_t len = strlen(names[m]);
        char all[512] = "";
        for (size_t i = 0; i < len; i++) {
            char one[512];
            (void)snprintf(one, sizeof(one), "%.*s\\u%04X%s", (int)i, names[m], (unsigned)names[m][i],
                           names[m] + i + 1);
            assert_int_equal(method_of(one), m);
            (void)snprintf(all + 6 * i, sizeof(all) - 6 * i, "\\u%04x", (unsigned)names[m][i]);
        }
        assert_int_equal(method_of(all), m);
    }
    assert_int_equal(method_of("tools\\/call"), RPC_M_TOOLS_CALL);
    assert_int_equal(method_of("notifications\\/cancelled"), RPC_M_N_CANCELLED);
}

static void knows_nothing_that_is_nearly_one(void **state)
{
    (void)state;
    for (size_t m = RPC_M_INITIALIZE; m < COUNT(names); m++) {
        char name[128];
        size_t len = strlen(names[m]);
        for (size_t i = 0; i < len; i++) {
            memcpy(name, names[m], len + 1);
            name[i] = '_';
            if (names[m][i] != '_')
                assert_int_equal(method_of(name), RPC_M_OTHER);
        }
        (void)snprintf(name, sizeof(name), "%s ", names[m]);
        assert_int_equal(method_of(name), RPC_M_OTHER);
        (void)snprintf(name, sizeof(name), "%.*s", (int)len - 1, names[m]);
        assert_int_equal(method_of(name), RPC_M_OTHER);
        (void)snprintf(name, sizeof(name), "%s\\u0000", names[m]);
        assert_int_equal(method_of(name), RPC_M_OTHER);
    }
    static const char *const others[] = {"",      "Ping",     "tools/list", "prompts/get",  "tools\\\\/call",
                                         "relay", "relays/x", "\\ud800",    "xrelay/status"};
    for (size_t i = 0; i < COUNT(others); i++)
        assert_int_equal(method_of(others[i]), RPC_M_OTHER);
}

static void knows_the_relays_own(void **state)
{
    (void)state;
    static const char *const own[] = {
        "relay/status",
        "relay/",
        "relay\\/hello",
        "\\u0072elay/x",
        "relay/\\ud800",
        "relay/\\nlonger than any name in the table, and escaped at that, and then some more of it"};
    for (size_t i = 0; i < COUNT(own); i++)
        assert_int_equal(method_of(own[i]), RPC_M_RELAY);
}

static void what_is_no_string_is_other(void **state)
{
    (void)state;
    assert_int_equal(rpc_method("", 0), RPC_M_OTHER);
    assert_int_equal(rpc_method("\"", 1), RPC_M_OTHER);
    assert_int_equal(rpc_method("\"\"", 2), RPC_M_OTHER);
    assert_int_equal(rpc_method("\"\\\"", 3), RPC_M_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_every_name),
        cmocka_unit_test(knows_them_escaped),
        cmocka_unit_test(knows_nothing_that_is_nearly_one),
        cmocka_unit_test(knows_the_relays_own),
        cmocka_unit_test(what_is_no_string_is_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

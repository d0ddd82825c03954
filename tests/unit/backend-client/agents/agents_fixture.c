/* Agents and answers for the tests of the client's agent view. Purpose and use: agents_fixture.h. */
#include "tests/unit/backend-client/agents/agents_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend-client/src/agents/normalise.h"
#include "wire/writer.h"

char reason[256];

struct ar_agent agents_fixture_bare(const char *id)
{
    return agent_of_id(id);
}

struct ar_agent agents_fixture_full(const char *id)
{
    static const char *const capabilities[] = {"planning", "review"};
    return (struct ar_agent){.id = id,
                             .name = "Name",
                             .type = "coder",
                             .status = "busy",
                             .swarm_id = "swarm-1",
                             .activity = "Writing",
                             .capabilities = capabilities,
                             .capability_count = 2,
                             .health = 95,
                             .cpu = 0.45,
                             .memory = 0.6,
                             .workload = 0.7,
                             .success_rate = 0.99,
                             .tasks_active = 1,
                             .tasks_completed = 2,
                             .tasks_failed = 3,
                             .tokens = 4,
                             .created_at_ms = 1755000000000,
                             .last_activity_ms = 1755000005000,
                             .mock = true};
}

static void check_text(const char *text, const char *expected)
{
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
}

/* Exactly: what is computed is rounded so that it can be. */
static void check_real(const char *what, double number, double expected)
{
    if (number != expected)
        fail_msg("%s is %.17g, not %.17g", what, number, expected);
}

void agents_fixture_check(const struct ar_agent *agent, const struct ar_agent *expected)
{
    assert_non_null(agent);
    check_text(agent->id, expected->id);
    check_text(agent->name, expected->name);
    check_text(agent->type, expected->type);
    check_text(agent->status, expected->status);
    check_text(agent->swarm_id, expected->swarm_id);
    check_text(agent->activity, expected->activity);
    assert_int_equal(agent->capability_count, expected->capability_count);
    for (size_t i = 0; i < expected->capability_count; i++)
        check_text(agent->capabilities[i], expected->capabilities[i]);
    check_real("health", agent->health, expected->health);
    check_real("cpu", agent->cpu, expected->cpu);
    check_real("memory", agent->memory, expected->memory);
    check_real("workload", agent->workload, expected->workload);
    check_real("success_rate", agent->success_rate, expected->success_rate);
    assert_int_equal(agent->tasks_active, expected->tasks_active);
    assert_int_equal(agent->tasks_completed, expected->tasks_completed);
    assert_int_equal(agent->tasks_failed, expected->tasks_failed);
    assert_int_equal(agent->tokens, expected->tokens);
    assert_int_equal(agent->created_at_ms, expected->created_at_ms);
    assert_int_equal(agent->last_activity_ms, expected->last_activity_ms);
    assert_int_equal(agent->mock, expected->mock);
}

struct agent_set *agents_fixture_read(const char *result)
{
    struct set_builder builder;
    struct agent_set *set = NULL;
    set_builder_init(&builder);
    int rc = normalise_agents(result, strlen(result), &builder, reason, sizeof(reason));
    if (rc != 0)
        fail_msg("%d %s: %s", rc, reason, result);
    assert_string_equal(reason, "");
    assert_int_equal(set_builder_finish(&builder, &set), 0);
    return set;
}

int agents_fixture_refused(const char *result, size_t len)
{
    struct set_builder builder;
    set_builder_init(&builder);
    int rc = normalise_agents(result, len, &builder, reason, sizeof(reason));
    set_builder_done(&builder);
    if (rc == 0)
        fail_msg("not refused: %.200s", result);
    assert_true(reason[0] != '\0');
    return rc;
}

const char *agents_fixture_tool_text(const char *json)
{
    static struct buf out;
    struct writer w;
    buf_done(&out);
    buf_init(&out, (size_t)64 << 20);
    writer_init(&w, &out);
    write_object(&w);
    write_key(&w, "content");
    write_array(&w);
    write_object(&w);
    write_member_string(&w, "type", "text");
    write_member_string(&w, "text", json);
    write_object_end(&w);
    write_array_end(&w);
    write_object_end(&w);
    assert_int_equal(writer_end(&w), 0);
    assert_int_equal(buf_append(&out, "", 1), 0);
    return buf_data(&out);
}

/* Any bytes as a server's answer to "list your agents".
 *
 * Input: one byte that says how (bit 0, as in "1": inside a tool's text), then the answer. It ends with
 * agents, or with one of the codes that are written down and a sentence. Every agent has an id of its own and
 * is found by it; every string is UTF-8 of at most its size; every number is absent or in its range; a second
 * reading of the same bytes gives an equal set. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend-client/src/agents/normalise.h"
#include "base/buf.h"
#include "wire/text.h"
#include "wire/writer.h"

#define REASON_BYTES 100

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            abort();                                                                                         \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text, size_t max_bytes)
{
    if (!text)
        return;
    CHECK(strlen(text) <= max_bytes);
    while (*text) {
        size_t len = (unsigned char)*text < 0x80 ? 1 : text_sequence(text);
        CHECK(len > 0);
        text += len;
    }
}

static void check_real(double number, double max)
{
    CHECK(number == AR_ABSENT || (number >= 0 && number <= max));
}

static void check_agent(const struct agent_set *set, const struct ar_agent *a)
{
    CHECK(a->id && a->id[0] != '\0' && agent_set_find(set, a->id) == a);
    check_text(a->id, SET_MAX_WORD_BYTES);
    check_text(a->name, SET_MAX_WORD_BYTES);
    check_text(a->type, SET_MAX_WORD_BYTES);
    check_text(a->status, SET_MAX_WORD_BYTES);
    check_text(a->swarm_id, SET_MAX_WORD_BYTES);
    check_text(a->activity, SET_MAX_WORD_BYTES);
    CHECK(a->capability_count <= SET_MAX_CAPABILITIES);
    CHECK((a->capability_count == 0) == (!a->capabilities));
    for (size_t i = 0; i < a->capability_count; i++) {
        CHECK(a->capabilities[i]);
        check_text(a->capabilities[i], SET_MAX_WORD_BYTES);
    }
    check_real(a->health, 100);
    check_real(a->cpu, 1);
    check_real(a->memory, 1);
    check_real(a->workload, 1);
    check_real(a->success_rate, 1);
    CHECK(a->tasks_active >= AR_ABSENT && a->tasks_completed >= AR_ABSENT);
    CHECK(a->tasks_failed >= AR_ABSENT && a->tokens >= AR_ABSENT);
    CHECK(a->created_at_ms == AR_ABSENT || (a->created_at_ms > 0 && a->created_at_ms < 253402300800000));
    CHECK(a->last_activity_ms == AR_ABSENT ||
          (a->last_activity_ms > 0 && a->last_activity_ms < 253402300800000));
    CHECK(!a->mock || agent_set_any_mock(set));
}

static bool is_known(int code)
{
    return code == ERR_NOT_FOUND || code == ERR_TYPE || code == ERR_SYNTAX || code == ERR_DEPTH ||
           code == ERR_TOO_LARGE || code == -ENOMEM;
}

static int read_once(const char *answer, size_t len, struct agent_set **ret_set)
{
    char reason[REASON_BYTES];
    struct set_builder builder;
    set_builder_init(&builder);
    memset(reason, 'x', sizeof(reason));
    int rc = normalise_agents(answer, len, &builder, reason, sizeof(reason));
    CHECK(memchr(reason, '\0', sizeof(reason)));
    check_text(reason, sizeof(reason) - 1);
    CHECK((rc == 0) == (reason[0] == '\0'));
    CHECK(rc == 0 || is_known(rc));
    if (rc == 0)
        CHECK(set_builder_finish(&builder, ret_set) == 0);
    set_builder_done(&builder);
    return rc;
}

static void check_answer(const char *answer, size_t len)
{
    struct agent_set *set = NULL, *again = NULL;
    int rc = read_once(answer, len, &set);
    CHECK(read_once(answer, len, &again) == rc);
    for (size_t i = 0; set && i < agent_set_count(set); i++)
        check_agent(set, agent_set_get(set, i));
    if (set)
        CHECK(agent_set_equal(set, again));
    agent_set_release(set);
    agent_set_release(again);
}

/* {"content":[{"text":"<the bytes>"}]} */
static void check_as_text(const char *bytes, size_t len)
{
    struct buf out;
    struct writer w;
    buf_init(&out, 8 * len + 1000);
    writer_init(&w, &out);
    write_object(&w);
    write_key(&w, "content");
    write_array(&w);
    write_object(&w);
    write_key(&w, "text");
    write_string(&w, bytes, len);
    write_object_end(&w);
    write_array_end(&w);
    write_object_end(&w);
    CHECK(writer_end(&w) == 0);
    check_answer(buf_data(&out), buf_len(&out));
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    const char *answer = (const char *)data + 1;
    if (data[0] & 1)
        check_as_text(answer, size - 1);
    else
        check_answer(answer, size - 1);
    return 0;
}

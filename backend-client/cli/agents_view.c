/* How a snapshot looks. The source is the first thing said, in words; a mock agent is marked as one in its
 * row as well, since a live relay may serve mock agents.
 */
#include "backend-client/cli/agents_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/table.h"
#include "backend-client/cli/term.h"
#include "backend-client/cli/units.h"
#include "wire/writer.h"

/* ---- the table ---- */

static const char *source_color(enum ar_source source)
{
    return source == AR_SOURCE_LIVE ? TERM_GREEN : source == AR_SOURCE_STALE ? TERM_YELLOW : TERM_RED;
}

static int write_caption(struct buf *out, const struct ar_snapshot *s, bool color)
{
    char text[160];
    char age[UNITS_SIZE];
    enum ar_source source = ar_snapshot_source(s);
    (void)units_span(ar_snapshot_age_ms(s), age);
    int len = snprintf(text, sizeof text, "%s%s%s: %zu agents, ", color ? source_color(source) : "",
                       ar_source_name(source), color ? TERM_RESET : "", ar_snapshot_count(s));
    if (source == AR_SOURCE_MOCK)
        len += snprintf(text + len, sizeof text - (size_t)len, "made up, not from any server\n");
    else if (source == AR_SOURCE_STALE)
        len += snprintf(text + len, sizeof text - (size_t)len, "the last live ones, %s old\n", age);
    else
        len += snprintf(text + len, sizeof text - (size_t)len, "told by the server %s ago\n", age);
    return buf_append(out, text, (size_t)len);
}

static void share_cell(struct table *t, double share)
{
    if (share >= 0)
        table_cellf(t, "%.0f%%", share * 100);
    else
        table_cell(t, NULL);
}

static void count_cell(struct table *t, int64_t count)
{
    if (count >= 0)
        table_cellf(t, "%" PRId64, count);
    else
        table_cell(t, NULL);
}

static const char *status_color(const char *status)
{
    if (!status)
        return NULL;
    if (strcmp(status, "active") == 0 || strcmp(status, "busy") == 0)
        return TERM_GREEN;
    return strcmp(status, "error") == 0 || strcmp(status, "failed") == 0 ? TERM_RED : TERM_DIM;
}

static void add_row(struct table *t, const struct ar_agent *a)
{
    table_cell(t, a->id);
    table_cell(t, a->name);
    table_cell(t, a->type);
    table_cell(t, a->status);
    table_color(t, status_color(a->status));
    /* far to the left: a narrow terminal must not cut it off */
    table_cell(t, a->mock ? "mock" : NULL);
    table_color(t, a->mock ? TERM_RED : NULL);
    if (a->health >= 0)
        table_cellf(t, "%.0f", a->health);
    else
        table_cell(t, NULL);
    share_cell(t, a->cpu);
    share_cell(t, a->memory);
    share_cell(t, a->workload);
    count_cell(t, a->tasks_active);
    count_cell(t, a->tasks_completed);
    table_cell(t, a->activity);
}

int agents_write_table(struct buf *out, const struct ar_snapshot *s, bool color, size_t screen_columns)
{
    static const struct table_column columns[] = {
        {"ID", TABLE_LEFT, 32},     {"NAME", TABLE_LEFT, 28}, {"TYPE", TABLE_LEFT, 16},
        {"STATUS", TABLE_LEFT, 16}, {"MOCK", TABLE_LEFT, 0},  {"HEALTH", TABLE_RIGHT, 0},
        {"CPU", TABLE_RIGHT, 0},    {"MEM", TABLE_RIGHT, 0},  {"LOAD", TABLE_RIGHT, 0},
        {"TASKS", TABLE_RIGHT, 0},  {"DONE", TABLE_RIGHT, 0}, {"ACTIVITY", TABLE_LEFT, 60}};
    struct table t;
    int rc = write_caption(out, s, color);
    if (rc != 0)
        return rc;
    table_init(&t, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < ar_snapshot_count(s); i++)
        add_row(&t, ar_snapshot_agent(s, i));
    rc = table_write(&t, color, screen_columns, out);
    table_done(&t);
    return rc;
}

/* ---- the document ---- */

static void member_text(struct writer *w, const char *key, const char *text)
{
    if (text)
        write_member_string(w, key, text);
}

static void member_double(struct writer *w, const char *key, double value)
{
    if (value >= 0)
        write_member_double(w, key, value);
}

static void member_int(struct writer *w, const char *key, int64_t value)
{
    if (value >= 0)
        write_member_int(w, key, value);
}

static void write_words(struct writer *w, const struct ar_agent *a)
{
    write_key(w, "capabilities");
    write_array(w);
    for (size_t i = 0; i < a->capability_count; i++)
        write_cstring(w, a->capabilities[i]);
    write_array_end(w);
}

static void write_agent(struct writer *w, const struct ar_agent *a)
{
    write_object(w);
    member_text(w, "id", a->id);
    member_text(w, "name", a->name);
    member_text(w, "type", a->type);
    member_text(w, "status", a->status);
    member_text(w, "swarmId", a->swarm_id);
    member_text(w, "activity", a->activity);
    write_words(w, a);
    member_double(w, "health", a->health);
    member_double(w, "cpu", a->cpu);
    member_double(w, "memory", a->memory);
    member_double(w, "workload", a->workload);
    member_double(w, "successRate", a->success_rate);
    member_int(w, "tasksActive", a->tasks_active);
    member_int(w, "tasksCompleted", a->tasks_completed);
    member_int(w, "tasksFailed", a->tasks_failed);
    member_int(w, "tokens", a->tokens);
    member_int(w, "createdAtMs", a->created_at_ms);
    member_int(w, "lastActivityMs", a->last_activity_ms);
    write_member_bool(w, "mock", a->mock);
    write_object_end(w);
}

int agents_write_json(struct buf *out, const struct ar_snapshot *s)
{
    struct writer w;
    writer_init(&w, out);
    write_object(&w);
    write_member_string(&w, "source", ar_source_name(ar_snapshot_source(s)));
    write_member_string(&w, "state", ar_state_name(ar_snapshot_state(s)));
    write_member_uint(&w, "ageMs", ar_snapshot_age_ms(s));
    write_member_int(&w, "takenAtMs", ar_snapshot_taken_at_ms(s));
    write_member_uint(&w, "version", ar_snapshot_version(s));
    write_key(&w, "agents");
    write_array(&w);
    for (size_t i = 0; i < ar_snapshot_count(s); i++)
        write_agent(&w, ar_snapshot_agent(s, i));
    write_array_end(&w);
    write_object_end(&w);
    int rc = writer_end(&w);
    return rc != 0 ? rc : buf_append(out, "\n", 1);
}

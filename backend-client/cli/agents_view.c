/* How a snapshot is shown. The first line names its source; a mock agent is also marked in its row, since a
 * live relay may serve mock agents. The mark is next to the id, and the columns up to it are narrower on a
 * narrow screen, so that no screen of 24 columns or more cuts it off.
 */
#include "backend-client/cli/agents_view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/table.h"
#include "backend-client/cli/term.h"
#include "backend-client/cli/units.h"
#include "backend-client/cli/width.h"
#include "wire/writer.h"

#define ID_COLUMNS     32
#define STATUS_COLUMNS 16

/* ---- the table ---- */

static const char *source_color(enum ar_source source)
{
    return source == AR_SOURCE_LIVE ? TERM_GREEN : source == AR_SOURCE_STALE ? TERM_YELLOW : TERM_RED;
}

/* Behind the source's name. */
static size_t describe(const struct ar_snapshot *s, char *out, size_t size)
{
    char age[UNITS_SIZE];
    size_t count = ar_snapshot_count(s);
    enum ar_source source = ar_snapshot_source(s);
    const char *first = ar_snapshot_is_cut(s) ? "only the first " : "";
    (void)units_span(ar_snapshot_age_ms(s), age);
    if (source == AR_SOURCE_MOCK)
        (void)snprintf(out, size, ": %zu agents, made up, not from any server", count);
    else if (source == AR_SOURCE_STALE)
        (void)snprintf(out, size, ": %s%zu agents, the last live ones, %s old", first, count, age);
    else
        (void)snprintf(out, size, ": %s%zu agents, from the server %s ago", first, count, age);
    return strlen(out);
}

/* Cut where the screen ends: a line that wraps would move all the others. */
static int write_caption(struct buf *out, const struct ar_snapshot *s, bool color, size_t screen_columns)
{
    char text[160];
    size_t len = describe(s, text, sizeof(text));
    enum ar_source source = ar_snapshot_source(s);
    const char *name = ar_source_name(source);
    size_t room = screen_columns > strlen(name) ? screen_columns - strlen(name) : 0;
    int rc = color ? buf_append(out, source_color(source), strlen(source_color(source))) : 0;
    if (rc == 0)
        rc = buf_append(out, name, strlen(name));
    if (rc == 0 && color)
        rc = buf_append(out, TERM_RESET, strlen(TERM_RESET));
    if (rc == 0)
        rc = buf_append(out, text, screen_columns == 0 ? len : width_cut(text, len, room));
    return rc != 0 ? rc : buf_append(out, "\n", 1);
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

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

/* The status words that agent-backend and its page classify. Any other status gets no color. */
static const char *status_color(const char *status)
{
    static const char *const active[] = {"active", "busy", "working", "running", NULL};
    static const char *const idle[] = {"idle", "ready", "initializing", NULL};
    static const char *const error[] = {"error", "failed", "offline", NULL};
    if (!status)
        return NULL;
    if (is_one_of(status, active))
        return TERM_GREEN;
    if (is_one_of(status, error))
        return TERM_RED;
    return is_one_of(status, idle) ? TERM_DIM : NULL;
}

static void add_row(struct table *t, const struct ar_agent *a)
{
    table_cell(t, a->id);
    table_cell(t, a->mock ? "mock" : NULL);
    table_color(t, a->mock ? TERM_RED : NULL);
    table_cell(t, a->status);
    table_color(t, status_color(a->status));
    table_cell(t, a->name);
    table_cell(t, a->type);
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

/* `most` on a wide screen, a part of a narrow one. */
static size_t share_of(size_t screen_columns, size_t part, size_t least, size_t most)
{
    size_t share = screen_columns / part;
    if (screen_columns == 0 || share > most)
        return most;
    return share < least ? least : share;
}

static int write_rows(struct buf *out, const struct ar_snapshot *s, size_t count, bool color, size_t columns)
{
    const struct table_column layout[] = {{"ID", TABLE_LEFT, share_of(columns, 3, 8, ID_COLUMNS)},
                                          {"MOCK", TABLE_LEFT, 0},
                                          {"STATUS", TABLE_LEFT, share_of(columns, 4, 6, STATUS_COLUMNS)},
                                          {"NAME", TABLE_LEFT, 28},
                                          {"TYPE", TABLE_LEFT, 16},
                                          {"HEALTH", TABLE_RIGHT, 0},
                                          {"CPU", TABLE_RIGHT, 0},
                                          {"MEM", TABLE_RIGHT, 0},
                                          {"LOAD", TABLE_RIGHT, 0},
                                          {"TASKS", TABLE_RIGHT, 0},
                                          {"DONE", TABLE_RIGHT, 0},
                                          {"ACTIVITY", TABLE_LEFT, 60}};
    struct table t;
    table_init(&t, layout, sizeof(layout) / sizeof(layout[0]));
    for (size_t i = 0; i < count; i++)
        add_row(&t, ar_snapshot_agent(s, i));
    int rc = table_write(&t, color, columns, out);
    table_done(&t);
    return rc;
}

static int write_more(struct buf *out, size_t more, size_t columns)
{
    char text[120];
    int len = snprintf(text, sizeof(text),
                       "and %zu more: a higher window, or agents without --watch, shows them", more);
    int rc = buf_append(out, text, width_cut(text, (size_t)len, columns == 0 ? SIZE_MAX : columns));
    return rc != 0 ? rc : buf_append(out, "\n", 1);
}

/* Beside the rows a screen holds the caption, the titles and the line on which the cursor comes to stand;
 * where not all rows fit, how many more there are as well. */
static size_t rows_that_fit(size_t count, size_t screen_rows)
{
    if (screen_rows == 0 || count + 3 <= screen_rows)
        return count;
    return screen_rows > 4 ? screen_rows - 4 : 0;
}

int agents_write_table(struct buf *out, const struct ar_snapshot *s, bool color, size_t screen_columns,
                       size_t screen_rows)
{
    size_t count = ar_snapshot_count(s);
    size_t shown = rows_that_fit(count, screen_rows);
    int rc = write_caption(out, s, color, screen_columns);
    if (rc == 0)
        rc = write_rows(out, s, shown, color, screen_columns);
    return rc == 0 && shown < count ? write_more(out, count - shown, screen_columns) : rc;
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
    write_member_bool(&w, "agentsCut", ar_snapshot_is_cut(s));
    write_key(&w, "agents");
    write_array(&w);
    for (size_t i = 0; i < ar_snapshot_count(s); i++)
        write_agent(&w, ar_snapshot_agent(s, i));
    write_array_end(&w);
    write_object_end(&w);
    int rc = writer_end(&w);
    return rc != 0 ? rc : buf_append(out, "\n", 1);
}

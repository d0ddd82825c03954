/* What went wrong, in words on standard error, and with --json as a document on standard output too.
 *
 * Failure mode: a document that cannot be put together is left out; standard error has said it.
 */
#include "backend-client/cli/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend-client/cli/outage_text.h"
#include "wire/writer.h"

enum ctl_exit ctl_refuse(struct ctl *ctl, enum ctl_exit code, const char *name, const char *text)
{
    term_say(&ctl->term, "%s", text);
    ctl_write_error(ctl, code, &(struct ctl_error){.name = name, .message = text});
    return code;
}

/* Problems of the library's name the variable themselves; direct_status.c's name nothing. */
enum ctl_exit ctl_refuse_address(struct ctl *ctl, const char *problem)
{
    static const char own[] = "url: ";
    char text[AR_PROBLEM_SIZE + 32];
    const char *place = ctl->args->relay ? "--relay" : "AGENT_CONTROL_URL";
    if (strncmp(problem, own, sizeof(own) - 1) == 0)
        problem += sizeof(own) - 1;
    bool named = strncmp(problem, place, strlen(place)) == 0;
    (void)snprintf(text, sizeof(text), "%s%s%s", named ? "" : place, named ? "" : ": ", problem);
    return ctl_refuse(ctl, CTL_EXIT_USAGE, CTL_USAGE, text);
}

/* A watching command goes on with its next line; where nothing can be written, neither can this. */
enum ctl_exit ctl_report_broken(struct ctl *ctl, int rc)
{
    char text[200];
    const char *name = rc == -ENOMEM ? "NO_MEMORY" : rc == ERR_TOO_LARGE ? "TOO_LARGE" : "BAD_REPLY";
    buf_clear(&ctl->out);
    (void)snprintf(text, sizeof(text), "the answer cannot be shown: %s", err_text(rc));
    if (!ctl->on_state && !ctl->term.broken && !ctl->term.failed)
        return ctl_refuse(ctl, CTL_EXIT_ERROR, name, text);
    term_say(&ctl->term, "%s", text);
    return CTL_EXIT_ERROR;
}

void ctl_report_mock(struct ctl *ctl)
{
    term_say(&ctl->term, "this answer is made up: the mock gave it, since the relay at %s did not",
             ctl->health.address);
}

void ctl_write_error_members(struct writer *w, enum ctl_exit code, const struct ctl_error *error)
{
    write_key(w, "error");
    write_object(w);
    write_member_string(w, "name", error->name);
    if (error->code != 0)
        write_member_int(w, "code", error->code);
    write_member_string(w, "message", error->message);
    if (error->suggestion && error->suggestion[0] != '\0')
        write_member_string(w, "suggestion", error->suggestion);
    if (error->data_len > 0)
        write_member_raw(w, "data", error->data, error->data_len);
    write_object_end(w);
    if (error->mock)
        write_member_string(w, "source", ar_source_name(AR_SOURCE_MOCK));
    write_member_int(w, "exit", (int)code);
}

void ctl_write_error(struct ctl *ctl, enum ctl_exit code, const struct ctl_error *error)
{
    struct writer w;
    if (!ctl_given(ctl->args, CTL_FLAG_JSON))
        return;
    writer_init(&w, &ctl->out);
    write_object(&w);
    ctl_write_error_members(&w, code, error);
    write_object_end(&w);
    int rc = writer_end(&w);
    if (rc == 0)
        rc = buf_append(&ctl->out, "\n", 1);
    if (rc != 0)
        buf_clear(&ctl->out); /* standard error says it */
    (void)ctl_flush(ctl);
}

static const char *outage_name(const struct ctl *ctl, enum ctl_exit code)
{
    if (ctl->health.last_error_name[0])
        return ctl->health.last_error_name;
    return code == CTL_EXIT_TIMEOUT ? "TIMEOUT" : "DEGRADED";
}

enum ctl_exit ctl_report_outage(struct ctl *ctl, enum ctl_exit code)
{
    char text[800];
    if (code == CTL_EXIT_INTERRUPTED)
        return code;
    outage_text(&ctl->health, ctl->timeout_ms, text, sizeof(text));
    return ctl_refuse(ctl, code, outage_name(ctl, code), text);
}

/* One line for each change of state or source.
 *
 * The two change apart: a connection is lost (state) and a while later the last live agents are too old to be shown
 * (source). A reason that changes while both stay is no line: an outage of an hour has thousands of attempts.
 * Failure modes: a reader of standard error that stands still must not hold the client's thread: see
 * state_log_write.
 */
#include "state_log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "outage_hint.h"
#include "wire/text_builder.h"

static void add_live(struct text_builder *b, const struct ar_health *h)
{
    if (h->agents_unsupported)
        text_builder_addf(b, "live: the server behind the relay at %s answers, but has no way to list agents",
                          h->address);
    else
        text_builder_addf(b, "live: %zu agent%s from the relay at %s", h->agents, h->agents == 1 ? "" : "s",
                          h->address);
    if (h->agents_are_mock)
        text_builder_add(b, "; the server says that they are mocks");
}

static void add_outage(struct text_builder *b, const struct ar_health *h)
{
    static const char *const shown[] = {[AR_SOURCE_LIVE] = "live agents",
                                        [AR_SOURCE_STALE] = "the last live agents, marked stale",
                                        [AR_SOURCE_MOCK] = "mock agents"};
    char hint[OUTAGE_HINT_SIZE];
    text_builder_addf(b, "%s: serving %s: ", ar_state_name(h->state), shown[h->source]);
    if (h->last_error[0] != '\0')
        text_builder_quote(b, h->last_error, strlen(h->last_error), STATE_LOG_LINE_SIZE / 3);
    else
        text_builder_addf(b, "the relay at %s has not been reached yet", h->address);
    outage_hint(h, hint);
    if (hint[0] != '\0') {
        text_builder_add(b, "; ");
        text_builder_quote(b, hint, strlen(hint), STATE_LOG_LINE_SIZE / 2);
    }
}

/* Before the first attempt has ended there is nothing to report, and after the end nobody to report it to. */
static bool is_news(const struct state_log *log, const struct ar_health *h)
{
    if (h->state == AR_CONNECTING || h->state == AR_CLOSED)
        return false;
    return !log->begun || log->state != h->state || log->source != h->source ||
           log->unsupported != h->agents_unsupported;
}

bool state_log_take(struct state_log *log, const struct ar_health *health, uint64_t now_ms,
                    char line[STATE_LOG_LINE_SIZE])
{
    struct text_builder b;
    bool live = health->state == AR_LIVE;
    /* Live, and the first agents are on their way: the next look has them. */
    if (!is_news(log, health) || (live && health->source != AR_SOURCE_LIVE && !health->agents_unsupported))
        return false;
    text_builder_begin(&b, line, STATE_LOG_LINE_SIZE);
    if (live)
        add_live(&b, health);
    else
        add_outage(&b, health);
    if (live && log->not_live_since_ms > 0) {
        text_builder_add(&b, "; it was away for ");
        text_builder_add_duration(&b, now_ms - log->not_live_since_ms);
    }
    if (live)
        log->not_live_since_ms = 0;
    else if (log->begun && log->state == AR_LIVE)
        log->not_live_since_ms = now_ms;
    log->begun = true;
    log->state = health->state;
    log->source = health->source;
    log->unsupported = health->agents_unsupported;
    return true;
}

void state_log_write(struct state_log *log, int fd, const char *line)
{
    char text[STATE_LOG_LINE_SIZE + 96];
    char lost[64] = "";
    struct pollfd writable = {.fd = fd, .events = POLLOUT};
    if (log->lost_lines > 0)
        (void)snprintf(lost, sizeof(lost), " (%" PRIu64 " lines before it were lost)", log->lost_lines);
    int len = snprintf(text, sizeof(text), "agent-backend: %s%s\n", line, lost);
    bool ready = poll(&writable, 1, 0) == 1 && (writable.revents & POLLOUT);
    ssize_t written = ready && len > 0 ? write(fd, text, (size_t)len) : -1;
    log->lost_lines = written > 0 ? 0 : log->lost_lines + 1;
}

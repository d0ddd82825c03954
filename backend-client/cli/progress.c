/* The progress line: "42% indexing files (3.1 s)". */
#include "backend-client/cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wire/sanitize.h"
#include "backend-client/cli/width.h"
#include "wire/json.h"

#define TOKENS_MAX 256

void progress_take(struct progress *p, const char *params, size_t len)
{
    struct json_doc *doc;
    if (json_parse(params, len, JSON_STRICT, TOKENS_MAX, &doc, NULL) != 0)
        return;
    json_node root = json_root(doc);
    size_t message_len = 0;
    const char *message = json_string(doc, json_get(doc, root, "message"), &message_len);
    if (json_double(doc, json_get(doc, root, "progress"), &p->done))
        p->reported = true;
    (void)json_double(doc, json_get(doc, root, "total"), &p->total);
    if (message)
        sanitize_copy(p->message, sizeof(p->message), message, message_len, SANITIZE_ESCAPE);
    json_free(doc);
}

static void format_amount(const struct progress *p, char *out, size_t size)
{
    if (!p->reported)
        (void)snprintf(out, size, "waiting");
    else if (p->total > 0 && p->done >= 0 && p->done <= p->total)
        (void)snprintf(out, size, "%3.0f%%", 100 * p->done / p->total);
    else
        (void)snprintf(out, size, "%.6g", p->done);
}

void progress_line(const struct progress *p, uint64_t elapsed_ms, size_t columns, char *out, size_t size)
{
    char amount[40];
    char text[PROGRESS_MESSAGE_SIZE + 120];
    char seconds[40];
    format_amount(p, amount, sizeof(amount));
    (void)snprintf(seconds, sizeof(seconds), " (%" PRIu64 ".%u s)", elapsed_ms / 1000,
                   (unsigned)(elapsed_ms % 1000 / 100));
    (void)snprintf(text, sizeof(text), "%s%s%s", amount, p->message[0] ? " " : "", p->message);
    /* The time is worth more than the end of a long message. */
    size_t room = columns > strlen(seconds) ? columns - strlen(seconds) : 0;
    size_t len = width_cut(text, strlen(text), room);
    (void)snprintf(out, size, "%.*s%s", (int)len, text, room > 0 ? seconds : "");
}

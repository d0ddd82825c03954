/* Names and suggestions of the library's own errors, from one table. Errors of the relay and of servers have
 * theirs (fault_rpc.c). These functions cannot fail: a code that is not in the table gets its name, and no
 * suggestion.
 */
#include "backend-client/src/errors/reply_error.h"

#include <string.h>

static const struct advice {
    int code;
    const char *unsent; /* the server never saw the request */
    const char *sent;   /* it may have run */
} advice_rows[] = {
    {AR_E_TIMEOUT,
     "Set a longer deadline, or see with \"agent-relayctl status\" what the relay is waiting for",
     "See with \"agent-relayctl status\" whether the server behind the relay answers; it may have run: check whether it was done before sending it again"},
    {AR_E_CONNECTION_LOST, "It did not reach the server: send it again",
     "It may have run: check whether it was done before sending it again"},
    {AR_E_DEGRADED,
     "The client connects by itself: try again in a moment, or let the call wait until it is live", NULL},
    {AR_E_QUEUE_FULL, "The client's queue of waiting calls is full: send fewer at once, or try again later",
     NULL},
    {AR_E_TOO_LARGE, "Send or request less at once, or raise the frame limit", NULL},
    {AR_E_BAD_REPLY,
     "See what the server behind the relay writes: \"agent-relayctl servers\" and the relay's log", NULL},
    {AR_E_NO_MEMORY, "Out of memory: give this process, or this machine, more", NULL},
    {AR_E_NOT_MOCKED, "The mock cannot answer it: try again when the relay is back", NULL},
};

static const char *suggestion_of(int code, bool may_have_run)
{
    for (size_t i = 0; i < sizeof(advice_rows) / sizeof(advice_rows[0]); i++) {
        const struct advice *a = &advice_rows[i];
        if (a->code == code)
            return may_have_run && a->sent ? a->sent : a->unsent;
    }
    return "";
}

/* "TIMEOUT" of AR_E_TIMEOUT. */
static const char *name_of(int code)
{
    static const char prefix[] = "AR_E_";
    return ar_code_name(code) + sizeof(prefix) - 1;
}

void reply_error_fill(struct ar_reply *reply)
{
    bool ok = reply->code == AR_OK;
    if (!reply->message)
        reply->message = ok ? "" : ar_code_text(reply->code);
    if (!reply->error_data)
        reply->error_data = "";
    if (!reply->error_name)
        reply->error_name = ok ? "" : name_of(reply->code);
    if (!reply->error_text)
        reply->error_text = reply->message;
    if (!reply->suggestion)
        reply->suggestion = ok ? "" : suggestion_of(reply->code, reply->may_have_run);
}

/* Exit codes. The relay's own errors (DESIGN: numbers from -31001 on) say more than "an error": those that
 * tell of a missing server, of a relay that drains, or of a time-out get the code that a script expects
 * there.
 */
#include "backend-client/cli/verdict.h"

#include <stdio.h>
#include <string.h>

#include "wire/json_member.h"
#include "wire/rpc.h"
#include "wire/rpc_error.h"

static enum ctl_exit of_server_error(int error_code)
{
    switch (error_code) {
    case RPC_E_SERVER_UNAVAILABLE:
    case RPC_E_DRAINING:
        return CTL_EXIT_DEGRADED;
    case RPC_E_TIMEOUT:
        return CTL_EXIT_TIMEOUT;
    default:
        return CTL_EXIT_ERROR;
    }
}

bool ctl_verdict_is_relays(const struct ar_reply *reply)
{
    struct span own;
    return reply->code == AR_E_SERVER && reply->error_data_len > 0 &&
           json_member_find(reply->error_data, reply->error_data_len, "relay", &own) &&
           own.len == strlen("true") && memcmp(reply->error_data + own.off, "true", own.len) == 0;
}

enum ctl_exit ctl_verdict_health(const struct ar_health *health)
{
    if (health->state == AR_LIVE)
        return CTL_EXIT_OK;
    if (health->relay == AR_REACH_DOWN)
        return CTL_EXIT_UNREACHABLE;
    if (health->server == AR_REACH_DOWN || health->relay == AR_REACH_UP)
        return CTL_EXIT_DEGRADED;
    return health->links > 0 ? CTL_EXIT_TIMEOUT : CTL_EXIT_UNREACHABLE;
}

/* Live again when it is looked at: what refused the call was an outage all the same. */
static enum ctl_exit of_outage(const struct ar_health *health)
{
    enum ctl_exit code = ctl_verdict_health(health);
    return code == CTL_EXIT_OK ? CTL_EXIT_UNREACHABLE : code;
}

enum ctl_exit ctl_verdict_reply(const struct ar_reply *reply, const struct ar_health *health)
{
    switch (reply->code) {
    case AR_OK:
        return reply->source == AR_SOURCE_LIVE ? CTL_EXIT_OK : CTL_EXIT_DEGRADED;
    case AR_E_SERVER:
        return reply->source == AR_SOURCE_LIVE ? of_server_error(reply->error_code) : CTL_EXIT_DEGRADED;
    case AR_E_TIMEOUT:
        /* A call that waited for a relay in vain was never sent: then the outage is what to tell. */
        return health->state == AR_LIVE || reply->may_have_run ? CTL_EXIT_TIMEOUT
                                                               : ctl_verdict_health(health);
    case AR_E_CANCELLED:
        return CTL_EXIT_INTERRUPTED;
    case AR_E_CONNECTION_LOST:
    case AR_E_CLOSED:
        return CTL_EXIT_UNREACHABLE;
    case AR_E_DEGRADED:
    case AR_E_NOT_MOCKED:
        return of_outage(health);
    case AR_E_INVALID:
    case AR_E_TOO_LARGE:
        return CTL_EXIT_USAGE;
    default:
        return CTL_EXIT_ERROR;
    }
}

void ctl_verdict_text(const struct ar_health *health, unsigned waited_ms, char *out, size_t size)
{
    const char *error = health->last_error;
    const char *advice = health->suggestion;
    if (error[0] != '\0')
        (void)snprintf(out, size, "%s%s%s", error, advice[0] ? ". " : "", advice);
    else if (health->relay == AR_REACH_UP)
        (void)snprintf(
            out, size,
            "the relay at %s answers, but initialize was not answered within %u ms: the server behind "
            "it may still be starting; see agent-relayctl servers, or give it a longer --timeout",
            health->address, waited_ms);
    else if (health->links > 0)
        (void)snprintf(out, size,
                       "%s took the connection, but sent nothing within %u ms: is it an Agent Relay, "
                       "and not frozen? Is the address right (--relay, or AGENT_CONTROL_URL)?",
                       health->address, waited_ms);
    else
        (void)snprintf(
            out, size,
            "%s did not take the connection within %u ms; is the address right, and nothing in between?",
            health->address, waited_ms);
}

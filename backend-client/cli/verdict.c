/* Exit codes. The relay's own errors (DESIGN: numbers from -31001 on) say more than "an error": those that
 * tell of a missing server, of a relay that drains, or of a time-out get the code that a script expects
 * there.
 */
#include "backend-client/cli/verdict.h"

#include <stdio.h>

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

enum ctl_exit ctl_verdict_health(const struct ar_health *health)
{
    if (health->state == AR_LIVE)
        return CTL_EXIT_OK;
    if (health->relay == AR_REACH_DOWN)
        return CTL_EXIT_UNREACHABLE;
    if (health->server == AR_REACH_DOWN)
        return CTL_EXIT_DEGRADED;
    /* Connected, or not yet, and nothing came. */
    return CTL_EXIT_TIMEOUT;
}

static enum ctl_exit of_outage(const struct ar_health *health)
{
    return health->relay == AR_REACH_UP ? CTL_EXIT_DEGRADED : CTL_EXIT_UNREACHABLE;
}

enum ctl_exit ctl_verdict_reply(const struct ar_reply *reply, const struct ar_health *health)
{
    switch (reply->code) {
    case AR_OK:
        return reply->source == AR_SOURCE_LIVE ? CTL_EXIT_OK : CTL_EXIT_DEGRADED;
    case AR_E_SERVER:
        return of_server_error(reply->error_code);
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
    if (error[0] == '\0' && health->relay == AR_REACH_UP)
        snprintf(out, size,
                 "%s is connected, but has not answered within %u ms; is it an Agent Relay, or is "
                 "its server still starting? Try a longer --timeout",
                 health->address, waited_ms);
    else if (error[0] == '\0')
        snprintf(out, size, "%s did not answer within %u ms; is the address right, and nothing in between?",
                 health->address, waited_ms);
    else
        snprintf(out, size, "%s%s%s", error, advice[0] ? ". " : "", advice);
}

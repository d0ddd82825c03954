/* Exit codes. Errors that the relay itself made have codes of their own: a missing server, a relay that
 * drains, and a time-out get the code that a script expects there.
 */
#include "backend-client/cli/exit_code.h"

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

enum ctl_exit exit_code_of_health(const struct ar_health *health)
{
    if (health->state == AR_LIVE)
        return CTL_EXIT_OK;
    if (health->relay == AR_REACH_DOWN)
        return CTL_EXIT_UNREACHABLE;
    if (health->server == AR_REACH_DOWN || health->relay == AR_REACH_UP)
        return CTL_EXIT_DEGRADED;
    return health->links > 0 ? CTL_EXIT_TIMEOUT : CTL_EXIT_UNREACHABLE;
}

/* The client may be live again by now: the call was still refused by an outage. */
static enum ctl_exit of_outage(const struct ar_health *health)
{
    enum ctl_exit code = exit_code_of_health(health);
    return code == CTL_EXIT_OK ? CTL_EXIT_UNREACHABLE : code;
}

enum ctl_exit exit_code_of_reply(const struct ar_reply *reply, const struct ar_health *health)
{
    switch (reply->code) {
    case AR_OK:
        return reply->source == AR_SOURCE_LIVE ? CTL_EXIT_OK : CTL_EXIT_DEGRADED;
    case AR_E_SERVER:
        return reply->source == AR_SOURCE_LIVE ? of_server_error(reply->error_code) : CTL_EXIT_DEGRADED;
    case AR_E_TIMEOUT:
        /* A call that waited for a relay in vain was never sent: the outage decides. */
        return health->state == AR_LIVE || reply->may_have_run ? CTL_EXIT_TIMEOUT
                                                               : exit_code_of_health(health);
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

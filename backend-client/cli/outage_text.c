/* Why there is no live relay: the library's last error and its suggestion; before the library has one, what
 * has not happened so far.
 */
#include "backend-client/cli/outage_text.h"

#include <stdio.h>

void outage_text(const struct ar_health *health, unsigned waited_ms, char *out, size_t size)
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

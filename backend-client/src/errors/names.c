/* Names and texts of the public interface's numbers, from its own table. Every number yields a static string,
 * so callers print it unchecked. These functions cannot fail.
 */
#include "agent_relay.h"

const char *ar_code_name(int code)
{
    switch (code) {
#define X(name, number, text)                                                                                \
    case number:                                                                                             \
        return #name;
        AR_CODES(X)
#undef X
    default:
        return "AR_E_UNKNOWN";
    }
}

const char *ar_code_text(int code)
{
    switch (code) {
#define X(name, number, text)                                                                                \
    case number:                                                                                             \
        return text;
        AR_CODES(X)
#undef X
    default:
        return "unknown error";
    }
}

const char *ar_version(void)
{
    return AGENT_RELAY_VERSION;
}

const char *ar_state_name(enum ar_state state)
{
    switch (state) {
    case AR_CONNECTING:
        return "connecting";
    case AR_LIVE:
        return "live";
    case AR_DEGRADED:
        return "degraded";
    case AR_CLOSED:
        return "closed";
    }
    return "unknown";
}

const char *ar_source_name(enum ar_source source)
{
    switch (source) {
    case AR_SOURCE_LIVE:
        return "live";
    case AR_SOURCE_STALE:
        return "stale";
    case AR_SOURCE_MOCK:
        return "mock";
    }
    return "unknown";
}

const char *ar_reach_name(enum ar_reach reach)
{
    switch (reach) {
    case AR_REACH_UP:
        return "up";
    case AR_REACH_DOWN:
        return "down";
    case AR_REACH_UNKNOWN:
        break;
    }
    return "unknown";
}

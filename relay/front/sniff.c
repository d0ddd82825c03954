/* The first byte decides; blanks before it are those of JSON (space, tab, CR, LF). */
#include "front/sniff.h"

static int is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum protocol sniff_protocol(const char *bytes, size_t len)
{
    size_t i = 0;
    while (i < len && is_blank(bytes[i]))
        i++;
    if (i == len)
        return PROTOCOL_UNDECIDED;
    switch (bytes[i]) {
    case '{':
    case '[':
        return PROTOCOL_NDJSON;
    case 0x16:
        return PROTOCOL_TLS;
    default:
        return PROTOCOL_OTHER;
    }
}

const char *sniff_hint(enum protocol protocol)
{
    if (protocol == PROTOCOL_TLS)
        return "this port speaks newline-delimited JSON-RPC 2.0 in the clear; TLS is not spoken here";
    return "this port speaks newline-delimited JSON-RPC 2.0, one JSON object per line; HTTP and TLS are not spoken here";
}

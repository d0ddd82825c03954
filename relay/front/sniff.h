/* What a connection speaks, told by its first byte that is not blank. Pure.
 *
 * This is the one place where other protocols plug in: an HTTP method or a TLS record type would become a
 * value of the enum here and a case in client.c. Header lines are never skipped to reach a body, or any web
 * page could drive the relay through its reader's browser.
 */
#ifndef FRONT_SNIFF_H
#define FRONT_SNIFF_H

#include <stddef.h>

enum protocol {
    PROTOCOL_UNDECIDED, /* nothing but blanks so far */
    PROTOCOL_NDJSON,    /* '{' or '[': newline-delimited JSON-RPC */
    PROTOCOL_TLS,       /* a TLS record: not spoken here */
    PROTOCOL_OTHER,     /* anything else (HTTP among it): not spoken here */
};

enum protocol sniff_protocol(const char *bytes, size_t len);
/* What to tell a peer that speaks something else; static. */
const char *sniff_hint(enum protocol protocol);

#endif

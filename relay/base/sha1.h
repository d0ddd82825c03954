/* SHA-1 (FIPS 180-4) of a short text in one call. WebSocket's handshake asks for it (RFC 6455 4.2.2); it
 * protects nothing there, and must not be used where something has to be protected. Pure.
 */
#ifndef BASE_SHA1_H
#define BASE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20

void sha1(const void *bytes, size_t len, uint8_t ret_digest[SHA1_BYTES]);

#endif

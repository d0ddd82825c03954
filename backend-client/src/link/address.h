/* Where the relay is: the text of AGENT_CONTROL_URL or ar_options.url, taken apart. Pure.
 *
 *   host:port   tcp://host:port   [ipv6]:port   host   [ipv6]   (port 9500)   unix:PATH
 *
 * tls://, ws:// and wss:// are known and refused: not yet built in.
 */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define ADDRESS_DEFAULT_TEXT "127.0.0.1:9500"
#define ADDRESS_DEFAULT_PORT 9500
#define ADDRESS_TEXT_SIZE    272 /* ar_health.address */

enum address_kind { ADDRESS_TCP, ADDRESS_UNIX };

struct address {
    enum address_kind kind;
    char text[ADDRESS_TEXT_SIZE]; /* as it was given */
    char host[254];               /* TCP: a name or a numeric address, without brackets (RFC 1035: 253) */
    uint16_t port;                /* TCP */
    char path[108];               /* Unix: sun_path's size, NUL included; taken as it is */
};

/* ERR_TYPE (a scheme that is not built in, or is no relay's), ERR_SYNTAX, ERR_RANGE (port: 1 to 65535),
 * ERR_TOO_LARGE. `problem` (may be NULL with size 0, else 8 bytes or more) then says what was wrong and what
 * to write instead, beginning with the text in quotes, so that the caller can put the option's name before
 * it. *ret_address is written on success only. */
MUSTCHECK int address_parse(const char *text, struct address *ret_address, char *problem,
                            size_t problem_size);

#endif

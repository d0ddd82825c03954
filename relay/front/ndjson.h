/* Newline-delimited JSON-RPC: a frame is a line. Opens its session with the first byte that is not blank. */
#ifndef FRONT_NDJSON_H
#define FRONT_NDJSON_H

#include "front/protocol.h"

extern const struct protocol_ops ndjson_protocol;

#endif

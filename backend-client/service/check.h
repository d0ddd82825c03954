/* agent-backend health: asks the one that serves for GET /api/v1/bots/health, so that a container needs no
 * other program for its health check. */
#ifndef SERVICE_CHECK_H
#define SERVICE_CHECK_H

#include "base/err.h"

/* Prints the answer on stdout. The exit code: 0 for an answer with status 200, 1 for any other or none (said
 * on stderr), 2 for an address that cannot be one. At most about a second for each address that the name has,
 * and three for the answer. */
MUSTCHECK int check_health(const char *listen);

#endif

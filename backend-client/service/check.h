/* agent-backend health: sends GET /api/v1/bots/health to a running service, so that a container needs no
 * other program for its health check. */
#ifndef SERVICE_CHECK_H
#define SERVICE_CHECK_H

#include "base/err.h"

/* Prints the answer on stdout. The exit code: 0 for an answer with status 200, 1 for any other or none
 * (reported on stderr), 2 for an invalid address. At most about a second for each address that the name
 * has, and three for the answer. */
MUSTCHECK int check_health(const char *listen);

#endif

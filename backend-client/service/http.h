/* The HTTP server: libmicrohttpd with a pool of threads of its own. */
#ifndef SERVICE_HTTP_H
#define SERVICE_HTTP_H

#include "base/err.h"
#include "service.h"

#define HTTP_THREADS         4
#define HTTP_MAX_CONNECTIONS 4096u

/* How many connections there may be: less than HTTP_MAX_CONNECTIONS where descriptors are few. */
unsigned http_connection_limit(void);

/* Serves on s->listen_fd. -EIO: libmicrohttpd could not be started; the descriptor is still the caller's. */
MUSTCHECK int http_start(struct service *s);
/* No new connections. */
void http_quiesce(struct service *s);
/* Ends every connection and thread. No exchange may be suspended any more. */
void http_stop(struct service *s);

/* For service_stop: waits until no request is under way, at most so long. */
void http_wait_idle(struct service *s, uint64_t until_ms);

#endif

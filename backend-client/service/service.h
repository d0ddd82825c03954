/* The service: a client of the relay, an HTTP server, and between them the newest events. One per process.
 *
 * Threads: the client's own (its callbacks publish events and complete calls), libmicrohttpd's pool
 * (requests), and the main one (signals, and service_tick now and then).
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent_relay.h"
#include "base/err.h"
#include "hub.h"
#include "places.h"
#include "settings.h"
#include "state_log.h"
#include "suspended_requests.h"
#include "tool_cache.h"
#include "view_cache.h"
#include "watch.h"

struct service {
    const struct settings *settings; /* borrowed */
    struct hub *hub;
    struct watch watch;
    struct suspended_requests suspended;
    struct tool_cache tools;
    struct state_log log; /* the client's thread's */
    struct ar_client *client;
    struct MHD_Daemon *daemon;
    int listen_fd; /* owned after http_quiesce */
    bool on_loopback;

    /* Requests are worked on inside the gate; service_stop closes it before the client ends. */
    pthread_rwlock_t gate;
    bool stopping; /* under the gate */

    pthread_mutex_t end_lock;
    pthread_cond_t end_changed;
    bool client_closed;
    size_t requests; /* under way */

    uint64_t keep_alive_at_ms; /* main thread's */
    uint64_t health_mark;      /* what the last health event said, hashed */
    uint64_t health_at_ms;     /* the next one is due, changed or not */
    struct budget held;        /* of answers and events that are being read */
    struct places places;
    struct view_cache views;
};

#define SERVICE_PROBLEM_SIZE SETTINGS_PROBLEM_SIZE

enum service_result {
    SERVICE_OK = 0,
    SERVICE_FAILED = -1,
    SERVICE_BAD_OPTION = -2,
};

/* Takes the listening descriptor, also when it fails. The problem in words. */
MUSTCHECK enum service_result service_start(struct service *s, const struct settings *settings, int listen_fd,
                                            char problem[SERVICE_PROBLEM_SIZE]);
/* What is due: late connections, askers that are gone, keep-alives, a health event when something changed or
 * HEALTH_MS have passed. Every SERVICE_TICK_MS. */
void service_tick(struct service *s);
/* Ends it: open requests are answered, event streams ended. Within two seconds. 0, or -1 when the client did
 * not end in time: the process must then exit without freeing anything. */
MUSTCHECK int service_stop(struct service *s);

#define SERVICE_TICK_MS 250

/* Milliseconds, monotonic; and since the epoch. */
uint64_t service_now_ms(void);
int64_t service_unix_ms(void);

#endif

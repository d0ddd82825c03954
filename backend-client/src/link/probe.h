/* Asks an HTTP health address, with libcurl on the client's loop: is the relay's container there, when the
 * relay does not answer, or its server does not? libcurl is loaded only when a client has such an address
 * (curl_api.h).
 *
 * One request at a time, and nothing of libcurl's (descriptors, connections) in between. Names are resolved
 * by resolve.h and pinned with CURLOPT_RESOLVE (libcurl's own resolver would join its thread on the loop). No
 * redirects, no proxy, HTTP/1.1, at most PROBE_BODY_MAX of the body read and dropped, PROBE_TIMEOUT_MS for
 * everything, sockets CLOEXEC, no signals (SIGPIPE is blocked around libcurl, for TLS).
 */
#ifndef CLIENT_PROBE_H
#define CLIENT_PROBE_H

#include <stddef.h>
#include <uv.h>

#include "base/err.h"

#define PROBE_TIMEOUT_MS 2000
#define PROBE_BODY_MAX   ((size_t)64 << 10)

struct probe; /* opaque */

/* status: the HTTP status; 0: none, `text` says why (borrowed). From the loop, never inside probe_start; may
 * call probe_close. */
typedef void probe_cb(void *data, int status, const char *text);

/* Makes no handle on the loop yet. `wake` is the owner's, which calls probe_wake whenever it fires; closed
 * not before probe_close. ERR_SYNTAX for an address that is no http(s) URL, ERR_NOT_FOUND without libcurl
 * (problem says what to do), -ENOMEM. */
MUSTCHECK int probe_new(uv_loop_t *loop, uv_async_t *wake, const char *url, probe_cb *on_result, void *data,
                        struct probe **ret_probe, char *problem, size_t problem_size);
/* Nothing while one is under way. */
void probe_start(struct probe *p);
void probe_wake(struct probe *p);
/* Silences it; frees itself when its handles are closed, then runs on_closed (may be NULL). NULL, or a probe
 * that never started: on_closed at once. */
void probe_close(struct probe *p, void (*on_closed)(void *data), void *data);

#endif

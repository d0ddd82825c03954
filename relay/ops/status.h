/* The answers of relay/status and relay/servers. Numbers, names and states; nothing that a client sent.
 */
#ifndef OPS_STATUS_H
#define OPS_STATUS_H

#include "ops/control.h"
#include "wire/writer.h"

/* {"relay":{"name","version","pid"},
 *  "health": "ok", "degraded", "down" or "draining": see status_health,
 *  "startedAt": RFC 3339, "uptimeMs", "configFile": path or null, "reloads", "defaultServer": name or null,
 *  "listeners":[{"address","server": name, or null for the default one}],
 *  "clients":{"connections","max","sessions","accepted","refused"},
 *  "requests":{"inFlight","waiting","abandoned","total","answers"},
 *  "traffic":{"bytesIn","bytesOut"},
 *  "memory":{"residentBytes","heldBytes","limitBytes","pauses"},
 *  "log":{"level","dropped"},
 *  "loop":{"longestMs","standstillMs","standstills"}: the longest iteration; how long, in all, and how often the loop
 *    did not run,
 *  "servers":[as relay/servers has them]} */
void status_write(struct writer *w, const struct ops *o, const struct control_page *page, uint64_t now_ms);

/* {"servers":[{"name","sharing","state","note"?,"remote"?,"disabled"?,
 *   "children","pid"?,"keeperPid"?,"generation","uptimeMs","restarts","lastExit":{"status"|"signal"}?,"retryInMs"?,
 *   "sessions","inFlight","waiting","waitingBytes","abandoned","requests","answers","lateAnswers","badReplies",
 *   "invalidLines","droppedNotifications","refusedRequests","idleMs"?,"maxInFlight","maxWaiting"}...]}
 * "state": "starting", "ready", "stopping", "idle" (no request needs it), "down" (see note or lastExit), "backing-off",
 * "crash-loop". `generation` counts the children started; `idleMs` is the time since the last request or answer.
 * `uptimeMs` includes the time in which the relay did not run; `idleMs` and `retryInMs` do not. */
void status_write_servers(struct writer *w, const struct ops *o, const struct control_page *page,
                          uint64_t now_ms);

/* "degraded": a server backs off, is in a crash loop, or cannot run as it is configured; "down": all of them.
 * A lazy server that no request has needed yet is fine, and so is one that is disabled or remote. */
const char *status_health(const struct ops *o);

#endif

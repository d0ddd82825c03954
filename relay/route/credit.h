/* How many bytes of answers may be on their way: a request is only dispatched when its answer, as far as it can be
 * guessed, fits into what its client's queue may hold beside the answers that are due already, and into what all clients'
 * queues may hold together. So a client that pipelines large reads gets them at its own pace, and its queue does not
 * have to be ended for what the child writes faster.
 *
 * The guess is the largest recent answer of the session: it falls by an eighth with each smaller one. A session that had
 * none yet begins with the upstream's, and at least CREDIT_UNKNOWN_BYTES. A session with nothing in flight may always
 * have one request dispatched.
 */
#ifndef ROUTE_CREDIT_H
#define ROUTE_CREDIT_H

#include <stdbool.h>
#include <stddef.h>

/* A guess up to this does not depend on what others have on their way. */
#define CREDIT_SMALL_BYTES ((size_t)64 << 10)
/* Before its first answer a session of an upstream that never gave a long one may have all slots: with the defaults some
 * 1,000 requests. Calls may wait for each other, so that a low number of them would never end. */
#define CREDIT_UNKNOWN_BYTES CREDIT_SMALL_BYTES

struct call;
struct route_session;

/* May a request of the session be dispatched, as far as the answers' bytes go? Asked again whenever one of its own calls
 * moves. */
bool credit_allows(const struct route_session *s);
/* Not allowed for the sake of what others have on their way: asked again when the scheduler runs, too. */
bool credit_waits_for_others(const struct route_session *s);
/* The call goes in flight, and leaves it. */
void credit_take(struct call *c);
void credit_give_back(struct call *c);
/* The call's answer has so many bytes. */
void credit_note_answer(struct call *c, size_t bytes);

#endif

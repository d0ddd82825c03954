/* Requests of a child to its one client (session sharing): sampling, elicitation, roots. The client sees an
 * id of the relay's, and the same number as progress token; the child gets its own back.
 *
 * A question that nobody answers is answered for the child: after QUESTION_MS, or when the client goes. While
 * one is open, the clocks of the session's own requests stand still.
 */
#ifndef ROUTE_QUESTIONS_H
#define ROUTE_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "route/state.h"
#include "wire/frame.h"

#define QUESTION_MS   ((uint64_t)600 * 1000)
#define QUESTIONS_MAX 1024 /* open at once, per child */

/* The child asks. */
void questions_ask(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
/* The client answers; an answer to nothing is dropped. */
void questions_answer(struct route_session *s, const struct frame *frame, uint64_t now_ms);
/* The client's answer could not be read, or was too large: the child is told so. false: it was no answer to
 * anything. */
bool questions_spoil(struct route_session *s, const struct frame *frame, int code, const char *message,
                     uint64_t now_ms);
/* The client's notifications/progress about a question: passed with the child's own token, or dropped. */
void questions_progress(struct route_session *s, const struct frame *frame);
/* The child withdraws one: passed with the client's id, or dropped. */
void questions_cancelled(struct upstream *upstream, const struct frame *frame, uint64_t now_ms);
/* The client is gone: the child gets errors. */
void questions_leave(struct upstream *upstream, uint64_t now_ms);
/* The child is gone. */
void questions_forget(struct upstream *upstream, uint64_t now_ms);

#endif

/* The strings of every error reply beside its code: a name for programs, a text and a suggestion for people.
 * Pure.
 */
#ifndef CLIENT_REPLY_ERROR_H
#define CLIENT_REPLY_ERROR_H

#include "agent_relay.h"

/* Fills the strings of `reply` that are NULL, by its code and may_have_run, with static ones: none but
 * `result` is NULL afterwards. */
void reply_error_fill(struct ar_reply *reply);

#endif

/* When a connection is read, and what it holds: the pauses and the memory account. Changes no state. */
#ifndef FRONT_CONNECTION_READING_H
#define FRONT_CONNECTION_READING_H

#include "front/connection.h"

/* Starts or stops reading as the state and the pauses say. */
void connection_update_reading(struct connection *c);
/* The connection's iteration_end task runs at the end of the loop iteration; it accounts, among others. */
void connection_mark(struct connection *c);

/* Hands bytes to the protocol; gives how many it took. */
size_t connection_take(struct connection *c, const char *bytes, size_t len, uint64_t now_ms);
/* Something was written to it. What its own messages made the relay write counts as work for its host. */
void connection_note_work(struct connection *c);
/* Hands what was read earlier to the protocol, as far as it takes more now. */
void connection_feed_rest(struct connection *c, uint64_t now_ms);
/* What the budget calls (struct memory_ops), with connection.memory. */
void connection_on_memory_pause(struct memory_user *u);
void connection_on_memory_resume(struct memory_user *u);
bool connection_is_stalled(struct memory_user *u);
/* Reports to the budget what the connection and its protocol hold. */
void connection_account(struct connection *c);
/* Gives back buffers that nothing needs now. */
void connection_trim(struct connection *c);
/* Memory is tight: keeps nothing that is not needed, and reads no more before the budget has been looked at. */
void connection_release_memory(struct connection *c);

#endif

/* What stream.c and stream_write.c share. Nobody else includes it. */
#ifndef IO_STREAM_INTERNAL_H
#define IO_STREAM_INTERNAL_H

#include "io/stream.h"

/* stream.c: runs on_end unless it has run. A negative status also ends the queue. May free nothing. */
void stream_tell_end(struct stream *s, int status);
/* stream.c: the last step of a close. */
void stream_finish_close(struct stream *s);

/* stream_write.c: the end of the iteration of one stream. */
void stream_run_task(struct loop_task *task);
void stream_cool(struct loop_warm *warm);
/* stream_write.c: forgets what is queued, except what a running uv_write still needs. */
void stream_drop_queue(struct stream *s);

#endif

/* What the tests of server/ share: bounded waiting on a real loop, processes found by a mark in their command
 * line, and the paths of helper programs.
 */
#ifndef TESTS_PROCESS_FIXTURE_H
#define TESTS_PROCESS_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "io/loop.h"

typedef bool condition_cb(void *data);

/* Runs the loop until `condition` holds, at the most 15 s (times TEST_TIME_SCALE). Fails the test otherwise.
 */
void run_until(struct loop *loop, condition_cb *condition, void *data);
/* Polls without a loop, under the same limit. */
void wait_until(condition_cb *condition, void *data);
uint64_t wall_ms(void);
/* Under sanitizers or valgrind time limits are this much longer. */
uint64_t time_scale(void);

/* A text that no other process shows: to be found in command lines. */
const char *new_mark(void);
/* Living processes (zombies do not count) with `mark` as one of their arguments. */
size_t count_marked(const char *mark);
/* The same, as a condition_cb: data is the mark. */
bool none_marked(void *mark);
/* The first of them whose parent is `parent`, 0: none. */
pid_t find_marked_child(const char *mark, pid_t parent);
size_t open_descriptors(void);

/* The folder of the test programs (the one that has unit/), and the one of the programs. */
const char *tests_dir(void);
const char *bin_dir(void);
/* bin_dir()/agent-relay-keeper and tests_dir()/forker. */
const char *keeper_program(void);
const char *forker_program(void);

#endif

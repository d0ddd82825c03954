/* What the parts of the kit share. */
#ifndef TESTS_ENGINE_ENGINE_FIXTURE_INTERNAL_H
#define TESTS_ENGINE_ENGINE_FIXTURE_INTERNAL_H

#include "tests/unit/backend-client/engine/engine_fixture.h"

extern const struct engine_ops kit_ops;

/* realloc to at least `need` elements; never fails. */
void *kit_grow(void *array, size_t *cap, size_t need, size_t size);
void kit_trace(struct kit *kit, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The link is no more: what the peer holds of it goes too. */
void kit_peer_gone(struct kit *kit);
void kit_peer_done(struct kit *kit);

/* Names of our own: names.c is not under test here, and a fuzz target's messages must not depend on it. */
const char *kit_code_name(int code);
const char *kit_state_name(enum ar_state state);
const char *kit_source_name(enum ar_source source);

#endif

/* What the parts of the engine fixture share. */
#ifndef TESTS_ENGINE_ENGINE_FIXTURE_INTERNAL_H
#define TESTS_ENGINE_ENGINE_FIXTURE_INTERNAL_H

#include "tests/unit/backend-client/engine/engine_fixture.h"

extern const struct engine_ops engine_fixture_ops;

/* realloc to at least `need` elements; never fails. */
void *engine_fixture_grow(void *array, size_t *cap, size_t need, size_t size);
void engine_fixture_trace(struct engine_fixture *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The link is no more: what the peer holds of it goes too. */
void engine_fixture_peer_reset(struct engine_fixture *f);
void engine_fixture_peer_done(struct engine_fixture *f);

/* Names of our own: names.c is not under test here, and a fuzz target's messages must not depend on it. */
const char *engine_fixture_code_name(int code);
const char *engine_fixture_state_name(enum ar_state state);
const char *engine_fixture_source_name(enum ar_source source);

#endif

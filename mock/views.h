/* Shared by the views: members beyond those of the JSON writer. */
#ifndef MOCK_VIEWS_H
#define MOCK_VIEWS_H

#include "wire/writer.h"

void write_member_time(struct writer *w, const char *key, uint64_t unix_ms);
void write_member_words(struct writer *w, const char *key, const char *const *words, size_t count);
/* A value without its key: null for a time in the future. */
void write_time_or_null(struct writer *w, uint64_t unix_ms, bool has_come);

#endif

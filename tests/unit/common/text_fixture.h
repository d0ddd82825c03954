/* Looks at texts for people as a suspicious terminal would (include "tests/unit/common/text_fixture.h"). */
#ifndef TESTS_COMMON_TEXT_FIXTURE_H
#define TESTS_COMMON_TEXT_FIXTURE_H

#include <stddef.h>

/* NUL-terminated within `size`; valid UTF-8; no C0 or C1 control, DEL, line separator or bidirectional
 * control. Decodes by itself, so that it does not share a mistake with what it checks. */
void assert_clean_text(const char *text, size_t size);
void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif

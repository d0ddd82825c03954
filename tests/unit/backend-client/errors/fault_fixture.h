/* Looks at texts for people as a suspicious terminal would (include "tests/unit/backend-client/errors/fault_fixture.h"). */
#ifndef TESTS_ERRORS_FAULT_FIXTURE_H
#define TESTS_ERRORS_FAULT_FIXTURE_H

#include <stddef.h>

/* NUL-terminated within `size`; valid UTF-8; no C0 or C1 control, DEL, line separator or bidirectional
 * control. Decodes by itself, so that it does not share a mistake with what it checks. */
void assert_clean_text(const char *text, size_t size);
/* assert_clean_text for all three texts of a struct fault, and each of them says something. */
struct fault;
void assert_clean_fault(const struct fault *f);
void assert_contains(const char *text, const char *part);
void assert_lacks(const char *text, const char *part);

#endif

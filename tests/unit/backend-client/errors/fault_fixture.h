/* Checks of what a fault says (include "tests/unit/backend-client/errors/fault_fixture.h"). */
#ifndef TESTS_ERRORS_FAULT_FIXTURE_H
#define TESTS_ERRORS_FAULT_FIXTURE_H

#include "tests/unit/common/text_fixture.h"

/* assert_clean_text for all three texts of a struct fault, and each of them says something. */
struct fault;
void assert_clean_fault(const struct fault *f);

#endif

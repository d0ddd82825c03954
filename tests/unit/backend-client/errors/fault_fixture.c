/* Checks of what a fault says. */
#include "tests/unit/backend-client/errors/fault_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend-client/src/errors/fault.h"

void assert_clean_fault(const struct fault *f)
{
    assert_clean_text(f->name, sizeof(f->name));
    assert_clean_text(f->text, sizeof(f->text));
    assert_clean_text(f->suggestion, sizeof(f->suggestion));
    assert_true(f->name[0] != '\0' && f->text[0] != '\0' && f->suggestion[0] != '\0');
}

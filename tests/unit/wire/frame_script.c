#include "tests/unit/wire/frame_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

void frame_script_clear(struct frame_script *out)
{
    out->len = 0;
    out->text[0] = '\0';
}

static void note(struct frame_script *out, const char *what, const char *bytes, size_t len)
{
    int n = snprintf(out->text + out->len, sizeof(out->text) - out->len, "%s<%.*s>\n", what, (int)len, bytes);
    assert_true(n > 0 && out->len + (size_t)n < sizeof(out->text));
    out->len += (size_t)n;
}

void frame_script_note(struct frame_script *out, enum frame_result result, const struct frame *f)
{
    static const char *const kinds[] = {"invalid", "request", "notification", "result", "error", "batch"};
    char what[100];
    if (result == FRAME_READY) {
        bool sound = f->env.fault == RPC_OK;
        (void)snprintf(what, sizeof(what), "%s%s%s id=%zu+%zu ", kinds[f->env.kind], sound ? "" : ": ",
                       sound ? "" : rpc_fault_text(f->env.fault), f->env.id.off, f->env.id.len);
        note(out, what, f->bytes, f->len);
    } else if (result == FRAME_TOO_LARGE) {
        assert_int_equal(f->env.id.off, 0);
        assert_false(span_found(f->env.method) || span_found(f->env.result));
        (void)snprintf(what, sizeof(what), "too large %zu %s int=%d id=", f->len, kinds[f->env.kind],
                       f->env.id_is_int);
        note(out, what, f->bytes, f->env.id.len);
    } else {
        assert_int_equal(result, FRAME_NO_MEMORY);
        note(out, "no memory", "", 0);
    }
}

/* Parts around replaced spans. */
#include "route/splice.h"

#include <assert.h>
#include <string.h>

/* Two digits at a time: this runs once per request. */
size_t id_print(uint64_t id, char out[ID_TEXT_MAX])
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";
    char digits[ID_TEXT_MAX];
    size_t at = sizeof(digits);
    while (id >= 100) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * (id % 100), 2);
        id /= 100;
    }
    if (id >= 10) {
        at -= 2;
        memcpy(digits + at, pairs + 2 * id, 2);
    } else {
        digits[--at] = (char)('0' + id);
    }
    memcpy(out, digits + at, sizeof(digits) - at);
    return sizeof(digits) - at;
}

static void sort(struct splice *splices, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct splice moving = splices[i];
        size_t j = i;
        for (; j > 0 && splices[j - 1].at.off > moving.at.off; j--)
            splices[j] = splices[j - 1];
        splices[j] = moving;
    }
}

size_t splice_parts(const char *text, size_t len, struct splice *splices, size_t count,
                    struct part parts[SPLICE_PARTS_MAX])
{
    size_t n = 0;
    size_t at = 0;

    assert(count <= SPLICE_MAX);
    if (count > 1)
        sort(splices, count);
    for (size_t i = 0; i < count; i++) {
        const struct splice *sp = &splices[i];
        if (!span_found(sp->at))
            continue;
        assert(sp->at.off >= at && sp->at.off + sp->at.len <= len);
        parts[n++] = (struct part){text + at, sp->at.off - at};
        parts[n++] = (struct part){sp->bytes, sp->len};
        at = sp->at.off + sp->at.len;
    }
    parts[n++] = (struct part){text + at, len - at};
    return n;
}

/* Parts around replaced spans. Fails only as the link fails. */
#include "route/splice.h"

#include <assert.h>
#include <string.h>

size_t id_print(uint64_t id, char out[ID_TEXT_MAX])
{
    char digits[ID_TEXT_MAX];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + id % 10);
        id /= 10;
    } while (id > 0);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
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

int splice_send(struct link *link, const char *text, size_t len, struct splice *splices, size_t count)
{
    struct link_part parts[2 * SPLICE_MAX + 1];
    size_t n = 0;
    size_t at = 0;

    assert(count <= SPLICE_MAX);
    sort(splices, count);
    for (size_t i = 0; i < count; i++) {
        const struct splice *sp = &splices[i];
        if (!span_found(sp->at))
            continue;
        assert(sp->at.off >= at && sp->at.off + sp->at.len <= len);
        parts[n++] = (struct link_part){text + at, sp->at.off - at};
        parts[n++] = (struct link_part){sp->bytes, sp->len};
        at = sp->at.off + sp->at.len;
    }
    parts[n++] = (struct link_part){text + at, len - at};
    return link->ops->send(link, parts, n);
}

/* A number is its significant digits (without zeros at either end) and the power of ten of the last one. The digits
 * stay where they are in the text: they are compared one by one, so that nothing is rounded.
 *
 * Failure modes: text that is no number is none; an exponent beyond any length of text is saturated.
 */
#include "wire/number.h"

/* Far above any length of text: saturated exponents of the same sign differ from all others. */
#define EXPONENT_MAX INT64_C(1000000000000000)
#define WHOLE_DIGITS 16 /* of 2^53-1 */

struct number {
    bool negative;
    const char *whole; /* digits before the point */
    size_t whole_len;
    const char *fraction; /* and behind it */
    size_t fraction_len;
    size_t first; /* significant digits, counted over both */
    size_t last;  /* one past; equal to `first`: the number is zero */
    int64_t power;
};

static size_t digits(const char *text, size_t at, size_t len)
{
    size_t n = 0;
    while (at + n < len && text[at + n] >= '0' && text[at + n] <= '9')
        n++;
    return n;
}

static char digit_at(const struct number *n, size_t i)
{
    return i < n->whole_len ? n->whole[i] : n->fraction[i - n->whole_len];
}

static void find_significant(struct number *n, int64_t exponent)
{
    n->last = n->whole_len + n->fraction_len;
    while (n->last > 0 && digit_at(n, n->last - 1) == '0')
        n->last--;
    while (n->first < n->last && digit_at(n, n->first) == '0')
        n->first++;
    n->power = exponent + (int64_t)n->whole_len - (int64_t)n->last;
}

/* At the e; false: no digits follow. */
static bool read_exponent(const char *text, size_t len, size_t *at, int64_t *ret_exponent)
{
    int64_t exponent = 0;
    bool negative = false;
    ++*at;
    if (*at < len && (text[*at] == '+' || text[*at] == '-'))
        negative = text[(*at)++] == '-';
    size_t n = digits(text, *at, len);
    for (size_t i = 0; i < n; i++)
        if (exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (text[*at + i] - '0');
    *at += n;
    *ret_exponent = negative ? -exponent : exponent;
    return n > 0;
}

static bool parse(const char *text, size_t len, struct number *ret_number)
{
    struct number n = {0};
    int64_t exponent = 0;
    size_t at = 0;
    if (at < len && text[at] == '-') {
        n.negative = true;
        at++;
    }
    n.whole = text + at;
    n.whole_len = digits(text, at, len);
    if (n.whole_len == 0 || (n.whole_len > 1 && text[at] == '0'))
        return false;
    at += n.whole_len;
    if (at < len && text[at] == '.') {
        n.fraction = text + at + 1;
        n.fraction_len = digits(text, at + 1, len);
        if (n.fraction_len == 0)
            return false;
        at += 1 + n.fraction_len;
    }
    if (at < len && (text[at] == 'e' || text[at] == 'E') && !read_exponent(text, len, &at, &exponent))
        return false;
    find_significant(&n, exponent);
    *ret_number = n;
    return at == len;
}

bool number_equal(const char *a, size_t a_len, const char *b, size_t b_len)
{
    struct number x, y;
    if (!parse(a, a_len, &x) || !parse(b, b_len, &y))
        return false;
    size_t count = x.last - x.first;
    if (count != y.last - y.first)
        return false;
    if (count == 0)
        return true;
    if (x.negative != y.negative || x.power != y.power)
        return false;
    for (size_t i = 0; i < count; i++)
        if (digit_at(&x, x.first + i) != digit_at(&y, y.first + i))
            return false;
    return true;
}

bool number_whole(const char *text, size_t len, uint64_t *ret_value)
{
    struct number n;
    uint64_t value = 0;
    if (!parse(text, len, &n))
        return false;
    size_t count = n.last - n.first;
    if (count > 0 && (n.negative || n.power < 0 || n.power > WHOLE_DIGITS))
        return false;
    if (count > WHOLE_DIGITS || (count > 0 && count + (size_t)n.power > WHOLE_DIGITS))
        return false;
    for (size_t i = n.first; i < n.last; i++)
        value = value * 10 + (uint64_t)(digit_at(&n, i) - '0');
    for (int64_t i = 0; count > 0 && i < n.power; i++)
        value *= 10;
    if (value >= UINT64_C(1) << 53)
        return false;
    *ret_value = value;
    return true;
}

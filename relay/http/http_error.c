/* Answers that say what was wrong.
 *
 * The body's length stands before the body, so that the body is written into a buffer of its own first: a
 * small one on the stack, since nothing is allocated here. Its sentence is cut where it would not fit.
 */
#include "http/http_error.h"

#include <stdio.h>
#include <string.h>

#include "wire/sanitize.h"
#include "wire/text_builder.h"

#define SENTENCE_SIZE 512
/* A quote or backslash takes two bytes in JSON; a control character is none of the sentence's. */
#define BODY_SIZE (2 * SENTENCE_SIZE + 16)

static size_t write_body(const char *sentence, char out[BODY_SIZE])
{
    static const char head[] = "{\"error\":\"";
    size_t len = sizeof(head) - 1;
    memcpy(out, head, len);
    for (const char *p = sentence; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            out[len++] = '\\';
        out[len++] = *p;
    }
    out[len++] = '"';
    out[len++] = '}';
    return len;
}

int http_error_end(struct http_response *r, const char *sentence)
{
    char text[SENTENCE_SIZE];
    char body[BODY_SIZE];
    struct text_builder b;
    text_builder_begin(&b, text, sizeof(text));
    text_builder_add(&b, sentence);
    return http_response_end(r, "application/json", body, write_body(text, body));
}

int http_error_append(struct buf *out, struct http_terms terms, unsigned status, const char *sentence)
{
    struct http_response r;
    http_response_begin(&r, out, terms, status);
    return http_error_end(&r, sentence);
}

int http_error_append_refusal(struct buf *out, const struct http_refusal *refusal)
{
    return http_error_append(out, http_terms_of_refused(), refusal->status, refusal->reason);
}

int http_error_append_not_found(struct buf *out, struct http_terms terms, struct part path)
{
    char text[SENTENCE_SIZE];
    struct text_builder b;
    text_builder_begin(&b, text, sizeof(text));
    text_builder_add(&b, "There is nothing at ");
    text_builder_quote(&b, path.bytes, path.len, 200);
    text_builder_add(&b, ".");
    return http_error_append(out, terms, 404, text);
}

int http_error_append_method(struct buf *out, struct http_terms terms, struct part method, unsigned allowed)
{
    char text[SENTENCE_SIZE];
    char list[HTTP_ALLOW_SIZE];
    struct text_builder b;
    struct http_response r;
    text_builder_begin(&b, text, sizeof(text));
    text_builder_quote(&b, method.bytes, method.len, HTTP_METHOD_MAX);
    text_builder_addf(&b, " is not possible here; use %s.", http_method_list(allowed, list));
    http_response_begin(&r, out, terms, 405);
    http_response_field(&r, "Allow", list);
    return http_error_end(&r, text);
}

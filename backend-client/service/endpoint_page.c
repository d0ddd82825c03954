/* The page and its parts: files of this folder that became arrays when the program was built. */
#include <string.h>

#include "assets.h"
#include "routes.h"

static const struct page_part {
    const char *path;
    const char *content_type;
    const char *bytes;
    const size_t *len;
} parts[] = {
    {"/", "text/html; charset=utf-8", page_html, &page_html_len},
    {"/page.css", "text/css; charset=utf-8", page_css, &page_css_len},
    {"/page.js", "text/javascript; charset=utf-8", page_js, &page_js_len},
    {"/icon.svg", "image/svg+xml", icon_svg, &icon_svg_len},
};

void endpoint_page(struct exchange *x)
{
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (strcmp(parts[i].path, x->route->path) != 0)
            continue;
        buf_clear(&x->answer);
        if (buf_append(&x->answer, parts[i].bytes, *parts[i].len) != 0) {
            exchange_fail_memory(x);
            return;
        }
        x->status = 200;
        x->content_type = parts[i].content_type;
    }
}

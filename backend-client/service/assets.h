/* The page's files, made part of the program by module.mk. Bytes, not strings: no NUL ends them. */
#ifndef SERVICE_ASSETS_H
#define SERVICE_ASSETS_H

#include <stddef.h>

extern const char page_html[];
extern const size_t page_html_len;
extern const char page_css[];
extern const size_t page_css_len;
extern const char page_js[];
extern const size_t page_js_len;
extern const char icon_svg[];
extern const size_t icon_svg_len;

#endif

/* Status codes (RFC 9110 15), and why a request is refused. Pure. */
#ifndef HTTP_STATUS_H
#define HTTP_STATUS_H

#include <stdbool.h>

/* A request that is refused before anybody served it. */
struct http_refusal {
    unsigned status;    /* 4xx or 5xx; 0: it is not refused */
    const char *reason; /* static: a sentence that names what was wrong */
};

/* Fills the refusal; returns false, for the end of a check. */
static inline bool http_refuse(struct http_refusal *refusal, unsigned status, const char *reason)
{
    *refusal = (struct http_refusal){status, reason};
    return false;
}

/* The reason phrase: "Not Found"; "Unknown" for a status that is not listed. */
const char *http_status_text(unsigned status);

/* No answer with this status has a body, nor a Content-Length: 1xx, 204, 304. */
static inline bool http_status_is_bodiless(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

#endif

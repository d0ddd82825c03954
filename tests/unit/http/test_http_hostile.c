/* Requests that no server should answer with 200, each in any cuts: the battery that HTTP servers were
 * compared with, and others of the same kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/http/http_fixture.h"

#define H    "Host: a\r\n"
#define GET  "GET / HTTP/1.1\r\n"
#define POST "POST / HTTP/1.1\r\n" H
#define TE   POST "Transfer-Encoding: chunked\r\n\r\n"
#define R(status, literal)                                                                                   \
    {                                                                                                        \
        status, literal, sizeof(literal) - 1                                                                 \
    }

static const struct {
    unsigned status;
    const char *stream;
    size_t len;
} hostile[] = {
    /* folding and line ends */
    R(400, GET H "X: a\r\n b\r\n\r\n"),
    R(400, GET " X: a\r\n" H "\r\n"),
    R(400, POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    R(400, "GET / HTTP/1.1\n" H "\r\n"),
    R(400, GET "Host: a\n\r\n"),
    R(400, GET H "\n"),
    R(400, GET H "X: a\rY: b\r\n\r\n"),
    R(400, GET H "X: a\r\r\n\r\n"),
    R(400, "\nGET / HTTP/1.1\r\n" H "\r\n"),
    R(400, "\r\n\r\n" GET H "\r\n"),
    /* lengths */
    R(400, POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(400, POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n"),
    R(400, POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    R(400, POST "Content-Length: 1\r\ncontent-length: 2\r\n\r\nab"),
    R(400, POST "Content-Length: 1, 1\r\n\r\na"),
    R(400, POST "Content-Length: +1\r\n\r\na"),
    R(400, POST "Content-Length: -1\r\n\r\na"),
    R(400, POST "Content-Length:\r\n\r\n"),
    R(400, POST "Content-Length: 0x1\r\n\r\na"),
    R(400, POST "Content-Length: 1 1\r\n\r\na"),
    R(400, POST "Content-Length: 1_0\r\n\r\n"),
    R(400, POST "Content-Length: 18446744073709551617\r\n\r\na"),
    R(400, POST "Content-Length: 0000000000000001\r\n\r\na"),
    /* codings */
    R(501, POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    R(501, POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    R(501, POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    R(501, POST "Transfer-Encoding: identity\r\n\r\n"),
    R(400, POST "Transfer-Encoding:\r\n\r\n"),
    R(400, POST "Transfer-Encoding: \x0b"
                "chunked\r\n\r\n0\r\n\r\n"),
    R(400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(400, POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    R(400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    R(400, POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    R(415, POST "Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\na"),
    /* names and values */
    R(400, GET H "X : a\r\n\r\n"),
    R(400, GET H "X Y: a\r\n\r\n"),
    R(400, GET H ": a\r\n\r\n"),
    R(400, GET H "X\r\n\r\n"),
    R(400, GET H "X\x01: a\r\n\r\n"),
    R(400, GET H "X\0: a\r\n\r\n"),
    R(400, GET H "X: a\0b\r\n\r\n"),
    R(400, GET H "X: a\x7f\r\n\r\n"),
    R(400, GET H "X\xc3\xa9: a\r\n\r\n"),
    R(400, GET H "(X): a\r\n\r\n"),
    /* hosts */
    R(400, GET "\r\n"),
    R(400, GET H H "\r\n"),
    R(400, GET H "host: b\r\n\r\n"),
    R(400, GET "Host:\r\n\r\n"),
    R(400, GET "Host: a b\r\n\r\n"),
    R(400, GET "Host: a, b\r\n\r\n"),
    R(400, GET "Host: a@b\r\n\r\n"),
    R(400, GET "Host: a/b\r\n\r\n"),
    R(400, GET "Host: a:0\r\n\r\n"),
    R(400, GET "Host: a:70000\r\n\r\n"),
    R(400, GET "Host: [::1\r\n\r\n"),
    R(400, GET H "Origin: http://a\r\nOrigin: http://b\r\n\r\n"),
    R(400, GET H "Authorization: a\r\nAuthorization: b\r\n\r\n"),
    /* request lines */
    R(400, "GET /\r\n"),
    R(400, "GET / \r\n" H "\r\n"),
    R(400, "GET  / HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET /  HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET / HTTP/1.1 \r\n" H "\r\n"),
    R(400, " GET / HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET\t/ HTTP/1.1\r\n" H "\r\n"),
    R(400, "G\x01T / HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET / http/1.1\r\n" H "\r\n"),
    R(400, "GET / HTTP/1.10\r\n" H "\r\n"),
    R(400, "GET / HTTP/11\r\n" H "\r\n"),
    R(505, "GET / HTTP/0.9\r\n" H "\r\n"),
    R(505, "GET / HTTP/1.2\r\n" H "\r\n"),
    R(505, "GET / HTTP/2.0\r\n" H "\r\n"),
    R(505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    R(400, "GET /a#b HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET /%00 HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET /%zz HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET /% HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET a HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET * HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET ftp://a/ HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET http:///b HTTP/1.1\r\n" H "\r\n"),
    R(400, "GET http://u@a/ HTTP/1.1\r\n" H "\r\n"),
    R(400, "CONNECT a:80 HTTP/1.1\r\n" H "\r\n"),
    R(400, "ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n" H "\r\n"),
    R(417, POST "Expect: 200-ok\r\nContent-Length: 1\r\n\r\na"),
    /* chunks */
    R(400, TE "1;a=b\r\na\r\n0\r\n\r\n"),
    R(400, TE "1 \r\na\r\n0\r\n\r\n"),
    R(400, TE " 1\r\na\r\n0\r\n\r\n"),
    R(400, TE "0x1\r\na\r\n0\r\n\r\n"),
    R(400, TE "+1\r\na\r\n0\r\n\r\n"),
    R(400, TE "-1\r\na\r\n0\r\n\r\n"),
    R(400, TE "\r\na\r\n0\r\n\r\n"),
    R(400, TE "g\r\na\r\n0\r\n\r\n"),
    R(400, TE "000000001\r\na\r\n0\r\n\r\n"),
    R(400, TE "10000000000000001\r\na\r\n0\r\n\r\n"),
    R(400, TE "1\na\r\n0\r\n\r\n"),
    R(400, TE "1\r\na\n0\r\n\r\n"),
    R(400, TE "1\r\nab\r\n0\r\n\r\n"),
    R(400, TE "1\r\r\na\r\n0\r\n\r\n"),
    R(400, TE "1\r\na\r\n0\r\nX: a\r\n\r\n"),
    R(400, TE "0\r\n\n"),
    R(400, TE "0\n\r\n"),
    R(413, TE "ffffffff\r\n"),
};

static void hostile_requests_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
        unsigned status = refusal_of(hostile[i].stream, hostile[i].len);
        if (status != hostile[i].status)
            fail_msg("%zu: %u for %s", i, status, hostile[i].stream);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

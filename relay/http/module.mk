MODULES  += http
http_SRC := $(addprefix relay/http/,http_text.c http_status.c http_method.c http_host.c http_percent.c http_query.c \
              http_head.c http_head_line.c http_field.c http_body.c http_date.c http_response.c http_error.c \
              http_sse.c http_route.c http_accept.c http_guard.c websocket.c websocket_frame.c websocket_handshake.c)

TEST_FOLDERS   += http
http_TEST_LIBS := fixture/common http wire base

FUZZERS             += fuzz_http fuzz_websocket
fuzz_http_SRC       := tests/fuzz/fuzz_http.c
fuzz_http_LIBS      := http wire base
fuzz_websocket_SRC  := tests/fuzz/fuzz_websocket.c
fuzz_websocket_LIBS := http wire base

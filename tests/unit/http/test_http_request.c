/* What a request asks for, and whether it may: http_route, http_query, http_accept, http_guard, http_host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "http/http_accept.h"
#include "http/http_guard.h"
#include "http/http_host.h"
#include "http/http_query.h"
#include "http/http_route.h"
#include "tests/unit/http/http_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct part text_of(const char *text)
{
    return (struct part){text, strlen(text)};
}

/* ---- routes ---- */

enum { ROOT, HEALTH, SERVERS, TOOLS, TOOL, ALL };

static const struct http_route routes[] = {
    {HTTP_GET, "/", ROOT},
    {HTTP_GET, "/health", HEALTH},
    {HTTP_GET | HTTP_POST | HTTP_DELETE, "/api/servers", SERVERS},
    {HTTP_GET, "/api/servers/all/tools", ALL},
    {HTTP_GET, "/api/servers/{name}/tools", TOOLS},
    {HTTP_POST, "/api/servers/{name}/tools/{tool}", TOOL},
};

static struct http_route_match match;

static enum http_route_result find(const char *method, const char *path)
{
    return http_route_find(routes, COUNT(routes), http_method_find(text_of(method)), text_of(path), &match);
}

static void finds_routes(void **state)
{
    (void)state;
    assert_int_equal(find("GET", "/"), HTTP_ROUTE_FOUND);
    assert_int_equal(match.route->id, ROOT);
    assert_int_equal(find("HEAD", "/health"), HTTP_ROUTE_FOUND);
    assert_int_equal(find("GET", "/%68ealth"), HTTP_ROUTE_FOUND);
    assert_int_equal(match.route->id, HEALTH);
    assert_int_equal(find("GET", "/api/servers/all/tools"), HTTP_ROUTE_FOUND);
    assert_int_equal(match.route->id, ALL);
    assert_int_equal(find("POST", "/api/servers/a%2fb/tools/%e4%b8%ad%25"), HTTP_ROUTE_FOUND);
    assert_int_equal(match.count, 2);
    assert_string_equal(match.params[0].bytes, "a/b");
    assert_string_equal(match.params[1].bytes, "\xe4\xb8\xad%");
    assert_int_equal(match.params[1].len, 4);
}

static void finds_nothing_else(void **state)
{
    (void)state;
    static const char *const paths[] = {"/healt",
                                        "/healthy",
                                        "/health/",
                                        "//health",
                                        "/./health",
                                        "/a/../health",
                                        "/Health",
                                        "/api/servers//tools",
                                        "/api/servers/a%2ftools",
                                        "/api%2fservers",
                                        "/api/servers/a/tools/b/c",
                                        "/api/servers/a",
                                        ""};
    for (size_t i = 0; i < COUNT(paths); i++)
        assert_int_equal(find("GET", paths[i]), HTTP_ROUTE_NOT_FOUND);
}

static void says_which_methods_are_allowed(void **state)
{
    (void)state;
    char list[HTTP_ALLOW_SIZE];
    assert_int_equal(find("PUT", "/api/servers"), HTTP_ROUTE_METHOD);
    assert_string_equal(http_method_list(match.allowed, list), "GET, HEAD, POST, DELETE, OPTIONS");
    assert_int_equal(find("get", "/health"), HTTP_ROUTE_METHOD);
    assert_string_equal(http_method_list(match.allowed, list), "GET, HEAD, OPTIONS");
    assert_int_equal(find("HEAD", "/api/servers/a/tools/b"), HTTP_ROUTE_METHOD);
    assert_string_equal(http_method_list(match.allowed, list), "POST, OPTIONS");
    assert_int_equal(find("OPTIONS", "/health"), HTTP_ROUTE_OPTIONS);
    assert_int_equal(find("OPTIONS", "*"), HTTP_ROUTE_OPTIONS);
    assert_string_equal(http_method_list(match.allowed, list), "GET, HEAD, POST, DELETE, OPTIONS");
    assert_string_equal(http_method_list(~0U, list), "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

static void refuses_bad_parameters(void **state)
{
    (void)state;
    static const char *const names[] = {"%0a", "%7f", "%ff", "%c3", "%ed%a0%80"};
    char path[2000];
    for (size_t i = 0; i < COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "/api/servers/%s/tools", names[i]);
        assert_int_equal(find("GET", path), HTTP_ROUTE_BAD);
    }
    for (int len = HTTP_ROUTE_PARAM_BYTES - 2; len <= HTTP_ROUTE_PARAM_BYTES; len++) {
        (void)snprintf(path, sizeof(path), "/api/servers/%0*d/tools", len, 0);
        assert_int_equal(find("GET", path), len < HTTP_ROUTE_PARAM_BYTES ? HTTP_ROUTE_FOUND : HTTP_ROUTE_BAD);
    }
}

/* ---- queries ---- */

static void reads_queries(void **state)
{
    (void)state;
    char out[8];
    size_t len;
    assert_int_equal(http_query_find(PART("a=1&b=x+%41&&c"), "b", out, sizeof(out), &len), HTTP_QUERY_FOUND);
    assert_string_equal(out, "x A");
    assert_int_equal(len, 3);
    assert_int_equal(http_query_find(PART("a=1&c"), "c", out, sizeof(out), NULL), HTTP_QUERY_FOUND);
    assert_string_equal(out, "");
    assert_int_equal(http_query_find(PART("%61=1=2"), "a", out, sizeof(out), NULL), HTTP_QUERY_FOUND);
    assert_string_equal(out, "1=2");
    assert_int_equal(http_query_find(PART("ab=1"), "a", out, sizeof(out), NULL), HTTP_QUERY_ABSENT);
    assert_int_equal(http_query_find(PART(""), "a", out, sizeof(out), NULL), HTTP_QUERY_ABSENT);
    assert_int_equal(http_query_find(PART("a=1234567"), "a", out, sizeof(out), NULL), HTTP_QUERY_FOUND);
    static const char *const bad[] = {"a=12345678", "a=1&a=1", "a=%zz", "a=%00", "a=%0a", "a=%ff"};
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(http_query_find(text_of(bad[i]), "a", out, sizeof(out), NULL), HTTP_QUERY_BAD);
}

/* ---- media types ---- */

static unsigned quality(const char *fields, const char *type)
{
    char head[512];
    (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    return http_accept_quality(open_head(head), type);
}

static void judges_accept(void **state)
{
    (void)state;
    static const char json[] = "application/json";
    static const struct {
        const char *fields;
        unsigned quality;
    } cases[] = {
        {"", 1000},
        {"Accept:\r\n", 0},
        {"Accept: */*\r\n", 1000},
        {"Accept: application/json\r\n", 1000},
        {"Accept: Application/JSON ; q=0.5\r\n", 500},
        {"Accept: text/html, application/*;q=0.25, */*;q=0.1\r\n", 250},
        {"Accept: */*;q=0.1, application/json;q=0\r\n", 0},
        {"Accept: text/html\r\nAccept: application/json;charset=utf-8;q=0.125\r\n", 125},
        {"Accept: application/json;x=\",;q=0\";q=0.3\r\n", 300},
        {"Accept: application/jsonp, applicatio/json, */json, application, text/*\r\n", 0},
        {"Accept: application/json;q=1.001\r\n", 0},
        {"Accept: application/json;q=0.1234\r\n", 0},
        {"Accept: application/json;q=2\r\n", 0},
        {"Accept: application/json;q=\r\n", 0},
        {"Accept: application/json;q=1.\r\n", 1000},
        {"Accept: application/json;q=1.000\r\n", 1000},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(quality(cases[i].fields, json), cases[i].quality);
}

static void knows_what_is_named(void **state)
{
    (void)state;
    const char *both = "GET / HTTP/1.1\r\nHost: a\r\nAccept: application/json, text/event-stream\r\n\r\n";
    assert_true(http_accept_names(open_head(both), "text/event-stream"));
    assert_false(http_accept_names(open_head("GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n"),
                                   "text/event-stream"));
    assert_false(http_accept_names(open_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "text/event-stream"));
}

static void reads_content_types(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        bool is_json;
    } cases[] = {{"application/json", true},
                 {"Application/JSON", true},
                 {"application/json; charset=utf-8", true},
                 {"application/json ;a=b", true},
                 {"application/json5", false},
                 {"text/plain", false},
                 {"text/plain; application/json", false},
                 {"", false}};
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(http_media_type_is(text_of(cases[i].value), "application/json"), cases[i].is_json);
    assert_false(http_head_has_type(open_head("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "application/json"));
}

/* ---- hosts and origins ---- */

static const char *const hosts[] = {"relay.example.org", "ports.example.org:81", "*.inner.example", NULL};
static const char *const origins[] = {"https://app.example.org", "http://app.example.org:8080", NULL};

static void allows_hosts(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool allowed;
    } cases[] = {
        {"localhost", true},
        {"LOCALHOST:9500", true},
        {"a.localhost", true},
        {"localhost.", true},
        {"127.0.0.1:9500", true},
        {"192.168.1.9", true},
        {"[::1]:9500", true},
        {"[2001:db8::1]", true},
        {"relay", true},
        {"relay:9500", true},
        {"my_relay-1", true},
        {"", true},
        {"relay.example.org", true},
        {"Relay.Example.Org:1", true},
        {"relay.example.org.", true},
        {"ports.example.org:81", true},
        {"ports.example.org", false},
        {"ports.example.org:82", false},
        {"a.inner.example", true},
        {"a.b.inner.example:1", true},
        {"inner.example", false},
        {"ainner.example", false},
        {"evil.com", false},
        {"evil.com:9500", false},
        {"localhost.evil.com", false},
        {"127.0.0.1.evil.com", false},
        {"127.1", false},
        {"0x7f.0.0.1", false},
        {"evillocalhost.com", false},
        {"relay.example.org.evil.com", false},
        {"[::1", false},
        {"[evil.com]", false},
        {"a..localhost", false},
        {"evil.com:9500:localhost", false},
        {"localhost@evil.com", false},
    };
    struct http_guard g = {.hosts = hosts};
    for (size_t i = 0; i < COUNT(cases); i++)
        if (http_guard_allows_host(&g, text_of(cases[i].host)) != cases[i].allowed)
            fail_msg("%s", cases[i].host);
}

static void allows_origins(void **state)
{
    (void)state;
    static const struct {
        const char *origin;
        const char *host;
        bool allowed; /* 1 */
        bool own;     /* where own_origin is set */
    } cases[] = {
        {"http://localhost", "relay", true, true},
        {"https://LocalHost:3000", "relay", true, true},
        {"http://127.0.0.1:3000", "relay", true, true},
        {"http://127.9.9.9", "relay", true, true},
        {"http://[::1]:1", "relay", true, true},
        {"http://[0:0:0:0:0:0:0:1]", "relay", true, true},
        {"http://a.localhost", "relay", true, true},
        {"https://app.example.org", "relay", true, true},
        {"http://app.example.org:8080", "relay", true, true},
        {"http://app.example.org", "relay", false, false},
        {"https://app.example.org:8080", "relay", false, false},
        {"http://relay:9500", "relay:9500", false, true},
        {"http://192.168.1.9", "192.168.1.9", false, true},
        {"http://relay:9500", "relay:9501", false, false},
        {"http://xrelay", "relay", false, false},
        {"http://evil.com", "evil.com", false, false},
        {"http://192.168.1.9", "relay", false, false},
        {"http://localhost.evil.com", "relay", false, false},
        {"http://127.0.0.1.evil.com", "relay", false, false},
        {"http://localhost@evil.com", "relay", false, false},
        {"http://localhost/x", "relay", false, false},
        {"file://localhost", "relay", false, false},
        {"chrome-extension://abc", "relay", false, false},
        {"null", "relay", false, false},
        {"", "relay", false, false},
        {"http://", "relay", false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct http_guard g = {.hosts = hosts, .origins = origins};
        struct part origin = text_of(cases[i].origin), host = text_of(cases[i].host);
        bool allowed = http_guard_allows_origin(&g, origin, host);
        g.own_origin = true;
        if (allowed != cases[i].allowed || http_guard_allows_origin(&g, origin, host) != cases[i].own)
            fail_msg("%s at %s", cases[i].origin, cases[i].host);
    }
}

static unsigned guarded(const char *fields)
{
    static const char *const any[] = {"*", NULL};
    char head[512];
    struct http_refusal refusal = {0, NULL};
    struct http_guard open = {.origins = any};
    (void)snprintf(head, sizeof(head), "GET / HTTP/1.1\r\n%s\r\n", fields);
    bool ok = http_guard_check(&(struct http_guard){0}, open_head(head), &refusal);
    assert_int_equal(ok, refusal.status == 0);
    if (strstr(fields, "evil.com\r\n") == NULL)
        assert_true(http_guard_check(&open, open_head(head), &refusal));
    return refusal.status;
}

static void checks_whole_requests(void **state)
{
    (void)state;
    assert_int_equal(guarded("Host: localhost:9500\r\n"), 0);
    assert_int_equal(guarded("Host: localhost:9500\r\nOrigin: http://localhost:3000\r\n"), 0);
    assert_int_equal(guarded("Host: evil.com\r\n"), 403);
    assert_int_equal(guarded("Host: localhost\r\nOrigin: null\r\n"), 403);
    struct http_refusal refusal;
    assert_false(http_guard_check(&(struct http_guard){0},
                                  open_head("GET http://evil.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                                  &refusal));
    assert_true(http_guard_check(&(struct http_guard){0}, open_head("GET / HTTP/1.0\r\n\r\n"), &refusal));
}

static void knows_what_may_be_listed(void **state)
{
    (void)state;
    assert_true(http_guard_is_host("a.b") && http_guard_is_host("a.b:80") && http_guard_is_host("*.a.b"));
    assert_false(http_guard_is_host("*") || http_guard_is_host("http://a") || http_guard_is_host("*.a:80") ||
                 http_guard_is_host("") || http_guard_is_host("a.*"));
    assert_true(http_guard_is_origin("http://a") && http_guard_is_origin("https://a.b:80") &&
                http_guard_is_origin("*"));
    assert_false(http_guard_is_origin("a.b") || http_guard_is_origin("http://a/") ||
                 http_guard_is_origin("ftp://a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_routes),
        cmocka_unit_test(finds_nothing_else),
        cmocka_unit_test(says_which_methods_are_allowed),
        cmocka_unit_test(refuses_bad_parameters),
        cmocka_unit_test(reads_queries),
        cmocka_unit_test(judges_accept),
        cmocka_unit_test(knows_what_is_named),
        cmocka_unit_test(reads_content_types),
        cmocka_unit_test(allows_hosts),
        cmocka_unit_test(allows_origins),
        cmocka_unit_test(checks_whole_requests),
        cmocka_unit_test(knows_what_may_be_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

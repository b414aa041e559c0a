/* test_serve_requests.c - of `unseen serve`: who may ask, addresses, forms, parameters. */
#include "unit/util.h"

#include <string.h>

#include "serve/guard.h"
#include "serve/multipart.h"
#include "serve/question.h"
#include "serve/url.h"

static void names_of_this_server(void **state) {
    (void)state;
    static const char *const hosts[] = {"birds.example"};
    const un_guard g = {.host = "127.0.0.1", .hosts = {hosts, 1}};
    static const char *const known[] = {"127.0.0.1",      "127.0.0.1:8080", "localhost",
                                        "LocalHost:1",    "[::1]:8080",     "[::1]",
                                        "192.168.1.5:80", "Birds.Example"};
    static const char *const strange[] = {"",
                                          "evil.example",
                                          "localhost.evil.example",
                                          "localhost:80:80",
                                          "localhost:x",
                                          "[::1",
                                          "[::1]x",
                                          "127.0.0.1.evil.example",
                                          ":8080",
                                          "birds.example.",
                                          "127.0.0.1@evil.example"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!un_guard_knows_host(&g, known[i])) fail_msg("%s is unknown", known[i]);
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        if (un_guard_knows_host(&g, strange[i])) fail_msg("%s is known", strange[i]);
    assert_false(un_guard_knows_host(&g, NULL));
}

static void pages_that_may_ask(void **state) {
    (void)state;
    static const char *const origins[] = {"https://friend.example"};
    const un_guard g = {.host = "127.0.0.1", .origins = {origins, 1}};
    const un_guard open = {.host = "127.0.0.1", .origins = {(const char *const[]){"*"}, 1}};
    assert_true(un_guard_knows_origin(&g, NULL, "localhost:8080"));
    assert_true(un_guard_knows_origin(&g, "http://localhost:8080", "localhost:8080"));
    assert_true(un_guard_knows_origin(&g, "https://birds.example", "birds.example"));
    assert_true(un_guard_knows_origin(&g, "https://friend.example", "localhost:8080"));
    assert_false(un_guard_knows_origin(&g, "http://localhost:9090", "localhost:8080"));
    assert_false(un_guard_knows_origin(&g, "null", "localhost:8080"));
    assert_false(un_guard_knows_origin(&g, "", "localhost:8080"));
    assert_false(un_guard_knows_origin(&g, "http://friend.example", "localhost:8080"));
    assert_false(un_guard_knows_origin(&g, "http://evil.example", "localhost:8080"));
    assert_true(un_guard_knows_origin(&open, "http://evil.example", "localhost:8080"));
}

static void the_token(void **state) {
    (void)state;
    char token[] = "0123456789abcdef";
    const un_guard g = {.token = token}, none = {.token = NULL};
    assert_true(un_guard_knows_token(&g, "Bearer 0123456789abcdef"));
    assert_true(un_guard_knows_token(&g, "bearer  0123456789abcdef"));
    static const char *const wrong[] = {"",
                                        "Bearer",
                                        "Bearer ",
                                        "0123456789abcdef",
                                        "Basic 0123456789abcdef",
                                        "Bearer 0123456789abcdeF",
                                        "Bearer 0123456789abcde",
                                        "Bearer 0123456789abcdef0123456789abcdef"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        if (un_guard_knows_token(&g, wrong[i])) fail_msg("\"%s\" is taken", wrong[i]);
    assert_false(un_guard_knows_token(&g, NULL));
    assert_true(un_guard_knows_token(&none, NULL));
}

static void hosts_of_this_machine(void **state) {
    (void)state;
    assert_true(un_guard_is_loopback("localhost") && un_guard_is_loopback("127.8.9.1") &&
                un_guard_is_loopback("::1"));
    assert_false(un_guard_is_loopback("0.0.0.0") || un_guard_is_loopback("::") ||
                 un_guard_is_loopback("example.org") || un_guard_is_loopback("128.0.0.1"));
}

static void decode(const char *text, const char *expected) {
    char copy[64];
    snprintf(copy, sizeof copy, "%s", text);
    const int well = un_url_decode(copy);
    if (well != (expected != NULL)) fail_msg("\"%s\": %d", text, well);
    if (expected) assert_string_equal(copy, expected);
}

static void addresses(void **state) {
    (void)state;
    decode("a%20b%2fc", "a b/c");
    decode("", "");
    decode("gr%C3%B6%C3%9Fe", "gr\xC3\xB6\xC3\x9F"
                              "e");
    decode("%", NULL);
    decode("%4", NULL);
    decode("%4g", NULL);
    decode("%00", NULL);
    decode("%ff", NULL);
    char *encoded = un_url_encode("a b/\xC3\xB6-._~");
    assert_non_null(encoded);
    assert_string_equal(encoded, "a%20b%2F%C3%B6-._~");
    free(encoded);
}

#define HEAD "Content-Disposition: form-data; name=\"image\"\r\n\r\n"

static void forms(void **state) {
    (void)state;
    static const char type[] = "multipart/form-data; boundary=xyz";
    un_part parts[3];
    size_t n = 0;
    const char body[] =
        "--xyz\r\n" HEAD "one\r\n--xy\r\n--xyz\r\n"
        "X: y\r\ncontent-disposition: form-data; name=request; filename=\"name\"\r\n\r\n"
        "\r\n--xyz--\r\n";
    util_ok(un_multipart_split(type, body, sizeof body - 1, parts, 3, &n));
    assert_int_equal(n, 2);
    assert_string_equal(parts[0].name, "image");
    assert_int_equal(parts[0].size, sizeof "one\r\n--xy" - 1);
    assert_memory_equal(parts[0].bytes, "one\r\n--xy", parts[0].size);
    assert_string_equal(parts[1].name, "request");
    assert_int_equal(parts[1].size, 0);
    const char quoted[] =
        "--xyz\r\nContent-Disposition: form-data; filename=\"a; name=b\\\"; name=c\"; "
        "name=\"image\"\r\n\r\none\r\n--xyz--";
    util_ok(un_multipart_split(type, quoted, sizeof quoted - 1, parts, 3, &n));
    assert_string_equal(parts[0].name, "image");
    static const char *const damaged[] = {
        "",
        "--xyz",
        "--xyz\r\n",
        "--xyz\r\n" HEAD,
        "--xyz\r\n" HEAD "one",
        "--xyz\r\n" HEAD "one\r\n--xyz",
        "--xyz\r\n" HEAD "one\r\n--xyz\r\n",
        "--xyz\r\n\r\n\r\none\r\n--xyz--",
        "--xyz\r\nContent-Disposition: form-data\r\n\r\none\r\n--xyz--",
        "--abc\r\n" HEAD "one\r\n--abc--"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++)
        if (un_multipart_split(type, damaged[i], strlen(damaged[i]), parts, 3, &n) !=
            UNSEEN_E_FORMAT)
            fail_msg("\"%s\" is taken", damaged[i]);
    assert_int_equal(un_multipart_split("multipart/form-data", body, sizeof body - 1, parts, 3, &n),
                     UNSEEN_E_FORMAT);
    assert_int_equal(un_multipart_split(type, body, sizeof body - 1, parts, 1, &n),
                     UNSEEN_E_FORMAT);
}

/* The status of a body for a model of rows of 2 numbers, and of a question that is asked about it. */
static int read_body(un_question *q, const char *type, const char *body, int explain, int sees) {
    un_question_init(q, explain);
    return un_question_read(q, type, body, strlen(body), 2, sees);
}

static void refused(int status, const char *type, const char *body, int explain, int sees) {
    un_question q;
    const int got = read_body(&q, type, body, explain, sees);
    if (got != status)
        fail_msg("%s %s: %d, expected %d (%s)", type ? type : "", body, got, status, un_error());
    un_question_free(&q);
}

static void questions(void **state) {
    (void)state;
    static const char json[] = "application/json";
    un_question q;
    assert_int_equal(read_body(&q, json, "{\"features\": [[1, 2], [3, 4]], \"top\": 7}", 0, 0), 0);
    assert_int_equal(q.picture_count, 2);
    assert_int_equal(q.top, 7);
    assert_true(q.rows[3] == 4 && q.calibration == UNSEEN_CALIBRATED &&
                q.among == UNSEEN_AMONG_ALL);
    un_question_free(&q);
    assert_int_equal(read_body(&q, "IMAGE/x; a=b", "bytes", 0, 1), 0);
    assert_int_equal(q.pictures[0].size, 5);
    un_question_free(&q);
    refused(422, "image/png", "bytes", 0, 0);
    refused(400, "image/png", "", 0, 1);
    refused(415, "text/plain", "bytes", 0, 1);
    refused(415, NULL, "bytes", 0, 1);
    refused(400, json, "[]", 0, 0);
    refused(400, json, "{}", 0, 0);
    refused(400, json, "{\"features\": []}", 0, 0);
    refused(400, json, "{\"features\": [1]}", 0, 0);
    refused(422, json, "{\"features\": [[1]]}", 0, 0);
    refused(422, json, "{\"features\": [[1, \"2\"]]}", 0, 0);
    refused(422, json, "{\"features\": [[1, 1e300]]}", 0, 0);
    refused(400, json, "{\"features\": [[1, 2]], \"features\": [[1, 2]]}", 0, 0);
    refused(400, json, "{\"features\": [[1, 2]], \"maps\": 3}", 0, 0);
    refused(0, json, "{\"features\": [[1, 2]], \"maps\": 3}", 1, 0);
    refused(400, json, "{\"features\": [[1, 2], [1, 2]]}", 1, 0);
    refused(400, json, "{\"features\": [[1, 2]], \"top\": 1001}", 0, 0);
    refused(400, json, "{\"features\": [[1, 2]], \"top\": 1.5}", 0, 0);
    refused(400, json, "{\"features\": [[1, 2]], \"among\": 1}", 0, 0);
    refused(400, json, "{\"features\": [[1, 2]], \"classes\": [{\"name\": \"\"}]}", 0, 0);
    refused(400, json, "{\"features\": [[1, 2]], \"classes\": [{\"name\": \"a\"}]}", 0, 0);
    refused(
        400, json,
        "{\"features\": [[1, 2]], \"classes\": [{\"name\": \"a\", \"attributes\": {\"x\": null}}]}",
        0, 0);
}

/* The sentence, too. */
static void refused_with(const char *sentence, const char *type, const char *body) {
    refused(400, type, body, 0, 1);
    if (!strstr(un_error(), sentence)) fail_msg("\"%s\" is not in: %s", sentence, un_error());
}

static void too_many_parts(void **state) {
    (void)state;
    enum { PARTS = 300 };
    char body[4 * PARTS + 64] = "{\"features\": [[1, 2]], \"x\": [";
    for (size_t i = 0; i < PARTS; i++) strcat(body, i > 0 ? ",{}" : "{}");
    strcat(body, "]}");
    refused_with("more lists and objects", "application/json", body);
    char name[400] = "{\"features\": [[1, 2]], \"instead_of\": \"\\\"";
    for (size_t i = 0; i < PARTS; i++) strcat(name, "{");
    strcat(name, "\"}");
    refused(400, "application/json", name, 1, 1);
    assert_null(strstr(un_error(), "more lists and objects")); /* a name, which is too long */
}

static void places_of_parameters(void **state) {
    (void)state;
    static const char type[] = "multipart/form-data; boundary=xyz";
    un_question q;
    un_question_init(&q, 0);
    assert_int_equal(un_question_parameter(&q, "classes", "[]"), 400);
    assert_non_null(strstr(un_error(), "\"classes\" is said in JSON, the body or the part"));
    un_question_free(&q);
    refused_with("\"features\" is said in JSON as the body, not here", type,
                 "--xyz\r\nContent-Disposition: form-data; name=request\r\n\r\n"
                 "{\"features\": [[1, 2]]}\r\n--xyz--");
}

static void parameters(void **state) {
    (void)state;
    un_question q;
    un_question_init(&q, 1);
    assert_int_equal(un_question_parameter(&q, "top", "all"), 0);
    assert_int_equal(q.top, 0);
    assert_int_equal(un_question_parameter(&q, "among", "new"), 0);
    assert_int_equal(q.among, UNSEEN_AMONG_NEW);
    assert_int_equal(un_question_parameter(&q, "calibration", "native"), 0);
    assert_int_equal(q.calibration, UNSEEN_NATIVE);
    assert_int_equal(un_question_parameter(&q, "instead_of", "a b"), 0);
    assert_string_equal(q.instead_of, "a b");
    assert_int_equal(un_question_parameter(&q, "top", "99999999999999999999"), 400);
    assert_int_equal(un_question_parameter(&q, "top", "1x"), 400);
    assert_int_equal(un_question_parameter(&q, "features", "1"), 400);
    assert_int_equal(un_question_parameter(&q, "Top", "1"), 400);
    un_question_free(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_this_server),
                                       cmocka_unit_test(pages_that_may_ask),
                                       cmocka_unit_test(the_token),
                                       cmocka_unit_test(hosts_of_this_machine),
                                       cmocka_unit_test(addresses),
                                       cmocka_unit_test(forms),
                                       cmocka_unit_test(questions),
                                       cmocka_unit_test(too_many_parts),
                                       cmocka_unit_test(places_of_parameters),
                                       cmocka_unit_test(parameters)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

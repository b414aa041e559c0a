/*
 * fuzz_request.c - bodies of requests to `unseen serve`: the first line is the content type, the rest the
 * body. What is taken lies within the body and within the limits.
 */
#include "fuzz.h"

#include <math.h>

#include "serve/question.h"

enum { WIDTH = 3, MOST_TYPE = 200 };

static void use(const un_question *q, const char *body, size_t size) {
    FUZZ_REQUIRE(q->picture_count <= UN_MOST_ROWS && q->class_count <= UN_MOST_CLASSES);
    FUZZ_REQUIRE(q->picture_count > 0 || (q->rows && q->class_count > 0));
    for (size_t i = 0; i < q->picture_count && !q->rows; i++) {
        const char *bytes = q->pictures[i].bytes;
        FUZZ_REQUIRE(i < UN_MOST_PICTURES && bytes >= body && q->pictures[i].size > 0);
        FUZZ_REQUIRE(q->pictures[i].size <= size - (size_t)(bytes - body));
    }
    for (size_t i = 0; q->rows && i < q->picture_count * WIDTH; i++)
        FUZZ_REQUIRE(isfinite(q->rows[i]));
    for (size_t i = 0; i < q->class_count; i++) {
        FUZZ_REQUIRE(q->classes[i].name[0] && q->classes[i].count > 0);
        for (size_t k = 0; k < q->classes[i].count; k++) {
            FUZZ_REQUIRE(isfinite(q->classes[i].values[k]));
            fuzz_touch_text(q->classes[i].attributes[k]);
        }
    }
}

int fuzz_run_request(const uint8_t *data, size_t size) {
    const uint8_t *line = size > 0 ? memchr(data, '\n', size < MOST_TYPE ? size : MOST_TYPE) : NULL;
    if (!line) return 0;
    char type[MOST_TYPE + 1] = "";
    memcpy(type, data, (size_t)(line - data));
    const size_t rest = size - (size_t)(line + 1 - data);
    char *body = malloc(rest + 1); /* of its own, so that reading beyond it is seen */
    if (!body) return 0;
    memcpy(body, line + 1, rest);
    body = realloc(body, rest > 0 ? rest : 1);
    int taken = 0;
    for (int explain = 0; explain < 2; explain++) {
        un_question q;
        un_question_init(&q, explain);
        const int status = un_question_read(&q, type, body, rest, WIDTH, 1);
        FUZZ_REQUIRE(status == 0 || (status >= 400 && status < 500 && un_error()[0]));
        if (!status) use(&q, body, rest);
        taken |= !status;
        un_question_free(&q);
    }
    free(body);
    return taken;
}

void fuzz_seed_request(void) {
    fuzz_seed_text("picture", "image/png\n\x89PNG");
    fuzz_seed_text("features", "application/json\n{\"features\": [[1, 2.5, -3e2], [0, 0, 0]], "
                               "\"top\": 3, \"among\": \"unseen\"}");
    fuzz_seed_text("classes",
                   "application/json\n{\"features\": [], \"classes\": [{\"name\": \"wren\", "
                   "\"attributes\": {\"size::small\": 1, \"color::red\": 0.5}}]}");
    fuzz_seed_text("why", "application/json; charset=utf-8\n{\"features\": [[1, 2, 3]], \"maps\": "
                          "2, \"attributes\": 4, \"instead_of\": \"wren\"}");
    fuzz_seed_text("form", "multipart/form-data; boundary=\"b b\"\n--b b\r\ncontent-disposition: "
                           "form-data; name=\"image\"; filename=\"x\"\r\nContent-Type: "
                           "image/png\r\n\r\nbytes\r\n--b b\r\nContent-Disposition: form-data; "
                           "name=request\r\n\r\n{\"top\": \"all\"}\r\n--b b--\r\n");
    fuzz_seed_text("bad_form", "multipart/form-data; boundary=b\n--b\r\n\r\n\r\n--b--");
}

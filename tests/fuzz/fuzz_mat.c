/*
 * fuzz_mat.c - a MAT file: listed and read, or refused; then imported as both files of a package
 * in xlsa17's layout.
 */
#include "fuzz.h"

#include <zlib.h>

#include "data/readers/import.h"
#include "data/readers/mat.h"

/* Arrays beyond this are left alone: time is better spent on other inputs. */
static const size_t READ_LIMIT = (size_t)1 << 22;

static void read_numbers(un_mat *mat, const un_mat_variable *v) {
    double *values = NULL;
    const float *columns = NULL;
    size_t count = 0;
    if (v->rank != 2 || __builtin_mul_overflow(v->dims[0], v->dims[1], &count)) return;
    if (count > READ_LIMIT) return;
    if (fuzz_taken(un_mat_read_double(mat, v->name, &values))) {
        fuzz_touch(values, count * sizeof *values);
        free(values);
    }
    if (v->dims[1] > 0 &&
        fuzz_taken(un_mat_read_columns(mat, v->name, v->dims[1] - 1, 1, &columns)))
        fuzz_touch(columns, v->dims[0] * sizeof *columns);
}

static void read_text(un_mat *mat, const un_mat_variable *v) {
    un_arena arena = {0};
    char **strings = NULL;
    size_t count = 0;
    if (fuzz_taken(un_mat_read_strings(mat, v->name, &arena, &strings, &count)))
        for (size_t i = 0; i < count; i++) fuzz_touch_text(strings[i]);
    un_arena_free(&arena);
}

int fuzz_run_mat(const uint8_t *data, size_t size) {
    un_mat *mat = NULL;
    size_t count = 0;
    const char *path = fuzz_file("a.mat", data, size);
    if (!fuzz_taken(un_mat_open(&mat, path))) return 0;
    const un_mat_variable *variables = un_mat_variables(mat, &count);
    for (size_t i = 0; i < count; i++) {
        fuzz_touch_text(variables[i].name);
        if (variables[i].kind == UN_MAT_NUMERIC)
            read_numbers(mat, &variables[i]);
        else
            read_text(mat, &variables[i]);
    }
    un_mat_close(mat);
    const un_benchmark_options options = {
        .features = path, .splits = path, .dtype = UN_F32, .output = fuzz_path("out")};
    if (fuzz_taken(un_import_xlsa17(&options))) fuzz_check_import(options.output);
    return 1;
}

/* ---- seeds: MAT v5 as its manual describes it ---- */

typedef struct {
    unsigned char bytes[8192];
    size_t n;
} writer;

enum {
    INT8 = 1,
    UINT8 = 2,
    INT32 = 5,
    UINT32 = 6,
    SINGLE = 7,
    DOUBLE = 9,
    MATRIX = 14,
    PACKED = 15
};
enum { CELL = 1, CHAR = 4, DOUBLE_CLASS = 6, SINGLE_CLASS = 7 };

static void put32(writer *w, uint32_t value) {
    memcpy(w->bytes + w->n, &value, 4);
    w->n += 4;
}

static void put_element(writer *w, uint32_t type, const void *data, size_t bytes) {
    put32(w, type);
    put32(w, (uint32_t)bytes);
    memcpy(w->bytes + w->n, data, bytes);
    w->n += bytes;
    while (w->n % 8) w->bytes[w->n++] = 0;
}

/* The head of a variable; end_matrix completes its tag. */
static size_t begin_matrix(writer *w, uint32_t class, const char *name, size_t rows,
                           size_t columns) {
    const uint32_t flags[2] = {class, 0};
    const int32_t dims[2] = {(int32_t)rows, (int32_t)columns};
    put32(w, MATRIX);
    size_t at = w->n;
    put32(w, 0);
    put_element(w, UINT32, flags, sizeof flags);
    put_element(w, INT32, dims, sizeof dims);
    put_element(w, INT8, name, strlen(name));
    return at;
}

static void end_matrix(writer *w, size_t at) {
    uint32_t bytes = (uint32_t)(w->n - at - 4);
    memcpy(w->bytes + at, &bytes, 4);
}

static void put_double(writer *w, const char *name, size_t rows, size_t columns,
                       const double *values) {
    size_t at = begin_matrix(w, DOUBLE_CLASS, name, rows, columns);
    put_element(w, DOUBLE, values, rows * columns * sizeof *values);
    end_matrix(w, at);
}

static void put_char(writer *w, const char *name, const char *text) {
    uint16_t units[32];
    size_t n = strlen(text), at = begin_matrix(w, CHAR, name, 1, n);
    for (size_t i = 0; i < n; i++) units[i] = (unsigned char)text[i];
    put_element(w, 4, units, 2 * n);
    end_matrix(w, at);
}

/* Everything so far behind the header, packed as one variable each where asked. */
static void put_variable(writer *out, const writer *variable, int packed) {
    if (!packed) {
        memcpy(out->bytes + out->n, variable->bytes, variable->n);
        out->n += variable->n;
        return;
    }
    uLongf room = sizeof out->bytes - out->n - 8;
    FUZZ_REQUIRE(compress2(out->bytes + out->n + 8, &room, variable->bytes, variable->n, 9) ==
                 Z_OK);
    put32(out, PACKED);
    put32(out, (uint32_t)room);
    out->n += room;
}

static void header(writer *w) {
    memset(w->bytes, ' ', 116);
    memcpy(w->bytes, "MATLAB 5.0 MAT-file", 19);
    memset(w->bytes + 116, 0, 8);
    memcpy(w->bytes + 124, "\0\1IM", 4);
    w->n = 128;
}

/* 8 images of 4 classes: numbers count from 1. */
static void seed(const char *name, int packed) {
    static const double features[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    static const double labels[8] = {1, 1, 2, 2, 3, 3, 4, 4};
    static const double att[8] = {0, 1, 1, 0, 1, 1, 0.5, 0.25};
    static const double lists[3][4] = {{1, 2, 3, 5}, {4, 6}, {7, 8}};
    static const char *const list_names[] = {"trainval_loc", "test_seen_loc", "test_unseen_loc"};
    static const char *const names[] = {"ant", "bee", "cat", "dog"};
    static writer out, one;
    header(&out);
#define VARIABLE(call)                                                                             \
    one.n = 0;                                                                                     \
    call;                                                                                          \
    put_variable(&out, &one, packed)
    VARIABLE(put_double(&one, "features", 2, 8, features));
    VARIABLE(put_double(&one, "labels", 8, 1, labels));
    VARIABLE(put_double(&one, "att", 2, 4, att));
    for (size_t i = 0; i < 3; i++) {
        VARIABLE(put_double(&one, list_names[i], i == 0 ? 4 : 2, 1, lists[i]));
    }
    one.n = 0;
    size_t at = begin_matrix(&one, CELL, "allclasses_names", 4, 1);
    for (size_t c = 0; c < 4; c++) put_char(&one, "", names[c]);
    end_matrix(&one, at);
    put_variable(&out, &one, packed);
    VARIABLE(put_char(&one, "note", "made for a test"));
#undef VARIABLE
    fuzz_seed(name, out.bytes, out.n);
}

/* Two gigarows of no characters. */
static void seed_rows_of_nothing(void) {
    static writer w;
    header(&w);
    size_t at = begin_matrix(&w, CHAR, "none", INT32_MAX, 0);
    put_element(&w, 4, "", 0);
    end_matrix(&w, at);
    fuzz_seed("found_rows_of_nothing", w.bytes, w.n);
}

void fuzz_seed_mat(void) {
    static writer empty;
    seed_rows_of_nothing();
    seed("plain", 0);
    seed("packed", 1);
    header(&empty);
    fuzz_seed("found_empty", empty.bytes, empty.n);
    fuzz_seed_text("bad_text", "no MAT file");
}

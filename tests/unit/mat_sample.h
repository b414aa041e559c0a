/* mat_sample.h - what the tests of the MAT reader share: one file, written in every way there is. */
#ifndef UN_TESTS_MAT_SAMPLE_H
#define UN_TESTS_MAT_SAMPLE_H

#include "data/readers/mat.h"
#include "mat_writer.h"
#include "unit/folder.h"
#include "util.h"

enum { ROWS = 6, COLUMNS = 9 };

static inline const char *sample_path(void) { return in_folder("file.mat"); }

/* The ways to write a file. */
static const struct {
    mat_form form;
    const char *version;
} g_flavours[] = {
    {MAT_PLAIN, "5"},        {MAT_PACKED, "5"}, {MAT_V73, "7.3"},
    {MAT_V73_PACKED, "7.3"}, {MAT_BIG, "5"},    {MAT_BIG_PACKED, "5"},
};
enum { FLAVOURS = sizeof g_flavours / sizeof *g_flavours };

/* features, labels, names, a char matrix, a complex and a 3-d variable. */
static inline void write_sample(mat_form form) {
    float features[ROWS * COLUMNS];
    double att[ROWS * COLUMNS];
    uint16_t labels[COLUMNS];
    const char *const names[] = {"cat", "Laysan_Albatross", ""};
    const uint16_t lines[] = {'a', 'X', 'b', 'Y', 'c', ' ', ' ', 'd'}; /* "abc " and "XY d" */
    const double re[2] = {1, 2};
    const double im[2] = {3, 4};
    const uint8_t cube[8] = {0};
    for (int i = 0; i < ROWS * COLUMNS; i++) {
        features[i] = (float)i * 0.25f;
        att[i] = (double)i / 3;
    }
    for (int i = 0; i < COLUMNS; i++) labels[i] = (uint16_t)(i + 1);
    mat_writer w = mat_create(sample_path(), form);
    mat_put(&w, "features", MAT_SINGLE, MI_SINGLE, ROWS, COLUMNS, features);
    mat_put(&w, "att", MAT_DOUBLE, MI_DOUBLE, ROWS, COLUMNS, att);
    mat_put(&w, "labels", MAT_UINT16, MI_UINT16, COLUMNS, 1, labels);
    mat_put_cells(&w, "names", names, 3, 1);
    mat_put(&w, "lines", MAT_CHAR, MI_UINT16, 2, 4, lines);
    mat_put_complex(&w, "complex", 2, re, im);
    mat_put_array(&w, "cube", MAT_UINT8, MI_UINT8, 3, (size_t[3]){2, 2, 2}, cube);
    mat_close(&w);
}

#endif
